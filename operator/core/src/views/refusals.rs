//! Running pods and objects that would not be admitted again, those of the same complaint together.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::guard_rails::{GuardRails, Judged, Subject};

/// Names in one line; the others are counted.
const NAMED: usize = 3;

/// What was found in one namespace.
#[derive(Debug, Default)]
pub struct Refusals {
    /// Complaints, with whom they are about.
    pub lines: Vec<String>,
    /// Policies that could not be evaluated here.
    pub unknown: BTreeSet<String>,
}

/// What the guard rails say of the objects in a namespace as it will be and, where it is given, did not say of it as it is.
#[must_use]
pub fn refusals(rails: &GuardRails, subjects: &[Subject], now: Option<&Value>, then: &Value) -> Refusals {
    let mut found = Refusals::default();
    let mut complaints: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for subject in subjects {
        let Judged { refused, unknown } = rails.judge(subject, then);
        found.unknown.extend(unknown);
        let former = if refused.is_empty() { Judged::default() } else { now.map(|now| rails.judge(subject, now)).unwrap_or_default() };
        for (_, message) in refused.into_iter().filter(|(place, _)| !former.refused.contains_key(place)) {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let kind = text(&subject.object["kind"]).to_lowercase();
            complaints.entry((kind, message)).or_default().push(text(&subject.object["metadata"]["name"]));
        }
    }
    found.lines = complaints.into_iter().map(|((kind, message), names)| format!("{kind} {}: {message}", listed(&names))).collect();
    found
}

/// Some of the names, and how many more.
fn listed(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMED) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}
