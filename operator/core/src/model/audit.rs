//! One line of the audit log.

use serde::Serialize;

use crate::{
    api::history::{HistoryEntry, HistoryEvent},
    model::root::TenantRoot,
};

/// Version of the lines' schema.
const VERSION: &str = "govcloud.io/v1alpha1";

/// An entry of a tenant's history with all that it changes, as a line of the operator's standard output.
///
/// A line is written before the status, so it may come again when that write fails or the operator ends: of lines with the same `uid`,
/// `number`, `event`, `generation` and `by` the last one counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditRecord {
    /// Version of the schema; no other line of the operator's output has this field.
    pub audit: &'static str,
    /// RFC 3339, UTC.
    pub time: String,
    /// Name of the `AgencyTenant`.
    pub agency: String,
    /// Its UID.
    pub uid: String,
    /// Number of the entry in `status.history`.
    pub number: i64,
    /// What happened.
    pub event: HistoryEvent,
    /// Who did it; empty where it is not known.
    pub by: String,
    /// `metadata.generation` that it is about.
    pub generation: i64,
    /// Reason that was given; may be empty.
    pub reason: String,
    /// How the generation differs from the contract that was in force: every difference, one a line.
    pub changes: Vec<String>,
}

impl AuditRecord {
    /// The record of an entry.
    #[must_use]
    pub fn new(root: &TenantRoot, entry: &HistoryEntry, changes: Vec<String>) -> Self {
        let HistoryEntry { number, time, event, by, generation, reason, .. } = entry.clone();
        Self { audit: VERSION, time, agency: root.name.clone(), uid: root.uid.clone(), number, event, by, generation, reason, changes }
    }

    /// In words, for an event.
    #[must_use]
    pub fn words(&self) -> String {
        let by = if self.by.is_empty() { String::new() } else { format!(" by {}", self.by) };
        let what = match self.event {
            HistoryEvent::Requested => format!("generation {} was asked for{by}", self.generation),
            HistoryEvent::Withdrawn => format!("the request was withdrawn{by}"),
            HistoryEvent::Approved => format!("generation {} was approved{by}", self.generation),
            HistoryEvent::Rejected => format!("generation {} was rejected{by}", self.generation),
            HistoryEvent::Suspended => format!("the agency was stopped{by}"),
            HistoryEvent::Resumed => format!("the emergency stop was ended{by}"),
            HistoryEvent::ContractChanged => format!("generation {} became the contract, written{by}", self.generation),
        };
        let reason = if self.reason.is_empty() { String::new() } else { format!(": {}", self.reason) };
        let changes = if self.changes.is_empty() { String::new() } else { format!(". Differences: {}", self.changes.join("; ")) };
        format!("{what}{reason}{changes}")
    }
}
