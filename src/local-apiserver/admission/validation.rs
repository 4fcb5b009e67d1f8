//! The most common mistakes in built-in kinds, in the words of the real validation.

mod autoscaler;
mod batch;
mod container;
mod data;
mod event;
mod metadata;
mod network;
mod pod;
pub(crate) mod rbac;
mod service;
mod storage;
#[cfg(test)]
mod tests;
mod webhook;
mod workload;

pub(crate) use metadata::ANNOTATIONS_BYTES_MAX;
use serde_json::Value;

use super::names;
use crate::kinds::Resource;
use crate::status::FieldError;

pub(crate) fn check(resource: &Resource, old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    // Names of RBAC objects and of events are path segments only.
    if resource.group != "rbac.authorization.k8s.io" && !(resource.kind == "APIService" && name == "v1.") {
        let rule = match resource.kind.as_str() {
            "Namespace" => names::label,
            "Service" => names::service,
            _ => names::subdomain,
        };
        let prefix = object["metadata"]["generateName"].as_str().unwrap_or_default();
        if !prefix.is_empty() {
            let wrong = rule(&names::unmasked(prefix));
            errors.extend(wrong.iter().map(|why| FieldError::invalid("metadata.generateName", &prefix.into(), why)));
        }
        errors.extend(rule(name).iter().map(|why| FieldError::invalid("metadata.name", &name.into(), why)));
    }
    metadata::check(resource, old, object, errors);
    if resource.custom.is_some() {
        return;
    }
    let spec = &object["spec"];
    match resource.kind.as_str() {
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" => workload::check(resource, old, object, errors),
        "Job" => batch::job(old, object, errors),
        "CronJob" => batch::cron_job(object, errors),
        "PodDisruptionBudget" => workload::budget(spec, errors),
        "ConfigMap" | "Secret" => data::check(resource, old, object, errors),
        "PersistentVolumeClaim" => storage::claim(old, object, errors),
        "PersistentVolume" => storage::volume(spec, errors),
        "StorageClass" => storage::class(old, object, errors),
        "Ingress" => network::ingress(spec, errors),
        "IngressClass" => network::ingress_class(old, spec, errors),
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => webhook::configuration(object, errors),
        "Event" => event::check(resource, object, errors),
        "Pod" => {
            pod::check(spec, "spec", errors);
            let policy = &spec["restartPolicy"];
            if !matches!(policy.as_str(), Some("Always" | "OnFailure" | "Never")) {
                let supported = listed(&["Always", "OnFailure", "Never"]);
                errors.push(FieldError::unsupported("spec.restartPolicy", policy, &supported));
            }
            pod::update(old, object, errors);
        }
        "HorizontalPodAutoscaler" => autoscaler::check(spec, errors),
        "APIService" => api_service(name, spec, errors),
        "Service" => service::check(spec, errors),
        "Role" | "ClusterRole" => rbac::role(resource, object, errors),
        "RoleBinding" | "ClusterRoleBinding" => rbac::binding(resource, old, object, errors),
        "Lease" => {
            at_least(1, &spec["leaseDurationSeconds"], "spec.leaseDurationSeconds", "must be greater than 0", errors);
            not_negative(&spec["leaseTransitions"], "spec.leaseTransitions", errors);
        }
        _ => {}
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn is_set(value: &Value) -> bool {
    !value.is_null()
}

fn listed(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn at_least(least: i64, value: &Value, path: &str, detail: &str, errors: &mut Vec<FieldError>) {
    if value.as_i64().is_some_and(|number| number < least) {
        errors.push(FieldError::invalid(path, value, detail));
    }
}

fn not_negative(value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    at_least(0, value, path, "must be greater than or equal to 0", errors);
}

fn port_number(value: &Value, path: String, errors: &mut Vec<FieldError>) {
    if !value.as_i64().is_some_and(|number| (1..=65_535).contains(&number)) {
        errors.push(FieldError::invalid(path, value, "must be between 1 and 65535, inclusive"));
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
