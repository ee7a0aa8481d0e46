//! Pods, claims and jobs that the API server refused to create, as events tell of them, and how their workloads were found since.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use govcloud_core::model::{
    failed_creates::{FAILED_CREATE_TTL, FailedCreate, Seen, Workload, read},
    names::{NamespaceName, TenantName, tenant_of},
    workloads::Revision,
};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, mpsc::UnboundedSender};

use super::{
    object::Object,
    pace::Pace,
    streams::{Listed, is_listed},
};

/// Workloads of a namespace whose refused pods are kept: members may write events too, so their number is bounded.
const MAX_FAILED_CREATES: usize = 200;

/// What was refused.
pub struct FailedCreates {
    contents: Mutex<Contents>,
    /// Wakes whoever looks at workloads whose pods were refused.
    refused: Notify,
    /// Tenants to look at.
    news: UnboundedSender<TenantName>,
}

#[derive(Default)]
struct Contents {
    failed_creates: BTreeMap<(NamespaceName, String), FailedCreate>,
    /// Refused workloads that were looked at, and how each was found.
    looks: BTreeMap<Workload, Look>,
    pace: Pace,
}

/// How a workload was found.
#[derive(Clone, PartialEq, Eq)]
struct Look {
    seen: Seen,
    /// Of a `ReplicaSet`, which revision it is.
    revision: Option<Revision>,
}

impl Contents {
    /// What is known of a refused workload by now; none when the refusal is cured.
    fn seen(&self, refusal: &FailedCreate) -> Option<Seen> {
        match self.looks.get(&refusal.workload).map(|look| &look.seen) {
            Some(Seen::Cured(until)) if refusal.last <= *until => None,
            None | Some(Seen::Cured(_)) => Some(Seen::NotYet),
            Some(seen) => Some(*seen),
        }
    }

    /// Whether a later revision of its Deployment takes the place of a refused workload.
    fn is_replaced(&self, workload: &Workload) -> bool {
        let Some(own) = self.looks.get(workload).and_then(|look| look.revision.as_ref()) else { return false };
        let beside = self.looks.iter().filter(|(other, _)| other.namespace == workload.namespace);
        beside.filter_map(|(_, look)| look.revision.as_ref()).any(|other| own.is_replaced_by(other))
    }

    /// Whether a refusal that has just come is to be told now. Before its workload was looked at, there is nothing to tell.
    fn is_paced_news(&mut self, key: &(NamespaceName, String)) -> bool {
        let seen = self.failed_creates.get(key).and_then(|refusal| self.looks.get(&refusal.workload));
        matches!(seen.map(|look| &look.seen), Some(Seen::Lacking | Seen::Never)) && self.pace.admits(&key.0.tenant(), Instant::now())
    }

    fn inside(&self, namespace: &NamespaceName) -> impl Iterator<Item = &FailedCreate> {
        let here = self.failed_creates.range((namespace.clone(), String::new())..);
        let namespace = namespace.clone();
        here.take_while(move |((other, _), _)| *other == namespace).map(|(_, refusal)| refusal)
    }
}

impl FailedCreates {
    /// Nothing was refused yet; `news` takes the tenants to look at.
    pub fn new(news: UnboundedSender<TenantName>) -> Self {
        Self { contents: Mutex::default(), refused: Notify::new(), news }
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock()
    }

    /// Takes in that a workload's pods were refused, if it is one of a tenant's. Returns the tenant to look at, if any.
    pub fn take(&self, object: &Object) -> Option<TenantName> {
        let key = key(object);
        key.0.system()?;
        let seconds = |text: &str| text.parse().ok().map(Timestamp::as_second);
        let refusal = read(object.json(), seconds)?;
        let mut contents = self.contents();
        if !contents.failed_creates.contains_key(&key) && contents.inside(&key.0).count() >= MAX_FAILED_CREATES {
            return None;
        }
        let known = contents.failed_creates.insert(key.clone(), refusal.clone());
        if known == Some(refusal) {
            return None;
        }
        self.refused.notify_one();
        contents.is_paced_news(&key).then(|| key.0.tenant())
    }

    /// Forgets an event. Returns the tenant to look at, if any.
    pub fn forget(&self, object: &Object) -> Option<TenantName> {
        let key = key(object);
        self.contents().failed_creates.remove(&key).map(|_| key.0.tenant())
    }

    /// Ends a list: what was not in it is gone. Returns the tenants to look at.
    pub fn listed(&self, listed: &Listed) -> BTreeSet<TenantName> {
        let gone = |(namespace, name): &(NamespaceName, String)| !is_listed(listed, namespace.as_str(), name);
        let mut contents = self.contents();
        contents.failed_creates.extract_if(.., |key, _| gone(key)).map(|((namespace, _), _)| namespace.tenant()).collect()
    }

    /// What was refused in a tenant's namespaces and is not cured.
    pub fn of_tenant(&self, tenant: &TenantName) -> BTreeMap<NamespaceName, Vec<FailedCreate>> {
        let contents = self.contents();
        let from = contents.failed_creates.range((tenant.home(), String::new())..);
        let similar = from.take_while(|((namespace, _), _)| namespace.as_str().starts_with(tenant.as_str()));
        let mut known: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for ((namespace, _), refusal) in similar.filter(|((namespace, _), _)| tenant_of(namespace.as_str()) == tenant.as_str()) {
            let open = contents
                .seen(refusal)
                .filter(|_| !contents.is_replaced(&refusal.workload))
                .map(|seen| FailedCreate { seen, ..refusal.clone() });
            known.entry(namespace.clone()).or_default().extend(open);
        }
        known
    }

    /// Workloads whose pods were refused and that are not cured; what was found of others is forgotten.
    pub fn workloads(&self, now: i64) -> BTreeSet<Workload> {
        let mut contents = self.contents();
        let Contents { failed_creates, looks, .. } = &mut *contents;
        let is_recent = |refusal: &&FailedCreate| refusal.last + FAILED_CREATE_TTL > now;
        let named: BTreeSet<&Workload> = failed_creates.values().filter(is_recent).map(|refusal| &refusal.workload).collect();
        looks.retain(|workload, _| named.contains(workload));
        let open = contents.failed_creates.values().filter(is_recent).filter(|refusal| contents.seen(refusal).is_some());
        open.map(|refusal| refusal.workload.clone()).collect()
    }

    /// When a workload's pods were refused last, in seconds since 1970.
    pub fn last(&self, workload: &Workload) -> i64 {
        let contents = self.contents();
        let refusals = contents.inside(&workload.namespace).filter(|refusal| refusal.workload == *workload);
        refusals.map(|refusal| refusal.last).max().unwrap_or_default()
    }

    /// Notes how a workload was found, and tells its tenant if that is news.
    pub fn looked(&self, workload: &Workload, seen: Seen, revision: Option<Revision>) {
        let (mut contents, tenant) = (self.contents(), workload.namespace.tenant());
        let look = Look { seen, revision };
        let known = contents.looks.insert(workload.clone(), look.clone());
        if known == Some(look) {
            return;
        }
        if matches!(seen, Seen::Cured(_)) || contents.pace.admits(&tenant, Instant::now()) {
            let _ = self.news.send(tenant); // nobody listens when the operator is stopping
        } else {
            self.refused.notify_one();
        }
    }

    /// Tells of the tenants whose refused pods could not be news when they came. Whether there are more.
    pub fn tell_late(&self) -> bool {
        let mut contents = self.contents();
        for tenant in contents.pace.due(Instant::now()) {
            let _ = self.news.send(tenant); // as above
        }
        contents.pace.is_late()
    }

    /// Resolves when a workload's pods were refused.
    pub async fn refused(&self) {
        self.refused.notified().await;
    }
}

fn key(event: &Object) -> (NamespaceName, String) {
    (NamespaceName::new(event.namespace().unwrap_or_default()), event.name_any())
}
