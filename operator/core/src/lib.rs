//! The decisions of `GovCloud`: pure functions from what was seen of a cluster to what is to be done in it.
//!
//! Each folder uses those before it, and none after: api, model, children, plan, status, step, views.

#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod api;
pub mod children;
pub mod model;
pub mod plan;
pub mod status;
pub mod step;
pub mod views;
