//! What a webhook is asked: an `AdmissionReview` in the version of the resource that it knows.

use serde_json::{Value, json};

use super::event::Event;
use crate::kinds::Resource;
use crate::object::versions;
use crate::request::Target;
use crate::request::resource_request::ResourceRequest;

/// Metadata that a new object gets only after mutating webhooks have seen it.
const GIVEN_LATER: [&str; 3] = ["uid", "creationTimestamp", "generation"];

/// As whom a webhook is asked.
#[derive(Clone, Copy)]
pub(super) struct WebhookForm<'a> {
    /// The resource that it knows: the requested one, or another version of it.
    pub(super) resource: &'a Resource,
    /// It may change the object.
    pub(super) mutating: bool,
}

/// An object as a webhook sees it.
pub(super) fn shown(form: WebhookForm<'_>, event: Event<'_>, object: &Value) -> Value {
    let mut view = versions::served(form.resource, object);
    if let Some(metadata) = view["metadata"].as_object_mut() {
        if event.operation == "CREATE" && form.mutating {
            metadata.retain(|name, _| !GIVEN_LATER.contains(&name.as_str()));
        }
        if let Some(old) = event.old
            && !metadata.contains_key("resourceVersion")
        {
            metadata.insert("resourceVersion".to_owned(), old["metadata"]["resourceVersion"].clone());
        }
    }
    view
}

/// The `AdmissionRequest` for a webhook.
pub(super) fn admission_request(request: &ResourceRequest<'_>, form: WebhookForm<'_>, event: Event<'_>) -> Value {
    let (resource, target, user) = (&request.resource, &request.target, &request.call.user);
    let kind = |of: &Resource| json!({"group": of.group, "version": of.version, "kind": of.kind});
    let plural = |of: &Resource| json!({"group": of.group, "version": of.version, "resource": of.plural});
    let mut admission = json!({
        "uid": uuid::Uuid::new_v4().to_string(), "kind": kind(form.resource), "resource": plural(form.resource),
        "requestKind": kind(resource), "requestResource": plural(resource), "operation": event.operation,
        "userInfo": {"username": user.name, "groups": user.groups},
        "object": event.object.map(|object| shown(form, event, object)),
        "oldObject": event.old.map(|object| versions::served(form.resource, object)), "dryRun": request.call.dry_run(),
        "options": options(request, event),
    });
    if !user.uid.is_empty() {
        admission["userInfo"]["uid"] = user.uid.as_str().into();
    }
    if !user.extra.is_empty() {
        admission["userInfo"]["extra"] = json!(user.extra);
    }
    let named = event.object.or(event.old).and_then(|object| object["metadata"]["name"].as_str()).unwrap_or_default();
    if !is_of_all(request) && !named.is_empty() {
        admission["name"] = named.into();
    }
    // A namespace is in itself.
    let namespace = if resource.built_in_kind() == "Namespace" { named } else { target.namespace.as_str() };
    if !namespace.is_empty() {
        admission["namespace"] = namespace.into();
    }
    if !target.subresource.is_empty() {
        admission["subResource"] = target.subresource.as_str().into();
        admission["requestSubResource"] = target.subresource.as_str().into();
    }
    admission
}

/// Whether a list is deleted: its objects are not named then.
fn is_of_all(request: &ResourceRequest<'_>) -> bool {
    request.call.method == http::Method::DELETE
        && Target::parse(&request.call.path).is_some_and(|target| target.name.is_empty())
}

/// The options of the request: a patch is an update, or a creation where it applies what is not there.
fn options(request: &ResourceRequest<'_>, event: Event<'_>) -> Value {
    let kind = match event.operation {
        "CREATE" => "CreateOptions",
        "UPDATE" => "UpdateOptions",
        _ => "DeleteOptions",
    };
    let mut options = json!({"kind": kind, "apiVersion": "meta.k8s.io/v1"});
    let query = &request.call.query;
    if event.operation == "DELETE" {
        let body = request.call.body_value().unwrap_or_default();
        for field in ["gracePeriodSeconds", "preconditions", "orphanDependents", "propagationPolicy"] {
            if !body[field].is_null() {
                options[field] = body[field].clone();
            }
        }
        if let Some(policy) = query.get("propagationPolicy") {
            options["propagationPolicy"] = policy.into();
        }
        if let Some(seconds) = query.number("gracePeriodSeconds") {
            options["gracePeriodSeconds"] = seconds.into();
        }
    } else {
        for field in ["fieldManager", "fieldValidation"] {
            if let Some(given) = query.get(field).filter(|given| !given.is_empty()) {
                options[field] = given.into();
            }
        }
    }
    if request.call.dry_run() {
        options["dryRun"] = json!(["All"]);
    }
    options
}
