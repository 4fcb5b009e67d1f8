//! delete and deletecollection: preconditions, propagation, finalizers and graceful ends.

use serde_json::{Value, json};

use super::{read, write};
use crate::admission;
use crate::crd::termination;
use crate::object::metadata;
use crate::request::resource_request::ResourceRequest;
use crate::request::{Reply, Target};
use crate::selector::Selector;
use crate::status::{FieldError, Status};
use crate::store::Object;

/// Seconds that a pod without `terminationGracePeriodSeconds` gets.
const GRACE_SECONDS: i64 = 30;
const POLICIES: &[&str] = &["Foreground", "Background", "Orphan"];

pub(super) fn one(request: &ResourceRequest<'_>) -> Result<Reply, Status> {
    let options = request.call.body_as("", "v1", "DeleteOptions")?;
    let removed = remove(request, &options)?;
    match removed {
        Outcome::Waiting(object) => Ok(read::one(request, 200, &object)),
        Outcome::Gone(object) if request.resource.built_in_kind() == "Pod" => Ok(read::one(request, 200, &object)),
        Outcome::Gone(object) => Ok(Reply::json(200, success(request, &object))),
    }
}

fn success(request: &ResourceRequest<'_>, object: &Value) -> Value {
    let mut details =
        json!({"name": request.target.name, "kind": request.resource.plural, "uid": object["metadata"]["uid"]});
    if !request.resource.group.is_empty() {
        details["group"] = request.resource.group.clone().into();
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

pub(super) fn collection(request: &ResourceRequest<'_>) -> Result<Reply, Status> {
    let options = request.call.body_as("", "v1", "DeleteOptions")?;
    let query = &request.call.query;
    let selector = Selector::parse(&request.resource, query.get("labelSelector"), query.get("fieldSelector"))?;
    let namespace = Some(request.target.namespace.as_str()).filter(|ns| !ns.is_empty());
    let (objects, revision) = request.cluster.store.list(&request.resource.collection(), namespace);
    let mut items = Vec::new();
    for object in objects.iter().filter(|object| selector.matches(object)) {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let target = Target { name, ..request.target.clone() };
        let each = ResourceRequest {
            cluster: request.cluster,
            call: request.call,
            resource: request.resource.clone(),
            target,
            hooks: request.hooks.clone(),
        };
        match remove_listed(&each, &options, object) {
            Ok(Outcome::Waiting(object) | Outcome::Gone(object)) => items.push(object),
            Err(status) if status.is_not_found() => {}
            Err(status) => return Err(status),
        }
    }
    let list = json!({
        "apiVersion": request.resource.api_version(), "kind": request.resource.list_kind,
        "metadata": {"resourceVersion": revision.to_string()},
        "items": read::items(&request.resource, items.iter()),
    });
    Ok(Reply::json(200, list))
}

/// Deletes the object that was listed, and not another one that has got its name since.
fn remove_listed(each: &ResourceRequest<'_>, options: &Value, listed: &Value) -> Result<Outcome, Status> {
    if !options["preconditions"]["uid"].is_null() {
        return remove(each, options);
    }
    let mut only = if options.is_object() { options.clone() } else { json!({}) };
    only["preconditions"]["uid"] = listed["metadata"]["uid"].clone();
    remove(each, &only).map_err(|status| {
        let replaced = each.stored().is_ok_and(|held| held["metadata"]["uid"] != listed["metadata"]["uid"]);
        if status.is_conflict() && replaced { each.not_found() } else { status }
    })
}

pub(crate) enum Outcome {
    /// Marked; finalizers or the grace period hold it.
    Waiting(Object),
    Gone(Object),
}

fn check_options(request: &ResourceRequest<'_>, options: &Value) -> Result<(), Status> {
    let policy = options["propagationPolicy"].as_str().or_else(|| request.call.query.get("propagationPolicy"));
    let mut errors = Vec::new();
    if policy.is_some() && options["orphanDependents"].is_boolean() {
        let detail = "orphanDependents and deletionPropagation cannot be both set";
        errors.push(FieldError::invalid("propagationPolicy", &policy.into(), detail));
    }
    if let Some(policy) = policy.filter(|policy| !POLICIES.contains(policy)) {
        let supported = POLICIES.iter().chain(&["nil"]).map(ToString::to_string).collect::<Vec<_>>();
        errors.push(FieldError::unsupported("propagationPolicy", &policy.into(), &supported));
    }
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid("meta.k8s.io", "DeleteOptions", "", &errors)) }
}

/// Deletes the target, or marks it for deletion.
pub(crate) fn remove(request: &ResourceRequest<'_>, options: &Value) -> Result<Outcome, Status> {
    check_options(request, options)?;
    loop {
        let old = request.stored()?;
        check_preconditions(request, options, &old)?;
        admission::check_delete(request, &old)?;
        let new = marked(request, options, &old);
        if request.call.dry_run() {
            return Ok(Outcome::Gone(old));
        }
        let at_once = goes_at_once(request, &old, &new);
        let gone = at_once || write::is_over(request, &new);
        let stored = if at_once {
            // Nothing waits, so nothing is marked: the last state is the one that everybody has seen.
            let last = request.cluster.store.remove(&request.resource.collection(), &old, (*old).clone()).ok();
            admission::follow(request.cluster, &request.resource, &request.target.namespace);
            last
        } else {
            write::settle(request, &old, new)
        };
        if let Some(stored) = stored {
            return Ok(if gone { Outcome::Gone(stored) } else { Outcome::Waiting(stored) });
        }
    }
}

fn check_preconditions(request: &ResourceRequest<'_>, options: &Value, old: &Value) -> Result<(), Status> {
    let lost = "The object might have been deleted and then recreated";
    let changed = "The object might have been modified";
    for (field, name, hint) in [("uid", "UID", lost), ("resourceVersion", "ResourceVersion", changed)] {
        let wanted = &options["preconditions"][field];
        if !wanted.is_null() && *wanted != old["metadata"][field] {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let why = format!(
                "the {name} in the precondition ({}) does not match the {name} in record ({}). {hint}",
                text(wanted),
                text(&old["metadata"][field])
            );
            let resource = &request.resource;
            return Err(Status::conflict(&resource.group, &resource.kind, &request.target.name, &why));
        }
    }
    Ok(())
}

/// Kinds whose dependents stay unless whoever deletes says otherwise: Jobs, since there was no garbage collector.
fn leaves_dependents(request: &ResourceRequest<'_>) -> bool {
    request.resource.built_in_kind() == "Job"
}

/// What is said to whoever deletes such an object and does not say what becomes of its dependents.
pub(super) fn warning(request: &ResourceRequest<'_>) -> Option<&'static str> {
    let options = request.call.body_value().unwrap_or_default();
    let named = request.call.query.get("propagationPolicy").is_some()
        || request.call.query.get("orphanDependents").is_some()
        || ["propagationPolicy", "orphanDependents"].iter().any(|field| !options[field].is_null());
    (leaves_dependents(request) && !named).then_some(
        "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them \
         or set propagationPolicy=Orphan to suppress this warning",
    )
}

/// The object with its deletion asked for.
fn marked(request: &ResourceRequest<'_>, options: &Value, old: &Object) -> Value {
    let mut new = (**old).clone();
    let already = !old["metadata"]["deletionTimestamp"].is_null();
    let policy = options["propagationPolicy"].as_str().or_else(|| request.call.query.get("propagationPolicy"));
    let orphan = options["orphanDependents"].as_bool();
    let finalizer = match (policy, orphan) {
        (Some("Orphan"), _) | (None, Some(true)) => Some("orphan"),
        (None, None) if leaves_dependents(request) => Some("orphan"),
        (Some("Foreground"), _) => Some("foregroundDeletion"),
        _ => None,
    };
    let metadata = metadata::map(&mut new);
    if let Some(finalizer) = finalizer {
        let list = metadata.entry("finalizers").or_insert_with(|| json!([]));
        if let Some(items) = list.as_array_mut()
            && !items.iter().any(|item| item == finalizer)
        {
            items.push(finalizer.into());
        }
    }
    let given = options["gracePeriodSeconds"].as_i64().or_else(|| request.call.query.number("gracePeriodSeconds"));
    let grace = grace_seconds(request, given, old);
    let shorter =
        already && metadata.get("deletionGracePeriodSeconds").and_then(Value::as_i64).is_some_and(|held| grace < held);
    if !already || shorter {
        let at = request.cluster.clock.deadline(std::time::Duration::from_secs(grace.max(0) as u64));
        metadata.insert("deletionTimestamp".to_owned(), at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into());
        // Namespaces and definitions end by ways of their own, which know no grace and make no new generation.
        if !matches!(request.resource.built_in_kind(), "Namespace" | "CustomResourceDefinition") {
            metadata.insert("deletionGracePeriodSeconds".to_owned(), grace.into());
            if let Some(generation) = metadata.get("generation").and_then(Value::as_i64) {
                metadata.insert("generation".to_owned(), (generation + 1).into());
            }
        }
    }
    match request.resource.built_in_kind() {
        "Namespace" => new["status"]["phase"] = "Terminating".into(),
        "CustomResourceDefinition" if !already => termination::mark(&mut new, &request.cluster.now_text()),
        _ => {}
    }
    new
}

/// Whether nobody has to see that the object is terminating: no finalizer, no namespace to be emptied, no pod to be stopped.
fn goes_at_once(request: &ResourceRequest<'_>, old: &Value, new: &Value) -> bool {
    old["metadata"]["deletionTimestamp"].is_null()
        && !matches!(request.resource.built_in_kind(), "Pod" | "Namespace")
        && new["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty)
}

/// Only pods on a node end gracefully.
fn grace_seconds(request: &ResourceRequest<'_>, given: Option<i64>, old: &Value) -> i64 {
    let placed = !old["spec"]["nodeName"].is_null();
    let ended = matches!(old["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if request.resource.built_in_kind() != "Pod" || !placed || ended {
        return 0;
    }
    given.unwrap_or_else(|| old["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(GRACE_SECONDS)).max(0)
}
