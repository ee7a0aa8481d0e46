//! Agencies in a list: one row each.

use serde::Serialize;
use serde_json::Value;

use super::{
    failing::{Failing, conditions, why},
    rows::Row,
};
use crate::{
    api::conditions::{find, kind},
    model::amounts::Amount,
};

/// An agency, as `govcloud list` shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgencyRow {
    /// Name of the `AgencyTenant`.
    pub name: String,
    /// Name as people know it.
    pub display_name: String,
    /// Requested, Active, Suspended, Rejected or Terminating; empty while no operator has seen it.
    pub stage: String,
    /// Whether the spec is the contract: True, False or Unknown.
    pub approved: String,
    /// Whether it is Ready: True, False or Unknown.
    pub ready: String,
    /// Reason of condition Ready.
    pub reason: String,
    /// Its hosted systems.
    pub systems: Systems,
    /// `requests.cpu`.
    pub cpu: Figures,
    /// `requests.memory`.
    pub memory: Figures,
    /// The first condition that fails; left out where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing: Option<Failing>,
}

/// How many hosted systems there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Systems {
    /// Those that are Ready.
    pub ready: u32,
    /// All.
    pub total: u32,
}

/// Figures of one key of the quota, as quantities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// What pods use.
    pub used: String,
    /// What the hosted systems were given.
    pub given: String,
    /// The agency's total.
    pub total: String,
    /// Used of the total, in percent, rounded up.
    pub used_percent: u64,
    /// Given of the total, in percent, rounded up.
    pub given_percent: u64,
}

/// By what agencies are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By name.
    Name,
    /// Those first of whose CPU or memory most is used.
    Used,
    /// Those first of whose CPU or memory most is given.
    Given,
}

/// Sorts agencies; those that are equal in it by name.
pub fn sort(rows: &mut [AgencyRow], by: Order) {
    let most = |row: &AgencyRow| match by {
        Order::Name => 0,
        Order::Used => row.cpu.used_percent.max(row.memory.used_percent),
        Order::Given => row.cpu.given_percent.max(row.memory.given_percent),
    };
    rows.sort_by(|one, other| most(other).cmp(&most(one)).then_with(|| one.name.cmp(&other.name)));
}

impl Figures {
    /// Those of a key in `status.quota`.
    #[must_use]
    pub fn of(quota: &Value, key: &str) -> Self {
        let text = |figures: &Value| figures[key].as_str().unwrap_or("0").to_owned();
        let [used, given, total] = [&quota["used"], &quota["allocated"], &quota["total"]].map(text);
        let (used_percent, given_percent) = (percent(&used, &total), percent(&given, &total));
        Self { used, given, total, used_percent, given_percent }
    }

    fn cell(&self) -> String {
        format!("{}/{}/{}", self.used, self.given, self.total)
    }
}

impl AgencyRow {
    /// The row of an `AgencyTenant`.
    #[must_use]
    pub fn of(tenant: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (spec, status, told) = (&tenant["spec"], &tenant["status"], conditions(tenant));
        let state = |kind| find(&told, kind).map_or_else(|| "Unknown".to_owned(), |condition| condition.status.clone());
        let ready = status["summary"]["systems"].as_str().and_then(|text| text.split('/').next()?.parse().ok());
        Self {
            name: text(&tenant["metadata"]["name"]),
            display_name: text(&spec["displayName"]),
            stage: text(&status["stage"]),
            approved: state(kind::APPROVED),
            ready: state(kind::READY),
            reason: find(&told, kind::READY).map(|condition| condition.reason.clone()).unwrap_or_default(),
            systems: Systems {
                ready: ready.unwrap_or_default(),
                total: status["systems"]["total"].as_u64().and_then(|total| total.try_into().ok()).unwrap_or_default(),
            },
            cpu: Figures::of(&status["quota"], "requests.cpu"),
            memory: Figures::of(&status["quota"], "requests.memory"),
            failing: why(tenant),
        }
    }
}

impl Row for AgencyRow {
    const HEADER: &'static [&'static str] = &["NAME", "STAGE", "APPROVED", "READY", "REASON", "SYSTEMS", "CPU", "MEMORY", "DISPLAY NAME"];

    fn cells(&self) -> Vec<String> {
        let Self { name, display_name, stage, approved, ready, reason, systems, .. } = self;
        let systems = format!("{}/{}", systems.ready, systems.total);
        let [name, stage, approved, ready, reason, display_name] = [name, stage, approved, ready, reason, display_name].map(Clone::clone);
        vec![name, stage, approved, ready, reason, systems, self.cpu.cell(), self.memory.cell(), display_name]
    }
}

/// A part of a whole in percent, rounded up, so that nothing that is used looks unused.
pub(super) fn percent(part: &str, whole: &str) -> u64 {
    let amount = |text: &str| Amount::parse(text).unwrap_or_default();
    amount(part).percent_of(amount(whole))
}

/// An agency as its member sees it in `govcloud my`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MyRow {
    /// Name of the `AgencyTenant`.
    pub name: String,
    /// Its `metadata.generation`, which an approver decides on.
    pub generation: i64,
    /// As in a list.
    pub stage: String,
    /// Whether the spec is the contract.
    pub approved: String,
    /// Whether it is Ready.
    pub ready: String,
    /// What the first condition that fails says, else what condition Ready says.
    pub message: String,
}

impl MyRow {
    /// The row of an `AgencyTenant`.
    #[must_use]
    pub fn of(tenant: &Value) -> Self {
        let AgencyRow { name, stage, approved, ready, failing, .. } = AgencyRow::of(tenant);
        let well = || find(&conditions(tenant), kind::READY).map(|condition| condition.message.clone()).unwrap_or_default();
        let generation = tenant["metadata"]["generation"].as_i64().unwrap_or_default();
        Self { name, generation, stage, approved, ready, message: failing.map_or_else(well, |failing| failing.message) }
    }
}

impl Row for MyRow {
    const HEADER: &'static [&'static str] = &["NAME", "GENERATION", "STAGE", "APPROVED", "READY", "MESSAGE"];

    fn cells(&self) -> Vec<String> {
        // The first sentence, whole: the rest is in `govcloud status`.
        let message = self.message.split(". ").next().unwrap_or_default().to_owned();
        let Self { name, generation, stage, approved, ready, .. } = self;
        vec![name.clone(), generation.to_string(), stage.clone(), approved.clone(), ready.clone(), message]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn agency(name: &str, used: &str, given: &str) -> AgencyRow {
        let amounts = |cpu: &str| json!({ "requests.cpu": cpu, "requests.memory": "1Gi" });
        let total = json!({ "requests.cpu": "40", "requests.memory": "160Gi" });
        let quota = json!({ "used": amounts(used), "allocated": amounts(given), "total": total });
        AgencyRow::of(&json!({ "metadata": { "name": name }, "status": { "quota": quota } }))
    }

    #[test]
    fn agencies_are_sorted_by_name_or_by_how_much_of_their_quota_is_used_or_given() {
        let mut rows = [agency("b", "1", "39"), agency("c", "10", "39"), agency("a", "0", "4")];
        let mut sorted = |by| {
            sort(&mut rows, by);
            rows.each_ref().map(|row| row.name.clone())
        };
        assert_eq!(sorted(Order::Used), ["c", "b", "a"]);
        assert_eq!(sorted(Order::Given), ["b", "c", "a"]);
        assert_eq!(sorted(Order::Name), ["a", "b", "c"]);
        let row = agency("d", "100m", "39500m");
        assert_eq!((row.cpu.used_percent, row.cpu.given_percent, row.memory.given_percent), (1, 99, 1));
    }
}
