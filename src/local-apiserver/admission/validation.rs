//! The most common mistakes in built-in kinds, in the words of the real validation.

use serde_json::{Map, Value};

use super::names;
use crate::kinds::Resource;
use crate::status::FieldError;

pub(crate) fn check(resource: &Resource, old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    // Names of RBAC objects and of events are path segments only.
    if resource.group != "rbac.authorization.k8s.io" && !(resource.kind == "APIService" && name == "v1.") {
        let wrong = match resource.kind.as_str() {
            "Namespace" => names::label(name),
            "Service" => names::service(name),
            _ => names::subdomain(name),
        };
        errors.extend(wrong.map(|detail| FieldError::invalid("metadata.name", &name.into(), &detail)));
    }
    labels(&object["metadata"]["labels"], "metadata.labels", errors);
    finalizers(old, object, errors);
    if resource.custom.is_some() {
        return;
    }
    match resource.kind.as_str() {
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" => workload(old, object, errors),
        "Job" => template(&object["spec"]["template"], "spec.template", false, errors),
        "ConfigMap" | "Secret" => {
            for key in object["data"].as_object().into_iter().flatten().map(|(key, _)| key) {
                let wrong = names::config_key(key);
                errors.extend(
                    wrong.map(|detail| FieldError::invalid(format!("data[{key}]"), &key.as_str().into(), &detail)),
                );
            }
        }
        "Pod" => {
            pod_spec(&object["spec"], "spec", errors);
            let policy = &object["spec"]["restartPolicy"];
            if !matches!(policy.as_str(), Some("Always" | "OnFailure" | "Never")) {
                let supported = ["Always", "OnFailure", "Never"].map(str::to_owned);
                errors.push(FieldError::unsupported("spec.restartPolicy", policy, &supported));
            }
            pod_update(old, object, errors);
        }
        "HorizontalPodAutoscaler" => autoscaler(&object["spec"], errors),
        "APIService" => api_service(name, &object["spec"], errors),
        "Service" => service(&object["spec"], errors),
        "RoleBinding" | "ClusterRoleBinding" => {
            let kinds: &[&str] = if resource.namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
            if !object["roleRef"]["kind"].as_str().is_some_and(|kind| kinds.contains(&kind)) {
                let supported: Vec<String> = kinds.iter().map(ToString::to_string).collect();
                errors.push(FieldError::unsupported("roleRef.kind", &object["roleRef"]["kind"], &supported));
            }
            if object["roleRef"]["name"].as_str().unwrap_or_default().is_empty() {
                errors.push(FieldError::required("roleRef.name", ""));
            }
            if old.is_some_and(|old| old["roleRef"] != object["roleRef"]) {
                errors.push(FieldError::invalid("roleRef", &object["roleRef"], "cannot change roleRef"));
            }
        }
        _ => {}
    }
}

fn workload(old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    let spec = &object["spec"];
    let selector = &spec["selector"];
    let labels = &spec["template"]["metadata"]["labels"];
    if selector.is_null() {
        errors.push(FieldError::required("spec.selector", ""));
        let detail = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid("spec.template.metadata.labels", labels, detail));
    } else {
        let wanted: Map<String, Value> = selector["matchLabels"].as_object().cloned().unwrap_or_default();
        if wanted.iter().any(|(key, value)| labels[key] != *value) {
            let detail = "`selector` does not match template `labels`";
            errors.push(FieldError::invalid("spec.template.metadata.labels", labels, detail));
        }
        if old.is_some_and(|old| old["spec"]["selector"] != *selector) {
            errors.push(FieldError::invalid("spec.selector", selector, "field is immutable"));
        }
    }
    if spec["replicas"].as_i64().is_some_and(|replicas| replicas < 0) {
        errors.push(FieldError::invalid("spec.replicas", &spec["replicas"], "must be greater than or equal to 0"));
    }
    template(&spec["template"], "spec.template", true, errors);
}

fn template(template: &Value, path: &str, always: bool, errors: &mut Vec<FieldError>) {
    let spec = &template["spec"];
    pod_spec(spec, &format!("{path}.spec"), errors);
    let policy = spec["restartPolicy"].as_str().unwrap_or("Always");
    let supported: &[&str] = if always { &["Always"] } else { &["OnFailure", "Never"] };
    if spec.is_object() && !always && policy == "Always" {
        let detail = "valid values: \"OnFailure\", \"Never\"";
        errors.push(FieldError::required(format!("{path}.spec.restartPolicy"), detail));
    } else if spec.is_object() && !supported.contains(&policy) {
        let supported: Vec<String> = supported.iter().map(ToString::to_string).collect();
        errors.push(FieldError::unsupported(format!("{path}.spec.restartPolicy"), &policy.into(), &supported));
    }
}

fn pod_spec(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let containers = spec["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    if containers.is_empty() {
        errors.push(FieldError::required(format!("{path}.containers"), ""));
    }
    let volumes: Vec<&Value> = spec["volumes"].as_array().into_iter().flatten().map(|volume| &volume["name"]).collect();
    let mut seen: Vec<&Value> = Vec::new();
    for (index, container) in containers.iter().enumerate() {
        let at = format!("{path}.containers[{index}]");
        let name = &container["name"];
        match name.as_str().filter(|name| !name.is_empty()) {
            None => errors.push(FieldError::required(format!("{at}.name"), "")),
            Some(text) => {
                let wrong = names::label(text);
                errors.extend(wrong.map(|detail| FieldError::invalid(format!("{at}.name"), name, &detail)));
            }
        }
        if seen.contains(&name) {
            errors.push(FieldError::duplicate(format!("{at}.name"), name));
        }
        seen.push(name);
        if container["image"].as_str().unwrap_or_default().is_empty() {
            errors.push(FieldError::required(format!("{at}.image"), ""));
        }
        for (number, mount) in container["volumeMounts"].as_array().into_iter().flatten().enumerate() {
            if !volumes.contains(&&mount["name"])
                && !mount["name"].as_str().is_some_and(|name| name.starts_with("kube-api-access-"))
            {
                let shown = mount["name"].as_str().unwrap_or_default();
                errors.push(FieldError::not_found(format!("{at}.volumeMounts[{number}].name"), &shown.into()));
            }
        }
    }
}

/// Whoever deletes may not be held up by newcomers.
fn finalizers(old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
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

fn api_service(name: &str, spec: &Value, errors: &mut Vec<FieldError>) {
    let text = |field: &str| spec[field].as_str().unwrap_or_default();
    let wanted = format!("{}.{}", text("version"), text("group"));
    if name != wanted {
        let detail = format!("must be `spec.version+\".\"+spec.group`: \"{wanted}\"");
        errors.push(FieldError::invalid("metadata.name", &name.into(), &detail));
    }
    for (field, most) in [("groupPriorityMinimum", 20_000), ("versionPriority", 1000)] {
        let given = spec[field].as_i64().unwrap_or(0);
        if given <= 0 || given > most {
            let detail = format!("must be positive and less than {most}");
            errors.push(FieldError::invalid(format!("spec.{field}"), &given.into(), &detail));
        }
    }
}

/// Keys and values of labels.
fn labels(labels: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        errors.extend(names::qualified(key).map(|detail| FieldError::invalid(path, &key.as_str().into(), &detail)));
        let value = value.as_str().unwrap_or_default();
        errors.extend(names::label_value(value).map(|detail| FieldError::invalid(path, &value.into(), &detail)));
    }
}

/// Of a pod's spec only images, deadlines, tolerations and gates may change, and the node once.
fn pod_update(old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
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

fn autoscaler(spec: &Value, errors: &mut Vec<FieldError>) {
    let (minimum, maximum) = (spec["minReplicas"].as_i64().unwrap_or(1), spec["maxReplicas"].as_i64().unwrap_or(0));
    if minimum < 1 {
        errors.push(FieldError::invalid("spec.minReplicas", &minimum.into(), "must be greater than or equal to 1"));
    }
    if maximum < 1 {
        errors.push(FieldError::invalid("spec.maxReplicas", &maximum.into(), "must be greater than 0"));
    } else if maximum < minimum {
        errors.push(FieldError::invalid(
            "spec.maxReplicas",
            &maximum.into(),
            "must be greater than or equal to `minReplicas`",
        ));
    }
    for field in ["kind", "name"] {
        if spec["scaleTargetRef"][field].as_str().unwrap_or_default().is_empty() {
            errors.push(FieldError::required(format!("spec.scaleTargetRef.{field}"), ""));
        }
    }
    if !spec["scaleTargetRef"]["apiVersion"].as_str().is_some_and(|version| version.contains('/')) {
        let given = Value::from(spec["scaleTargetRef"]["apiVersion"].as_str().unwrap_or_default());
        let detail = "apiVersion must specify API group";
        errors.push(FieldError::invalid("spec.scaleTargetRef.apiVersion", &given, detail));
    }
}

fn service(spec: &Value, errors: &mut Vec<FieldError>) {
    let ports = spec["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    if ports.is_empty() && spec["clusterIP"] != "None" && spec["type"] != "ExternalName" {
        errors.push(FieldError::required("spec.ports", ""));
    }
    for (index, port) in ports.iter().enumerate() {
        if !port["port"].as_i64().is_some_and(|number| (1..=65_535).contains(&number)) {
            let detail = "must be between 1 and 65535, inclusive";
            errors.push(FieldError::invalid(format!("spec.ports[{index}].port"), &port["port"], detail));
        }
        if ports.len() > 1 && port["name"].as_str().unwrap_or_default().is_empty() {
            errors.push(FieldError::required(format!("spec.ports[{index}].name"), ""));
        }
    }
}
