//! Every attack that was tried, as rows of tables: who does what to which object, and who refuses it. A row that nobody refuses is
//! the positive control of its neighbours. Most are dry runs, for a policy judges those as it judges others; what a dry run cannot
//! show is done for good in `live`.
//!
//! The tables are judged with the operator alive here, and dead in `alone::attacks`, where each control is taken out in turn too.

mod change;
mod containers;
mod judge;
mod live;
mod people;
mod plugins;
mod sizes;
mod table;
mod world;

use std::time::Instant;

use govcloud_core::children::TABLE;
use serde_json::{Value, json};

pub use judge::{Outcome, judge};
pub use table::Row;
pub use world::World;

/// Every row: those that are written, those that are generated, and the probes.
pub fn rows(world: &World) -> Vec<Row> {
    let mut rows = table::written(world);
    rows.extend(containers::rows(world));
    rows.extend(sizes::rows(world));
    rows.extend(table::probes(world));
    rows
}

/// What is not as it should be, a line each.
pub fn wrong(rows: &[Row], outcomes: &[Outcome]) -> Vec<String> {
    rows.iter().zip(outcomes).filter_map(|(row, outcome)| outcome.complaint(row)).collect()
}

/// Namespaces that the operator is told of by its flags, as the harness starts it.
const PLATFORM_NAMESPACES: [&str; 4] = ["kube-system", "ingress-nginx", "ingress-internal", "monitoring"];

/// Or they could keep it for ever, as if an administrator had written it.
#[tokio::test]
async fn what_members_may_write_is_not_taken_for_the_platforms() {
    let world = World::on_shared().await;
    let opened = |object: &Value| {
        let row = TABLE.iter().find(|row| object["kind"] == row.kind).unwrap();
        row.entry(object).exposes
    };
    let people = ["owner", "deployer", "neighbour", "odd-owner"];
    let written = rows(&world).into_iter().filter(|row| people.contains(&row.person.as_str()) && row.denied.is_none());
    let mut judged = 0;
    for row in written.filter(|row| row.base["kind"] == "NetworkPolicy" && row.action == table::Action::Create) {
        let mut object = change::changed(&row.base, &row.with);
        object["metadata"]["namespace"] = json!(row.namespace);
        // Namespaces that the operator's settings name, whichever the contract opens.
        let known = |word: &String| PLATFORM_NAMESPACES.iter().any(|name| *word == format!("Network/namespace/{name}"));
        let strange: Vec<String> = opened(&object).into_iter().filter(|word| word.contains('/') && !known(word)).collect();
        assert!(strange.is_empty(), "{}: {strange:?}", row.name);
        judged += 1;
    }
    assert!(judged > 3, "{judged} rows are about policies that members may write");
}

#[tokio::test]
async fn every_attack_is_refused_by_whom_it_should_be_and_every_control_is_admitted() {
    let world = World::on_shared().await;
    let rows = rows(&world);
    let begin = Instant::now();
    let outcomes = judge(&world, &rows).await;
    let wrong = wrong(&rows, &outcomes);
    println!("{} rows in {} ms", rows.len(), begin.elapsed().as_millis());
    assert!(wrong.is_empty(), "{} of {} rows are wrong:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}
