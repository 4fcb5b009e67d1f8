//! The custom resource definitions, made from the types and rewritten to the form that API servers accept and KEDA has.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use crate::api::{ClusterTriggerAuthentication, ScaledJob, ScaledObject, TriggerAuthentication};
use crate::{Error, Result};

/// The longest stabilisation window that Kubernetes allows, in seconds.
const MAX_WINDOW_SECONDS: i32 = 3600;
/// KEDA 2.20's rule on the bounds, in CEL, and its words (`docs/rules.md#keda-replica-bounds`).
const BOUNDS: &str =
    "!has(self.minReplicaCount) || self.minReplicaCount <= (has(self.maxReplicaCount) ? self.maxReplicaCount : 100)";
const BOUNDS_MESSAGE: &str = "minReplicaCount must be less than or equal to maxReplicaCount";
/// The defaults that KEDA 2.20 has in its definitions.
const DEFAULTS: [(&str, &str); 2] = [
    ("/properties/spec/properties/fallback/properties/behavior", "static"),
    ("/properties/spec/properties/oauth2/properties/type", "clientCredentials"),
];
/// How Kubernetes' own generator describes a quantity.
const QUANTITY: &str = r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$";

/// The definitions of all kinds, in the order of their names.
///
/// # Errors
///
/// [`Error::Definition`] if a definition cannot be turned into JSON and back: a mistake in this crate's types.
pub fn crds() -> Result<Vec<CustomResourceDefinition>> {
    [ClusterTriggerAuthentication::crd(), ScaledJob::crd(), ScaledObject::crd(), TriggerAuthentication::crd()]
        .into_iter()
        .map(refined)
        .collect()
}

fn refined(crd: CustomResourceDefinition) -> Result<CustomResourceDefinition> {
    let definition = |error: serde_json::Error| Error::Definition(error.to_string());
    let is_scaled_object = crd.spec.names.kind == "ScaledObject";
    let mut value = serde_json::to_value(crd).map_err(definition)?;
    for version in value.pointer_mut("/spec/versions").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(schema) = version.pointer_mut("/schema/openAPIV3Schema") else { continue };
        refine(schema);
        if is_scaled_object {
            schema["properties"]["spec"]["x-kubernetes-validations"] =
                json!([{ "rule": BOUNDS, "message": BOUNDS_MESSAGE }]);
        }
        if let Some(target) = schema.pointer_mut("/properties/spec/properties/jobTargetRef") {
            let description = target["description"].take();
            plain(target);
            target["description"] = description;
        }
        for (path, default) in DEFAULTS {
            if let Some(field) = schema.pointer_mut(path) {
                field["default"] = default.into();
            }
        }
        schema["properties"]["apiVersion"] = json!({ "type": "string" });
        schema["properties"]["kind"] = json!({ "type": "string" });
        schema["properties"]["metadata"] = json!({ "type": "object" });
    }
    serde_json::from_value(value).map_err(definition)
}

/// Takes out what the schema generator adds and KEDA's schema does not have (null as a value, defaults, unsigned
/// formats), and puts in the two rules that KEDA patches in: the range of stabilisation windows, the form of quantities.
fn refine(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    object.remove("nullable");
    object.remove("default");
    object.remove("title");
    if object.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        object.remove("description");
        object.insert("anyOf".into(), json!([{ "type": "integer" }, { "type": "string" }]));
        object.insert("pattern".into(), QUANTITY.into());
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = object.get_mut(key) {
            refine(child);
        }
    }
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        refine_properties(properties);
    }
}

/// The spec of another kind, without the words of each field, which `kubectl explain` has under that kind; labels and
/// annotations of its pods are passed on whatever else the metadata have.
fn plain(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    object.remove("description");
    for key in ["items", "additionalProperties"] {
        if let Some(child) = object.get_mut(key) {
            plain(child);
        }
    }
    for (name, property) in object.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        if name == "metadata" {
            *property = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
        } else {
            plain(property);
        }
    }
}

fn refine_properties(properties: &mut Map<String, Value>) {
    for (name, property) in properties {
        refine(property);
        if name == "stabilizationWindowSeconds" {
            property["minimum"] = 0.into();
            property["maximum"] = MAX_WINDOW_SECONDS.into();
        }
    }
}

#[cfg(test)]
mod tests;
