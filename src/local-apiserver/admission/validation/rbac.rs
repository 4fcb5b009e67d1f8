//! Roles and their bindings.

use serde_json::{Value, json};

use super::checks::{is_set, listed, text};
use crate::kinds::Resource;
use crate::status::{FieldError, Status};

const GROUP: &str = "rbac.authorization.k8s.io";

pub(super) fn role(resource: &Resource, object: &Value, errors: &mut Vec<FieldError>) {
    for (index, rule) in object["rules"].as_array().into_iter().flatten().enumerate() {
        let at = |field: &str| format!("rules[{index}].{field}");
        let empty = |field: &str| rule[field].as_array().is_none_or(Vec::is_empty);
        if empty("verbs") {
            errors.push(FieldError::required(at("verbs"), "verbs must contain at least one value"));
        }
        let paths = &rule["nonResourceURLs"];
        if !empty("nonResourceURLs") {
            if resource.namespaced {
                let detail = "namespaced rules cannot apply to non-resource URLs";
                errors.push(FieldError::invalid(at("nonResourceURLs"), paths, detail));
            }
            if ["apiGroups", "resources", "resourceNames"].iter().any(|field| !empty(field)) {
                let detail = "rules cannot apply to both regular resources and non-resource URLs";
                errors.push(FieldError::invalid(at("nonResourceURLs"), paths, detail));
            }
            continue;
        }
        if empty("apiGroups") {
            errors.push(FieldError::required(at("apiGroups"), "resource rules must supply at least one api group"));
        }
        if empty("resources") {
            errors.push(FieldError::required(at("resources"), "resource rules must supply at least one resource"));
        }
    }
}

/// Who binds what is no role is refused before anything else, where it is looked up what the role allows.
pub(crate) fn refuse_invalid_role(object: &Value) -> Result<(), Status> {
    let kind = text(&object["roleRef"]["kind"]);
    if matches!(kind, "Role" | "ClusterRole") {
        return Ok(());
    }
    Err(Status::plain(500, format!("unsupported role reference kind: \"{kind}\"")))
}

pub(super) fn binding(resource: &Resource, old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    let role = &object["roleRef"];
    let kinds: &[&str] = if resource.namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    if !kinds.contains(&text(&role["kind"])) {
        errors.push(FieldError::unsupported("roleRef.kind", &role["kind"], &listed(kinds)));
    }
    if text(&role["name"]).is_empty() {
        errors.push(FieldError::required("roleRef.name", ""));
    }
    if old.is_some_and(|old| old["roleRef"] != *role) {
        // Shown as the struct that the real server keeps.
        let shown = json!({"APIGroup": role["apiGroup"], "Kind": role["kind"], "Name": role["name"]});
        errors.push(FieldError::invalid("roleRef", &shown, "cannot change roleRef"));
    }
    for (index, subject) in object["subjects"].as_array().into_iter().flatten().enumerate() {
        let at = |field: &str| format!("subjects[{index}].{field}");
        if text(&subject["name"]).is_empty() {
            errors.push(FieldError::required(at("name"), ""));
        }
        let group = text(&subject["apiGroup"]);
        match text(&subject["kind"]) {
            "ServiceAccount" => {
                if !group.is_empty() {
                    errors.push(FieldError::unsupported(at("apiGroup"), &group.into(), &listed(&[""])));
                }
                if !resource.namespaced && !is_set(&subject["namespace"]) {
                    errors.push(FieldError::required(at("namespace"), ""));
                }
            }
            "User" | "Group" => {
                if group != GROUP {
                    errors.push(FieldError::unsupported(at("apiGroup"), &group.into(), &listed(&[GROUP])));
                }
            }
            invalid => {
                let supported = listed(&["ServiceAccount", "User", "Group"]);
                errors.push(FieldError::unsupported(at("kind"), &invalid.into(), &supported));
            }
        }
    }
}
