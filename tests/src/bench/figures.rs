//! The result: one table for people, one line of JSON for programs.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use comfy_table::Cell;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::admission::Admission;
use super::drift::{Drift, percentile};
use super::load::Size;
use super::processes;
use super::requests::Requests;
use crate::tables;

/// Where and when it was measured.
pub struct Machine {
    date: String,
    cores: usize,
    memory_gib: f64,
    load: String,
    kubernetes: String,
}

impl Machine {
    /// This one, now; `load` is from before the first control plane was started.
    pub fn here(kubernetes: String, load: String) -> Result<Self> {
        Ok(Self {
            date: Timestamp::now().strftime("%Y-%m-%d").to_string(),
            cores: thread::available_parallelism().context("counting cores")?.get(),
            memory_gib: processes::machine_memory()?,
            load,
            kubernetes,
        })
    }
}

/// A setup, by the bare client or by the operator.
pub struct Run {
    pub seconds: f64,
    pub cpu_seconds: BTreeMap<String, f64>,
    pub requests: Requests,
}

/// The operator after it was stopped and started.
pub struct Restart {
    pub synced: Duration,
    pub rss_mib: f64,
    pub requests: Requests,
}

/// All that was measured.
pub struct Figures {
    pub(super) size: Size,
    pub(super) machine: Machine,
    pub(super) raw: Run,
    pub(super) operator: Run,
    pub(super) rss_mib: f64,
    pub(super) rss_peak_mib: f64,
    pub(super) idle: Requests,
    pub(super) restart: Restart,
    pub(super) drift: Drift,
    pub(super) admission: Admission,
}

/// The roots are created by this program in both runs.
const ROOTS: [&str; 2] = ["create agencytenants", "create hostedsystems"];

impl Figures {
    /// For people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut rows = Rows::default();
        self.setup_rows(&mut rows);
        self.request_rows(&mut rows);
        self.operator_rows(&mut rows);
        let mut table = tables::table(&["", "BARE CLIENT", "GOVCLOUD"]);
        for row in rows.0 {
            table.add_row(row);
        }
        let Machine { date, cores, memory_gib, load, kubernetes } = &self.machine;
        let Size { tenants, systems } = self.size;
        format!(
            "{tenants} agencies x {systems} systems = {} namespaces, on {date}
Kubernetes {kubernetes}, etcd without fsync; everything on one machine with {cores} cores and {memory_gib:.0} GiB; load average before: {load}
kube-controller-manager and kube-scheduler: limit of requests raised to 1000/s, for both alike

{table}

{}
",
            self.size.namespaces(),
            self.admission_table(),
        )
    }

    /// What the guard rails cost who creates a pod.
    fn admission_table(&self) -> String {
        let mut table = tables::table(&["POD CREATED BY AN OWNER (DRY RUN)", "WITHOUT GUARD RAILS", "WITH"]);
        let Admission { with, without } = &self.admission;
        for percent in [50, 99] {
            let (before, after) = (without.at(percent), with.at(percent));
            table.add_row([
                format!("p{percent} of {}, ms", with.times.len()),
                format!("{before:.2}"),
                format!("{after:.2} ({:+.2})", after - before),
            ]);
        }
        let share = with.rate / without.rate;
        table.add_row(["pods a second, 16 at once".to_owned(), format!("{:.0}", without.rate), format!("{:.0} ({share:.2} x)", with.rate)]);
        table.to_string()
    }

    /// For programs, on one line.
    #[must_use]
    pub fn json(&self) -> Value {
        let all = self.drift.all();
        json!({
            "tenants": self.size.tenants,
            "systems": self.size.systems,
            "ready_s": rounded(self.operator.seconds, 3),
            "raw_s": rounded(self.raw.seconds, 3),
            "ratio": rounded(self.ratio(), 3),
            "requests": self.operator.requests.by_verb(),
            "lease_requests": self.operator.requests.leases,
            "raw_writes": self.raw_writes(),
            "operator_writes": self.operator.requests.writes().len(),
            "writes_per_system": rounded(self.each_system(self.operator.requests.for_systems()), 2),
            "cpu_s": rounded(self.operator.cpu_seconds.values().sum(), 2),
            "cpu_ms_per_namespace": rounded(
                1000.0 * self.operator.cpu_seconds.values().sum::<f64>() / f64::from(self.size.namespaces()),
                1,
            ),
            "raw_cpu_s": rounded(self.raw.cpu_seconds.values().sum(), 2),
            "rss_mib": rounded(self.rss_mib, 1),
            "rss_peak_mib": rounded(self.rss_peak_mib, 1),
            "idle_writes": self.idle.writes().len(),
            "restart_writes": self.restart.requests.writes().len(),
            "restart_rss_mib": rounded(self.restart.rss_mib, 1),
            "restart_synced_s": rounded(self.restart.synced.as_secs_f64(), 3),
            "drift_p50_ms": rounded(milliseconds(percentile(&all, 50)), 1),
            "drift_p99_ms": rounded(milliseconds(percentile(&all, 99)), 1),
            "pod_p50_ms": [rounded(self.admission.without.at(50), 2), rounded(self.admission.with.at(50), 2)],
            "pod_p99_ms": [rounded(self.admission.without.at(99), 2), rounded(self.admission.with.at(99), 2)],
            "pods_per_s": [rounded(self.admission.without.rate, 0), rounded(self.admission.with.rate, 0)],
        })
    }

    fn setup_rows(&self, rows: &mut Rows) {
        rows.add(
            "seconds until all is Ready",
            format!("{:.2}", self.raw.seconds),
            format!("{:.2} ({:.2} x)", self.operator.seconds, self.ratio()),
        );
        let sum = |run: &Run| run.cpu_seconds.values().sum::<f64>();
        rows.add("processor seconds in that time", format!("{:.1}", sum(&self.raw)), format!("{:.1}", sum(&self.operator)));
        let each = |run: &Run| format!("{:.0}", 1000.0 * sum(run) / f64::from(self.size.namespaces()));
        rows.add("  for each namespace, milliseconds", each(&self.raw), each(&self.operator));
        let parts: BTreeSet<&String> = self.raw.cpu_seconds.keys().chain(self.operator.cpu_seconds.keys()).collect();
        for part in parts {
            let of = |run: &Run| run.cpu_seconds.get(part).map_or("-".into(), |seconds| format!("{seconds:.1}"));
            rows.add(format!("  {part}"), of(&self.raw), of(&self.operator));
        }
    }

    fn request_rows(&self, rows: &mut Rows) {
        let roots: usize = self.size.tenants as usize + self.size.all_systems() as usize;
        rows.add("agencies and systems, created by this program", roots, roots);
        rows.add("writes of the setup", self.raw_writes(), self.operator.requests.writes().len());
        let writes = |requests: &Requests| {
            let writes = requests.writes().into_iter().cloned().collect();
            Requests { work: writes, leases: 0 }.by_verb_and_resource()
        };
        let (raw, operator) = (writes(&self.raw.requests), writes(&self.operator.requests));
        let names: BTreeSet<&String> = raw.keys().chain(operator.keys()).filter(|name| !ROOTS.contains(&name.as_str())).collect();
        for name in names {
            let of = |counts: &BTreeMap<String, usize>| counts.get(name).map_or("-".into(), ToString::to_string);
            rows.add(format!("  {name}"), of(&raw), of(&operator));
        }
        let others = |requests: &Requests| requests.work.len() - requests.writes().len();
        // Those of the bare client's run are the observer's.
        rows.add("requests that write nothing", "-", others(&self.operator.requests));
        rows.add("requests refused", self.raw.requests.refused(), self.operator.requests.refused());
        let each = |writes: usize| format!("{:.2}", self.each_system(writes));
        let roots = |run: &Run| run.requests.by_verb_and_resource().get(ROOTS[1]).copied().unwrap_or_default();
        let of_systems = |run: &Run| each(run.requests.for_systems() - roots(run));
        rows.add("writes for each system", of_systems(&self.raw), of_systems(&self.operator));
        rows.add("all writes / systems", each(self.raw_writes()), each(self.operator.requests.writes().len()));
        rows.add("requests about leases, counted nowhere else", "-", self.operator.requests.leases);
    }

    fn operator_rows(&self, rows: &mut Rows) {
        rows.add("resident memory, MiB (highest)", "-", format!("{:.1} ({:.1})", self.rss_mib, self.rss_peak_mib));
        rows.add("writes in 60 idle seconds", "-", self.idle.writes().len());
        rows.add("other requests in 60 idle seconds", "-", self.idle.work.len() - self.idle.writes().len());
        rows.add("restart: resident memory, MiB", "-", format!("{:.1}", self.restart.rss_mib));
        rows.add("restart: seconds until synced", "-", format!("{:.2}", self.restart.synced.as_secs_f64()));
        let writes = self.restart.requests.writes().len();
        rows.add("restart: writes in 15 s", "-", writes);
        rows.add("restart: other requests in 15 s", "-", self.restart.requests.work.len() - writes);
        let drift = [
            ("network policy deleted", self.drift.policies.clone()),
            ("quota edited", self.drift.quotas.clone()),
            ("both", self.drift.all()),
        ];
        for (name, times) in drift {
            let at = |percent| milliseconds(percentile(&times, percent));
            rows.add(format!("drift repaired, {name}, p50 / p99 of {}, ms", times.len()), "-", format!("{:.1} / {:.1}", at(50), at(99)));
        }
    }

    fn ratio(&self) -> f64 {
        self.operator.seconds / self.raw.seconds
    }

    /// Writes of the bare client that the operator makes too.
    fn raw_writes(&self) -> usize {
        let counts = self.raw.requests.by_verb_and_resource();
        self.raw.requests.writes().len() - ROOTS.iter().filter_map(|name| counts.get(*name)).sum::<usize>()
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of requests are far below 2^52")]
    fn each_system(&self, writes: usize) -> f64 {
        writes as f64 / f64::from(self.size.all_systems())
    }
}

/// Rows of the table.
#[derive(Default)]
struct Rows(Vec<[Cell; 3]>);

impl Rows {
    fn add(&mut self, name: impl Into<String>, raw: impl Into<Cell>, operator: impl Into<Cell>) {
        self.0.push([Cell::new(name.into()), raw.into(), operator.into()]);
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn rounded(value: f64, digits: i32) -> f64 {
    let unit = 10_f64.powi(digits);
    (value * unit).round() / unit
}
