//! Step 2: the rules that can be checked without looking at the cluster.

use keda::api::ScaledObject;
use keda::pause::{self, Pause};

use super::ReconcileError;

/// The pause that a valid object asks for, if any.
pub(super) fn validate(object: &ScaledObject) -> Result<Option<Pause>, ReconcileError> {
    keda::validate::scaled_object(&object.spec).map_err(ReconcileError::Spec)?;
    let annotations = object.metadata.annotations.clone().unwrap_or_default();
    pause::requested(&annotations).map_err(ReconcileError::PauseAnnotation)
}
