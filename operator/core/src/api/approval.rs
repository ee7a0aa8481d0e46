//! Request, approval and contract: what of a tenant's spec is served, and who said so.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::Value;

use super::{agency_tenant::AgencyTenantSpec, common::Resources};

/// An approver's decision on one generation of the spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// What was decided.
    pub decision: Decision,
    /// `metadata.generation` that was decided on: nobody decides on what they have not seen.
    #[schemars(range(min = 1))]
    pub generation: i64,
    /// User name of the one who decided, as the API server authenticates it.
    #[schemars(length(min = 1, max = 253))]
    pub by: String,
    /// Why, for those who asked; at most 512 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512))]
    pub reason: String,
    /// With decision Approved, amounts of `spec.quota` that are granted where they are less than what is asked for. They need a reason.
    /// Default: none, and all that is asked for is granted. Example: `{requests.cpu: "20"}`.
    #[serde(default, skip_serializing_if = "Resources::is_empty")]
    #[schemars(schema_with = "super::common::figures")]
    pub quota: Resources,
    /// When the operator recorded the decision in `status.history`, RFC 3339, UTC. The operator writes it; who decides leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), extend("format" = "date-time"))]
    pub time: Option<String>,
}

impl Approval {
    /// The approval of a generation with these amounts of its quota where they are less, as somebody would write it.
    #[must_use]
    pub fn granting(generation: i64, quota: Resources) -> Self {
        Self { decision: Decision::Approved, generation, by: String::new(), reason: String::new(), quota, time: None }
    }
}

/// What an approver decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::values::note)]
pub enum Decision {
    /// The generation becomes the contract, and an emergency stop ends.
    Approved,
    /// The generation does not become the contract; the former contract stays in force.
    Rejected,
    /// Emergency stop: the network of all systems is closed and no new pod is admitted, until an approver resumes the tenant or
    /// approves a generation.
    Suspended,
    /// The end of an emergency stop: the contract in force is served again. A request that waits goes on waiting.
    Resumed,
}

impl Decision {
    /// The name as written in the status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "Approved",
            Self::Rejected => "Rejected",
            Self::Suspended => "Suspended",
            Self::Resumed => "Resumed",
        }
    }
}

/// Stage of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::values::note)]
pub enum TenantStage {
    /// Nothing is approved yet.
    Requested,
    /// A contract is approved and in force.
    Active,
    /// A contract is approved, and all systems are suspended.
    Suspended,
    /// The request was rejected, and no contract was there before.
    Rejected,
    /// The tenant is marked deleted.
    Terminating,
}

impl TenantStage {
    /// The name as written in the status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "Requested",
            Self::Active => "Active",
            Self::Suspended => "Suspended",
            Self::Rejected => "Rejected",
            Self::Terminating => "Terminating",
        }
    }
}

/// An approved spec. One that this version cannot read is kept as it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Contract {
    /// As it is served.
    Read(Box<AgencyTenantSpec>),
    /// As it was found, and what is wrong with it.
    Unreadable(Box<Value>, String),
}

impl Contract {
    /// The contract that serves this spec.
    #[must_use]
    pub fn of(spec: &AgencyTenantSpec) -> Self {
        Self::Read(Box::new(spec.clone()))
    }

    /// The spec, where it can be read.
    #[must_use]
    pub fn spec(&self) -> Option<&AgencyTenantSpec> {
        match self {
            Self::Read(spec) => Some(spec),
            Self::Unreadable(..) => None,
        }
    }
}

impl Serialize for Contract {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Read(spec) => spec.serialize(serializer),
            Self::Unreadable(found, _) => found.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Contract {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = Value::deserialize(deserializer).map_err(D::Error::custom)?;
        Ok(match AgencyTenantSpec::deserialize(&found) {
            Ok(spec) => Self::Read(Box::new(spec)),
            Err(complaint) => Self::Unreadable(Box::new(found), complaint.to_string()),
        })
    }
}

impl JsonSchema for Contract {
    fn schema_name() -> Cow<'static, str> {
        "Contract".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A copy of `spec` as it was approved.",
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": true,
        })
    }
}
