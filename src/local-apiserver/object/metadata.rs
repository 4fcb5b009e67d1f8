//! The object metadata that the server owns, and what `generation` counts.

use serde_json::{Map, Value, json};

use crate::kinds::Resource;

/// What all annotations of an object may have together, names and values (256 KiB).
///
/// Source: apimachinery's `TotalAnnotationSizeLimitB`.
pub(crate) const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;

/// The `metadata` map; an object without one gets it.
pub(crate) fn map(object: &mut Value) -> &mut Map<String, Value> {
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    static_map(&mut object["metadata"])
}

fn static_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(map) => map,
        // The line above made it an object.
        _ => unreachable!("metadata was just made an object"),
    }
}

/// Copies the fields that only the server writes from `old` into `new`.
pub(crate) fn keep_system_fields(old: &Value, new: &mut Value) {
    let fields = map(new);
    for field in [
        "uid",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "namespace",
        "name",
        "generateName",
    ] {
        match &old["metadata"][field] {
            Value::Null => fields.remove(field),
            held => fields.insert(field.to_owned(), held.clone()),
        };
    }
    fields.remove("selfLink");
}

/// Whether two states of an object differ in what `generation` counts: everything but metadata and status.
pub(crate) fn intent_differs(resource: &Resource, old: &Value, new: &Value) -> bool {
    let intent = |object: &Value| {
        let mut object = object.as_object().cloned().unwrap_or_default();
        for field in ["metadata", "apiVersion", "kind"] {
            object.remove(field);
        }
        if resource.status {
            object.remove("status");
        }
        object
    };
    intent(old) != intent(new)
}

/// Drops nulls and empty maps of metadata that Kubernetes would not show either. The rest of a custom resource is its
/// schema's business.
pub(crate) fn tidy(resource: &Resource, object: &mut Value) {
    map(object).retain(|_, value| match value {
        Value::Null => false,
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    });
    if resource.custom.is_none() {
        drop_nulls(object);
    }
}

/// Takes away every member that is null, at any depth.
pub(crate) fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, inner| !inner.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// An object's metadata in a shape that fits every kind, in a version of `meta.k8s.io`.
pub(crate) fn only(object: &Value, version: &str) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": version, "metadata": object["metadata"]})
}
