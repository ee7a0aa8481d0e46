//! One tenant, once along the straight line. The file reads as the line does.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use k8s_openapi::{apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition, jiff::Timestamp};
use kube::{Api, CustomResourceExt};

use super::{apply::Writer, cache::Cache, connection::Connection, report::Report};
use crate::{
    api::{AgencyTenant, AgencyTenantStatus, HostedSystem},
    children::namespace_index,
    error::Error,
    names::{SystemName, TenantName},
    plan::{
        Plan,
        amount::{Amount, amounts, of, resources},
        diff::diff,
        intent::intent,
        plan,
        release::{Release, release},
        settings::Settings,
        snapshot::Snapshot,
    },
    status::{Facts, system, tenant},
};

/// Definitions without which nothing may be destroyed.
const DEFINITIONS: [&str; 2] = ["agencytenants.govcloud.io", "hostedsystems.govcloud.io"];
/// Holding, publishing and each rank take a round; many more mean that somebody writes against us.
const ROUNDS: usize = 12;

/// The controller manager puts a changed quota into force within moments; a status that told of them would flap.
const ENFORCED_WITHIN: Duration = Duration::from_secs(5);

/// What a reconcile works with.
#[derive(Clone)]
pub struct Context {
    /// Way to the API server.
    pub connection: Connection,
    /// What the watches have seen.
    pub cache: Arc<Cache>,
    /// Writer of children.
    pub writer: Writer,
    /// Writer of status.
    pub report: Report,
    /// Settings of the cluster.
    pub settings: Arc<Settings>,
    /// Tenants whose quotas are not in force as written, and since when.
    pub unenforced: Arc<Mutex<BTreeMap<TenantName, Instant>>>,
}

/// When to look at the tenant again, if nothing happens before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// When something happens.
    News,
    /// After this time.
    After(Duration),
    /// Soon, and ever later as long as it fails.
    Retry,
}

/// Brings one tenant to its plan and tells how that went.
///
/// # Errors
/// What kept the two kinds themselves from being read or written. Failures of children are in their status instead.
pub async fn reconcile(context: &Context, name: &TenantName) -> Result<Next, Error> {
    let mut written = false;
    for _ in 0..ROUNDS {
        let mut snapshot = context.snapshot(name).await?;
        let held = context.report.hold(&snapshot).await?;
        if held.written {
            continue;
        }
        snapshot.refused = held.refused;
        let intent = intent(&snapshot, &context.settings);
        let plan = plan(&snapshot, &intent, &context.settings);
        if let Some(raised) = raised_total(&snapshot, &plan) {
            context.report.publish(&snapshot, &raised).await?;
            continue;
        }
        let uid = snapshot.tenant.as_ref().map_or("", |root| &root.uid);
        let outcome = context.writer.apply(diff(&plan, uid, &snapshot.observed)).await;
        written |= outcome.written() > 0;
        if outcome.is_stale() || (outcome.written() > 0 && !outcome.failed()) {
            continue; // the status is judged when there is nothing left to write
        }
        let in_force = plan.spaces.iter().all(|space| snapshot.quota_is_live(&space.namespace));
        if let Some(wait) = context.enforcement_due(name, written, in_force).filter(|_| !outcome.failed()) {
            return Ok(Next::After(wait)); // the news that the quota is in force comes sooner, or a later round tells
        }
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let facts = Facts { snapshot: &snapshot, intent: &intent, plan: &plan, outcome: &outcome, now: &now };
        return context.tell(&facts).await;
    }
    Ok(Next::Retry)
}

impl Context {
    /// The caches' view, and, when something is about to end, whether the two kinds are being uninstalled.
    async fn snapshot(&self, name: &TenantName) -> Result<Snapshot, Error> {
        let mut snapshot = self.cache.snapshot(name);
        if something_ends(&snapshot) {
            let definitions: Api<CustomResourceDefinition> = Api::all(self.connection.client.clone());
            for definition in DEFINITIONS {
                match self.connection.request("get", "customresourcedefinitions", definitions.get_opt(definition)).await {
                    Ok(found) => snapshot.uninstalling |= found.is_none_or(|found| found.metadata.deletion_timestamp.is_some()),
                    Err(error @ Error::Refused { .. }) => snapshot.blind.push(error.to_string()),
                    Err(error) => return Err(error),
                }
            }
            self.confirm_missing(&snapshot).await?;
        }
        Ok(snapshot)
    }

    /// What follows from an object's absence cannot be undone, and a list may be older than what it leaves out: the API server
    /// is asked for that object itself.
    async fn confirm_missing(&self, snapshot: &Snapshot) -> Result<(), Error> {
        let home = snapshot.name.home();
        let systems = self.connection.api(&HostedSystem::api_resource(), home.as_str());
        for system in without_system(snapshot) {
            if self.connection.request("get", "hostedsystems", systems.get_opt(system.as_str())).await?.is_some() {
                return Err(Error::Behind(format!("hostedsystem {home}/{}", system.as_str())));
            }
        }
        if snapshot.tenant.is_none() && snapshot.systems.iter().any(|root| root.deleting) {
            let tenants = self.connection.api(&AgencyTenant::api_resource(), "");
            if self.connection.request("get", "agencytenants", tenants.get_opt(snapshot.name.as_str())).await?.is_some() {
                return Err(Error::Behind(format!("agencytenant {}", snapshot.name.as_str())));
            }
        }
        Ok(())
    }

    /// How long to wait yet for the controller manager, none when it is done or has had its time.
    fn enforcement_due(&self, name: &TenantName, written: bool, in_force: bool) -> Option<Duration> {
        let mut unenforced = self.unenforced.lock().unwrap_or_else(PoisonError::into_inner);
        if in_force {
            unenforced.remove(name);
        } else if written {
            unenforced.insert(name.clone(), Instant::now());
        }
        ENFORCED_WITHIN.checked_sub(unenforced.get(name)?.elapsed())
    }

    async fn tell(&self, facts: &Facts<'_>) -> Result<Next, Error> {
        let snapshot = facts.snapshot;
        let systems: Vec<_> = snapshot.systems.iter().map(|root| system::status(facts, root)).collect();
        let tenant = snapshot.tenant.as_ref().map(|root| tenant::status(facts, root, &systems));
        self.report.note(&snapshot.name, facts.outcome);
        let told = self.report.statuses(snapshot, tenant, systems).await;
        let may_go = release(snapshot, facts.intent, facts.plan, facts.outcome);
        if may_go != Release::default() {
            // The status that was just written has raised the version that a finalizer's removal is conditional on.
            self.report.release(&self.cache.snapshot(&snapshot.name), &may_go).await?;
        }
        Ok(next(facts, told?))
    }
}

fn next(facts: &Facts, due: Option<Duration>) -> Next {
    match due {
        _ if facts.outcome.failed() || facts.outcome.written() > 0 || !facts.snapshot.refused.is_empty() => Next::Retry,
        Some(due) => Next::After(due),
        None => Next::News,
    }
}

/// Whether an object is marked deleted, or a namespace has lost its system: nothing destructive may follow from a
/// definition that is being removed.
fn something_ends(snapshot: &Snapshot) -> bool {
    let deleting = snapshot.tenant.iter().any(|root| root.deleting) || snapshot.systems.iter().any(|root| root.deleting);
    deleting || without_system(snapshot).next().is_some()
}

/// Systems that have a namespace and are not declared.
fn without_system(snapshot: &Snapshot) -> impl Iterator<Item = SystemName> {
    let declared = |system: &SystemName| snapshot.systems.iter().any(|root| root.name == system.as_str());
    let namespaces = snapshot.observed.keys().filter(|key| key.kind == namespace_index());
    namespaces.filter_map(|key| key.namespace.system()).filter(move |system| !declared(system))
}

/// The status with the total that is about to be served, where that is more than the status says.
fn raised_total(snapshot: &Snapshot, plan: &Plan) -> Option<AgencyTenantStatus> {
    let mut status = snapshot.tenant.as_ref()?.status.clone();
    let mut figures = status.quota.take().unwrap_or_default();
    let served = amounts(&figures.total).unwrap_or_default();
    let total = &plan.allocation.total;
    let raised = plan.allocation.allocated.iter().any(|(key, held)| *held > of(&served, key) && of(total, key) > of(&served, key));
    figures.total = resources(
        &plan.allocation.total.iter().filter(|(_, amount)| **amount > Amount::ZERO).map(|(key, amount)| (key.clone(), *amount)).collect(),
    );
    status.quota = Some(figures);
    raised.then_some(status)
}
