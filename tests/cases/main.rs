//! The operator as a real process on a real control plane, judged by the state of the world.
//!
//! All cases share one control plane and one operator, run in parallel, and keep to tenants of their own; those that break
//! one of the two start their own. A negative case has a positive control beside it and names who refused.

mod cluster;

mod children;
mod lifecycle;
mod quota;
