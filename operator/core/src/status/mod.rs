//! Snapshot × outcome → status. Pure: the time is an argument. Written on failure too.

pub mod ahead;
pub mod conditions;
pub mod stop;
pub mod system;
pub mod tenant;

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::{
    api::conditions::{find, kind, reason},
    model::{
        ending::{self, Ending},
        failed_creates::FAILED_CREATE_TTL,
        names::{ANNOTATION_POD_SELECTOR, NETWORK_POLICY, NamespaceName},
        observed::Remaining,
        outcome::{Failure, Outcome},
        snapshot::Snapshot,
        tags::Tags,
        tenant::Tenant,
    },
    plan::{
        Plan,
        foreign::{unreadable, wider},
        intent::Intent,
        inventory::Inventory,
    },
    status::conditions::NewCondition,
};

/// A namespace whose deletion takes longer than this many seconds says what is left in it. Its conditions change all the time before.
const TOLD_AFTER: i64 = 5;
/// What ends by itself has ended after this many seconds.
const STALLED_AFTER: i64 = 60;
/// What the API server has refused for so long, it goes on to refuse.
const REFUSED_AFTER: Duration = Duration::from_secs(10);
/// Names that a message lists.
const NAMED: usize = 3;

/// All that a status is judged from.
#[derive(Clone, Copy, Debug)]
pub struct StatusInput<'a> {
    /// What was seen.
    pub snapshot: &'a Snapshot,
    /// What was asked.
    pub intent: &'a Intent,
    /// What was seen of its namespaces.
    pub inventory: &'a Inventory<'a>,
    /// What should be.
    pub plan: &'a Plan,
    /// What became of it.
    pub outcome: &'a Outcome,
}

impl StatusInput<'_> {
    /// The time in seconds since 1970.
    fn seconds(&self) -> i64 {
        self.snapshot.now.as_second()
    }

    /// How long until something else is to be told, if nothing else happens: a refusal is too old, a deletion takes long,
    /// or pods by tag may have gone.
    #[must_use]
    pub fn expires_in(&self) -> Option<u64> {
        let now = self.seconds();
        let refused = self.snapshot.failed_creates.values().flatten().map(|refusal| refusal.last + FAILED_CREATE_TTL);
        let terminating = self.snapshot.observed.values().filter_map(|entry| entry.remaining.as_deref());
        let slow = terminating.flat_map(|remaining| [TOLD_AFTER, ending::INTERVAL, STALLED_AFTER].map(|after| remaining.since + after));
        let systems = self.snapshot.systems.iter().map(|root| &root.status.conditions);
        let draining = systems.filter_map(|conditions| find(conditions, kind::PROVISIONED));
        let draining = draining.filter(|condition| condition.reason == reason::DRAINING);
        let late = draining.map(|condition| seconds(&condition.last_transition_time) + STALLED_AFTER);
        let by_tag = self.snapshot.tags.values().filter_map(Tags::look_again_at);
        let left = self.snapshot.ending.values().filter_map(Ending::look_again_at);
        let next = refused.chain(slow).chain(late).chain(by_tag).chain(left).filter(|time| *time > now).min();
        next.and_then(|time| u64::try_from(time - now).ok())
    }

    /// What keeps a namespace that is being deleted, once that takes longer than usual.
    fn remaining(&self, namespace: &NamespaceName) -> Option<Remaining> {
        let remaining = self.inventory.of(namespace).entry?.remaining.as_deref()?;
        let pods = self.snapshot.ending.get(namespace).and_then(|ending| Some((ending, ending.words()?)));
        match pods.filter(|_| remaining.messages.is_empty()) {
            Some((ending, messages)) => Some(Remaining {
                messages,
                finalizers: !ending.finalizers.is_empty(),
                of_kubernetes: ending.is_of_kubernetes(),
                ..remaining.clone()
            }),
            None => (!remaining.messages.is_empty() && self.seconds() >= remaining.since + TOLD_AFTER).then(|| remaining.clone()),
        }
    }

    /// A failure that waiting does not cure. The API server may refuse something for a moment, because what it judges by has only just
    /// been written.
    fn stalling_failure(&self, namespace: &NamespaceName) -> Option<(&'static str, String)> {
        let lasts = |failure: &Failure| {
            failure.reason != reason::REFUSED || self.snapshot.refused_for.get(namespace).is_some_and(|time| *time >= REFUSED_AFTER)
        };
        let failure = self.outcome.failure(namespace).filter(|failure| failure.stalled && lasts(failure))?;
        Some((failure.reason, failure.sentence(namespace)))
    }

    /// What somebody must do before a namespace that is being deleted can go.
    fn held_by_finalizers(&self, namespace: &NamespaceName) -> Option<(&'static str, String)> {
        let remaining = self.remaining(namespace).filter(|remaining| remaining.finalizers)?;
        let useless = !remaining.of_kubernetes || self.seconds() >= remaining.since + STALLED_AFTER;
        useless.then(|| (reason::FINALIZERS_REMAINING, being_deleted(namespace, Some(&remaining))))
    }

    /// Why nothing at all is done for this tenant, if so.
    fn held_up(&self) -> Option<NewCondition> {
        if self.snapshot.crds.ending {
            return Some(NewCondition::unknown(
                kind::PROVISIONED,
                reason::UNINSTALLING,
                "the CustomResourceDefinitions of govcloud.io are being deleted; the operator changes nothing",
            ));
        }
        let cause = self.snapshot.blind.first()?;
        Some(NewCondition::no(
            kind::PROVISIONED,
            reason::FORBIDDEN,
            format!(
                "the operator may not read every kind that it manages, so it changes nothing: {cause}; apply ClusterRole govcloud-operator from the chart"
            ),
        ))
    }

    /// What a message adds where no traffic arrives through ingress classes of the contract.
    fn without_ingress(&self) -> String {
        let tenant = self.intent.tenant.as_ref().and_then(|tenant| tenant.as_ref().ok());
        tenant.and_then(Tenant::without_ingress).map_or_else(String::new, |words| format!("; {words}"))
    }

    /// That the operator's own guards are in place; and which network policies of others add to what they open.
    fn isolated_from_others(&self, namespace: &NamespaceName) -> NewCondition {
        let space = self.plan.namespace(namespace);
        let unreadable = space.map_or_else(Vec::new, |space| unreadable(space, self.inventory));
        let in_place =
            format!("Pod Security labels and NetworkPolicy {NETWORK_POLICY} are in place{}{}", self.without_ingress(), lost(&unreadable));
        let names = space.map_or_else(Vec::new, |space| wider(self.plan, space, self.inventory));
        if names.is_empty() {
            return NewCondition::yes(kind::ISOLATED, reason::ISOLATED, in_place);
        }
        let policies = format!(
            "NetworkPolicies that an administrator or a program of the platform wrote, or that were in the namespace before it was taken \
             over: {}",
            list_of(&names)
        );
        if space.is_some_and(|space| !space.tolerance.network) {
            let message = format!("the system is suspended, but its network stays open by {policies}; delete them to close it");
            return NewCondition::no(kind::ISOLATED, reason::OPENED_BY_OTHERS, message);
        }
        NewCondition::yes(kind::ISOLATED, reason::ISOLATED, format!("{in_place}; more may be open by {policies}"))
    }

    /// Whether the children of a namespace are as planned.
    fn provisioned(&self, namespace: &NamespaceName) -> NewCondition {
        if let Some(judgement) = self.held_up() {
            return judgement;
        }
        match self.outcome.failure(namespace) {
            Some(failure) => NewCondition::no(kind::PROVISIONED, failure.reason, failure.sentence(namespace)),
            None if self.inventory.of(namespace).entry.is_some_and(|entry| entry.deleting) => {
                NewCondition::no(kind::PROVISIONED, reason::DELETING, being_deleted(namespace, self.remaining(namespace).as_ref()))
            }
            None if self.plan.namespace(namespace).is_some_and(|space| space.api_server_unknown) => NewCondition::no(
                kind::PROVISIONED,
                reason::FORBIDDEN,
                format!(
                    "the operator cannot see the addresses of the API server, so NetworkPolicy {NETWORK_POLICY} of namespace {namespace} opens \
                     those that were known last, if any: it must list and watch Service and EndpointSlice kubernetes in namespace default; \
                     apply ClusterRole govcloud-operator from the chart"
                ),
            ),
            None if self.plan.namespace(namespace).is_some() && !self.inventory.of(namespace).has_live_quota() => NewCondition::no(
                kind::PROVISIONED,
                reason::QUOTA_NOT_LIVE,
                format!(
                    "ResourceQuota govcloud-quota in namespace {namespace} is not enforced yet; if this lasts, check that kube-controller-manager runs"
                ),
            ),
            None if self.plan.namespace(namespace).is_some() => {
                NewCondition::yes(kind::PROVISIONED, reason::PROVISIONED, format!("namespace {namespace} is set up"))
            }
            None => {
                NewCondition::unknown(kind::PROVISIONED, reason::PROGRESSING, format!("namespace {namespace} has not been created yet"))
            }
        }
    }
}

/// What a message adds where policies of members stay ineffective.
fn lost(names: &[&str]) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!(
        "; NetworkPolicies that select no pod, because annotation {ANNOTATION_POD_SELECTOR} cannot be read: {}; delete them and apply them \
         again when the system is not suspended",
        list_of(names)
    )
}

/// Names, of many only the first.
fn list_of(names: &[&str]) -> String {
    let first = names[..names.len().min(NAMED)].join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn seconds(time: &str) -> i64 {
    time.parse().map_or(0, Timestamp::as_second)
}

/// That a namespace is being deleted and, if that takes long, what is left in it and what to do.
fn being_deleted(namespace: &NamespaceName, remaining: Option<&Remaining>) -> String {
    let Some(remaining) = remaining else { return format!("namespace {namespace} is being deleted") };
    let cure = if remaining.finalizers {
        "; the controller of these finalizers must remove them: a platform administrator starts it again or, if it is gone, removes them by \
         hand, because members no longer have access to the namespace"
    } else if remaining.undiscovered {
        "; an API of the cluster does not answer: a platform administrator repairs it, or deletes its APIService"
    } else {
        ""
    };
    format!("namespace {namespace} is being deleted: {}{cure}", remaining.messages)
}
