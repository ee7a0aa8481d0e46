//! All that there is to know at once of an agency or of a hosted system, as `govcloud status` shows it.

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    agencies::{AgencyRow, Figures, percent},
    failing::{Failing, conditions, why},
    rows::{Row, age},
};
use crate::{
    api::{
        AgencyTenantSpec, AgencyTenantStatus,
        conditions::{find, kind},
    },
    plan::contract::differences,
};

/// At most so many events are told, the newest ones.
const EVENTS: usize = 10;

/// An agency.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgencyReport {
    /// What a list shows of it.
    #[serde(flatten)]
    pub row: AgencyRow,
    /// Unit inside the agency that answers for it.
    pub responsible_unit: String,
    /// `metadata.generation` of the spec.
    pub generation: i64,
    /// That of the contract; left out where nothing is approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract_generation: Option<i64>,
    /// What condition Approved says.
    pub approval: String,
    /// The quota, key by key.
    pub quota: Vec<QuotaRow>,
    /// Its hosted systems.
    pub hosted_systems: Vec<SystemRow>,
    /// What the spec asks for beyond the contract, one difference a line.
    pub requested_changes: Vec<String>,
    /// The newest events, oldest first.
    pub events: Vec<EventRow>,
}

impl AgencyReport {
    /// Puts together what was read of an agency.
    #[must_use]
    pub fn of(tenant: &Value, systems: &[Value], events: &[Value], now: Timestamp) -> Self {
        let status = &tenant["status"];
        let told = conditions(tenant);
        let generation = tenant["metadata"]["generation"].as_i64().unwrap_or_default();
        let contract_generation = status["contractGeneration"].as_i64();
        Self {
            row: AgencyRow::of(tenant),
            responsible_unit: text(&tenant["spec"]["responsibleUnit"]),
            generation,
            contract_generation,
            approval: find(&told, kind::APPROVED).map(|condition| condition.message.clone()).unwrap_or_default(),
            quota: QuotaRow::all(&status["quota"]),
            hosted_systems: systems.iter().map(SystemRow::of).collect(),
            requested_changes: if contract_generation == Some(generation) { Vec::new() } else { requested(tenant) },
            events: newest(events, now),
        }
    }
}

/// What the spec asks for beyond the contract; nothing is told of a spec that this version cannot read.
fn requested(tenant: &Value) -> Vec<String> {
    let Ok(spec) = AgencyTenantSpec::deserialize(&tenant["spec"]) else { return Vec::new() };
    let Ok(status) = AgencyTenantStatus::deserialize(&tenant["status"]) else { return Vec::new() };
    differences(&status, tenant["metadata"]["generation"].as_i64().unwrap_or_default(), &spec)
}

/// A hosted system.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemReport {
    /// The agency that it is of.
    pub agency: String,
    /// What a list shows of it.
    #[serde(flatten)]
    pub row: SystemRow,
    /// The stage that its spec asks for.
    pub wanted_stage: String,
    /// Field of public administration.
    pub sector: String,
    /// Level of classified protection.
    pub protection_level: i64,
    /// What happens to its namespace when it is deleted.
    pub deletion_policy: String,
    /// Its share, key by key.
    pub share: Vec<ShareRow>,
    /// The newest events, oldest first.
    pub events: Vec<EventRow>,
}

impl SystemReport {
    /// Puts together what was read of a system; `used` is `status.used` of its namespace's quota, null where that may not be read.
    #[must_use]
    pub fn of(system: &Value, used: &Value, events: &[Value], now: Timestamp) -> Self {
        let spec = &system["spec"];
        Self {
            agency: text(&system["metadata"]["namespace"]),
            row: SystemRow::of(system),
            wanted_stage: text(&spec["stage"]),
            sector: text(&spec["sector"]),
            protection_level: spec["protectionLevel"].as_i64().unwrap_or_default(),
            deletion_policy: text(&spec["deletionPolicy"]),
            share: ShareRow::all(&system["status"]["granted"], &spec["resources"]["guaranteed"], used),
            events: newest(events, now),
        }
    }
}

/// A hosted system among those of its agency.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemRow {
    /// Name of the `HostedSystem`.
    pub name: String,
    /// Name as people know it.
    pub display_name: String,
    /// The stage that holds; empty while no operator has seen it.
    pub stage: String,
    /// Whether it is Ready: True, False or Unknown.
    pub ready: String,
    /// Reason of condition Ready.
    pub reason: String,
    /// Its workload namespace; empty while there is none.
    pub namespace: String,
    /// The first condition that fails; left out where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing: Option<Failing>,
}

impl SystemRow {
    /// The row of a `HostedSystem`.
    #[must_use]
    pub fn of(system: &Value) -> Self {
        let told = conditions(system);
        let ready = find(&told, kind::READY);
        Self {
            name: text(&system["metadata"]["name"]),
            display_name: text(&system["spec"]["displayName"]),
            stage: text(&system["status"]["stage"]),
            ready: ready.map_or_else(|| "Unknown".to_owned(), |condition| condition.status.clone()),
            reason: ready.map(|condition| condition.reason.clone()).unwrap_or_default(),
            namespace: text(&system["status"]["namespace"]),
            failing: why(system),
        }
    }
}

impl Row for SystemRow {
    const HEADER: &'static [&'static str] = &["NAME", "STAGE", "READY", "REASON", "NAMESPACE", "DISPLAY NAME"];

    fn cells(&self) -> Vec<String> {
        let Self { name, display_name, stage, ready, reason, namespace, .. } = self;
        [name, stage, ready, reason, namespace, display_name].map(Clone::clone).to_vec()
    }
}

/// One key of an agency's quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QuotaRow {
    /// Key of the quota.
    pub resource: String,
    /// The amounts.
    #[serde(flatten)]
    pub figures: Figures,
}

impl QuotaRow {
    /// A row for each key that the total names.
    fn all(quota: &Value) -> Vec<Self> {
        let keys = quota["total"].as_object().into_iter().flatten().map(|(key, _)| key);
        keys.map(|key| Self { resource: key.clone(), figures: Figures::of(quota, key) }).collect()
    }
}

impl Row for QuotaRow {
    const HEADER: &'static [&'static str] = &["RESOURCE", "USED", "GIVEN", "TOTAL", "USED %", "GIVEN %"];

    fn cells(&self) -> Vec<String> {
        let Figures { used, given, total, used_percent, given_percent } = self.figures.clone();
        vec![self.resource.clone(), used, given, total, format!("{used_percent}%"), format!("{given_percent}%")]
    }
}

/// One key of a system's share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShareRow {
    /// Key of the quota.
    pub resource: String,
    /// What pods use; left out where one may not read the quota of the namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<String>,
    /// What the system was given.
    pub given: String,
    /// What its spec asks for; left out where it does not name the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// Used of what was given, in percent, rounded up; left out where use is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_percent: Option<u64>,
}

impl ShareRow {
    fn all(given: &Value, asked: &Value, used: &Value) -> Vec<Self> {
        let keys = |amounts: &Value| amounts.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        let keys: std::collections::BTreeSet<String> = keys(given).into_iter().chain(keys(asked)).collect();
        keys.into_iter().map(|key| Self::of(key, given, asked, used)).collect()
    }

    fn of(key: String, given: &Value, asked: &Value, used: &Value) -> Self {
        let named = |amounts: &Value| match &amounts[&key] {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let amount = |amounts: &Value| named(amounts).unwrap_or_else(|| "0".to_owned());
        let (given, asked, used) = (amount(given), named(asked), used.is_object().then(|| amount(used)));
        let used_percent = used.as_deref().map(|used| percent(used, &given));
        Self { resource: key, used, given, asked, used_percent }
    }
}

impl Row for ShareRow {
    const HEADER: &'static [&'static str] = &["RESOURCE", "USED", "GIVEN", "ASKED", "USED %"];

    fn cells(&self) -> Vec<String> {
        let unknown = || "?".to_owned();
        let percent = self.used_percent.map_or_else(unknown, |percent| format!("{percent}%"));
        vec![
            self.resource.clone(),
            self.used.clone().unwrap_or_else(unknown),
            self.given.clone(),
            self.asked.clone().unwrap_or_else(|| "-".to_owned()),
            percent,
        ]
    }
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventRow {
    /// When it last happened, RFC 3339.
    pub last: String,
    /// How long ago.
    #[serde(skip)]
    pub age: String,
    /// Normal or Warning.
    #[serde(rename = "type")]
    pub kind: String,
    /// Cause in one word.
    pub reason: String,
    /// What happened.
    pub message: String,
}

impl Row for EventRow {
    const HEADER: &'static [&'static str] = &["AGE", "TYPE", "REASON", "MESSAGE"];

    fn cells(&self) -> Vec<String> {
        let Self { age, kind, reason, message, .. } = self;
        [age, kind, reason, message].map(Clone::clone).to_vec()
    }
}

/// The newest events, of either API, oldest first.
fn newest(events: &[Value], now: Timestamp) -> Vec<EventRow> {
    let mut events: Vec<(Timestamp, EventRow)> = events.iter().filter_map(|event| row_of(event, now)).collect();
    events.sort_by_key(|(last, _)| *last);
    let older = events.len().saturating_sub(EVENTS);
    events.into_iter().skip(older).map(|(_, row)| row).collect()
}

fn row_of(event: &Value, now: Timestamp) -> Option<(Timestamp, EventRow)> {
    let times =
        [&event["series"]["lastObservedTime"], &event["lastTimestamp"], &event["eventTime"], &event["metadata"]["creationTimestamp"]];
    let last: Timestamp = times.into_iter().find_map(|time| time.as_str()?.parse().ok())?;
    let row = EventRow {
        last: last.to_string(),
        age: age(now.as_second() - last.as_second()),
        kind: text(&event["type"]),
        reason: text(&event["reason"]),
        message: text(&event["message"]),
    };
    Some((last, row))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
