//! Metadata: labels, annotations, owners and finalizers.

use serde_json::Value;

use super::checks::texts;
use crate::admission::names;
use crate::kinds::Resource;
use crate::object::metadata::ANNOTATIONS_BYTES_MAX;
use crate::status::FieldError;

/// Finalizers without a domain that built-in kinds may have.
const STANDARD_FINALIZERS: &[&str] = &["kubernetes", "orphan", "foregroundDeletion"];

/// Groups of built-in kinds that are validated like custom ones, of whose finalizers no domain is asked: the API server's own
/// extensions (a definition waits with `customresourcecleanup.apiextensions.k8s.io`).
const GENERIC_GROUPS: &[&str] = &["apiextensions.k8s.io", "apiregistration.k8s.io", "admissionregistration.k8s.io"];

pub(super) fn check(resource: &Resource, old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    let metadata = &object["metadata"];
    labels(&metadata["labels"], "metadata.labels", errors);
    annotations(&metadata["annotations"], "metadata.annotations", errors);
    owners(&metadata["ownerReferences"], errors);
    for (index, name) in texts(&metadata["finalizers"]).enumerate() {
        let field = format!("metadata.finalizers[{index}]");
        for detail in names::qualified(name) {
            errors.push(FieldError::invalid(field.as_str(), &name.into(), &detail));
        }
        let is_of_core = resource.custom.is_none() && !GENERIC_GROUPS.contains(&resource.group.as_str());
        if is_of_core && !name.contains('/') && !STANDARD_FINALIZERS.contains(&name) {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            errors.push(FieldError::invalid(field, &name.into(), detail));
        }
    }
    let ends = ["orphan", "foregroundDeletion"];
    if ends.iter().all(|end| texts(&metadata["finalizers"]).any(|name| name == *end)) {
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.push(FieldError::invalid("metadata.finalizers", &metadata["finalizers"], detail));
    }
    new_finalizers(old, object, errors);
}

/// Keys of annotations, and the size of all of them.
pub(super) fn annotations(annotations: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let mut size = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        for detail in names::qualified(&key.to_lowercase()) {
            errors.push(FieldError::invalid(path, &key.as_str().into(), &detail));
        }
        size += key.len() + value.as_str().unwrap_or_default().len();
    }
    if size > ANNOTATIONS_BYTES_MAX {
        errors.push(FieldError::too_long(path, ANNOTATIONS_BYTES_MAX));
    }
}

fn owners(references: &Value, errors: &mut Vec<FieldError>) {
    let mut controller: Option<&str> = None;
    for reference in references.as_array().into_iter().flatten() {
        let text = |field: &str| reference[field].as_str().unwrap_or_default();
        let version = text("apiVersion");
        if version.rsplit('/').next().is_none_or(str::is_empty) {
            let detail = "version must not be empty";
            errors.push(FieldError::invalid("metadata.ownerReferences.apiVersion", &version.into(), detail));
        }
        for field in ["kind", "name", "uid"] {
            if text(field).is_empty() {
                let path = format!("metadata.ownerReferences.{field}");
                errors.push(FieldError::invalid(path, &"".into(), "must not be empty"));
            }
        }
        if reference["controller"] == true {
            if let Some(first) = controller {
                let detail = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {}",
                    text("name")
                );
                errors.push(FieldError::invalid("metadata.ownerReferences", references, &detail));
            }
            controller = Some(text("name"));
        }
    }
}

/// Whoever deletes may not be held up by newcomers.
fn new_finalizers(old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    let Some(old) = old.filter(|old| !old["metadata"]["deletionTimestamp"].is_null()) else { return };
    let list = |object: &Value| object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
    let held = list(old);
    let new: Vec<String> =
        list(object).iter().filter(|one| !held.contains(one)).map(std::string::ToString::to_string).collect();
    if !new.is_empty() {
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            new.join(", ")
        );
        // Checked for all kinds and again for each, as the real server does it.
        errors.extend([(); 2].map(|()| FieldError::forbidden("metadata.finalizers", &detail)));
    }
}

/// Keys and values of labels.
pub(super) fn labels(labels: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        for detail in names::qualified(key) {
            errors.push(FieldError::invalid(path, &key.as_str().into(), &detail));
        }
        let value = value.as_str().unwrap_or_default();
        errors.extend(
            names::label_value(value).into_iter().map(|detail| FieldError::invalid(path, &value.into(), &detail)),
        );
    }
}
