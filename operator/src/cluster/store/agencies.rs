//! What the metrics tell of each agency and of each of its systems.

use std::collections::BTreeMap;

use govcloud_core::{
    api::{
        Resources, Stage,
        agency_tenant::Role,
        approval::{Contract, TenantStage},
        conditions::{find, kind},
    },
    model::{
        amounts::Amount,
        names::{SystemName, TenantName},
        observed::NAMESPACE,
        root::TenantRoot,
    },
    plan::history::waiting,
};
use k8s_openapi::jiff::Timestamp;

use super::contents::{Contents, Shard};

/// One agency in numbers.
#[derive(Debug)]
pub struct AgencyFigures {
    /// Name of the tenant.
    pub agency: String,
    /// What its status says; none where there is no such object any more.
    pub tenant: Option<TenantFigures>,
    /// Namespaces that are kept though their agency or system is gone.
    pub retained: usize,
    /// Its systems.
    pub systems: Vec<SystemFigures>,
}

/// One tenant in numbers.
#[derive(Debug)]
pub struct TenantFigures {
    /// Whether condition Ready is True.
    pub ready: bool,
    /// The stage that holds.
    pub stage: &'static str,
    /// For how many seconds a request waits for an approver, where one does.
    pub request_age: Option<i64>,
    /// Owners of the contract.
    pub owners: usize,
    /// Amounts by key: total, given to systems, used by pods; in cores, bytes or pieces.
    pub quota: BTreeMap<String, [f64; 3]>,
}

/// One system in numbers.
#[derive(Debug)]
pub struct SystemFigures {
    /// Its name.
    pub system: String,
    /// Whether condition Ready is True.
    pub ready: bool,
    /// The stage that holds.
    pub stage: &'static str,
    /// Whether pods of it are refused.
    pub refused: bool,
}

/// All agencies of the store.
pub(super) fn figures(contents: &Contents, now: Timestamp) -> Vec<AgencyFigures> {
    let relevant = contents.shards.iter().filter(|(_, shard)| shard.is_of_a_tenant());
    relevant.map(|(name, shard)| agency(name, shard, now)).collect()
}

fn agency(name: &TenantName, shard: &Shard, now: Timestamp) -> AgencyFigures {
    let namespaces = shard.children.iter().filter(|(key, entry)| key.kind == NAMESPACE && !entry.deleting);
    let is_declared = |system: Option<SystemName>| match system {
        Some(system) => shard.systems.contains_key(system.as_str()),
        None => shard.root.is_some(),
    };
    let systems = shard.systems.values().map(|root| {
        let holds = |kind| find(&root.status.conditions, kind).map(|condition| condition.status.as_str());
        SystemFigures {
            system: root.name.clone(),
            ready: holds(kind::READY) == Some("True"),
            stage: root.status.stage.map_or("None", Stage::as_str),
            refused: holds(kind::PODS_ADMITTED) == Some("False"),
        }
    });
    AgencyFigures {
        agency: name.to_string(),
        tenant: shard.root.as_ref().map(|root| tenant(root, now)),
        retained: namespaces.filter(|(key, _)| !is_declared(key.namespace.system())).count(),
        systems: systems.collect(),
    }
}

fn tenant(root: &TenantRoot, now: Timestamp) -> TenantFigures {
    let status = &root.status;
    let is_waiting = find(&status.conditions, kind::APPROVED).is_some_and(|condition| condition.status == "False");
    let since = waiting(root).filter(|_| is_waiting).and_then(|(first, _)| first.time.parse::<Timestamp>().ok());
    let contract = status.contract.as_ref().and_then(Contract::spec);
    let quota = status.quota.as_ref().map(|figures| {
        let amount = |amounts: &Resources, key: &str| amounts.get(key).and_then(|text| Amount::parse(text.as_str()).ok());
        let all =
            |key: &String| [&figures.total, &figures.allocated, &figures.used].map(|of| amount(of, key).unwrap_or_default().in_units());
        figures.total.keys().map(|key| (key.clone(), all(key))).collect()
    });
    TenantFigures {
        ready: find(&status.conditions, kind::READY).is_some_and(|condition| condition.status == "True"),
        stage: status.stage.map_or("None", TenantStage::as_str),
        request_age: since.map(|since| now.as_second() - since.as_second()),
        owners: contract.map_or(0, |spec| spec.members.iter().filter(|member| member.role == Role::Owner).count()),
        quota: quota.unwrap_or_default(),
    }
}
