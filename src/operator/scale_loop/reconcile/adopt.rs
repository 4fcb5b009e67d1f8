//! Step 1: the object carries the operator's finalizer and the label that names it.

use keda::api::ScaledObject;
use keda::naming::SCALED_OBJECT_LABEL;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::error::ReconcileError;
use crate::context::Context;
use crate::finalizers;
use crate::key::Key;

/// The object with both; written only where one is missing.
pub(super) async fn adopt(context: &Context, object: &ScaledObject) -> Result<ScaledObject, ReconcileError> {
    let metadata = &object.metadata;
    let key = Key::of(metadata);
    let label = metadata.labels.as_ref().and_then(|labels| labels.get(SCALED_OBJECT_LABEL));
    if label == Some(&key.name) && finalizers::is_held(metadata) {
        return Ok(object.clone());
    }
    let mut patch = finalizers::added(metadata);
    patch["metadata"]["labels"] = json!({ SCALED_OBJECT_LABEL: key.name });
    let api: Api<ScaledObject> = Api::namespaced(context.client.clone(), &key.namespace);
    api.patch(&key.name, &PatchParams::default(), &Patch::Merge(&patch)).await.map_err(ReconcileError::adopt)
}
