//! Pods from templates.

use serde_json::{Value, json};

use crate::object::{namespace, owner_reference};

/// A pod of `template` that `owner` controls, without a name. Labels and annotations are the template's.
pub(crate) fn pod(template: &Value, owner: &Value, api_version: &str, kind: &str) -> Value {
    let mut metadata = json!({
        "namespace": namespace(owner), "labels": template["metadata"]["labels"],
        "ownerReferences": [owner_reference(owner, api_version, kind)],
    });
    for field in ["annotations", "finalizers"] {
        if let Some(value) = template.pointer(&format!("/metadata/{field}")) {
            metadata[field] = value.clone();
        }
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
}
