//! Data that everything below shares: what was seen of the cluster, what is asked for, and what became of it.

pub mod amounts;
pub mod api_server;
pub mod approval_policies;
pub mod audit;
pub mod ending;
pub mod export_index;
pub mod exports;
pub mod failed_creates;
pub mod names;
pub mod namespace;
pub mod observed;
pub mod outcome;
pub mod ownership;
pub mod pod_classes;
pub mod pod_usage;
pub mod root;
pub mod settings;
pub mod shared;
pub mod snapshot;
pub mod tags;
pub mod tenant;
pub mod text;
pub mod workloads;
