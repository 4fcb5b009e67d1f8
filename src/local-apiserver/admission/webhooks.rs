//! Admission webhooks: what a write is asked of, which of them it concerns, and what their answers do to it.
//!
//! Mutating webhooks are called one after the other and may change an object; validating ones see the outcome, all at once.
//! Words and order are those of `apiserver/pkg/admission/plugin/webhook` of Kubernetes.
//!
//! A write that webhooks may concern is worked off on a thread of its own (see `handlers`): calls wait for foreign programs,
//! and they are made between the steps of a write, which does not wait.

mod call;
pub(crate) mod event;
pub(crate) mod matching;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use self::event::Event;
use crate::request::hooks::Hook;
use crate::request::resource_request::ResourceRequest;
use crate::status::Status;

/// Has mutating webhooks change `object`; whether any did.
pub(crate) fn mutate(
    request: &ResourceRequest<'_>,
    operation: &'static str,
    old: Option<&Value>,
    object: &mut Value,
) -> Result<bool, Status> {
    let hooks = &request.hooks.mutating;
    let mut changed_last = None;
    for (index, hook) in hooks.iter().enumerate() {
        if change(request, hook, operation, old, object)? {
            changed_last = Some(index);
        }
    }
    // A webhook that asks for it sees once more what later ones changed.
    let Some(last) = changed_last else { return Ok(false) };
    for hook in hooks.iter().take(last).filter(|hook| hook.spec["reinvocationPolicy"] == "IfNeeded") {
        change(request, hook, operation, old, object)?;
    }
    Ok(true)
}

fn change(
    request: &ResourceRequest<'_>,
    hook: &Arc<Hook>,
    operation: &'static str,
    old: Option<&Value>,
    object: &mut Value,
) -> Result<bool, Status> {
    let event = Event { operation, old, object: Some(object) };
    let Some(review) = review(request, hook, event)? else { return Ok(false) };
    let Some(response) = outcome(request, hook, call::start(request.cluster, hook, &review).wait())? else {
        return Ok(false);
    };
    let Some(patch) = response["patch"].as_str() else { return Ok(false) };
    let failed = |why: String| internal(&format!("failed calling webhook \"{}\": {why}", hook.name));
    let patch = STANDARD.decode(patch).map_err(|error| failed(format!("the patch is no base64: {error}")))?;
    let patch: json_patch::Patch =
        serde_json::from_slice(&patch).map_err(|error| failed(format!("the patch is no JSON patch: {error}")))?;
    let mut changed = object.clone();
    json_patch::patch(&mut changed, &patch).map_err(|error| failed(format!("the patch does not apply: {error}")))?;
    let differs = changed != *object;
    for field in ["apiVersion", "kind"] {
        changed[field] = object[field].clone();
    }
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"] {
        let held = object["metadata"][field].clone();
        match changed["metadata"].as_object_mut() {
            Some(metadata) if held.is_null() => drop(metadata.remove(field)),
            Some(metadata) => drop(metadata.insert(field.to_owned(), held)),
            None => return Err(failed("the patch takes the object's metadata away".to_owned())),
        }
    }
    *object = changed;
    Ok(differs)
}

/// Asks all validating webhooks; the first refusal counts.
pub(crate) fn validate(request: &ResourceRequest<'_>, event: Event<'_>) -> Result<(), Status> {
    let mut calls = Vec::new();
    for hook in &request.hooks.validating {
        if let Some(review) = review(request, hook, event)? {
            calls.push((hook, call::start(request.cluster, hook, &review)));
        }
    }
    calls.into_iter().try_for_each(|(hook, call)| outcome(request, hook, call.wait()).map(drop))
}

/// A deletion is shown to both kinds; there is nothing to change.
pub(crate) fn delete(request: &ResourceRequest<'_>, old: &Value) -> Result<(), Status> {
    let event = Event { operation: "DELETE", old: Some(old), object: None };
    for hook in &request.hooks.mutating {
        if let Some(review) = review(request, hook, event)? {
            outcome(request, hook, call::start(request.cluster, hook, &review).wait())?;
        }
    }
    validate(request, event)
}

/// The question, if the webhook is to be asked.
fn review(request: &ResourceRequest<'_>, hook: &Hook, event: Event<'_>) -> Result<Option<Value>, Status> {
    if !matching::concerns(request, hook, event) {
        return Ok(None);
    }
    // It holds copies of both objects, so it is built only where the webhook may be asked.
    let admission = admission_request(request, event);
    if !matching::meets(hook, event, &admission)? {
        return Ok(None);
    }
    let harmless = matches!(hook.spec["sideEffects"].as_str(), Some("None" | "NoneOnDryRun"));
    if request.call.dry_run() && !harmless {
        return Err(Status::bad_request(format!("admission webhook \"{}\" does not support dry run", hook.name)));
    }
    let versions = hook.spec["admissionReviewVersions"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let version = versions.into_iter().find(|version| matches!(*version, "v1" | "v1beta1")).unwrap_or("v1");
    Ok(Some(
        json!({"kind": "AdmissionReview", "apiVersion": format!("admission.k8s.io/{version}"), "request": admission}),
    ))
}

/// `AdmissionRequest`.
fn admission_request(request: &ResourceRequest<'_>, event: Event<'_>) -> Value {
    let (resource, target, user) = (&request.resource, &request.target, &request.call.user);
    let kind = json!({"group": resource.group, "version": resource.version, "kind": resource.kind});
    let plural = json!({"group": resource.group, "version": resource.version, "resource": resource.plural});
    let options = match event.operation {
        "CREATE" => "CreateOptions",
        "UPDATE" if request.call.method == http::Method::PATCH => "PatchOptions",
        "UPDATE" => "UpdateOptions",
        _ => "DeleteOptions",
    };
    let named = event.object.or(event.old).map_or(Value::Null, |object| object["metadata"]["name"].clone());
    let served = |object: Option<&Value>| object.map(|object| crate::object::versions::served(resource, object));
    let mut admission = json!({
        "uid": uuid::Uuid::new_v4().to_string(), "kind": kind, "resource": plural, "requestKind": kind,
        "requestResource": plural, "name": named, "operation": event.operation,
        "userInfo": {"username": user.name, "groups": user.groups}, "object": served(event.object),
        "oldObject": served(event.old), "dryRun": request.call.dry_run(),
        "options": {"kind": options, "apiVersion": "meta.k8s.io/v1"},
    });
    if !user.uid.is_empty() {
        admission["userInfo"]["uid"] = user.uid.as_str().into();
    }
    if !user.extra.is_empty() {
        admission["userInfo"]["extra"] = json!(user.extra);
    }
    if !target.namespace.is_empty() {
        admission["namespace"] = target.namespace.as_str().into();
    }
    if !target.subresource.is_empty() {
        admission["subResource"] = target.subresource.as_str().into();
        admission["requestSubResource"] = target.subresource.as_str().into();
    }
    admission
}

fn internal(message: &str) -> Status {
    let cause = json!({"message": message});
    Status::failure(500, "InternalError", format!("Internal error occurred: {message}")).with_cause(cause)
}

/// The response of a webhook that allows; `None` where one that could not be asked may be passed over.
fn outcome(request: &ResourceRequest<'_>, hook: &Hook, answer: Result<Value, String>) -> Result<Option<Value>, Status> {
    let response = match answer {
        Ok(response) => response,
        Err(why) if hook.spec["failurePolicy"] == "Ignore" => {
            tracing::warn!(webhook = hook.name, why, "failed to call a webhook; it is passed over, as it says");
            return Ok(None);
        }
        Err(why) => return Err(internal(&format!("failed calling webhook \"{}\": {why}", hook.name))),
    };
    let said = response["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    request.hooks.add_warnings(said);
    if response["allowed"] == true { Ok(Some(response)) } else { Err(denied(&hook.name, &response["status"])) }
}

/// The refusal of a webhook, with the status that it gives.
fn denied(name: &str, given: &Value) -> Status {
    let mut status = if given.is_object() { given.clone() } else { json!({}) };
    let text = |field: &str| given[field].as_str().filter(|text| !text.is_empty());
    let why = text("message").or_else(|| text("reason"));
    let refusal = format!("admission webhook \"{name}\" denied the request");
    status["message"] =
        why.map_or_else(|| format!("{refusal} without explanation"), |why| format!("{refusal}: {why}")).into();
    status["code"] = given["code"].as_u64().filter(|code| *code >= 400).unwrap_or(400).into();
    status["status"] = "Failure".into();
    status["kind"] = "Status".into();
    status["apiVersion"] = "v1".into();
    if !status["metadata"].is_object() {
        status["metadata"] = json!({});
    }
    Status::from_value(status)
}
