//! By whom, since when and why a tenant is stopped: for conditions and commands.

use crate::api::{
    AgencyTenantStatus,
    approval::{Approval, Decision},
    history::{HistoryEntry, HistoryEvent},
};

/// By whom, since when and why the tenant is stopped.
#[must_use]
pub fn stop_words(status: &AgencyTenantStatus) -> String {
    let entry = status.history.iter().rev().find(|entry| entry.event == HistoryEvent::Suspended);
    match (status.approval.as_ref().filter(|approval| approval.decision == Decision::Suspended), entry) {
        (Some(Approval { by, reason, time: None, .. }), _) => format!("stopped by {by} ({reason})"),
        (Some(Approval { by, reason, time: Some(time), .. }), _) | (None, Some(HistoryEntry { by, reason, time, .. })) => {
            format!("stopped by {by} at {time} ({reason})")
        }
        (None, None) => "stopped by an approver".to_owned(),
    }
}
