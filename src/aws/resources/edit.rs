//! What calls of several kinds are made with.

use provision::{Attributes, Object};

/// What an update is given.
#[derive(Clone, Copy)]
pub(super) struct Edit<'a> {
    pub(super) current: &'a Object,
    pub(super) desired: &'a Attributes,
    pub(super) changed: &'a [String],
}

impl Edit<'_> {
    pub(super) fn touches(&self, name: &str) -> bool {
        self.changed.iter().any(|changed| changed == name)
    }
}

/// A token by which EKS knows the same request again when its answer was lost.
pub(super) fn request_token() -> String {
    uuid::Uuid::new_v4().to_string()
}
