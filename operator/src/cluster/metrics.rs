//! Counters and gauges, by the names that users of controllers know.

mod agencies;

use std::{fs, sync::Arc};

use k8s_openapi::jiff::Timestamp;
use parking_lot::Mutex;
use prometheus_client::{
    encoding::{
        EncodeLabelSet,
        text::{encode_eof, encode_registry},
    },
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::store::{Judged, Store};
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
struct ByCondition {
    resource: &'static str,
    condition: String,
    status: String,
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByLease {
    name: &'static str,
}

/// The metrics, shared by all who count.
#[derive(Clone)]
pub struct Metrics(Arc<Families>);

struct Families {
    /// Held from the first gauge that is set until all are printed: of two who ask at once, none reads half of them.
    registry: Mutex<Registry>,
    reconciles: Family<Outcome, Counter>,
    seconds: Family<ByController, Histogram>,
    active: Family<ByController, Gauge>,
    depth: Family<ByController, Gauge>,
    requests: Family<Request, Counter>,
    watch_failures: Family<ByResource, Counter>,
    synced: Family<ByResource, Gauge>,
    objects: Family<ByResource, Gauge>,
    tenants: Family<ByStage, Gauge>,
    systems: Family<ByStage, Gauge>,
    conditions: Family<ByCondition, Gauge>,
    guarded: Gauge,
    leads: Family<ByLease, Gauge>,
    memory: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let families = Families {
            reconciles: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            active: Family::default(),
            depth: Family::default(),
            requests: Family::default(),
            watch_failures: Family::default(),
            synced: Family::default(),
            objects: Family::default(),
            tenants: Family::default(),
            systems: Family::default(),
            conditions: Family::default(),
            guarded: Gauge::default(),
            leads: Family::default(),
            memory: Gauge::default(),
            registry: Mutex::default(),
        };
        families.register(&mut registry);
        *families.registry.lock() = registry;
        Self(Arc::new(families))
    }
}

impl Families {
    fn register(&self, registry: &mut Registry) {
        registry.register("controller_runtime_reconcile", "Reconciles by result", self.reconciles.clone());
        registry.register("controller_runtime_reconcile_time_seconds", "Seconds that a reconcile takes", self.seconds.clone());
        registry.register("controller_runtime_active_workers", "Tenants that are being reconciled", self.active.clone());
        registry.register("workqueue_depth", "Tenants that wait for a worker", self.depth.clone());
        registry.register("govcloud_requests", "Requests to the API server but for watches", self.requests.clone());
        registry.register("govcloud_watch_failures", "Watches that failed and were tried again", self.watch_failures.clone());
        registry.register("govcloud_watch_synced", "1 where a watch is in step with the API server, 0 where it fails", self.synced.clone());
        registry.register("govcloud_objects", "Objects in the store", self.objects.clone());
        registry.register("govcloud_agency_tenants", "Agency tenants by stage", self.tenants.clone());
        registry.register("govcloud_hosted_systems", "Hosted systems by the stage that holds", self.systems.clone());
        let conditions = "Agency tenants and hosted systems by status and reason of each condition";
        registry.register("govcloud_conditions", conditions, self.conditions.clone());
        registry.register(
            "govcloud_guard_rails_in_force",
            "1 where every policy of the chart is in force, 0 where not",
            self.guarded.clone(),
        );
        registry.register("leader_election_master_status", "1 where this replica leads, 0 where it stands by", self.leads.clone());
        registry.register("process_resident_memory_bytes", "Resident memory of the process", self.memory.clone());
    }

    /// Sets what is not counted as it happens.
    fn look(&self, store: &Store, synced: &[(&'static str, bool)], guarded: bool) {
        let figures = store.figures();
        for (resource, number) in figures.objects {
            self.objects.get_or_create(&ByResource { resource }).set(gauge(number));
        }
        for &(resource, synced) in synced {
            self.synced.get_or_create(&ByResource { resource }).set(i64::from(synced));
            self.watch_failures.get_or_create(&ByResource { resource }).inc_by(0); // a rate sees the first failure only after a 0
        }
        for (family, stages) in [(&self.tenants, figures.tenants), (&self.systems, figures.systems)] {
            family.clear();
            for (stage, number) in stages {
                family.get_or_create(&ByStage { stage }).set(gauge(number));
            }
        }
        self.conditions.clear();
        for (Judged { resource, condition, status, reason }, number) in figures.conditions {
            self.conditions.get_or_create(&ByCondition { resource, condition, status, reason }).set(gauge(number));
        }
        self.guarded.set(i64::from(guarded));
        if let Some(bytes) = resident_memory() {
            self.memory.set(bytes);
        }
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

    /// All metrics in the text form that Prometheus reads; with the watches by resource, whether they are in step, and whether the
    /// guard rails are in force.
    pub fn text(&self, store: &Store, synced: &[(&'static str, bool)], guarded: bool) -> Result<String, std::fmt::Error> {
        let registry = self.0.registry.lock();
        self.0.look(store, synced, guarded);
        let mut text = String::new();
        encode_registry(&mut text, &registry)?;
        agencies::append(&mut text, store.agencies(Timestamp::now()))?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

/// Bytes, where the system tells.
fn resident_memory() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB")?.trim().parse::<i64>().ok());
    kibibytes.map(|number| number * 1024)
}

fn gauge(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
