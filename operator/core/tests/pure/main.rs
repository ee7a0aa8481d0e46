//! The pure part of the operator, tried without a cluster: decisions as tables of YAML in and decisions out, and properties
//! that hold for whatever people write.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on stops with its reason")]
#![allow(clippy::disallowed_methods, reason = "tests read files of the project")]
#![allow(clippy::default_trait_access, reason = "the type of an empty parameter says nothing here")]

mod access;
mod approval;
mod contract;
mod counts;
mod decisions;
mod exports;
mod exposes;
mod figures;
mod foreign;
mod foreseen;
mod guard_rails;
mod history;
mod leaving;
mod manifests;
mod network;
mod plans;
mod pod_classes;
mod policies;
mod properties;
mod purity;
mod questions;
mod schema;
mod shares;
mod sizes;
mod statuses;
mod steps;
mod suspension;
mod table;
mod takeover;
mod telling;
mod views;
mod world;
