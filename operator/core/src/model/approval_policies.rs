//! Which changes of a tenant need no person's approval: settings of the cluster.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{api::agency_tenant::Role, model::amounts::Amounts};

/// What the platform approves by policy. Default: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApprovalPolicies {
    /// Policy `quota-growth`.
    pub quota_growth: Option<QuotaGrowth>,
    /// Policy `egress`: further destinations within these ranges.
    pub egress: Vec<IpNet>,
    /// Policy `members`: further members with these roles, Deployer and Auditor.
    pub members: Vec<Role>,
}

/// How much a quota may grow without a person, measured from what a person approved last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuotaGrowth {
    /// Percent of each amount, 1 to 100.
    pub percent: u32,
    /// The most that each amount may grow; one that is not named does not grow.
    #[serde(with = "quantities")]
    pub at_most: Amounts,
    /// What the cloud has of each: the totals of all agencies together stay within it.
    #[serde(with = "quantities")]
    pub capacity: Amounts,
}

/// Amounts as quantities in text.
mod quantities {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use crate::{
        api::Resources,
        model::amounts::{Amounts, amounts, resources},
    };

    pub(super) fn serialize<S: Serializer>(these: &Amounts, serializer: S) -> Result<S::Ok, S::Error> {
        resources(these).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Amounts, D::Error> {
        let words = Resources::deserialize(deserializer)?;
        amounts(&words).map_err(|(key, complaint)| D::Error::custom(format!("{key}: {complaint}")))
    }
}
