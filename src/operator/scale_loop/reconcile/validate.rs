//! Steps 2 and 3: the pause that the annotations ask for, and the rules that can be checked without looking at the cluster.

use keda::api::ScaledObject;
use keda::pause::{self, Pause};

use super::error::ReconcileError;

/// The pause that an object asks for, if any.
pub(super) fn pause(object: &ScaledObject) -> Result<Option<Pause>, ReconcileError> {
    let annotations = object.metadata.annotations.clone().unwrap_or_default();
    pause::requested(&annotations).map_err(ReconcileError::PauseAnnotation)
}

/// Whether the spec is in order.
pub(super) fn spec(object: &ScaledObject) -> Result<(), ReconcileError> {
    keda::validate::scaled_object(&object.spec).map_err(ReconcileError::Spec)
}
