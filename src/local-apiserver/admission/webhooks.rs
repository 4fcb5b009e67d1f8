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
mod review;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use self::event::Event;
use self::review::{WebhookForm, admission_request, shown};
use crate::kinds::Resource;
use crate::object::versions;
use crate::openapi::{self, Reading};
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
    let (mut changed_last, mut called) = (None, Vec::new());
    for (index, hook) in hooks.iter().enumerate() {
        let change = change(request, hook, operation, old, object)?;
        called.extend(change.is_some().then_some(index));
        if change == Some(true) {
            changed_last = Some(index);
        }
    }
    // A webhook that asks for it sees once more what later ones changed.
    let Some(last) = changed_last else { return Ok(false) };
    for hook in called.into_iter().take_while(|index| *index < last).map(|index| &hooks[index]) {
        if hook.spec["reinvocationPolicy"] == "IfNeeded" {
            change(request, hook, operation, old, object)?;
        }
    }
    Ok(true)
}

/// Whether the webhook changed the object; none if it was not asked.
fn change(
    request: &ResourceRequest<'_>,
    hook: &Arc<Hook>,
    operation: &'static str,
    old: Option<&Value>,
    object: &mut Value,
) -> Result<Option<bool>, Status> {
    let event = Event { operation, old, object: Some(object) };
    let Some(Question { resource, review }) = question(request, hook, event, true)? else { return Ok(None) };
    let answer = call::start(request.cluster, hook, &review, true).wait();
    let Some(response) = outcome(request, hook, answer)? else { return Ok(Some(false)) };
    let patch = match decoded(&response) {
        Ok(Some(patch)) => patch,
        Ok(None) => return Ok(Some(false)),
        Err(why) => return passed_over(hook, &why).map(|()| Some(false)),
    };
    let before = shown(WebhookForm { resource: &resource, mutating: true }, event, object);
    let mut changed = before.clone();
    json_patch::patch(&mut changed, &patch).map_err(|error| internal(&error.to_string()))?;
    if resource.custom.is_none() {
        let findings = openapi::check(&resource, Reading::Decoded, &mut changed);
        findings.invalid.map_or(Ok(()), |wrong| Err(internal(&wrong)))?;
    }
    let differs = changed != before;
    *object = taken_over(&resource, event, object, changed)?;
    Ok(Some(differs))
}

/// The patch of a response, if it has one that does anything; or why it cannot be read.
fn decoded(response: &Value) -> Result<Option<json_patch::Patch>, String> {
    let Some(patch) = response["patch"].as_str().filter(|patch| !patch.is_empty()) else { return Ok(None) };
    let unreadable = |why: String| format!("received undecodable patch in webhook response: {why}");
    let patch = STANDARD.decode(patch).map_err(|error| unreadable(error.to_string()))?;
    let patch: json_patch::Patch = serde_json::from_slice(&patch).map_err(|error| unreadable(error.to_string()))?;
    match response["patchType"].as_str() {
        _ if patch.0.is_empty() => Ok(None),
        None | Some("JSONPatch") => Ok(Some(patch)),
        Some(other) => Err(format!("unsupported patch type \"{other}\"")),
    }
}

/// The object with what a webhook made of it, as it is stored. What only the server writes stays.
fn taken_over(resource: &Resource, event: Event<'_>, object: &Value, changed: Value) -> Result<Value, Status> {
    let mut taken = versions::stored(resource, changed);
    for field in ["apiVersion", "kind"] {
        taken[field] = object[field].clone();
    }
    let Some(metadata) = taken["metadata"].as_object_mut() else {
        return Err(internal("the patch takes the object's metadata away"));
    };
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"] {
        match &object["metadata"][field] {
            // What is not made yet may be called otherwise.
            _ if field == "name" && event.operation == "CREATE" => {}
            Value::Null => drop(metadata.remove(field)),
            held => drop(metadata.insert(field.to_owned(), held.clone())),
        }
    }
    Ok(taken)
}

/// Asks all validating webhooks; the first refusal counts.
pub(crate) fn validate(request: &ResourceRequest<'_>, event: Event<'_>) -> Result<(), Status> {
    let mut calls = Vec::new();
    for hook in &request.hooks.validating {
        if let Some(question) = question(request, hook, event, false)? {
            calls.push((hook, call::start(request.cluster, hook, &question.review, false)));
        }
    }
    calls.into_iter().try_for_each(|(hook, call)| outcome(request, hook, call.wait()).map(drop))
}

/// A deletion is shown to both kinds; there is nothing to change.
pub(crate) fn delete(request: &ResourceRequest<'_>, old: &Value) -> Result<(), Status> {
    let event = Event { operation: "DELETE", old: Some(old), object: None };
    for hook in &request.hooks.mutating {
        let Some(question) = question(request, hook, event, true)? else { continue };
        let answer = call::start(request.cluster, hook, &question.review, true).wait();
        let Some(response) = outcome(request, hook, answer)? else { continue };
        match decoded(&response) {
            Ok(None) => {}
            Ok(Some(_)) => {
                let why = "attempted to modify the object, which is not supported for this operation";
                return Err(internal(&format!("admission webhook \"{}\" {why}", hook.name)));
            }
            Err(why) => passed_over(hook, &why)?,
        }
    }
    validate(request, event)
}

/// What a webhook is asked, and as which resource it knows the object.
struct Question {
    resource: Arc<Resource>,
    review: Value,
}

/// The question, if the webhook is to be asked.
fn question(
    request: &ResourceRequest<'_>,
    hook: &Hook,
    event: Event<'_>,
    mutating: bool,
) -> Result<Option<Question>, Status> {
    let Some(resource) = matching::resource_for(request, hook, event) else { return Ok(None) };
    // It holds copies of both objects, so it is built only where the webhook may be asked.
    let admission = admission_request(request, WebhookForm { resource: &resource, mutating }, event);
    if !matching::meets(hook, &admission)? {
        return Ok(None);
    }
    let harmless = matches!(hook.spec["sideEffects"].as_str(), Some("None" | "NoneOnDryRun"));
    if request.call.dry_run() && !harmless {
        return Err(Status::bad_request(format!("admission webhook \"{}\" does not support dry run", hook.name)));
    }
    let versions = hook.spec["admissionReviewVersions"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let version = versions.into_iter().find(|version| matches!(*version, "v1" | "v1beta1")).unwrap_or("v1");
    let review =
        json!({"kind": "AdmissionReview", "apiVersion": format!("admission.k8s.io/{version}"), "request": admission});
    Ok(Some(Question { resource, review }))
}

fn internal(message: &str) -> Status {
    let cause = json!({"message": message});
    Status::failure(500, "InternalError", format!("Internal error occurred: {message}")).with_cause(cause)
}

/// Refuses what a webhook could not be asked of, unless it says that it may be passed over.
fn passed_over(hook: &Hook, why: &str) -> Result<(), Status> {
    if hook.spec["failurePolicy"] == "Ignore" {
        tracing::warn!(webhook = hook.name, why, "failed to call a webhook; it is passed over, as it says");
        return Ok(());
    }
    Err(internal(&format!("failed calling webhook \"{}\": {why}", hook.name)))
}

/// The response of a webhook that allows; `None` where one that could not be asked may be passed over.
fn outcome(request: &ResourceRequest<'_>, hook: &Hook, answer: Result<Value, String>) -> Result<Option<Value>, Status> {
    let response = match answer {
        Ok(response) => response,
        Err(why) => return passed_over(hook, &why).map(|()| None),
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
