//! Steps 2 and 3: the pause that the annotations ask for, and the rules that can be checked without looking at the cluster.

use keda::api::ScaledObject;
use keda::pause;

use super::error::ReconcileError;
use super::found::Annotated;

/// What an object's annotations ask for.
pub(super) fn annotated(object: &ScaledObject) -> Result<Annotated, ReconcileError> {
    let annotations = object.metadata.annotations.clone().unwrap_or_default();
    match pause::requested(&annotations).map_err(ReconcileError::PauseAnnotation)? {
        Some(pause) => Ok(Annotated::Pause(pause)),
        None if pause::one_way(&annotations) => Ok(Annotated::OneWay),
        None => Ok(Annotated::Scaling),
    }
}

/// Whether the spec is in order.
pub(super) fn spec(object: &ScaledObject) -> Result<(), ReconcileError> {
    keda::validate::scaled_object(&object.spec).map_err(ReconcileError::Spec)
}
