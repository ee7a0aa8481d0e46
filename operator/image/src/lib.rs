//! Writes what is released, without a container daemon: an image with one static program in it, as an OCI image layout; and the plugin's
//! archives with the manifest for krew.

mod layout;
mod plugin;
pub mod program;

pub use layout::{Image, Program};
pub use oci_spec::image::Arch;
pub use plugin::Plugin;
