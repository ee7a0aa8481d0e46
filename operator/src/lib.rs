//! GovCloud: agencies and their systems on one shared Kubernetes cluster.
//!
//! The way of the data is one straight line: watch → snapshot → intent → plan → diff → apply → status. What is decided is in
//! crate `govcloud_core`; this crate reads and writes.

#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod cli;
pub mod cluster;
pub mod error;
