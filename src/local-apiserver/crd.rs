//! Custom resource definitions: what they serve, their conditions, and their schemas.

mod conversion;
pub(crate) mod definition;
pub(crate) mod ratchet;
pub(crate) mod rules;
pub(crate) mod schema;
pub(crate) mod served;
pub(crate) mod termination;
pub(crate) mod validation;

use serde_json::{Value, json};

/// Fills in names and conditions of a definition (`now` as Kubernetes writes times), as the apiextensions controllers do.
pub(crate) fn establish(crd: &mut Value, now: &str) {
    let kind = crd["spec"]["names"]["kind"].as_str().unwrap_or_default().to_owned();
    let names = &mut crd["spec"]["names"];
    if names["singular"].as_str().unwrap_or_default().is_empty() {
        names["singular"] = kind.to_lowercase().into();
    }
    if names["listKind"].as_str().unwrap_or_default().is_empty() {
        names["listKind"] = format!("{kind}List").into();
    }
    if crd["spec"]["conversion"].is_null() {
        crd["spec"]["conversion"] = json!({"strategy": "None"});
    }
    for version in crd["spec"]["versions"].as_array_mut().into_iter().flatten() {
        // A field that is not there is not made by looking at it.
        if let Some(schema) = version.pointer_mut("/schema/openAPIV3Schema") {
            definition::tidy(schema);
        }
    }
    let stored: Vec<Value> = crd["spec"]["versions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|version| version["storage"] == true)
        .map(|version| version["name"].clone())
        .collect();
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now});
    let conditions = match crd["status"]["conditions"].as_array() {
        Some(held) if held.len() >= 2 => Value::Array(held.clone()),
        _ => json!([
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ]),
    };
    crd["status"] = json!({"acceptedNames": crd["spec"]["names"], "conditions": conditions, "storedVersions": stored});
}
