//! Between stored and served: versions, converted groups, and the object metadata that the server owns.

use serde_json::{Map, Value, json};

use super::autoscaling_v1;
use crate::kinds::Resource;

/// A stored object as `resource`'s version shows it.
pub(crate) fn served(resource: &Resource, object: &Value) -> Value {
    let mut object = object.clone();
    object["apiVersion"] = resource.api_version().into();
    object["kind"] = resource.kind.clone().into();
    if resource.group == "events.k8s.io" {
        rename(&mut object, EVENT_FIELDS.iter().map(|(core, new)| (*core, *new)));
    }
    if is_older_autoscaler(resource) {
        autoscaling_v1::from_v2(&mut object);
    } else if resource.kind == "HorizontalPodAutoscaler" && resource.custom.is_none() && object["status"].is_object() {
        // The one optional list that the real type shows even when there is none.
        let status = &mut object["status"];
        if status["currentMetrics"].is_null() {
            status["currentMetrics"] = Value::Null;
        }
    }
    object
}

/// An object of `resource`'s version as it is stored.
pub(crate) fn stored(resource: &Resource, mut object: Value) -> Value {
    if resource.group == "events.k8s.io" {
        rename(&mut object, EVENT_FIELDS.iter().map(|(core, new)| (*new, *core)));
        object["apiVersion"] = "v1".into();
    }
    if is_older_autoscaler(resource) {
        autoscaling_v1::to_v2(&mut object);
        object["apiVersion"] = "autoscaling/v2".into();
    }
    object
}

fn is_older_autoscaler(resource: &Resource) -> bool {
    resource.group == "autoscaling" && resource.version == "v1"
}

/// Fields of core/v1 Event and their names in events.k8s.io/v1.
const EVENT_FIELDS: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("count", "deprecatedCount"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("source", "deprecatedSource"),
];

fn rename<'a>(object: &mut Value, fields: impl Iterator<Item = (&'a str, &'a str)>) {
    let Some(map) = object.as_object_mut() else { return };
    for (from, to) in fields {
        if let Some(value) = map.remove(from) {
            map.insert(to.to_owned(), value);
        }
    }
}

/// The `metadata` map; an object without one gets it.
pub(crate) fn metadata(object: &mut Value) -> &mut Map<String, Value> {
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
    let fields = metadata(new);
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

/// Kinds whose objects carry a generation.
pub(crate) fn has_generation(resource: &Resource) -> bool {
    resource.custom.is_some()
        || matches!(
            resource.kind.as_str(),
            "Deployment"
                | "ReplicaSet"
                | "StatefulSet"
                | "DaemonSet"
                | "Job"
                | "CronJob"
                | "Pod"
                | "PodDisruptionBudget"
                | "CustomResourceDefinition"
                | "EndpointSlice"
                | "PriorityClass"
                | "Ingress"
                | "IngressClass"
                | "NetworkPolicy"
        )
}

/// Drops nulls and empty maps of metadata that Kubernetes would not show either. The rest of a custom resource is its
/// schema's business.
pub(crate) fn tidy(resource: &Resource, object: &mut Value) {
    metadata(object).retain(|_, value| match value {
        Value::Null => false,
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    });
    if resource.custom.is_none() {
        drop_nulls(object);
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, inner| !inner.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
