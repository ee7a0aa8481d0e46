//! Who asked for what, who decided, and when the contract changed: the record that a tenant's status keeps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::approval::Decision;

/// Entries that a status keeps. Beyond, the agency's own go first, then what policies decided, then decisions; of each the oldest.
pub const MAX_ENTRIES: usize = 40;
/// Lines of a difference that an entry keeps.
pub const MAX_CHANGES: usize = 8;
/// Bytes of each of them.
pub const CHANGE_BYTES: usize = 160;

/// One thing that happened to a tenant's request or contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// Number of the entry; each is one more than the one before.
    #[schemars(range(min = 1))]
    pub number: i64,
    /// When the operator recorded it, RFC 3339, UTC.
    #[schemars(length(max = 32), extend("format" = "date-time"))]
    pub time: String,
    /// What happened.
    pub event: HistoryEvent,
    /// User name of who did it, as the API server authenticates it, or `policy/NAME` where a policy of the platform approved. Of requests and
    /// of changes without approval it is known on Kubernetes 1.36 or later; absent where it is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub by: String,
    /// `metadata.generation` that it is about.
    pub generation: i64,
    /// Whether the generation became the contract with this entry.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_force: bool,
    /// Reason that was given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub reason: String,
    /// How the generation differs from the contract that was in force, one difference a line; the first 8, shortened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 9), inner(length(max = 200)))]
    pub changes: Vec<String>,
}

/// What happens to a tenant's request or contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::values::note)]
pub enum HistoryEvent {
    /// Somebody asked for a generation that needs approval.
    Requested,
    /// The request was taken back before anybody decided: the spec is the contract again.
    Withdrawn,
    /// The generation was approved.
    Approved,
    /// The generation was rejected.
    Rejected,
    /// An approver stopped the tenant in an emergency.
    Suspended,
    /// An approver ended the emergency stop.
    Resumed,
    /// The generation became the contract without a decision on it: the platform wrote it, or it only takes away.
    ContractChanged,
}

impl HistoryEvent {
    /// The name as written in the status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "Requested",
            Self::Withdrawn => "Withdrawn",
            Self::Approved => "Approved",
            Self::Rejected => "Rejected",
            Self::Suspended => "Suspended",
            Self::Resumed => "Resumed",
            Self::ContractChanged => "ContractChanged",
        }
    }

    /// Whether an approver, or a policy of the platform, decides this.
    #[must_use]
    pub fn is_decision(self) -> bool {
        matches!(self, Self::Approved | Self::Rejected | Self::Suspended | Self::Resumed)
    }
}

impl From<Decision> for HistoryEvent {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Approved => Self::Approved,
            Decision::Rejected => Self::Rejected,
            Decision::Suspended => Self::Suspended,
            Decision::Resumed => Self::Resumed,
        }
    }
}

/// Begins the name of a policy of the platform where a user's name would stand. No approver is called so.
pub const POLICY_PREFIX: &str = "policy/";

impl HistoryEntry {
    /// Whether a policy of the platform did it.
    #[must_use]
    pub fn is_by_policy(&self) -> bool {
        self.by.starts_with(POLICY_PREFIX)
    }
}
