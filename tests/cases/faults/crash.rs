//! The operator dies at a write, before it leaves or after it is done: it ends as if nothing had been.
//!
//! It works on each tenant apart. So many tenants are stopped, each at a point of its own, before one kill ends them all:
//! none of a tenant's requests passes from its point on.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use acceptance::proxy::{Asked, Fault, Met};
use futures::future::join_all;
use tokio::time::sleep;

use super::{
    Faulty, QUIET,
    steps::{STEPS, Step, begin},
    world::{World, worlds},
};
use crate::{alone::Alone, cluster::Person, history::History};

/// Tenants that die at the same time on a control plane.
const AT_ONCE: usize = 16;

/// Everything is as in peace within this time. Most of it goes to Kubernetes, which empties many namespaces at once here.
const PEACE_WITHIN: Duration = Duration::from_mins(2);

/// What a step comes to when nobody dies.
struct Plain {
    step: &'static Step,
    writes: Vec<(String, usize)>,
    end: World,
}

/// A death: at which write of which step, and whether that is done yet.
#[derive(Clone)]
struct Point {
    plain: usize,
    line: String,
    occurrence: usize,
    done: bool,
}

/// A write as a line in which the tenant has no name.
fn line(asked: &Asked) -> String {
    asked.to_string().replace(&asked.tenant, "TENANT")
}

/// Starts an operator after another one's death.
async fn restart(alone: &Alone) -> Faulty {
    Faulty::start_many(alone).await
}

/// Does each step to a tenant of its own, without a fault.
async fn in_peace(faulty: &Faulty, admin: &Person, prefix: &str) -> Vec<Plain> {
    let tenants: Vec<(String, &'static Step)> =
        STEPS.iter().enumerate().map(|(number, step)| (format!("{prefix}-{number}z"), step)).collect();
    begin(faulty, admin, &tenants).await;
    let before: Vec<usize> = tenants.iter().map(|(tenant, _)| faulty.proxy.writes_of(tenant).len()).collect();
    join_all(tenants.iter().map(|(tenant, step)| step.act.perform(admin, tenant))).await;
    let names: Vec<String> = tenants.iter().map(|(tenant, _)| tenant.clone()).collect();
    sleep(QUIET).await; // what was done last shows in a first write by now
    let mut ends = faulty.settled(admin, &names).await;
    let plain = |((tenant, step), before): ((String, &'static Step), usize)| {
        let mut seen = BTreeMap::new();
        let written = faulty.proxy.writes_of(&tenant).split_off(before);
        let writes = written.iter().map(line).map(|line| {
            let occurrence: &mut usize = seen.entry(line.clone()).or_default();
            *occurrence += 1;
            (line, *occurrence - 1)
        });
        // Events are told when nobody is at work; losing one is no failure.
        let writes: Vec<_> = writes.filter(|(line, _)| !line.contains(" events ")).collect();
        assert!(!writes.is_empty(), "{}: nothing was written", step.name);
        Plain { step, writes, end: ends.remove(&tenant).unwrap() }
    };
    tenants.into_iter().zip(before).map(plain).collect()
}

fn points(plains: &[Plain]) -> Vec<Point> {
    let of = |(number, plain): (usize, &Plain)| {
        let writes = plain.writes.clone();
        let both = move |(line, occurrence): (String, usize)| {
            [false, true].map(|done| Point { plain: number, line: line.clone(), occurrence, done })
        };
        writes.into_iter().flat_map(both).collect::<Vec<_>>()
    };
    plains.iter().enumerate().flat_map(of).collect()
}

/// Stops a tenant at its point.
fn arm(faulty: &Faulty, tenant: &str, point: &Point) -> Met {
    let fault = if point.done { Fault::KillAfter } else { Fault::KillBefore };
    let (tenant, wanted) = (tenant.to_owned(), point.line.clone());
    faulty.proxy.arm(fault, point.occurrence, 1, move |asked| asked.tenant == tenant && asked.is_write() && line(asked) == wanted)
}

/// Lets the operator die at each of the points, starts it again, and waits until each tenant's world is as in peace. Returns
/// the points that were not come by.
async fn die_at(faulty: Faulty, alone: &Alone, admin: &Person, plains: &[Plain], points: &[Point], batch: &str) -> (Faulty, Vec<Point>) {
    let name = |place: usize| format!("{batch}-{place}z");
    let tenants: Vec<(String, &Step)> = points.iter().enumerate().map(|(place, point)| (name(place), plains[point.plain].step)).collect();
    let ours = |tenant: &str| tenant.starts_with(&format!("{batch}-"));
    let mut history = History::begin(admin).await;
    begin(&faulty, admin, &tenants).await;

    let met: Vec<Met> = tenants.iter().zip(points).map(|((tenant, _), point)| arm(&faulty, tenant, point)).collect();
    join_all(tenants.iter().map(|(tenant, step)| step.act.perform(admin, tenant))).await;
    let ends: Vec<(String, &Point)> = tenants.into_iter().map(|(tenant, _)| tenant).zip(points).collect();
    let missed = until_dead(&faulty, admin, plains, &ends, &met).await;
    faulty.end();
    let faulty = restart(alone).await;

    until_as_in_peace(admin, plains, &ends).await;
    sleep(QUIET).await;
    until_as_in_peace(admin, plains, &ends).await; // and stays so
    history.catch_up(admin, ours).await;
    let unguarded = history.unguarded(ours);
    assert!(unguarded.is_empty(), "{unguarded:#?}");
    (faulty, missed)
}

/// Waits until each tenant is stopped at its point, or has come to its end without coming by it. Returns those points.
async fn until_dead(faulty: &Faulty, admin: &Person, plains: &[Plain], ends: &[(String, &Point)], met: &[Met]) -> Vec<Point> {
    let begun = Instant::now();
    loop {
        sleep(Duration::from_millis(50)).await;
        let alive: Vec<&(String, &Point)> = ends.iter().zip(met).filter(|(_, met)| met.times() == 0).map(|(end, _)| end).collect();
        let names: Vec<String> = alive.iter().map(|(tenant, _)| tenant.clone()).collect();
        if names.is_empty() {
            return Vec::new();
        }
        if begun.elapsed() < QUIET || faulty.quiet_for(&names) < QUIET {
            continue;
        }
        let worlds = worlds(admin, &names).await;
        if alive.iter().all(|(tenant, point)| worlds[tenant] == plains[point.plain].end) {
            return alive.into_iter().map(|(_, point)| (*point).clone()).collect();
        }
        assert!(begun.elapsed() < PEACE_WITHIN, "neither dead nor at their end: {names:?}");
    }
}

async fn until_as_in_peace(admin: &Person, plains: &[Plain], ends: &[(String, &Point)]) {
    let begun = Instant::now();
    let mut open: Vec<&(String, &Point)> = ends.iter().collect();
    loop {
        let names: Vec<String> = open.iter().map(|(tenant, _)| tenant.clone()).collect();
        let worlds = worlds(admin, &names).await;
        open.retain(|(tenant, point)| worlds[tenant] != plains[point.plain].end);
        let Some((tenant, point)) = open.first() else { return };
        if begun.elapsed() > PEACE_WITHIN {
            let plain = &plains[point.plain];
            let moment = if point.done { "after" } else { "before" };
            let differences = worlds[tenant].differences(&plain.end).join("\n");
            panic!(
                "{} of {} tenants do not end as in peace. {}: {tenant}, dead {moment} '{}' (occurrence {}):\n{differences}",
                open.len(),
                ends.len(),
                plain.step.name,
                point.line,
                point.occurrence
            );
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Dies at each of these points on a control plane of its own; returns how many there are, and in words those not come by.
async fn die_at_each(prefix: &str, start: usize, stride: usize) -> (usize, Vec<String>) {
    let alone = Alone::turn().await;
    let admin = alone.admin().await;
    let mut faulty = Faulty::start_many(&alone).await;
    let plains = in_peace(&faulty, &admin, prefix).await;
    let points: Vec<Point> = points(&plains).into_iter().skip(start).step_by(stride).collect();
    let mut missed = Vec::new();
    for (number, batch) in points.chunks(AT_ONCE).enumerate() {
        let (next, more) = die_at(faulty, &alone, &admin, &plains, batch, &format!("{prefix}-death-{number}")).await;
        faulty = next;
        missed.extend(more);
    }
    faulty.end();
    let told: Vec<_> =
        missed.iter().map(|point| format!("{}: {} ({})", plains[point.plain].step.name, point.line, point.occurrence)).collect();
    // How often something is written again, and told, depends on how fast others are; that it is written does not. What is created in a
    // step is written again where systems that are declared together come one after the other.
    let is_again = |point: &Point| {
        let created = point.line.replacen("update", "create", 1);
        point.occurrence > 0 || plains[point.plain].writes.iter().any(|(line, _)| *line == created && *line != point.line)
    };
    assert!(missed.iter().all(is_again), "{told:#?}");
    (points.len(), told)
}

/// Dies at every `stride`th point, from each of these on at the same time.
async fn sweep(prefix: &str, starts: &[usize], stride: usize) {
    let begun = Instant::now();
    let parts = join_all(starts.iter().map(|start| die_at_each(prefix, *start, stride))).await;
    let points: usize = parts.iter().map(|(points, _)| points).sum();
    let missed: Vec<String> = parts.into_iter().flat_map(|(_, missed)| missed).collect();
    println!("{} deaths in {:.0?}; not come by: {missed:#?}", points - missed.len(), begun.elapsed());
    assert!(missed.len() * 20 <= points, "so many writes did not come that this proves little: {missed:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_at_a_write_leaves_no_trace() {
    sweep("some", &[5], 16).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long sweep: run with --ignored"]
async fn a_death_at_any_write_leaves_no_trace() {
    sweep("all", &[0, 1], 2).await;
}
