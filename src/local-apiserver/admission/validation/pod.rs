//! Pods and the templates that they are made of.

use serde_json::Value;

use super::checks::{is_set, listed, text};
use super::{container, metadata};
use crate::admission::names;
use crate::status::FieldError;

/// Kinds of volumes in the order in which they are looked at.
const VOLUMES: [&str; 29] = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "azureDisk",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
];

pub(super) fn template(template: &Value, path: &str, always: bool, errors: &mut Vec<FieldError>) {
    let spec = &template["spec"];
    metadata::labels(&template["metadata"]["labels"], &format!("{path}.labels"), errors);
    metadata::annotations(&template["metadata"]["annotations"], &format!("{path}.annotations"), errors);
    check(spec, &format!("{path}.spec"), errors);
    let policy = spec["restartPolicy"].as_str().unwrap_or("Always");
    let supported: &[&str] = if always { &["Always"] } else { &["OnFailure", "Never"] };
    if !always && policy == "Always" {
        let detail = "valid values: \"OnFailure\", \"Never\"";
        errors.push(FieldError::required(format!("{path}.spec.restartPolicy"), detail));
    } else if spec.is_object() && !supported.contains(&policy) {
        errors.push(FieldError::unsupported(format!("{path}.spec.restartPolicy"), &policy.into(), &listed(supported)));
    }
}

pub(super) fn check(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let volumes: Vec<&Value> = spec["volumes"].as_array().into_iter().flatten().map(|volume| &volume["name"]).collect();
    check_volumes(&spec["volumes"], path, errors);
    let containers = spec["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    if containers.is_empty() {
        errors.push(FieldError::required(format!("{path}.containers"), ""));
    }
    let mut seen: Vec<&Value> = Vec::new();
    for list in ["containers", "initContainers"] {
        for (index, container) in spec[list].as_array().into_iter().flatten().enumerate() {
            let at = format!("{path}.{list}[{index}]");
            container::check(container, &at, &volumes, errors);
            if seen.contains(&&container["name"]) {
                errors.push(FieldError::duplicate(format!("{at}.name"), &container["name"]));
            }
            seen.push(&container["name"]);
        }
    }
    let dns = &spec["dnsPolicy"];
    if is_set(dns) && !matches!(text(dns), "ClusterFirstWithHostNet" | "ClusterFirst" | "Default" | "None") {
        let supported = listed(&["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]);
        errors.push(FieldError::unsupported(format!("{path}.dnsPolicy"), dns, &supported));
    }
    metadata::labels(&spec["nodeSelector"], &format!("{path}.nodeSelector"), errors);
    for (index, toleration) in spec["tolerations"].as_array().into_iter().flatten().enumerate() {
        check_toleration(toleration, &format!("{path}.tolerations[{index}]"), errors);
    }
    if let Some(name) = spec["hostname"].as_str().filter(|name| !name.is_empty()) {
        let wrong = names::label(name);
        errors.extend(
            wrong.into_iter().map(|detail| FieldError::invalid(format!("{path}.hostname"), &name.into(), &detail)),
        );
    }
    let deadline = &spec["activeDeadlineSeconds"];
    if deadline.as_i64().is_some_and(|seconds| !(1..=i64::from(i32::MAX)).contains(&seconds)) {
        let detail = "must be between 1 and 2147483647, inclusive";
        errors.push(FieldError::invalid(format!("{path}.activeDeadlineSeconds"), deadline, detail));
    }
}

fn check_volumes(volumes: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let mut seen: Vec<&str> = Vec::new();
    for (index, volume) in volumes.as_array().into_iter().flatten().enumerate() {
        let at = format!("{path}.volumes[{index}]");
        let kinds: Vec<&str> = VOLUMES.into_iter().filter(|kind| is_set(&volume[kind])).collect();
        for more in kinds.iter().skip(1) {
            let detail = "may not specify more than 1 volume type";
            errors.push(FieldError::forbidden(format!("{at}.{more}"), detail));
        }
        match text(&volume["name"]) {
            "" => errors.push(FieldError::required(format!("{at}.name"), "")),
            name => {
                let given = &volume["name"];
                let wrong = names::label(name);
                errors
                    .extend(wrong.into_iter().map(|detail| FieldError::invalid(format!("{at}.name"), given, &detail)));
                if seen.contains(&name) {
                    errors.push(FieldError::duplicate(format!("{at}.name"), given));
                }
                seen.push(name);
            }
        }
    }
}

fn check_toleration(toleration: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let (key, operator) = (text(&toleration["key"]), text(&toleration["operator"]));
    let path = format!("{at}.operator");
    if !key.is_empty() {
        for detail in names::qualified(key) {
            errors.push(FieldError::invalid(format!("{at}.key"), &key.into(), &detail));
        }
    } else if operator != "Exists" {
        let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
        errors.push(FieldError::invalid(path.as_str(), &operator.into(), detail));
    }
    let effect = text(&toleration["effect"]);
    if is_set(&toleration["tolerationSeconds"]) && effect != "NoExecute" {
        let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
        errors.push(FieldError::invalid(format!("{at}.effect"), &effect.into(), detail));
    }
    let value = text(&toleration["value"]);
    match operator {
        "Equal" | "" => {
            errors.extend(
                names::label_value(value)
                    .into_iter()
                    .map(|detail| FieldError::invalid(path.as_str(), &value.into(), &detail)),
            );
        }
        "Exists" if value.is_empty() => {}
        "Exists" => {
            errors.push(FieldError::invalid(path, toleration, "value must be empty when `operator` is 'Exists'"));
        }
        invalid => errors.push(FieldError::unsupported(path, &invalid.into(), &listed(&["Equal", "Exists"]))),
    }
}

/// Of a pod's spec only images, deadlines, tolerations and gates may change, and the node once.
pub(super) fn update(old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    let Some(old) = old else { return };
    let fixed = |pod: &Value| {
        let mut spec = pod["spec"].as_object().cloned().unwrap_or_default();
        for field in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
            spec.remove(field);
        }
        if old["spec"]["nodeName"].is_null() {
            spec.remove("nodeName");
        }
        for list in ["containers", "initContainers"] {
            for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                container["image"] = Value::Null;
            }
        }
        spec
    };
    if fixed(old) != fixed(object) {
        let detail = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        errors.push(FieldError::forbidden("spec", detail));
    }
}
