//! One tenant, once along the straight line. The file reads as the line does.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use k8s_openapi::{apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition, jiff::Timestamp};
use kube::{Api, ResourceExt};
use tracing::warn;

use super::{
    apply::Writer, cache::Cache, connection::Connection, ending::Left, report::Report, streams::Source, tags::Found, watch::resource,
};
use crate::{
    api::approval::Contract,
    children::{Rank, TABLE, namespace_index},
    error::Error,
    names::{ANNOTATION_CONTRACT, DEPLOYER, LABEL_TENANT, LABEL_TENANT_UID, NamespaceName, SystemName, TenantName},
    plan::{
        self,
        contract::Kept,
        diff::diff,
        intent::intent,
        owner::namespace_entry,
        plan,
        release::{Release, release},
        settings::Settings,
        snapshot::{ChildKey, Entry, Snapshot, TenantRoot, inside},
    },
    status::{Facts, system, tenant},
};

/// Definitions without which nothing may be destroyed.
const DEFINITIONS: [&str; 2] = ["agencytenants.govcloud.io", "hostedsystems.govcloud.io"];
/// Holding, publishing and each rank take a round; many more mean that somebody writes against us.
const ROUNDS: usize = 12;
/// What others change faster than this is told, and looked at again later.
const STALE_ROUNDS: usize = 3;

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
    /// Held while a contract with domains is taken on.
    pub claiming: Arc<tokio::sync::Mutex<()>>,
    /// Tenants whose quotas are not in force as written, and since when.
    pub unenforced: Arc<Mutex<BTreeMap<TenantName, Instant>>>,
    /// Pods by tag that were found.
    pub tags: Arc<Found>,
    /// Pods that should have ended and were found.
    pub ending: Arc<Left>,
}

/// When to look at the tenant again, if nothing happens before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// When something happens.
    News,
    /// After this time.
    After(Duration),
    /// Soon, and ever later as long as it fails; not before this time.
    Retry(Duration),
}

/// Brings one tenant to its plan and tells how that went.
///
/// # Errors
/// What kept the two kinds themselves from being read or written. Failures of children are in their status instead.
pub async fn reconcile(context: &Context, name: &TenantName) -> Result<Next, Error> {
    let (mut written, mut stale, mut claims) = (false, 0, false);
    for _ in 0..ROUNDS {
        // Of two tenants that claim the same domain, the later must see that the earlier one has it.
        let turn = if claims { Some(context.claiming.lock().await) } else { None };
        let mut snapshot = context.snapshot(name).await?;
        let held = context.report.hold(&snapshot).await?;
        if held.written {
            continue;
        }
        snapshot.refused = held.refused;
        let intent = intent(&snapshot, &context.settings);
        claims = turn.is_none() && intent.claims_domains(&snapshot);
        if claims {
            continue;
        }
        let plan = plan(&snapshot, &intent, &context.settings);
        if let Some(status) = tenant::beforehand(&snapshot, &intent, &plan) {
            match context.report.publish(&snapshot, &status).await {
                Err(error) if error.is_stale() => drop(context.refresh(name).await?),
                other => other?,
            }
            continue;
        }
        drop(turn);
        context.tags.look(&context.connection, &mut snapshot, &intent, &context.settings).await;
        context.ending.look(&context.connection, &mut snapshot, &plan).await;
        let outcome = context.writer.apply(diff(&plan, &snapshot.observed)).await;
        context.report.removals(&snapshot, &outcome);
        written |= outcome.written() > 0;
        if outcome.is_stale() && stale < STALE_ROUNDS {
            stale += 1;
            continue;
        }
        if outcome.written() > 0 && !outcome.failed() {
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
    Ok(Next::Retry(Duration::ZERO))
}

impl Context {
    /// The caches' view, and, when something is about to end, what the API server itself says of it.
    async fn snapshot(&self, name: &TenantName) -> Result<Snapshot, Error> {
        let mut snapshot = self.cache.snapshot(name);
        let lost = snapshot.tenant.as_ref().is_some_and(|root| root.status.contract.is_none());
        if lost && namespace_entry(&snapshot.observed, &name.home()).is_some() {
            snapshot.kept = self.ask_for_copy(&snapshot, |root| Some(root.uid.as_str())).await?;
        }
        if takes_over(&snapshot) {
            snapshot.former = self.ask_for_copy(&snapshot, adopted).await?;
        }
        let undeclared = undeclared(&snapshot);
        let is_deleting = snapshot.tenant.iter().any(|root| root.deleting) || snapshot.systems.iter().any(|root| root.deleting);
        if is_deleting || !undeclared.is_empty() {
            self.ask_for_definitions(&mut snapshot).await?;
        }
        if !snapshot.definitions.ending {
            if is_deleting && snapshot.tenant.is_none() {
                self.ask_for_tenant(name).await?;
            }
            for system in &undeclared {
                self.ask_for_system(&snapshot, system).await?;
            }
            for namespace in vanished(&snapshot) {
                self.ask_for_namespace(&namespace).await?;
            }
        }
        Ok(snapshot)
    }

    /// The copy of the contract, if the home namespace is that of the tenant with this UID.
    async fn ask_for_copy(&self, snapshot: &Snapshot, uid: fn(&TenantRoot) -> Option<&str>) -> Result<Option<Kept>, Error> {
        let namespaces = self.connection.api(&resource(Source::Children(namespace_index())), "");
        let home = self.connection.request("get", "namespaces", namespaces.get_opt(snapshot.name.as_str())).await?;
        let uid = snapshot.tenant.as_ref().and_then(uid);
        let own = home.filter(|home| home.labels().get(LABEL_TENANT_UID).map(String::as_str) == uid);
        let text = own.and_then(|home| home.annotations().get(ANNOTATION_CONTRACT).cloned());
        Ok(text.and_then(|text| {
            serde_json::from_str(&text)
                .inspect_err(|error| warn!(%error, "the copy of the contract in annotation govcloud.io/contract cannot be parsed"))
                .ok()
        }))
    }

    /// Nothing destructive may follow from a definition that is being removed, or was only just put back.
    async fn ask_for_definitions(&self, snapshot: &mut Snapshot) -> Result<(), Error> {
        let definitions: Api<CustomResourceDefinition> = Api::all(self.connection.client.clone());
        for definition in DEFINITIONS {
            match self.connection.request("get", "customresourcedefinitions", definitions.get_opt(definition)).await {
                Ok(found) => {
                    let metadata = found.map(|found| found.metadata);
                    snapshot.definitions.ending |= metadata.as_ref().is_none_or(|metadata| metadata.deletion_timestamp.is_some());
                    let created = metadata.and_then(|metadata| metadata.creation_timestamp).map_or(0, |time| time.0.as_second());
                    snapshot.definitions.created = snapshot.definitions.created.max(created);
                }
                Err(error @ Error::Refused { code: 401 | 403, .. }) => snapshot.blind.push(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What a cache says that does not exist may only not have come through yet, and its namespace must not be closed.
    async fn ask_for_system(&self, snapshot: &Snapshot, system: &SystemName) -> Result<(), Error> {
        let systems = self.connection.api(&resource(Source::Systems), snapshot.name.as_str());
        match self.connection.request("get", "hostedsystems", systems.get_opt(system.as_str())).await? {
            Some(found) => {
                self.cache.take(Source::Systems, &found);
                Err(Error::Stale)
            }
            None => Ok(()),
        }
    }

    /// Systems of a tenant that is gone are let go at once, as nobody's.
    async fn ask_for_tenant(&self, name: &TenantName) -> Result<(), Error> {
        if self.refresh(name).await? { Err(Error::Stale) } else { Ok(()) }
    }

    /// The ledger gives an entry up with its namespace, and that may only not have come through yet.
    async fn ask_for_namespace(&self, namespace: &NamespaceName) -> Result<(), Error> {
        let source = Source::Children(namespace_index());
        let namespaces = self.connection.api(&resource(source), "");
        match self.connection.request("get", "namespaces", namespaces.get_opt(namespace.as_str())).await? {
            Some(found) if found.labels().contains_key(LABEL_TENANT) => {
                self.cache.take(source, &found);
                Err(Error::Stale)
            }
            _ => Ok(()),
        }
    }

    /// Takes in the tenant as the API server has it, which its watch may not have said yet. Whether there is one.
    async fn refresh(&self, name: &TenantName) -> Result<bool, Error> {
        let tenants = self.connection.api(&resource(Source::Tenants), "");
        let found = self.connection.request("get", "agencytenants", tenants.get_opt(name.as_str())).await?;
        if let Some(found) = &found {
            self.cache.take(Source::Tenants, found);
        }
        Ok(found.is_some())
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
        // What is uninstalled may be put back, and a right be given, without a word about this tenant.
        _ if facts.snapshot.definitions.ending || !facts.snapshot.blind.is_empty() => Next::Retry(Duration::ZERO),
        _ if facts.outcome.failed() || facts.outcome.written() > 0 || !facts.snapshot.refused.is_empty() => {
            Next::Retry(facts.outcome.again().unwrap_or_default())
        }
        due => {
            let expires = facts.expires_in().map(|seconds| Duration::from_secs(seconds + 1));
            due.into_iter().chain(expires).min().map_or(Next::News, Next::After)
        }
    }
}

/// The UID of the tenant whose namespaces are to be taken over: by the contract or, before there is one, by the request.
fn adopted(root: &TenantRoot) -> Option<&str> {
    let spec = root.status.contract.as_ref().and_then(Contract::spec);
    let asked = root.spec.as_ref().ok().and_then(|spec| spec.adopt.as_deref());
    asked.or_else(|| spec?.adopt.as_deref())
}

/// Whether the home namespace is still that of the tenant that is taken over.
fn takes_over(snapshot: &Snapshot) -> bool {
    let former = snapshot.tenant.as_ref().and_then(adopted).filter(|uid| !uid.is_empty());
    let home = namespace_entry(&snapshot.observed, &snapshot.name.home());
    former.zip(home).is_some_and(|(uid, home)| *home.tenant_uid == *uid)
}

/// Namespaces that the caches do not know and of which something would follow: those of systems that leave, or that only the
/// ledger has an entry for, and the home of a tenant that leaves.
fn vanished(snapshot: &Snapshot) -> Vec<NamespaceName> {
    let stays = |system: &SystemName| snapshot.systems.iter().any(|root| root.name == system.as_str() && !root.deleting);
    let leaving = snapshot.systems.iter().filter(|root| root.deleting).map(|root| SystemName::new(root.name.as_str()));
    let entered = plan::ledger(snapshot).unwrap_or_default().into_keys().filter(|system| !stays(system));
    let home = snapshot.tenant.iter().filter(|root| root.deleting).map(|_| snapshot.name.home());
    let namespaces = entered.chain(leaving).map(|system| snapshot.name.workload(&system)).chain(home);
    namespaces.filter(|namespace| namespace_entry(&snapshot.observed, namespace).is_none()).collect()
}

/// Systems that are not declared and whose namespaces are not closed yet.
fn undeclared(snapshot: &Snapshot) -> Vec<SystemName> {
    let declared = |system: &SystemName| snapshot.systems.iter().any(|root| root.name == system.as_str());
    let closed = |namespace| {
        let open = |(key, entry): (&ChildKey, &Entry)| {
            TABLE[key.kind].rank == Rank::Access && !entry.tenant_uid.is_empty() || &*key.name == DEPLOYER
        };
        let quota = inside(&snapshot.observed, namespace).find_map(|(_, entry)| entry.quota.as_ref());
        quota.is_some_and(|quota| quota.is_drained()) && !inside(&snapshot.observed, namespace).any(open)
    };
    let namespaces = snapshot.observed.keys().filter(|key| key.kind == namespace_index()).map(|key| &key.namespace);
    namespaces.filter(|namespace| !closed(namespace)).filter_map(NamespaceName::system).filter(|system| !declared(system)).collect()
}
