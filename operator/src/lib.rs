//! GovCloud: agencies and their systems on one shared Kubernetes cluster.
//!
//! The way of the data is one straight line, and each step is a folder or file of that name:
//! watch → snapshot → intent → plan → diff → apply → status → report.

#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod api;
pub mod children;
pub mod cli;
pub mod cluster;
pub mod error;
pub mod names;
pub mod plan;
pub mod status;
pub mod views;
