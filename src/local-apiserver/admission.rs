//! Between a decoded object and the store: defaults, validation, and the admission plugins.

mod basis;
pub(crate) mod defaults;
mod limit_range;
pub(crate) mod names;
pub(crate) mod pod;
mod pod_resources;
pub(crate) mod quota;
pub(crate) mod schema;
pub(crate) mod services;
pub(crate) mod validation;
pub(crate) mod volumes;
pub(crate) mod warnings;
pub(crate) mod webhooks;

use std::sync::MutexGuard;

pub(crate) use basis::Basis;
use serde_json::{Value, json};

use crate::authorization::{escalation, rbac};
use crate::cluster::Cluster;
use crate::crd::{self, definition, termination};
use crate::kinds::Resource;
use crate::request::resource_request::ResourceRequest;
use crate::status::Status;

/// The write that is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Update,
}

/// Defaults and checks a new state of an object. What is given back holds other writers off where a quota counts, and is to
/// be kept until the object is stored.
pub(crate) fn admit<'a>(
    request: &ResourceRequest<'a>,
    operation: Operation,
    old: Option<&Value>,
    object: &mut Value,
) -> Result<Option<MutexGuard<'a, ()>>, Status> {
    prepare(request, operation, old, object)?;
    let named = if operation == Operation::Create { "CREATE" } else { "UPDATE" };
    if webhooks::mutate(request, named, old, object)? {
        // What became of a built-in kind was checked in the form in which the webhook has it.
        if request.resource.custom.is_some() {
            schema::check(request, old, object, &mut Vec::new())?;
        }
        defaults::apply(&request.resource, object);
    }
    validate(request, operation, old, object)?;
    webhooks::validate(request, webhooks::event::Event { operation: named, old, object: Some(object) })?;
    // Nobody is held off by webhooks, which may write themselves.
    let turn = if operation == Operation::Create { quota::turn(request) } else { None };
    quota::check(request, old, object)?;
    Ok(turn)
}

/// What the server itself fills in.
fn prepare(
    request: &ResourceRequest<'_>,
    operation: Operation,
    old: Option<&Value>,
    object: &mut Value,
) -> Result<(), Status> {
    let resource = &request.resource;
    escalation::check(request, old, object)?;
    if operation == Operation::Create {
        check_definition(request, object)?;
        check_controller(request, object)?;
        check_namespace(request, object)?;
    }
    if resource.built_in_kind() == "Job" && operation == Operation::Create {
        defaults::job_selector(object);
    }
    defaults::apply(resource, object);
    match (resource.built_in_kind(), operation) {
        ("Pod", Operation::Create) => pod::admit(request, object)?,
        ("Namespace", Operation::Create) => object["spec"] = json!({"finalizers": ["kubernetes"]}),
        ("PersistentVolumeClaim", Operation::Create) => {
            volumes::choose_class(request.cluster, object);
            volumes::protect(object, "kubernetes.io/pvc-protection");
        }
        ("PersistentVolume", Operation::Create) => {
            volumes::protect(object, "kubernetes.io/pv-protection");
        }
        ("DaemonSet", Operation::Update) => count_template(old, object),
        ("Service", _) => services::allocate(request, old, object)?,
        ("RoleBinding" | "ClusterRoleBinding", Operation::Create) => validation::rbac::refuse_invalid_role(object)?,
        _ => {}
    }
    if operation == Operation::Create
        && let Some(status) = resource.first_status()
    {
        object["status"] = status;
    }
    if operation == Operation::Create && resource.built_in_kind() == "PersistentVolume" {
        object["status"]["lastPhaseTransitionTime"] = request.cluster.now_text().into();
    }
    defaults::complete(resource, object);
    Ok(())
}

/// Counts a DaemonSet's templates in its annotation, whatever whoever writes it says there.
fn count_template(old: Option<&Value>, object: &mut Value) {
    let Some(old) = old else { return };
    let held = old["metadata"]["annotations"][defaults::TEMPLATE_GENERATION].as_str();
    let mut number: u64 = held.and_then(|text| text.parse().ok()).unwrap_or(1);
    if old["spec"]["template"] != object["spec"]["template"] {
        number += 1;
    }
    object["metadata"]["annotations"][defaults::TEMPLATE_GENERATION] = number.to_string().into();
}

fn validate(
    request: &ResourceRequest<'_>,
    operation: Operation,
    old: Option<&Value>,
    object: &mut Value,
) -> Result<(), Status> {
    let resource = &request.resource;
    let mut errors = Vec::new();
    validation::check(resource, old, object, &mut errors);
    if resource.built_in_kind() == "CustomResourceDefinition" {
        errors.extend(crd::definition::check(object));
        crd::establish(object, &request.cluster.now_text());
    }
    if !errors.is_empty() {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        return Err(Status::invalid(&resource.group, &resource.kind, name, &errors));
    }
    let kind = resource.built_in_kind();
    if (kind == "Pod" && operation == Operation::Create) || kind == "PersistentVolumeClaim" {
        limit_range::check(request, object)?;
    }
    Ok(())
}

/// Nothing is created of a kind that is terminating, or gone since it was looked up.
fn check_definition(request: &ResourceRequest<'_>, object: &Value) -> Result<(), Status> {
    let resource = &request.resource;
    let Some(custom) = &resource.custom else { return Ok(()) };
    let definition = request.cluster.get(definition::COLLECTION, "", &resource.collection());
    let Some(definition) = definition.filter(|held| held["metadata"]["uid"] == custom.definition.as_str()) else {
        return Err(Status::no_such_path());
    };
    if !termination::is_under_way(&definition) {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let why = "create not allowed while custom resource definition is terminating";
    Err(Status::forbidden(&resource.group, &resource.plural, name, why))
}

/// Nothing is created that nobody would ever look at.
fn check_controller(request: &ResourceRequest<'_>, object: &Value) -> Result<(), Status> {
    let resource = &request.resource;
    let why = match resource.built_in_kind() {
        "ReplicationController" => "the local cluster has no controller for ReplicationControllers; use a Deployment",
        "ValidatingAdmissionPolicy" | "ValidatingAdmissionPolicyBinding" => {
            "the local API server applies no admission policies; put rules into x-kubernetes-validations of a definition"
        }
        _ => return Ok(()),
    };
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    Err(Status::forbidden(&resource.group, &resource.plural, name, why))
}

/// Nothing is created where no namespace is, or where one is terminating.
fn check_namespace(request: &ResourceRequest<'_>, object: &Value) -> Result<(), Status> {
    let namespace = &request.target.namespace;
    if !request.resource.namespaced {
        return Ok(());
    }
    let Some(found) = request.cluster.get("namespaces", "", namespace) else {
        return Err(Status::not_found("", "namespaces", namespace));
    };
    if basis::is_terminating(&found) {
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let cause = json!({
            "reason": "NamespaceTerminating", "message": format!("namespace {namespace} is being terminated"),
            "field": "metadata.namespace",
        });
        let refusal = Status::forbidden(&request.resource.group, &request.resource.plural, name, &why);
        return Err(refusal.with_cause(cause));
    }
    Ok(())
}

/// What may never be deleted.
pub(crate) fn check_delete(request: &ResourceRequest<'_>, old: &Value) -> Result<(), Status> {
    let name = request.target.name.as_str();
    if request.resource.built_in_kind() == "Namespace" && matches!(name, "default" | "kube-system" | "kube-public") {
        return Err(Status::forbidden("", "namespaces", name, "this namespace may not be deleted"));
    }
    webhooks::delete(request, old)
}

/// What follows from a stored change of a kind in a namespace at once.
pub(crate) fn follow(cluster: &Cluster, resource: &Resource, namespace: &str) {
    quota::refresh(cluster, namespace);
    if resource.built_in_kind() == "ClusterRole" {
        rbac::aggregate(cluster);
    }
}
