//! The requests that wait for an approver: one row each, with what an approver should know before deciding.

use serde::Serialize;

use super::rows::{Row, age};
use crate::{
    api::{AgencyTenantSpec, Resources, agency_tenant::Role, approval::Approval},
    model::{root::TenantRoot, settings::Settings, snapshot::Snapshot},
    plan::{
        contract::{Approvals, Request, below_held},
        history::waiting,
        intent::intent,
    },
    status::stop::stop_words,
};

/// A request that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestRow {
    /// Name of the `AgencyTenant`.
    pub agency: String,
    /// Name as people know it.
    pub display_name: String,
    /// `metadata.generation` that is asked for; the one to decide on.
    pub generation: i64,
    /// Generation in force; left out where nothing is approved yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_force: Option<i64>,
    /// User name of who asks; empty where it is not known.
    pub by: String,
    /// Since when it waits, RFC 3339, UTC; empty where the operator has not recorded it yet.
    pub since: String,
    /// The same in seconds.
    pub age_seconds: i64,
    /// How it differs from what is in force, one difference a line.
    pub changes: Vec<String>,
    /// What an approver should know before deciding.
    pub warnings: Vec<Warning>,
}

/// Something that an approver should know before deciding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// In one word: `Invalid`, `NoOwner`, `BelowHeld` or `Stopped`.
    pub reason: &'static str,
    /// In a sentence.
    pub message: String,
}

/// The request of a tenant, if one waits.
#[must_use]
pub fn request(snapshot: &Snapshot, settings: &Settings) -> Option<RequestRow> {
    let root = snapshot.tenant.as_ref().filter(|root| !root.deleting)?;
    let approvals = intent(snapshot, settings).approvals.filter(|approvals| approvals.request == Request::Pending)?;
    let spec = root.spec.as_ref().ok()?;
    let since = waiting(root).map(|(first, _)| first.time.clone()).unwrap_or_default();
    let recorded = since.parse::<k8s_openapi::jiff::Timestamp>().ok();
    Some(RequestRow {
        agency: root.name.clone(),
        display_name: spec.display_name.clone(),
        generation: root.generation,
        in_force: approvals.contract.as_ref().map(|(generation, _)| *generation),
        by: root.requested_by.clone().unwrap_or_default(),
        age_seconds: recorded.map_or(0, |time| snapshot.now.as_second() - time.as_second()),
        since,
        changes: approvals.differences.clone(),
        warnings: warnings(snapshot, settings, root, spec, &approvals),
    })
}

fn warnings(snapshot: &Snapshot, settings: &Settings, root: &TenantRoot, spec: &AgencyTenantSpec, approvals: &Approvals) -> Vec<Warning> {
    let problems = intent(&if_approved(snapshot, Resources::new()), settings).request.unwrap_or_default();
    let invalid = problems.iter().map(|problem| Warning { reason: "Invalid", message: problem.to_string() });
    let ownerless = !spec.members.iter().any(|member| member.role == Role::Owner);
    let no_owner =
        ownerless.then(|| Warning { reason: "NoOwner", message: "no Owner is left: nobody of the agency can edit it then".to_owned() });
    let below = below_held(root).into_iter();
    let below =
        below.map(|line| Warning { reason: "BelowHeld", message: format!("{line}; the quota in force stays until they hold no more") });
    let stopped = approvals.stopped.then(|| Warning {
        reason: "Stopped",
        message: format!("the agency is {}; to approve the request ends the stop too, `resume` ends it alone", stop_words(&root.status)),
    });
    invalid.chain(no_owner).chain(below).chain(stopped).collect()
}

/// The tenant as if its request were approved now, with these amounts where they are less.
#[must_use]
pub fn if_approved(snapshot: &Snapshot, quota: Resources) -> Snapshot {
    let mut then = snapshot.clone();
    if let Some(root) = then.tenant.as_mut() {
        root.status.approval = Some(Approval::granting(root.generation, quota));
    }
    then
}

impl Row for RequestRow {
    const HEADER: &'static [&'static str] = &["AGENCY", "GENERATION", "BY", "AGE", "CHANGES", "WARNINGS", "DISPLAY NAME"];

    fn cells(&self) -> Vec<String> {
        let changes = match (self.in_force, self.changes.as_slice()) {
            (None, changes) => format!("first request, {} fields", changes.len()),
            (Some(_), [one]) => one.clone(),
            (Some(_), changes) => format!("{} and {} more", changes.first().cloned().unwrap_or_default(), changes.len().saturating_sub(1)),
        };
        let mut reasons: Vec<&str> = self.warnings.iter().map(|warning| warning.reason).collect();
        reasons.dedup();
        let age = if self.since.is_empty() { String::new() } else { age(self.age_seconds) };
        vec![self.agency.clone(), self.generation.to_string(), self.by.clone(), age, changes, reasons.join(","), self.display_name.clone()]
    }
}
