//! The most common mistakes in built-in kinds, in the words of the real validation.

mod autoscaler;
mod batch;
mod checks;
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

use serde_json::Value;

use self::checks::{at_least, listed, not_negative};
use super::names;
use crate::kinds::Resource;
use crate::status::FieldError;

pub(crate) fn check(resource: &Resource, old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    // Names of RBAC objects and of events are path segments only.
    if resource.group != "rbac.authorization.k8s.io" && !(resource.built_in_kind() == "APIService" && name == "v1.") {
        let rule = match resource.built_in_kind() {
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
    let spec = &object["spec"];
    match resource.built_in_kind() {
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
