//! The harness of the acceptance tests, of `cargo demo` and of `cargo bench-cloud`: a real Kubernetes control plane, the
//! operator as a real process with no more rights than it ships with, and what both leave behind.
//!
//! Nothing here but the benchmark knows how the operator works; it is started, fed with YAML and watched.

mod access;
mod aggregation;
pub mod audit;
pub mod bench;
mod bound;
mod build_layout;
pub mod control_plane;
pub mod definitions;
mod go_program;
pub mod helm;
pub mod manifests;
mod mutation;
pub mod operator;
pub mod platform;
pub mod previous;
pub mod programs;
pub mod progress;
pub mod proxy;
pub mod real_node;
pub mod request;
pub mod rollout;
pub mod schemas;
pub mod tables;
pub mod tool;

pub use build_layout::workspace;
pub use control_plane::ControlPlane;
pub use helm::Helm;
pub use operator::Operator;
pub use platform::CertManager;
pub use previous::Previous;
pub use proxy::Proxy;
pub use schemas::Schemas;
pub use tool::Tool;
