//! The most common mistakes in built-in kinds, in the words of the real validation.

mod api_service;
mod autoscaler;
mod batch;
mod checks;
mod container;
mod data;
mod endpoint_slice;
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
    // That of an APIService says what it serves.
    if resource.built_in_kind() != "APIService" {
        let rule = match resource.built_in_kind() {
            "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding" | "PodDisruptionBudget" => names::segment,
            "Event" if resource.group.is_empty() => names::segment,
            "Namespace" | "StatefulSet" => names::label,
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
        "ControllerRevision" => workload::revision(old, object, errors),
        "EndpointSlice" => endpoint_slice::check(old, object, errors),
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
            if !policy.is_null() && !matches!(policy.as_str(), Some("Always" | "OnFailure" | "Never")) {
                let supported = listed(&["Always", "OnFailure", "Never"]);
                errors.push(FieldError::unsupported("spec.restartPolicy", policy, &supported));
            }
            pod::update(old, object, errors);
        }
        "HorizontalPodAutoscaler" => autoscaler::check(spec, errors),
        "APIService" => api_service::check(name, spec, errors),
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
