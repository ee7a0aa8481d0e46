//! All input and output with Kubernetes. Nothing here decides what should be.

mod apply;
mod cache;
mod connection;
mod decode;
pub mod dry_run;
mod ending;
mod events;
mod guard_rails;
mod http;
mod leader;
mod lease;
pub mod live;
mod merge;
mod metrics;
mod object;
mod pace;
pub mod permissions;
mod pod_classes;
mod queue;
mod reconcile;
mod repairs;
mod report;
mod run;
mod shared_names;
mod streams;
mod tags;
mod watch;
mod workloads;

pub use run::{Options, run};
