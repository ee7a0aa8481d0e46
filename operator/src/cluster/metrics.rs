//! Counters and gauges, by the names that users of controllers know.

use std::sync::Arc;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::store::Store;
use crate::error::Error;

const CONTROLLER: &str = "agencytenant";
const SECONDS: [f64; 11] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    controller: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByController {
    controller: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    verb: &'static str,
    resource: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResource {
    resource: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStage {
    stage: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByLease {
    name: &'static str,
}

/// The metrics, shared by all who count.
#[derive(Clone)]
pub struct Metrics(Arc<Families>);

struct Families {
    registry: Registry,
    reconciles: Family<Outcome, Counter>,
    seconds: Family<ByController, Histogram>,
    active: Family<ByController, Gauge>,
    depth: Family<ByController, Gauge>,
    requests: Family<Request, Counter>,
    watch_failures: Family<ByResource, Counter>,
    objects: Family<ByResource, Gauge>,
    systems: Family<ByStage, Gauge>,
    leads: Family<ByLease, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let mut families = Families {
            reconciles: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            active: Family::default(),
            depth: Family::default(),
            requests: Family::default(),
            watch_failures: Family::default(),
            objects: Family::default(),
            systems: Family::default(),
            leads: Family::default(),
            registry: Registry::default(),
        };
        registry.register("controller_runtime_reconcile", "Reconciles by result", families.reconciles.clone());
        registry.register("controller_runtime_reconcile_time_seconds", "Seconds that a reconcile takes", families.seconds.clone());
        registry.register("controller_runtime_active_workers", "Tenants that are being reconciled", families.active.clone());
        registry.register("workqueue_depth", "Tenants that wait for a worker", families.depth.clone());
        registry.register("govcloud_requests", "Requests to the API server but for watches", families.requests.clone());
        registry.register("govcloud_watch_failures", "Watches that failed and were tried again", families.watch_failures.clone());
        registry.register("govcloud_objects", "Objects in the store", families.objects.clone());
        registry.register("govcloud_hosted_systems", "Hosted systems by the stage that holds", families.systems.clone());
        registry.register("leader_election_master_status", "1 where this replica leads, 0 where it stands by", families.leads.clone());
        families.registry = registry;
        Self(Arc::new(families))
    }
}

impl Metrics {
    /// A reconcile ended.
    pub fn reconciled(&self, result: &'static str, seconds: f64) {
        self.0.reconciles.get_or_create(&Outcome { controller: CONTROLLER, result }).inc();
        self.0.seconds.get_or_create(&ByController { controller: CONTROLLER }).observe(seconds);
    }

    /// So many are at work, so many wait.
    pub fn queue(&self, active: usize, waiting: usize) {
        let controller = ByController { controller: CONTROLLER };
        self.0.active.get_or_create(&controller).set(gauge(active));
        self.0.depth.get_or_create(&controller).set(gauge(waiting));
    }

    /// Whether this replica leads.
    pub fn leads(&self, lease: &'static str, leads: bool) {
        self.0.leads.get_or_create(&ByLease { name: lease }).set(i64::from(leads));
    }

    /// A request was answered.
    pub fn request(&self, verb: &'static str, resource: &'static str, error: Option<&Error>) {
        self.0.requests.get_or_create(&Request { verb, resource, result: error.map_or("Ok", Error::reason) }).inc();
    }

    /// A watch failed.
    pub fn watch_failed(&self, resource: &'static str) {
        self.0.watch_failures.get_or_create(&ByResource { resource }).inc();
    }

    /// All metrics in the text form that Prometheus reads.
    pub fn text(&self, store: &Store) -> Result<String, std::fmt::Error> {
        for (resource, number) in store.sizes() {
            self.0.objects.get_or_create(&ByResource { resource }).set(gauge(number));
        }
        self.0.systems.clear();
        for (stage, number) in store.stages() {
            self.0.systems.get_or_create(&ByStage { stage }).set(gauge(number));
        }
        let mut text = String::new();
        encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

fn gauge(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
