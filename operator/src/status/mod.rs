//! Snapshot × outcome → status. Pure: the time is an argument. Written on failure too.

pub mod conditions;
pub mod system;
pub mod tenant;

use k8s_openapi::jiff::Timestamp;

use crate::{
    names::{NETWORK_POLICY, NamespaceName},
    plan::{
        Plan,
        intent::{Intent, Tenant},
        outcome::Outcome,
        owner::namespace_entry,
        refusals::LASTS,
        snapshot::Snapshot,
    },
    status::conditions::{Judgement, kind, reason},
};

/// All that a status is judged from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What was seen.
    pub snapshot: &'a Snapshot,
    /// What was asked.
    pub intent: &'a Intent,
    /// What should be.
    pub plan: &'a Plan,
    /// What became of it.
    pub outcome: &'a Outcome,
    /// The time, RFC 3339 in UTC.
    pub now: &'a str,
}

impl Facts<'_> {
    /// The time in seconds since 1970.
    fn seconds(&self) -> i64 {
        self.now.parse().map_or(0, Timestamp::as_second)
    }

    /// How long until something that is told holds no longer, if nothing else happens.
    #[must_use]
    pub fn expires_in(&self) -> Option<u64> {
        let now = self.seconds();
        let ends = self.snapshot.refusals.values().flatten().map(|refusal| refusal.last + LASTS).filter(|end| *end > now);
        ends.min().and_then(|end| u64::try_from(end - now).ok())
    }

    /// Why nothing at all is done for this tenant, if so.
    fn held_up(&self) -> Option<Judgement> {
        if self.snapshot.definitions.ending {
            return Some(Judgement::unknown(
                kind::PROVISIONED,
                reason::UNINSTALLING,
                "the custom resources are being removed from the cluster; everything is kept as it is",
            ));
        }
        let cause = self.snapshot.blind.first()?;
        Some(Judgement::no(
            kind::PROVISIONED,
            reason::FORBIDDEN,
            format!(
                "the operator cannot see all that it manages, so it changes nothing: {cause}; grant it the ClusterRole that the chart ships"
            ),
        ))
    }

    /// What a message adds where no traffic arrives through ingress classes of the contract.
    fn without_ingress(&self) -> String {
        let tenant = self.intent.tenant.as_ref().and_then(|tenant| tenant.as_ref().ok());
        tenant.and_then(Tenant::without_ingress).map_or_else(String::new, |words| format!("; {words}"))
    }

    /// Whether the children of a namespace are as planned.
    fn provisioned(&self, namespace: &NamespaceName) -> Judgement {
        if let Some(judgement) = self.held_up() {
            return judgement;
        }
        match self.outcome.failure(namespace) {
            Some(failure) => Judgement::no(kind::PROVISIONED, failure.reason, failure.sentence(namespace)),
            None if namespace_entry(&self.snapshot.observed, namespace).is_some_and(|entry| entry.deleting) => {
                Judgement::no(kind::PROVISIONED, reason::DELETING, format!("namespace {namespace} is being deleted"))
            }
            None if self.plan.space(namespace).is_some_and(|space| space.api_server_unknown) => Judgement::no(
                kind::PROVISIONED,
                reason::FORBIDDEN,
                format!(
                    "the addresses of the API server are not known, so network policy {NETWORK_POLICY} of namespace {namespace} stays as it is: \
                     the operator must list and watch Service and EndpointSlice kubernetes in namespace default; grant it the ClusterRole that \
                     the chart ships"
                ),
            ),
            None if self.outcome.spaces.contains_key(namespace) && !self.snapshot.quota_is_live(namespace) => Judgement::no(
                kind::PROVISIONED,
                reason::QUOTA_NOT_LIVE,
                format!(
                    "the quota of namespace {namespace} is written and not in force yet; if this lasts, look after the controller manager"
                ),
            ),
            None if self.outcome.spaces.contains_key(namespace) => {
                Judgement::yes(kind::PROVISIONED, reason::PROVISIONED, format!("everything in namespace {namespace} is as planned"))
            }
            None => Judgement::unknown(kind::PROVISIONED, reason::PROGRESSING, format!("namespace {namespace} is not planned yet")),
        }
    }
}
