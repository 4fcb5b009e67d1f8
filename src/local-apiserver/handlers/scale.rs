//! `scale`: how many replicas an object has and wants, as autoscaling/v1 Scale.

use serde_json::{Value, json};

use super::write;
use crate::crd::validation;
use crate::openapi::{self, Reading};
use crate::patch::{self, PatchType};
use crate::request::Reply;
use crate::request::resource_request::ResourceRequest;
use crate::status::Status;

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

pub(super) fn serve(request: &ResourceRequest<'_>, verb: &str) -> Result<Reply, Status> {
    let Some(scale) = request.resource.scale.clone() else { return Err(Status::no_such_path()) };
    if verb == "get" {
        return Ok(Reply::json(200, scale_of(request, &*request.stored()?)));
    }
    let body = if verb == "update" {
        request.call.body_as("autoscaling", "v1", "Scale")?
    } else {
        request.call.body_value()?
    };
    loop {
        let old = request.stored()?;
        let view = scale_of(request, &old);
        let mut wanted = match verb {
            "update" => body.clone(),
            "patch" => match PatchType::parse(request.call.header("content-type"))? {
                PatchType::Json => patch::json(&view, &body)?,
                _ => patch::merge(&view, &body),
            },
            _ => return Err(Status::method_not_allowed()),
        };
        let given = wanted.clone();
        if let Some(why) = openapi::read(("autoscaling", "v1", "Scale"), Reading::Decoded, &mut wanted).invalid {
            return Err(Status::patch_invalid(&given, &why));
        }
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
