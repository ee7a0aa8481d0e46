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

pub use judge::{Outcome, judge};
pub use table::Row;
pub use world::World;

/// Every row: those that are written, those that are generated, and the canaries.
pub fn rows(world: &World) -> Vec<Row> {
    let mut rows = table::written(world);
    rows.extend(containers::rows(world));
    rows.extend(sizes::rows(world));
    rows.extend(table::canaries(world));
    rows
}

/// What is not as it should be, a line each.
pub fn wrong(rows: &[Row], outcomes: &[Outcome]) -> Vec<String> {
    rows.iter().zip(outcomes).filter_map(|(row, outcome)| outcome.complaint(row)).collect()
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
