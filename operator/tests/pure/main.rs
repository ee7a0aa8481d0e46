//! The pure part of the operator, tried without a cluster: decisions as tables of YAML in and decisions out, and properties
//! that hold for whatever people write.

mod decisions;
mod properties;
mod purity;
mod schema;
mod world;
