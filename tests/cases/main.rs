//! The operator as a real process on a real control plane, judged by the state of the world.
//!
//! Cases run in parallel. Most share one control plane and one operator, and keep to tenants of their own; those that break one of
//! the two have a control plane to themselves (`alone`). A negative case has a positive control beside it and names who refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on stops with its reason")]
#![allow(clippy::default_trait_access, reason = "the type of an empty parameter says nothing here")]

mod cluster;
mod history;
mod times;

mod alone;
mod attacks;
mod backup;
mod brownfield;
mod cert_manager;
mod chart;
mod children;
mod contract;
mod doctor;
mod documentation;
mod drift;
mod faults;
mod foresight;
mod gitops;
mod governance;
mod lifecycle;
mod manifests;
mod matrix;
mod monitoring;
mod platform;
mod plugin;
mod quota;
mod released;
mod sizes;
mod start;
mod strangers;
mod uninstall;
mod upgrade;
