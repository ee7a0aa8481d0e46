//! Status of a `HostedSystem`.

use std::collections::BTreeSet;

use crate::{
    api::{
        HostedSystemStatus, Resources, Stage,
        conditions::{find, kind, reason},
        history::HistoryEntry,
        hosted_system::SystemSummary,
    },
    model::{
        amounts::{self, Amount, resources},
        ending::Ending,
        failed_creates::{FailedCreate, Seen, by_cause, is_same_cause, recent},
        names::{NamespaceName, SystemName},
        observed::inside,
        root::SystemRoot,
        tenant::{Problem, System},
    },
    plan::{
        NamespacePlan,
        cures::{Place, cure},
        history::suspension,
        quota::Grant,
        tags::is_required,
    },
    status::{
        NAMED, STALLED_AFTER, StatusInput,
        conditions::{NewCondition, conditions, stalled, summary},
        list_of, seconds,
        stop::stop_words,
    },
};

/// Bytes of each of several causes that are told.
const CAUSE_BYTES: usize = 900;

/// Judges one hosted system of the tenant.
#[must_use]
pub fn status(input: &StatusInput, root: &SystemRoot) -> HostedSystemStatus {
    let name = SystemName::new(root.name.as_str());
    let system = input.intent.systems.iter().find(|(other, _)| *other == name).map(|(_, system)| system);
    let view = View { input, root, system, namespace: input.snapshot.name.workload(&name), name };
    let stage = view.stage();
    let granted = match view.grant() {
        Some(_) if view.is_retiring() => None,
        Some(grant) => Some(resources(&held(grant))),
        None => root.status.granted.clone(), // not served in this state; it keeps what it has
    };
    HostedSystemStatus {
        observed_generation: root.generation,
        stage,
        namespace: view.space().map(|space| space.namespace.to_string()).or_else(|| root.status.namespace.clone()),
        summary: view.space().and_then(|_| view.summary(granted.as_ref())).or_else(|| root.status.summary.clone()),
        granted,
        conditions: conditions(&root.status.conditions, view.conditions(), root.generation, &input.snapshot.time()),
    }
}

/// Whether two statuses differ in nothing but figures of use, which may be written late.
#[must_use]
pub fn differ_in_use_only(one: &HostedSystemStatus, other: &HostedSystemStatus) -> bool {
    // What is granted stands in `granted` too.
    one != other && HostedSystemStatus { summary: None, ..one.clone() } == HostedSystemStatus { summary: None, ..other.clone() }
}

/// A grant without its zeros.
fn held(grant: &Grant) -> crate::model::amounts::Amounts {
    grant.hard.iter().filter(|(_, amount)| **amount > Amount::ZERO).map(|(key, amount)| (key.clone(), *amount)).collect()
}

struct View<'a> {
    input: &'a StatusInput<'a>,
    root: &'a SystemRoot,
    system: Option<&'a Result<System, Vec<Problem>>>,
    name: SystemName,
    namespace: NamespaceName,
}

impl View<'_> {
    fn conditions(&self) -> Vec<NewCondition> {
        let checks = [self.accepted(), self.quota_granted(), self.provisioned(), self.isolated()];
        let (ready, stalled) = (self.ready(&checks), self.stalled(&checks[0], &checks[1]));
        checks.into_iter().chain([self.pods_admitted(), ready, stalled]).collect()
    }

    /// What its pods use of what it is granted.
    fn summary(&self, granted: Option<&Resources>) -> Option<SystemSummary> {
        let used = &self.input.inventory.of(&self.namespace).quota?.used;
        let of = |key: &str| {
            let granted = granted.and_then(|granted| granted.get(key)).map_or("0", |amount| amount.as_str());
            format!("{}/{granted}", amounts::of(used, key).text(key))
        };
        Some(SystemSummary { cpu: of("requests.cpu"), memory: of("requests.memory"), pods: of("pods") })
    }

    /// The first cause that waiting does not cure.
    fn stalled(&self, accepted: &NewCondition, quota: &NewCondition) -> NewCondition {
        let cause = accepted
            .cause()
            .or_else(|| self.input.stalling_failure(&self.namespace))
            .or_else(|| quota.cause().filter(|(reason, _)| *reason == reason::QUOTA_EXCEEDED))
            .or_else(|| self.input.held_by_finalizers(&self.namespace));
        stalled(cause)
    }

    fn accepted(&self) -> NewCondition {
        match (&self.input.intent.tenant, self.system) {
            (None, _) => NewCondition::no(kind::ACCEPTED, reason::NO_TENANT, self.homeless()),
            (_, Some(Err(problems))) => NewCondition::no(kind::ACCEPTED, reason::INVALID, list(problems)),
            _ => NewCondition::yes(kind::ACCEPTED, reason::ACCEPTED, "the spec is valid"),
        }
    }

    /// Whether the namespace that the system is declared in is its tenant's.
    fn has_home(&self) -> bool {
        let home = self.input.snapshot.name.home();
        self.input.inventory.of(&home).is_ours()
    }

    fn homeless(&self) -> String {
        format!(
            "metadata.namespace: '{}' is not the home namespace of an AgencyTenant; create the system in its agency's home namespace, \
             which bears the agency's name, once the agency is there",
            self.root.namespace
        )
    }

    fn quota_granted(&self) -> NewCondition {
        let waiting = self.grant().and_then(|grant| grant.waiting.as_ref());
        match (self.grant(), waiting) {
            (Some(Grant { exceeds: true, .. }), Some(numbers)) => NewCondition::no(
                kind::QUOTA_GRANTED,
                reason::QUOTA_EXCEEDED,
                format!(
                    "{numbers}; that is more than the whole total, so it can never fit: lower spec.resources.guaranteed, or raise spec.quota \
                     of agencytenant/{}",
                    self.input.snapshot.name
                ),
            ),
            (_, Some(numbers)) => NewCondition::no(
                kind::QUOTA_GRANTED,
                reason::QUOTA_WAITING,
                format!(
                    "{numbers}; until it fits the system keeps what it holds: lower spec.resources.guaranteed, or raise spec.quota of agencytenant/{}",
                    self.input.snapshot.name
                ),
            ),
            (Some(_), None) if self.is_retiring() => NewCondition::yes(
                kind::QUOTA_GRANTED,
                reason::RETIRED,
                "a retired system has no share; the storage of its volumes still counts",
            ),
            (Some(_), None) => NewCondition::yes(kind::QUOTA_GRANTED, reason::GRANTED, "the guaranteed share is granted"),
            (None, None) => self.not_served(kind::QUOTA_GRANTED),
        }
    }

    fn provisioned(&self) -> NewCondition {
        let judged = self.input.provisioned(&self.namespace);
        match self.space() {
            None if judged.holds.is_none() => self.not_served(kind::PROVISIONED),
            Some(space) if judged.holds == Some(true) && self.is_retiring() && !self.is_empty(space) => {
                NewCondition::no(kind::PROVISIONED, reason::DRAINING, self.draining())
            }
            _ => judged,
        }
    }

    /// Whether no pod is left. A quota no longer counts those that should have ended.
    fn is_empty(&self, space: &NamespacePlan) -> bool {
        space.drained && self.input.snapshot.ending.get(&self.namespace).is_none_or(|ending| ending.words().is_none())
    }

    /// That pods are ending; their number only when they take long, since it changes with each.
    fn draining(&self) -> String {
        let namespace = &self.namespace;
        if let Some(left) = self.input.snapshot.ending.get(namespace).and_then(Ending::words) {
            return format!(
                "pods in namespace {namespace} should have ended: {left}; a platform administrator starts the controller of the finalizers \
                 again or removes them by hand; a pod without finalizers waits for its node (kubectl get pods -n {namespace} -o wide)"
            );
        }
        let since = find(&self.root.status.conditions, kind::PROVISIONED).filter(|condition| condition.reason == reason::DRAINING);
        let long = since.is_some_and(|condition| self.input.seconds() >= seconds(&condition.last_transition_time) + STALLED_AFTER);
        let mut quotas = inside(&self.input.snapshot.observed, namespace).filter_map(|(_, entry)| entry.quota.as_ref());
        match quotas.find_map(|quota| quota.used.get("pods")).filter(|_| long) {
            Some(pods) => format!(
                "{} pods in namespace {namespace} have not ended after {STALLED_AFTER} s: a finalizer holds them, or their node does not \
                 answer (kubectl get pods -n {namespace} -o wide)",
                pods.text("pods")
            ),
            None => format!("pods in namespace {namespace} are ending"),
        }
    }

    fn isolated(&self) -> NewCondition {
        if self.space().is_none() {
            return self.not_served(kind::ISOLATED);
        }
        let failures = self.input.outcome.namespaces.get(&self.namespace).map_or(&[][..], |space| &space.failures);
        let guards = |kind: &str| kind == "Namespace" || kind == "NetworkPolicy";
        match failures.iter().find(|failure| guards(failure.kind)) {
            Some(failure) => NewCondition::no(kind::ISOLATED, failure.reason, failure.sentence(&self.namespace)),
            None => self.input.isolated_from_others(&self.namespace),
        }
    }

    /// Whether the workloads' pods are let in, as Kubernetes' controllers tell. What Ready says does not depend on it: a pipeline
    /// waits for Ready before it deploys.
    fn pods_admitted(&self) -> NewCondition {
        let Some(space) = self.space() else { return self.not_served(kind::PODS_ADMITTED) };
        let failed_creates = self.input.snapshot.failed_creates.get(&space.namespace).map_or(&[][..], Vec::as_slice);
        let refused = recent(failed_creates, self.input.seconds());
        let before = find(&self.root.status.conditions, kind::PODS_ADMITTED).filter(|condition| condition.reason == reason::FAILED_CREATE);
        let (unseen, lacking): (Vec<_>, Vec<_>) = refused.into_iter().partition(|refusal| refusal.seen == Seen::NotYet);
        let told = before.map(|condition| condition.message.clone());
        match (lacking.as_slice(), told) {
            // Until all of them were looked at, nothing new is told: it may be cured.
            (_, Some(told)) if !unseen.is_empty() => NewCondition::no(kind::PODS_ADMITTED, reason::FAILED_CREATE, told),
            ([], _) => self.tags_in_use(),
            (lacking, told) => {
                let message = self.refused(lacking);
                let told = told.filter(|told| is_same_cause(told, &message));
                NewCondition::no(kind::PODS_ADMITTED, reason::FAILED_CREATE, told.unwrap_or(message))
            }
        }
    }

    /// That no pods are refused; and which run by tag although the contract requires digests, so that they will be.
    fn tags_in_use(&self) -> NewCondition {
        let none = NewCondition::yes(kind::PODS_ADMITTED, reason::NONE_REFUSED, "no pods are refused");
        let (Some(Ok(tenant)), Some(Ok(system))) = (&self.input.intent.tenant, self.system) else { return none };
        if !is_required(tenant, system) {
            return none;
        }
        let found = self.input.snapshot.tags.get(&self.namespace).and_then(|tags| tags.workloads.as_ref());
        let told = find(&self.root.status.conditions, kind::PODS_ADMITTED).filter(|condition| condition.reason == reason::TAGS_IN_USE);
        match (found, told) {
            (Some(workloads), _) if workloads.is_empty() => none,
            (Some(workloads), _) => NewCondition::yes(kind::PODS_ADMITTED, reason::TAGS_IN_USE, self.by_tag(workloads)),
            // Nobody has looked yet, so what was told stays.
            (None, Some(told)) => NewCondition::yes(kind::PODS_ADMITTED, reason::TAGS_IN_USE, told.message.clone()),
            (None, None) => none,
        }
    }

    fn by_tag(&self, workloads: &BTreeSet<String>) -> String {
        let names: Vec<&str> = workloads.iter().map(String::as_str).collect();
        format!(
            "pods of {} workload{} have an image that names no digest: {}; they run on, but are not created again, since \
             spec.images.requireDigest of agencytenant/{} requires digests: deploy them by digest, name@sha256:<64 hexadecimal digits>",
            workloads.len(),
            if workloads.len() == 1 { "" } else { "s" },
            list_of(&names),
            self.input.snapshot.name
        )
    }

    /// Which workloads are refused what, why, and what to do about it.
    fn refused(&self, lacking: &[&FailedCreate]) -> String {
        // Whichever rule refuses them first, they are refused because of the stage.
        if let (Some(Ok(System { stage: stage @ (Stage::Suspended | Stage::Retired), .. })), [first, ..]) = (self.system, lacking) {
            let cure = if *stage == Stage::Suspended { format!("; {}", self.suspension()) } else { String::new() };
            let why = format!("the system is {}, so it admits no new pods{cure}", stage.as_str());
            return format!("Kubernetes cannot create {}", told(first, &why, &lacking[1..]));
        }
        let keys: Vec<String> = match &self.input.intent.tenant {
            Some(Ok(tenant)) => tenant.quota.keys().cloned().collect(),
            _ => Vec::new(),
        };
        let groups = by_cause(lacking);
        let longest = if groups.len() > 1 { CAUSE_BYTES } else { usize::MAX };
        let causes = groups.iter().take(NAMED).filter_map(|group| {
            let (first, others) = group.split_first()?;
            let cure = cure(first, Place { namespace: &self.namespace, keys: &keys }).map_or_else(String::new, |cure| format!("; {cure}"));
            let cause = &first.cause[..first.cause.floor_char_boundary(longest)];
            let cut = if cause.len() < first.cause.len() { " ..." } else { "" };
            Some(told(first, &format!("{cause}{cut}{cure}"), others))
        });
        match groups.len() {
            0 | 1 => format!("Kubernetes cannot create {}", causes.collect::<String>()),
            number => {
                let listed = if number > NAMED { format!(", of which these are the first {NAMED}") } else { String::new() };
                let causes: Vec<String> = causes.zip(1..).map(|(cause, number)| format!("({number}) {cause}")).collect();
                format!("Kubernetes refuses workloads for {number} causes{listed}: {}", causes.join("; "))
            }
        }
    }

    fn ready(&self, judged: &[NewCondition]) -> NewCondition {
        if self.root.deleting {
            let left = judged.iter().find_map(NewCondition::cause).map_or_else(String::new, |(_, message)| format!("; {message}"));
            return NewCondition::no(kind::READY, reason::DELETING, format!("the system is being deleted{left}"));
        }
        let suspended = || format!("suspended: network closed, no new pods; {}", self.suspension());
        let (well, message) = match (self.stage(), self.suspended_by_agency()) {
            (Some(Stage::Suspended), Some(reason)) if judged.iter().all(|judgement| judgement.holds == Some(true)) => {
                return NewCondition::no(kind::READY, reason, suspended());
            }
            (Some(Stage::Suspended), _) => (reason::SUSPENDED, suspended()),
            (Some(Stage::Retired), _) => {
                (reason::RETIRED, "retired: no pods, no access, no network; namespace and volumes are kept".into())
            }
            _ => (reason::READY, format!("namespace {} is ready for workloads", self.namespace)),
        };
        summary(judged, well, message)
    }

    /// Why a system is suspended that itself is to run.
    fn suspended_by_agency(&self) -> Option<&'static str> {
        let itself = self.root.spec.as_ref().is_ok_and(|spec| matches!(spec.stage, Stage::Suspended | Stage::Retired));
        let intent = self.input.intent;
        match &intent.tenant {
            _ if itself => None,
            Some(Ok(_)) if intent.approvals.as_ref().is_some_and(|approvals| approvals.stopped) => Some(reason::AGENCY_STOPPED),
            Some(Ok(served)) if served.suspended => Some(reason::AGENCY_SUSPENDED),
            _ => None,
        }
    }

    /// What suspends the system, by whom and why, and what ends that.
    fn suspension(&self) -> String {
        let tenant = &self.input.snapshot.name;
        let status = self.input.snapshot.tenant.as_ref().map(|root| &root.status);
        match self.suspended_by_agency() {
            Some(reason::AGENCY_STOPPED) => {
                let stopped = status.map(stop_words).unwrap_or_default();
                format!("agencytenant/{tenant} was {stopped}; an approver ends that: kubectl govcloud resume {tenant}")
            }
            Some(_) => {
                let since =
                    status.and_then(|status| suspension(&status.history)).map_or_else(String::new, |HistoryEntry { by, time, .. }| {
                        if by.is_empty() { format!(" since {time}") } else { format!(" since {time}, by {by}") }
                    });
                format!("agencytenant/{tenant} is suspended by its spec{since}: set spec.suspended of it to false")
            }
            None => "set spec.stage to end that".to_owned(),
        }
    }

    /// The stage that holds: the wanted one once everything is written, the former one until then.
    fn stage(&self) -> Option<Stage> {
        let wanted = match self.system {
            Some(Ok(system)) => system.stage,
            _ => return self.root.status.stage,
        };
        let reached = self.input.provisioned(&self.namespace).holds == Some(true);
        let drained = self.space().is_some_and(|space| self.is_empty(space));
        if reached && (wanted != Stage::Retired || drained) { Some(wanted) } else { self.root.status.stage }
    }

    fn is_retiring(&self) -> bool {
        matches!(self.system, Some(Ok(system)) if system.stage == Stage::Retired)
    }

    fn grant(&self) -> Option<&Grant> {
        self.input.plan.allocation.grants.get(&self.name)
    }

    fn space(&self) -> Option<&NamespacePlan> {
        self.input.plan.namespace(&self.namespace)
    }

    /// Why a system is not planned although it may be in order itself.
    fn not_served(&self, kind: &'static str) -> NewCondition {
        match (&self.input.intent.tenant, self.input.held_up()) {
            (_, Some(judgement)) => NewCondition { kind, ..judgement },
            (Some(Err(problems)), _) => NewCondition::unknown(
                kind,
                reason::TENANT_INVALID,
                format!("agencytenant/{} has no valid contract, so nothing is changed: {}", self.input.snapshot.name, list(problems)),
            ),
            _ if self.root.deleting => NewCondition::unknown(kind, reason::DELETING, "the system is being deleted"),
            _ if self.input.snapshot.tenant.is_some() && !self.has_home() => NewCondition::unknown(
                kind,
                reason::CONFLICT,
                format!(
                    "namespace {} does not belong to agencytenant/{0}; condition Provisioned of the tenant says why",
                    self.input.snapshot.name
                ),
            ),
            _ => NewCondition::unknown(kind, self.accepted().reason, "nothing is created for the system; see condition Accepted"),
        }
    }
}

/// What of a workload is refused and why, and which others are refused for the same cause.
fn told(first: &FailedCreate, why: &str, others: &[&FailedCreate]) -> String {
    let names: Vec<String> = others.iter().take(NAMED).map(|refusal| refusal.workload.shown()).collect();
    let others = match others.len().saturating_sub(NAMED) {
        _ if names.is_empty() => String::new(),
        0 => format!("; also refused: {}", names.join(", ")),
        more => format!("; also refused: {} and {more} more", names.join(", ")),
    };
    format!("{} of {}: {why}{others}", first.objects, first.workload.shown())
}

/// Problems, one after the other.
pub(super) fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
