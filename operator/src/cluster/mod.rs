//! All input and output with Kubernetes. Nothing here decides what should be.

mod apply;
mod ask;
mod audit;
mod backoff;
mod connection;
mod decode;
pub mod dry_run;
mod events;
pub mod facts;
mod failed_creates;
mod fence;
mod guard_rails;
mod health;
mod http;
mod interner;
pub mod kubernetes_version;
mod leader;
mod lease;
pub mod live;
mod memory;
mod metrics;
mod object;
mod pace;
mod pod_classes;
mod queue;
pub mod read;
mod reconcile;
mod repairs;
mod run;
mod status_writer;
mod store;
mod streams;
mod takeover;
mod watch;
mod workloads;

pub use run::{Options, run};
