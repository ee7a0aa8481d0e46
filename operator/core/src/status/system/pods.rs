//! Condition `PodsAdmitted`: which workloads of a system have pods that are refused, why, and what to do about it.

use std::collections::BTreeSet;

use super::View;
use crate::{
    api::{
        Stage,
        conditions::{find, kind, reason},
    },
    model::{
        failed_creates::{FailedCreate, Seen, by_cause, is_same_cause, recent},
        tenant::System,
        text::shortened,
    },
    plan::{
        cures::{Place, cure},
        tags::is_required,
    },
    status::{NAMED, conditions::NewCondition, list_of},
};

/// Bytes of each of several causes that are told.
const CAUSE_BYTES: usize = 900;

impl View<'_> {
    /// Whether the workloads' pods are let in, as Kubernetes' controllers tell. What Ready says does not depend on it: a pipeline
    /// waits for Ready before it deploys.
    pub(super) fn pods_admitted(&self) -> NewCondition {
        let Some(space) = self.space() else { return self.not_served(kind::PODS_ADMITTED) };
        let failed_creates = self.input.snapshot.failed_creates.get(&space.namespace).map_or(&[][..], Vec::as_slice);
        let refused = recent(failed_creates, self.input.seconds());
        let before = find(&self.root.status.conditions, kind::PODS_ADMITTED).filter(|condition| condition.reason == reason::FAILED_CREATE);
        let (unseen, lacking): (Vec<_>, Vec<_>) = refused.into_iter().partition(|refusal| refusal.seen == Seen::NotYet);
        let told = before.map(|condition| condition.message.clone());
        match (lacking.as_slice(), told) {
            // Until all of them were looked at, nothing new is told: it may be cured.
            (_, Some(told)) if !unseen.is_empty() => NewCondition::no(kind::PODS_ADMITTED, reason::FAILED_CREATE, told),
            ([], _) => self.tags_in_use(),
            (lacking, told) => {
                let message = self.refused(lacking);
                let told = told.filter(|told| is_same_cause(told, &message));
                NewCondition::no(kind::PODS_ADMITTED, reason::FAILED_CREATE, told.unwrap_or(message))
            }
        }
    }

    /// That no pods are refused; and which run by tag although the contract requires digests, so that they will be.
    fn tags_in_use(&self) -> NewCondition {
        let none = NewCondition::yes(kind::PODS_ADMITTED, reason::NONE_REFUSED, "no pods are refused");
        let (Some(Ok(tenant)), Some(Ok(system))) = (&self.input.intent.tenant, self.system) else { return none };
        if !is_required(tenant, system) {
            return none;
        }
        let found = self.input.snapshot.tags.get(&self.namespace).and_then(|tags| tags.workloads.as_ref());
        let told = find(&self.root.status.conditions, kind::PODS_ADMITTED).filter(|condition| condition.reason == reason::TAGS_IN_USE);
        match (found, told) {
            (Some(workloads), _) if workloads.is_empty() => none,
            (Some(workloads), _) => NewCondition::yes(kind::PODS_ADMITTED, reason::TAGS_IN_USE, self.by_tag(workloads)),
            // Nobody has looked yet, so what was told stays.
            (None, Some(told)) => NewCondition::yes(kind::PODS_ADMITTED, reason::TAGS_IN_USE, told.message.clone()),
            (None, None) => none,
        }
    }

    fn by_tag(&self, workloads: &BTreeSet<String>) -> String {
        let names: Vec<&str> = workloads.iter().map(String::as_str).collect();
        format!(
            "pods of {} workload{} have an image that names no digest: {}; they run on, but are not created again, since \
             spec.images.requireDigest of agencytenant/{} requires digests: deploy them by digest, name@sha256:<64 hexadecimal digits>",
            workloads.len(),
            if workloads.len() == 1 { "" } else { "s" },
            list_of(&names),
            self.input.snapshot.name
        )
    }

    /// Which workloads are refused what, why, and what to do about it.
    fn refused(&self, lacking: &[&FailedCreate]) -> String {
        // Whichever rule refuses them first, they are refused because of the stage.
        if let (Some(Ok(System { stage: stage @ (Stage::Suspended | Stage::Retired), .. })), [first, ..]) = (self.system, lacking) {
            let cure = if *stage == Stage::Suspended { format!("; {}", self.suspension()) } else { String::new() };
            let why = format!("the system is {}, so it admits no new pods{cure}", stage.as_str());
            return format!("Kubernetes cannot create {}", told(first, &why, &lacking[1..]));
        }
        let keys: Vec<String> = match &self.input.intent.tenant {
            Some(Ok(tenant)) => tenant.quota.keys().cloned().collect(),
            _ => Vec::new(),
        };
        let groups = by_cause(lacking);
        let longest = if groups.len() > 1 { CAUSE_BYTES } else { usize::MAX };
        let causes = groups.iter().take(NAMED).filter_map(|group| {
            let (first, others) = group.split_first()?;
            let cure = cure(first, Place { namespace: &self.namespace, keys: &keys }).map_or_else(String::new, |cure| format!("; {cure}"));
            Some(told(first, &format!("{}{cure}", shortened(&first.cause, longest)), others))
        });
        match groups.len() {
            0 | 1 => format!("Kubernetes cannot create {}", causes.collect::<String>()),
            number => {
                let listed = if number > NAMED { format!(", of which these are the first {NAMED}") } else { String::new() };
                let causes: Vec<String> = causes.zip(1..).map(|(cause, number)| format!("({number}) {cause}")).collect();
                format!("Kubernetes refuses workloads for {number} causes{listed}: {}", causes.join("; "))
            }
        }
    }
}

/// What of a workload is refused and why, and which others are refused for the same cause.
fn told(first: &FailedCreate, why: &str, others: &[&FailedCreate]) -> String {
    let names: Vec<String> = others.iter().take(NAMED).map(|refusal| refusal.workload.shown()).collect();
    let others = match others.len().saturating_sub(NAMED) {
        _ if names.is_empty() => String::new(),
        0 => format!("; also refused: {}", names.join(", ")),
        more => format!("; also refused: {} and {more} more", names.join(", ")),
    };
    format!("{} of {}: {why}{others}", first.objects, first.workload.shown())
}
