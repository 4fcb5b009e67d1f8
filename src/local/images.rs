//! Which programs stand for the images of containers.

pub use local_controllers::images::Mapping;
use local_controllers::images::last_part;

/// The image of this program itself: its containers run it, under any registry and tag.
pub(crate) const OWN: &str = "sluice";

/// Whether a container with this image can be started.
pub fn has_program(image: &str, mapping: &Mapping) -> bool {
    mapping.program(image).is_some() || last_part(image) == OWN
}
