//! What a command shows of what is and of what would be: rows and sentences, made of the objects, and of the same snapshot, plan and
//! guard rails as the operator and the API server use. Pure; reading is `cluster/live.rs`, printing is `cli/`.

pub mod adoption;
pub mod agencies;
mod cel;
pub mod changes;
pub mod defaults;
pub mod describe;
pub mod doctor;
pub mod failing;
pub mod foresight;
pub mod guard_rails;
pub mod quota;
pub mod record;
pub mod refusals;
pub mod requests;
pub mod retained;
pub mod rows;
pub mod three_way;
pub mod uninstall;
