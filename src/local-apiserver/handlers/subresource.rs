//! status, scale, finalize, token, log, eviction, and the ones that this cluster refuses.

use serde_json::{Value, json};

use super::{eviction, read, write};
use crate::crd::validation;
use crate::object::metadata;
use crate::patch::PatchType;
use crate::request::Reply;
use crate::request::resource_request::ResourceRequest;
use crate::status::Status;
use crate::{logs, patch, tokens};

pub(super) async fn serve(request: &ResourceRequest<'_>, verb: &str) -> Result<Reply, Status> {
    let resource = &request.resource;
    match (resource.plural.as_str(), request.target.subresource.as_str()) {
        (_, "status") if resource.status => match verb {
            "get" => Ok(read::one(request, 200, &*request.stored()?)),
            "update" => write::update(request),
            "patch" => write::patch(request),
            _ => Err(Status::method_not_allowed()),
        },
        (_, "scale") if resource.scale.is_some() => scale(request, verb),
        ("namespaces", "finalize") if verb == "update" => finalize(request),
        ("serviceaccounts", "token") if verb == "create" => tokens::request(request),
        ("pods", "log") if verb == "get" => logs::serve(request).await,
        ("pods", "eviction") if verb == "create" => eviction::serve(request),
        ("pods", "binding") if verb == "create" => bind(request),
        ("pods", "exec" | "attach" | "portforward" | "proxy" | "ephemeralcontainers") => Err(Status::failure(
            501,
            "NotImplemented",
            format!(
                "{} is not supported by the local cluster: its containers are processes of this machine",
                request.target.subresource
            ),
        )),
        _ => Err(Status::no_such_path()),
    }
}

fn bind(request: &ResourceRequest<'_>) -> Result<Reply, Status> {
    let binding = request.call.body_value()?;
    let node = &binding["target"]["name"];
    loop {
        let old = request.stored()?;
        let uid = binding["metadata"]["uid"].as_str().unwrap_or_default();
        if !uid.is_empty() && old["metadata"]["uid"] != uid {
            let held = old["metadata"]["uid"].as_str().unwrap_or_default();
            let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {held}");
            return Err(Status::conflict("", "pods/binding", &request.target.name, &why));
        }
        if !old["metadata"]["deletionTimestamp"].is_null() {
            let why = format!("pod {} is being deleted, cannot be assigned to a host", request.target.name);
            return Err(Status::conflict("", "pods/binding", &request.target.name, &why));
        }
        if !old["spec"]["nodeName"].is_null() {
            let why = format!("pod {} is already assigned to node {}", request.target.name, old["spec"]["nodeName"]);
            return Err(Status::conflict("", "pods/binding", &request.target.name, &why));
        }
        let mut new = (*old).clone();
        new["spec"]["nodeName"] = node.clone();
        if write::settle(request, &old, new).is_some() {
            return Ok(Reply::json(
                201,
                json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}),
            ));
        }
    }
}

fn finalize(request: &ResourceRequest<'_>) -> Result<Reply, Status> {
    let body = request.call.body_value()?;
    loop {
        let old = request.stored()?;
        write::check_basis(request, &old, &body)?;
        let mut new = (*old).clone();
        new["spec"]["finalizers"] = body["spec"]["finalizers"].clone();
        metadata::tidy(&request.resource, &mut new);
        if let Some(stored) = write::settle(request, &old, new) {
            return Ok(read::one(request, 200, &stored));
        }
    }
}

fn path<'a>(object: &'a Value, path: &str) -> &'a Value {
    path.split('.').filter(|part| !part.is_empty()).fold(object, |at, part| &at[part])
}

/// A `metav1.LabelSelector` (or a string) as the text of a selector.
pub(super) fn selector_text(selector: &Value) -> String {
    if let Some(text) = selector.as_str() {
        return text.to_owned();
    }
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let mut parts: Vec<String> =
        labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    for rule in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = rule["key"].as_str().unwrap_or_default();
        let values: Vec<&str> = rule["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        parts.push(match rule["operator"].as_str() {
            Some("In") => format!("{key} in ({})", values.join(",")),
            Some("NotIn") => format!("{key} notin ({})", values.join(",")),
            Some("DoesNotExist") => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    parts.join(",")
}

/// autoscaling/v1 Scale of an object.
fn scale_of(request: &ResourceRequest<'_>, object: &Value) -> Value {
    let Some(scale) = &request.resource.scale else { return Value::Null };
    let metadata = &object["metadata"];
    let mut view = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": {},
        "status": {"replicas": path(object, &scale.status_replicas).as_i64().unwrap_or(0)},
    });
    // Go leaves a zero out here, and clients must read the absence as zero.
    let wanted = path(object, &scale.spec_replicas).as_i64().unwrap_or(0);
    if wanted != 0 {
        view["spec"]["replicas"] = wanted.into();
    }
    let selector = selector_text(path(object, &scale.selector));
    if !selector.is_empty() && !scale.selector.is_empty() {
        view["status"]["selector"] = selector.into();
    }
    view
}

/// What is written to a scale subresource is the Scale of that object.
fn check_scale(request: &ResourceRequest<'_>, body: &Value) -> Result<(), Status> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, version, name) = (text(&body["kind"]), text(&body["apiVersion"]), text(&body["metadata"]["name"]));
    let fits = |given: &str, wanted: &str| given.is_empty() || given == wanted;
    if !fits(&kind, "Scale") || !fits(&version, "autoscaling/v1") {
        return Err(Status::bad_request(format!(
            "the API version in the data ({version}, kind {kind}) does not match the expected API version (autoscaling/v1, kind Scale)"
        )));
    }
    if !fits(&name, &request.target.name) {
        return Err(Status::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            request.target.name
        )));
    }
    Ok(())
}

fn scale(request: &ResourceRequest<'_>, verb: &str) -> Result<Reply, Status> {
    let Some(scale) = request.resource.scale.clone() else { return Err(Status::no_such_path()) };
    if verb == "get" {
        return Ok(Reply::json(200, scale_of(request, &*request.stored()?)));
    }
    let body = request.call.body_value()?;
    loop {
        let old = request.stored()?;
        let view = scale_of(request, &old);
        let wanted = match verb {
            "update" => body.clone(),
            "patch" => match PatchType::parse(request.call.header("content-type"))? {
                PatchType::Json => patch::json(&view, &body)?,
                _ => patch::merge(&view, &body),
            },
            _ => return Err(Status::method_not_allowed()),
        };
        check_scale(request, &wanted)?;
        let version = wanted["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        if !version.is_empty() && old["metadata"]["resourceVersion"] != version {
            return Err(Status::modified(&request.resource.group, &request.resource.plural, &request.target.name));
        }
        let replicas = wanted["spec"]["replicas"].as_i64().unwrap_or(0);
        if replicas < 0 && request.resource.custom.is_none() {
            let error = crate::status::FieldError::invalid(
                "spec.replicas",
                &replicas.into(),
                "must be greater than or equal to 0",
            );
            return Err(Status::invalid("autoscaling", "Scale", &request.target.name, &[error]));
        }
        let mut new = (*old).clone();
        let mut at = &mut new;
        for part in scale.spec_replicas.split('.') {
            at = &mut at[part];
        }
        *at = replicas.into();
        if request.resource.custom.is_some() {
            let mut errors = validation::check_scale(&scale, &new);
            let rules = request.resource.custom.as_ref().and_then(|custom| custom.rules.as_ref());
            errors.extend(rules.into_iter().flat_map(|rules| rules.evaluate(&new, Some(&old)).errors));
            if !errors.is_empty() {
                return Err(Status::invalid(
                    &request.resource.group,
                    &request.resource.kind,
                    &request.target.name,
                    &errors,
                ));
            }
        }
        if let Some(stored) = write::replace(request, &old, new, true)? {
            return Ok(Reply::json(200, scale_of(request, &stored)));
        }
    }
}
