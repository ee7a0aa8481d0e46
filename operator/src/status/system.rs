//! Status of a `HostedSystem`.

use crate::{
    api::{HostedSystemStatus, Stage},
    names::{NETWORK_POLICY, NamespaceName, SystemName},
    plan::{
        SpacePlan,
        amount::{Amount, resources},
        intent::{Problem, System},
        owner::Owner,
        quota::Grant,
        refusals::standing,
        snapshot::SystemRoot,
    },
    status::{
        Facts,
        conditions::{Judgement, conditions, kind, reason, stalled, summary},
    },
};

/// Judges one hosted system of the tenant.
#[must_use]
pub fn status(facts: &Facts, root: &SystemRoot) -> HostedSystemStatus {
    let name = SystemName::new(root.name.as_str());
    let system = facts.intent.systems.iter().find(|(other, _)| *other == name).map(|(_, system)| system);
    let view = View { facts, root, system, namespace: facts.snapshot.name.workload(&name), name };
    let stage = view.stage();
    HostedSystemStatus {
        observed_generation: root.generation,
        stage,
        namespace: view.space().map(|space| space.namespace.to_string()).or_else(|| root.status.namespace.clone()),
        granted: match view.grant() {
            Some(_) if view.is_retiring() => None,
            Some(grant) => Some(resources(&held(grant))),
            None => root.status.granted.clone(), // not served in this state; it keeps what it has
        },
        conditions: conditions(&root.status.conditions, view.judge(), root.generation, facts.now),
    }
}

/// A grant without its zeros.
fn held(grant: &Grant) -> crate::plan::amount::Amounts {
    grant.hard.iter().filter(|(_, amount)| **amount > Amount::ZERO).map(|(key, amount)| (key.clone(), *amount)).collect()
}

struct View<'a> {
    facts: &'a Facts<'a>,
    root: &'a SystemRoot,
    system: Option<&'a Result<System, Vec<Problem>>>,
    name: SystemName,
    namespace: NamespaceName,
}

impl View<'_> {
    fn judge(&self) -> Vec<Judgement> {
        let accepted = self.accepted();
        let cause = (accepted.holds == Some(false)).then(|| (accepted.reason, accepted.message.clone()));
        let failure = self.facts.outcome.failure(&self.namespace).filter(|failure| failure.stalled);
        let cause = cause.or_else(|| failure.map(|failure| (failure.reason, failure.sentence(&self.namespace))));
        let mut judged = vec![accepted, self.quota_granted(), self.provisioned(), self.isolated()];
        judged.push(self.ready(&judged));
        judged.insert(4, self.available());
        judged.push(stalled(cause));
        judged
    }

    fn accepted(&self) -> Judgement {
        match (&self.facts.intent.tenant, self.system) {
            (None, _) => Judgement::no(kind::ACCEPTED, reason::NO_TENANT, self.homeless()),
            (_, Some(Err(problems))) => Judgement::no(kind::ACCEPTED, reason::INVALID, list(problems)),
            _ => Judgement::yes(kind::ACCEPTED, reason::ACCEPTED, "the spec can be served"),
        }
    }

    /// Whether the namespace that the system is declared in is its tenant's.
    fn has_home(&self) -> bool {
        let home = self.facts.snapshot.name.home();
        self.facts.plan.identity.owner(&self.facts.snapshot.observed, &home) == Owner::Own
    }

    fn homeless(&self) -> String {
        let namespace = NamespaceName::new(self.root.namespace.as_str());
        let cure = match namespace.system() {
            Some(_) => format!("create the system in '{}'", namespace.tenant()),
            None => "create the system in its agency's home namespace, or the agency first".to_owned(),
        };
        format!("metadata.namespace: '{namespace}' is not the home namespace of an AgencyTenant; {cure}")
    }

    fn quota_granted(&self) -> Judgement {
        let waiting = self.grant().and_then(|grant| grant.waiting.as_ref());
        match (self.grant(), waiting) {
            (_, Some(numbers)) => Judgement::no(
                kind::QUOTA_GRANTED,
                reason::QUOTA_WAITING,
                format!(
                    "{numbers}; until it fits the system keeps what it holds: lower spec.resources.guaranteed, or raise spec.quota of agencytenant/{}",
                    self.facts.snapshot.name
                ),
            ),
            (Some(_), None) if self.is_retiring() => {
                Judgement::yes(kind::QUOTA_GRANTED, reason::RETIRED, "a retired system holds no share but the storage of its volumes")
            }
            (Some(_), None) => Judgement::yes(kind::QUOTA_GRANTED, reason::GRANTED, "the guaranteed share is held whole"),
            (None, None) => self.not_served(kind::QUOTA_GRANTED),
        }
    }

    fn provisioned(&self) -> Judgement {
        let judged = self.facts.provisioned(&self.namespace);
        match self.space() {
            None if judged.holds.is_none() && self.facts.outcome.failure(&self.namespace).is_none() => self.not_served(kind::PROVISIONED),
            Some(space) if judged.holds == Some(true) && self.is_retiring() && !space.drained => {
                Judgement::no(kind::PROVISIONED, reason::DRAINING, format!("pods in namespace {} are ending", self.namespace))
            }
            _ => judged,
        }
    }

    fn isolated(&self) -> Judgement {
        let Some(outcome) = self.facts.outcome.spaces.get(&self.namespace) else { return self.not_served(kind::ISOLATED) };
        let guards = |kind: &str| kind == "Namespace" || kind == "NetworkPolicy";
        match outcome.failures.iter().find(|failure| guards(failure.kind)) {
            Some(failure) => Judgement::no(kind::ISOLATED, failure.reason, failure.sentence(&self.namespace)),
            None => Judgement::yes(
                kind::ISOLATED,
                reason::ISOLATED,
                format!("Pod Security labels and network policy {NETWORK_POLICY} hold{}", self.facts.without_ingress()),
            ),
        }
    }

    /// Whether the workloads' pods are let in, as Kubernetes' controllers tell. What Ready says does not depend on it: a pipeline
    /// waits for Ready before it deploys.
    fn available(&self) -> Judgement {
        let Some(space) = self.space() else { return self.not_served(kind::AVAILABLE) };
        let refusals = self.facts.snapshot.refusals.get(&space.namespace).map_or(&[][..], Vec::as_slice);
        let refused = standing(refusals, self.facts.seconds());
        match refused.as_slice() {
            [] => Judgement::yes(kind::AVAILABLE, reason::NONE_REFUSED, "no pod of the system was refused in the last 20 minutes"),
            [first, more @ ..] => {
                let others = if more.is_empty() { String::new() } else { format!("; {} more workloads", more.len()) };
                let message = format!("pods were refused in the last 20 minutes: {}: {}{others}", first.workload, first.cause);
                Judgement::no(kind::AVAILABLE, reason::FAILED_CREATE, message)
            }
        }
    }

    fn ready(&self, judged: &[Judgement]) -> Judgement {
        if self.root.deleting && judged.iter().all(|judgement| judgement.holds == Some(true)) {
            return Judgement::no(kind::READY, reason::DELETING, "the system is being deleted");
        }
        let (well, message) = match self.stage() {
            Some(Stage::Suspended) => (reason::SUSPENDED, "suspended: network closed, no new pods"),
            Some(Stage::Retired) => (reason::RETIRED, "retired: no pods, no access, no network; namespace and volumes are kept"),
            _ => (reason::READY, "the namespace is there, isolated, with its share of the quota and access for the agency's members"),
        };
        summary(judged, well, message.to_owned())
    }

    /// The stage that holds: the wanted one once everything is written, the former one until then.
    fn stage(&self) -> Option<Stage> {
        let wanted = match self.system {
            Some(Ok(system)) => system.stage,
            _ => return self.root.status.stage,
        };
        let reached = self.facts.provisioned(&self.namespace).holds == Some(true);
        let drained = self.space().is_some_and(|space| space.drained);
        if reached && (wanted != Stage::Retired || drained) { Some(wanted) } else { self.root.status.stage }
    }

    fn is_retiring(&self) -> bool {
        matches!(self.system, Some(Ok(system)) if system.stage == Stage::Retired)
    }

    fn grant(&self) -> Option<&Grant> {
        self.facts.plan.allocation.grants.get(&self.name)
    }

    fn space(&self) -> Option<&SpacePlan> {
        self.facts.plan.space(&self.namespace)
    }

    /// Why a system is not planned although it may be in order itself.
    fn not_served(&self, kind: &'static str) -> Judgement {
        match (&self.facts.intent.tenant, self.facts.held_up()) {
            (_, Some(judgement)) => Judgement { kind, ..judgement },
            (Some(Err(problems)), _) => Judgement::unknown(
                kind,
                reason::TENANT_INVALID,
                format!("agencytenant/{} cannot be served, so everything is kept as it is: {}", self.facts.snapshot.name, list(problems)),
            ),
            _ if self.root.deleting => Judgement::unknown(kind, reason::DELETING, "the system is being deleted"),
            _ if !self.has_home() => Judgement::unknown(
                kind,
                reason::CONFLICT,
                format!("namespace {} is not the home of agencytenant/{0}; see there", self.facts.snapshot.name),
            ),
            _ => Judgement::unknown(kind, self.accepted().reason, "the system is not served; see condition Accepted"),
        }
    }
}

/// Problems, one after the other.
pub(super) fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
