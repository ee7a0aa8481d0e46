//! What a command shows of what would be: rows and sentences, made of the same snapshot, plan and guard rails as the operator and the
//! API server use. Pure; reading is `cluster/live.rs`, printing is `cli/`.

pub mod adoption;
mod cel;
pub mod changes;
pub mod defaults;
pub mod doctor;
pub mod foresight;
pub mod guard_rails;
pub mod quota;
pub mod refusals;
pub mod three_way;
pub mod uninstall;
