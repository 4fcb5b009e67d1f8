//! The annotation of client-side apply, which server-side apply by `kubectl` takes into account.
//!
//! Source: apimachinery's `lastappliedmanager.go` and `lastappliedupdater.go`.

use serde_json::{Value, json};

use super::fields::{self, Fields};
use crate::kinds::Resource;
use crate::object::metadata::ANNOTATIONS_BYTES_MAX;

const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The manager that stands for client-side apply's user.
pub(super) const MANAGER: &str = "kubectl";

/// Fields that the user of client-side apply set and that still are as set: no conflict for them.
pub(super) fn still_owned(resource: &Resource, live: &Value) -> Fields {
    let held = live["metadata"]["annotations"][ANNOTATION].as_str();
    let Some(applied) = held.and_then(|text| serde_json::from_str::<Value>(text).ok()) else { return Fields::new() };
    let changes = fields::compare(resource, live, &applied);
    let mut set = fields::collect(resource, &applied);
    set.retain(|path| !changes.set.contains(path) && !changes.removed.contains(path));
    set
}

/// Keeps the annotation, where there is one, in step with what was applied.
pub(super) fn refresh(object: &mut Value, config: &Value) {
    let held = object["metadata"]["annotations"][ANNOTATION].as_str();
    if held.is_none_or(str::is_empty) {
        return;
    }
    let mut applied = config.clone();
    if let Some(annotations) = applied["metadata"].get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove(ANNOTATION);
    }
    object["metadata"]["annotations"][ANNOTATION] = json!(format!("{applied}\n"));
    let size = |annotations: &Value| -> usize {
        let pairs = annotations.as_object().into_iter().flatten();
        pairs.map(|(key, value)| key.len() + value.as_str().unwrap_or_default().len()).sum()
    };
    if size(&object["metadata"]["annotations"]) > ANNOTATIONS_BYTES_MAX
        && let Some(annotations) = object["metadata"]["annotations"].as_object_mut()
    {
        annotations.remove(ANNOTATION);
    }
}
