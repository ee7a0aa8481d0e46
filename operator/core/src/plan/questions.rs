//! What the API server itself is asked before something follows from it: what is about to end, and what was lost.

use std::collections::BTreeSet;

use crate::{
    api::approval::Contract,
    children::{Rank, TABLE},
    model::{
        names::{DEPLOYER, NamespaceName, SystemName},
        observed::{ChildKey, Entry, NAMESPACE, inside},
        ownership::namespace_entry,
        root::TenantRoot,
        snapshot::{Question, Snapshot},
    },
};

/// The questions of this round that have no answer yet. The store may lag behind the API server.
#[must_use]
pub fn questions(snapshot: &Snapshot) -> Vec<Question> {
    let mut questions = lost(snapshot);
    let undeclared = undeclared(snapshot);
    let is_deleting = snapshot.tenant.iter().any(|root| root.deleting) || snapshot.systems.iter().any(|root| root.deleting);
    if is_deleting || !undeclared.is_empty() {
        questions.push(Question::Crds);
    }
    // While a definition is being removed, nothing follows from what is not there.
    if snapshot.answered.contains(&Question::Crds) && !snapshot.crds.ending {
        questions.extend((is_deleting && snapshot.tenant.is_none()).then_some(Question::Tenant));
        questions.extend(undeclared.into_iter().map(Question::System));
        questions.extend(vanished(snapshot).into_iter().map(Question::Namespace));
    }
    let open: BTreeSet<Question> = questions.into_iter().filter(|question| !snapshot.answered.contains(question)).collect();
    open.into_iter().collect()
}

/// Contracts of which only the copy on the home namespace is left.
fn lost(snapshot: &Snapshot) -> Vec<Question> {
    let Some(root) = &snapshot.tenant else { return Vec::new() };
    let Some(home) = namespace_entry(&snapshot.observed, &snapshot.name.home()) else { return Vec::new() };
    let mut questions = Vec::new();
    if root.status.contract.is_none() {
        questions.push(Question::Contract { uid: root.uid.clone() });
    }
    if let Some(uid) = adopted(root).filter(|uid| !uid.is_empty() && **uid == *home.tenant_uid) {
        questions.push(Question::FormerContract { uid: uid.to_owned() });
    }
    questions
}

/// The UID of the tenant whose namespaces are to be taken over: by the contract or, before there is one, by the request.
fn adopted(root: &TenantRoot) -> Option<&str> {
    let spec = root.status.contract.as_ref().and_then(Contract::spec);
    let asked = root.spec.as_ref().ok().and_then(|spec| spec.adopt_tenant_uid.as_deref());
    asked.or_else(|| spec?.adopt_tenant_uid.as_deref())
}

/// Namespaces that the store does not know and of which something would follow: those of systems that leave, or that only the
/// ledger has an entry for, and the home of a tenant that leaves.
fn vanished(snapshot: &Snapshot) -> Vec<NamespaceName> {
    let stays = |system: &SystemName| snapshot.systems.iter().any(|root| root.name == system.as_str() && !root.deleting);
    let leaving = snapshot.systems.iter().filter(|root| root.deleting).map(|root| SystemName::new(root.name.as_str()));
    let entered = super::recorded_ledger(snapshot).unwrap_or_default().into_keys().filter(|system| !stays(system));
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
    let namespaces = snapshot.observed.keys().filter(|key| key.kind == NAMESPACE).map(|key| &key.namespace);
    namespaces.filter(|namespace| !closed(namespace)).filter_map(NamespaceName::system).filter(|system| !declared(system)).collect()
}
