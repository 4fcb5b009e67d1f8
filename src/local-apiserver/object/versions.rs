//! Between stored and served: the versions of a kind, and groups that are converted.

use serde_json::Value;

use super::{autoscaling_v1, zero};
use crate::kinds::Resource;

/// A stored object as `resource`'s version shows it.
pub(crate) fn served(resource: &Resource, object: &Value) -> Value {
    let mut object = object.clone();
    object["apiVersion"] = resource.api_version().into();
    object["kind"] = resource.kind.clone().into();
    zero::fill(resource, &mut object);
    if resource.group == "events.k8s.io" {
        rename(&mut object, EVENT_FIELDS.iter().map(|(core, new)| (*core, *new)));
        if let Some(map) = object.as_object_mut() {
            map.retain(|_, value| value != "");
        }
    }
    if is_older_autoscaler(resource) {
        autoscaling_v1::from_v2(&mut object);
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
