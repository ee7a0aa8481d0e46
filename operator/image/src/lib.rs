//! Writes container images without a container daemon: an image with one static program in it, as an OCI image layout.

mod layout;

pub use layout::{Image, Program};
pub use oci_spec::image::Arch;
