//! Claims, volumes and storage classes.

use serde_json::{Map, Value};

use super::checks::{listed, text, texts};
use crate::status::FieldError;

const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const RECLAIM: [&str; 3] = ["Delete", "Recycle", "Retain"];
/// What a volume's spec has beside its source.
const NO_SOURCE: [&str; 9] = [
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
];

fn modes(spec: &Value, missing: &str, errors: &mut Vec<FieldError>) {
    if spec["accessModes"].as_array().is_none_or(Vec::is_empty) {
        errors.push(FieldError::required("spec.accessModes", missing));
    }
    for mode in texts(&spec["accessModes"]).filter(|mode| !MODES.contains(mode)) {
        errors.push(FieldError::unsupported("spec.accessModes", &mode.into(), &listed(&MODES)));
    }
    let once = texts(&spec["accessModes"]).any(|mode| mode == "ReadWriteOncePod");
    if once && texts(&spec["accessModes"]).count() > 1 {
        let detail = "may not use ReadWriteOncePod with other access modes";
        errors.push(FieldError::forbidden("spec.accessModes", detail));
    }
}

pub(super) fn claim(old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    let spec = &object["spec"];
    modes(spec, "at least 1 access mode is required", errors);
    if spec["resources"]["requests"]["storage"].is_null() {
        errors.push(FieldError::required("spec.resources[storage]", ""));
    }
    let fixed = |object: &Value| {
        let mut spec = object["spec"].as_object().cloned().unwrap_or_default();
        for free in ["resources", "volumeAttributesClassName"] {
            spec.remove(free);
        }
        spec
    };
    // The binder fills in the volume, and a class that came later.
    let filled_in = |old: &Map<String, Value>, new: &Map<String, Value>| {
        new.iter().all(|(name, value)| {
            old.get(name) == Some(value)
                || (matches!(name.as_str(), "volumeName" | "storageClassName") && !old.contains_key(name))
        }) && old.keys().all(|name| new.contains_key(name))
    };
    if old.is_some_and(|old| !filled_in(&fixed(old), &fixed(object))) {
        let detail =
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        errors.push(FieldError::forbidden("spec", detail));
    }
}

pub(super) fn volume(spec: &Value, errors: &mut Vec<FieldError>) {
    modes(spec, "", errors);
    let capacity = &spec["capacity"];
    if capacity.as_object().is_none_or(Map::is_empty) {
        errors.push(FieldError::required("spec.capacity", ""));
    }
    if capacity["storage"].is_null() || capacity.as_object().is_some_and(|held| held.len() > 1) {
        errors.push(FieldError::unsupported("spec.capacity", capacity, &listed(&["storage"])));
    }
    let sources = spec.as_object().into_iter().flatten().filter(|(name, _)| !NO_SOURCE.contains(&name.as_str()));
    match sources.count() {
        0 => errors.push(FieldError::required("spec", "must specify a volume type")),
        1 => {}
        _ => errors.push(FieldError::forbidden("spec", "may not specify more than 1 volume type")),
    }
    let policy = text(&spec["persistentVolumeReclaimPolicy"]);
    if !RECLAIM.contains(&policy) && !policy.is_empty() {
        let path = "spec.persistentVolumeReclaimPolicy";
        errors.push(FieldError::unsupported(path, &policy.into(), &listed(&RECLAIM)));
    }
}

pub(super) fn class(old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    if text(&object["provisioner"]).is_empty() {
        errors.push(FieldError::required("provisioner", ""));
    }
    let policy = text(&object["reclaimPolicy"]);
    if !matches!(policy, "Delete" | "Retain") {
        errors.push(FieldError::unsupported("reclaimPolicy", &policy.into(), &listed(&["Delete", "Retain"])));
    }
    let Some(old) = old else { return };
    for field in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
        if old[field] != object[field] {
            errors.push(match field {
                "volumeBindingMode" => FieldError::invalid(field, &object[field], "field is immutable"),
                _ => FieldError::forbidden(field, &format!("updates to {field} are forbidden.")),
            });
        }
    }
}
