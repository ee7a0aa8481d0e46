//! What is created, changed and closed between two futures of one tenant, an object a row.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::foresight::Foreseen;
use crate::{
    api::{
        common::Condition,
        conditions::{find, kind},
    },
    children::{TABLE, desired::Desired},
    model::{
        names::{ANNOTATION_CONTRACT, ANNOTATION_EPOCH, NamespaceName, TenantName},
        observed::ChildKey,
        outcome::Outcome,
        ownership::takeover,
        text::on_one_line,
    },
    plan::{
        Goal, NamespacePlan, Plan,
        contract::{Approvals, Grounds, Request},
        spec_diff::between,
    },
    status::{StatusInput, system, tenant},
};

/// Longest line about a field; what is longer is a list that nobody compares by eye.
const LINE: usize = 240;

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// Its namespace, empty in cluster scope.
    pub namespace: String,
    /// Its kind and name.
    pub object: String,
    /// What becomes of it. Example: created.
    pub what: &'static str,
    /// Its fields that change, a line each.
    pub fields: Vec<String>,
}

/// The rows, by namespace, kind and name. `there` are namespaces that carry no tenant's mark, with the tenant that their annotation
/// agrees to: where one of them is not taken over, nothing happens in it.
#[must_use]
pub fn rows(before: &Foreseen, after: &Foreseen, there: &BTreeMap<NamespaceName, String>) -> Vec<Row> {
    let (old, new) = (&before.snapshot.observed, &after.snapshot.observed);
    let (planned, wanted) = (desired(&before.plan), desired(&after.plan));
    let left_alone = left_alone(after, there);
    let created = new.keys().filter(|key| !old.contains_key(*key)).map(|key| {
        let taken = TABLE[key.kind].is_namespace() && there.contains_key(&key.namespace);
        (key, row(key, if taken { "taken over" } else { "created" }, Vec::new()))
    });
    let deleted = old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key, row(key, "deleted", Vec::new())));
    let changed = new.iter().filter(|(key, entry)| old.get(*key).is_some_and(|former| former.hash != entry.hash)).filter_map(|(key, _)| {
        let fields = fields(&planned.get(key)?.object, &wanted.get(key)?.object);
        (!fields.is_empty()).then(|| (key, row(key, "changed", fields)))
    });
    let switched = new.iter().filter_map(|(key, entry)| {
        let what = match (old.get(key)?.restorable, entry.restorable) {
            (None, Some(_)) => "suspended",
            (Some(true), None) => "restored",
            _ => return None,
        };
        Some((key, row(key, what, Vec::new())))
    });
    let rows = created.chain(deleted).chain(changed).chain(switched).filter(|(key, _)| !left_alone.contains(&key.namespace));
    let mut rows: Vec<Row> = rows.map(|(_, row)| row).chain(closed(before, after)).collect();
    rows.sort();
    rows
}

fn row(key: &ChildKey, what: &'static str, fields: Vec<String>) -> Row {
    let kind = TABLE[key.kind];
    let namespace = if kind.is_namespace() { String::new() } else { key.namespace.to_string() };
    Row { namespace, object: format!("{}/{}", kind.kind.to_lowercase(), key.name), what, fields }
}

/// Namespaces in which nothing happens: those that are not taken over and, as long as the home namespace is not, all of them.
fn left_alone(after: &Foreseen, there: &BTreeMap<NamespaceName, String>) -> BTreeSet<NamespaceName> {
    let refused = |space: &&NamespacePlan| {
        there.get(&space.namespace).is_some_and(|annotation| takeover(&space.namespace, annotation, space.adopts).is_err())
    };
    let all = after.plan.namespaces.iter().any(|space| space.system.is_none() && refused(&space));
    after.plan.namespaces.iter().filter(|space| all || refused(space)).map(|space| space.namespace.clone()).collect()
}

/// Namespaces that are kept and closed from then on.
fn closed(before: &Foreseen, after: &Foreseen) -> impl Iterator<Item = Row> {
    let serves = |namespace: &NamespaceName| before.plan.namespace(namespace).is_some_and(|space| space.goal == Goal::Serve);
    let closed = after.plan.namespaces.iter().filter(move |space| space.goal == Goal::Close && serves(&space.namespace));
    closed.map(|space| {
        let mut fields =
            vec!["members lose access, no pod is admitted, and the network is closed; namespace and volumes are kept".to_owned()];
        fields.extend(after.emptied.contains(&space.namespace).then(|| "its pods are ended".to_owned()));
        Row { namespace: String::new(), object: format!("namespace/{}", space.namespace), what: "closed", fields }
    })
}

fn desired(plan: &Plan) -> BTreeMap<ChildKey, &Desired> {
    plan.namespaces.iter().chain(&plan.tenant_access).flat_map(|space| &space.desired).map(|desired| (desired.key(), &**desired)).collect()
}

/// The fields that differ. The copy of the contract and the ledger's entry say nothing that is not told elsewhere.
fn fields(from: &Value, to: &Value) -> Vec<String> {
    let plain = |object: &Value| {
        let mut object = object.clone();
        if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
            annotations.retain(|key, _| key != ANNOTATION_CONTRACT && key != ANNOTATION_EPOCH);
        }
        object
    };
    between(&plain(from), &plain(to)).into_iter().map(|line| on_one_line(&line, LINE)).collect()
}

/// Which objects the operator does not accept, by kind and name, and why: what it says in condition Accepted.
#[must_use]
pub fn invalid(after: &Foreseen) -> BTreeMap<(&'static str, String), String> {
    let Foreseen { snapshot, intent, plan, .. } = after;
    let input = StatusInput { snapshot, intent, inventory: &after.inventory(), plan, outcome: &Outcome::default() };
    let complaint = |conditions: &[Condition]| {
        let accepted = find(conditions, kind::ACCEPTED).filter(|condition| condition.status == "False");
        accepted.map(|condition| condition.message.clone())
    };
    let tenant = snapshot.tenant.iter().map(|root| (("AgencyTenant", root.name.clone()), tenant::status(&input, root, &[]).conditions));
    let systems = snapshot.systems.iter();
    let systems = systems.map(|root| (("HostedSystem", root.name.clone()), system::status(&input, root).conditions));
    tenant.chain(systems).filter_map(|(object, conditions)| Some((object, complaint(&conditions)?))).collect()
}

/// Namespaces that would be created and are there already, and whether they are taken over. `there` are those without a tenant's mark,
/// with the tenant that their annotation agrees to.
#[must_use]
pub fn conflicts(after: &Foreseen, there: &BTreeMap<NamespaceName, String>) -> Vec<Result<String, String>> {
    let spaces = after.plan.namespaces.iter().filter_map(|space| Some((space, there.get(&space.namespace)?)));
    let words = spaces.map(|(space, annotation)| {
        let namespace = &space.namespace;
        takeover(namespace, annotation, space.adopts)
            .map(|()| format!("namespace {namespace} was there before and is taken over with everything in it"))
    });
    words.collect()
}

/// Who must decide before the request is served; `after` is as it would be before anybody decides.
#[must_use]
pub fn approval(tenant: &TenantName, approvals: Option<&Approvals>, preapproved: bool) -> Option<String> {
    let approvals = approvals?;
    Some(match &approvals.request {
        _ if approvals.stopped => {
            format!(
                "agencytenant/{tenant} is stopped; kubectl govcloud resume {tenant} ends that, and kubectl govcloud approve {tenant} ends it and \
                 grants the request"
            )
        }
        Request::Pending => format!(
            "needed, by somebody who holds the verb approve on agencytenants and is not a member of the agency: kubectl govcloud approve {tenant}"
        ),
        Request::Invalid => "not needed, but this spec is not valid".to_owned(),
        Request::Rejected(approval) => format!("this spec was rejected by {}: {}", approval.by, approval.reason),
        Request::Unserved(approval) => format!("approved by {}, but not valid", approval.by),
        Request::Granted if let Some(Grounds::Policies(names)) = &approvals.takes_on => format!("given at once by {names}"),
        Request::Granted if preapproved => {
            "not needed, because spec.preapproved is true; applying it takes the verb approve on agencytenants".to_owned()
        }
        Request::Granted => "not needed, because it asks for nothing beyond the contract in force".to_owned(),
    })
}
