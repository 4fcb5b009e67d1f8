//! The end of a definition, as its object shows it: the finalizer that holds it, and the condition `Terminating`.

use serde_json::{Value, json};

pub(crate) const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// What a definition gets when its deletion is asked for.
pub(crate) fn mark(crd: &mut Value, now: &str) {
    let finalizers = &mut crd["metadata"]["finalizers"];
    if !finalizers.is_array() {
        *finalizers = json!([]);
    }
    if let Some(list) = finalizers.as_array_mut()
        && !list.iter().any(|held| held == FINALIZER)
    {
        list.push(FINALIZER.into());
    }
    let message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
    set_condition(crd, now, "True", "InstanceDeletionPending", message);
}

/// Whether a definition waits for the end of its instances.
pub(crate) fn is_under_way(crd: &Value) -> bool {
    !crd["metadata"]["deletionTimestamp"].is_null()
}

/// Sets the condition `Terminating`.
pub(crate) fn set_condition(crd: &mut Value, now: &str, status: &str, reason: &str, message: &str) {
    let made = json!({"type": "Terminating", "status": status, "reason": reason, "message": message, "lastTransitionTime": now});
    let conditions = &mut crd["status"]["conditions"];
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(list) = conditions.as_array_mut() else { return };
    match list.iter_mut().find(|held| held["type"] == "Terminating") {
        Some(held) if held["status"] == status => {
            let since = held["lastTransitionTime"].take();
            *held = made;
            held["lastTransitionTime"] = since;
        }
        Some(held) => *held = made,
        None => list.push(made),
    }
}
