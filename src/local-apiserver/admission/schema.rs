//! Unknown fields and wrong types, by the `fieldValidation` parameter.

use std::borrow::Cow;

use serde_json::Value;

use crate::crd::rules::Evaluation;
use crate::crd::{ratchet, schema, validation};
use crate::kinds::CustomVersion;
use crate::openapi::{self, Reading};
use crate::patch::{PatchType, strategic};
use crate::request::resource_request::ResourceRequest;
use crate::status::{FieldError, Status};

/// Prunes and defaults `object` by its kind's schema; unknown fields are refused, warned of or ignored as asked.
pub(crate) fn check(
    request: &ResourceRequest<'_>,
    old: Option<&Value>,
    object: &mut Value,
    warnings: &mut Vec<String>,
) -> Result<(), Status> {
    let resource = &request.resource;
    // A refused patch is shown with its outcome, unknown fields and all.
    let given = object.clone();
    if request.target.subresource.is_empty() {
        warnings.extend(super::warnings::of(resource, object));
    }
    let mut unknown = Vec::new();
    if let Some(version) = &resource.custom {
        let Some(wanted) = &version.schema else { return Ok(()) };
        schema::prune(wanted, object, "", &mut unknown);
        schema::default(wanted, object);
        let Evaluation { errors, kept } = evaluate(request, version, wanted, old, object);
        if !errors.is_empty() {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            return Err(Status::invalid(&resource.group, &resource.kind, name, &errors));
        }
        warnings.extend(kept.iter().map(ToString::to_string));
    } else {
        let findings = openapi::check(resource, reading(request), object);
        unknown = findings.unknown;
        if let Some(invalid) = findings.invalid {
            return Err(wrong_type(request, &given, &invalid));
        }
    }
    let twice = request.call.duplicate_fields().into_iter().map(|field| format!("duplicate field \"{field}\""));
    let lines: Vec<String> = twice.chain(unknown.iter().map(|field| format!("unknown field \"{field}\""))).collect();
    match request.call.query.get("fieldValidation") {
        Some("Strict") if !lines.is_empty() => {
            Err(cannot_be_handled(request, &given, &format!("strict decoding error: {}", lines.join(", "))))
        }
        Some("Ignore" | "Strict") => Ok(()),
        _ => {
            warnings.extend(lines);
            Ok(())
        }
    }
}

/// What is wrong with a custom object by its schema and then, if that lets it be seen, by its rules.
fn evaluate(
    request: &ResourceRequest<'_>,
    version: &CustomVersion,
    wanted: &Value,
    old: Option<&Value>,
    object: &Value,
) -> Evaluation {
    let is_status = request.target.subresource == "status";
    let mut errors = if is_status {
        // Only what is written is validated.
        validation::check(&wanted["properties"]["status"], &object["status"], "status")
    } else {
        validation::check(wanted, object, "")
    };
    errors.extend(request.resource.scale.iter().flat_map(|scale| validation::check_scale(scale, object)));
    let may_stay = |error: &FieldError| old.is_some_and(|old| ratchet::unchanged(wanted, object, old, &error.field));
    let (mut kept, mut errors): (Vec<_>, Vec<_>) = errors.into_iter().partition(may_stay);
    // Where there are no rules, none is left unchecked.
    if let Some(rules) = &version.rules {
        if errors.iter().any(FieldError::hides_others) {
            let detail = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";
            errors.push(FieldError::invalid("<nil>", &Value::Null, detail));
        } else {
            let written = rules.evaluate(&as_written(request, old, object), old);
            errors.extend(written.errors);
            kept.extend(written.kept);
        }
    }
    Evaluation { errors, kept }
}

/// The object as it will be stored: a status is written apart from the rest.
fn as_written<'a>(request: &ResourceRequest<'_>, old: Option<&Value>, object: &'a Value) -> Cow<'a, Value> {
    if !request.resource.status {
        return Cow::Borrowed(object);
    }
    let is_status = request.target.subresource == "status";
    let (mut whole, status) = match old {
        Some(old) if is_status => (old.clone(), object.get("status")),
        Some(old) => (object.clone(), old.get("status")),
        None => (object.clone(), None),
    };
    if let Some(map) = whole.as_object_mut() {
        match status {
            Some(status) => map.insert("status".to_owned(), status.clone()),
            None => map.remove("status"),
        };
    }
    Cow::Owned(whole)
}

fn reading(request: &ResourceRequest<'_>) -> Reading {
    if has_patch_type(request, PatchType::Strategic) || has_patch_type(request, PatchType::Apply) {
        Reading::Converted
    } else {
        Reading::Decoded
    }
}

fn has_patch_type(request: &ResourceRequest<'_>, kind: PatchType) -> bool {
    request.call.header("content-type").starts_with(kind.content_type())
}

/// A strategic merge patch is converted without a decoder, and so is refused in other words.
fn wrong_type(request: &ResourceRequest<'_>, given: &Value, invalid: &str) -> Status {
    if has_patch_type(request, PatchType::Apply) && !invalid.starts_with("json: ") {
        let of = identity(given);
        let kind = kind_of(given).trim_start_matches('/').to_owned();
        let why = format!(
            "failed to convert new object ({of}) to proper version: unable to convert unstructured object to {kind}: {invalid}"
        );
        return Status::plain(500, why);
    }
    if !has_patch_type(request, PatchType::Strategic) {
        return cannot_be_handled(request, given, invalid);
    }
    let wanted = invalid.rsplit("of type ").next().unwrap_or_default();
    let why = if invalid.starts_with("json: cannot unmarshal number into") {
        format!("cannot convert int64 to {wanted}")
    } else {
        format!("unrecognized type: {wanted}")
    };
    let patch = request.call.body_value().unwrap_or_default();
    let error = FieldError::invalid("patch", &strategic::go_syntax(&patch).into(), &why);
    Status::invalid("", "", "", &[error])
}

/// What an applied configuration has that its kind does not; the first refusal of server-side apply.
pub(crate) fn check_applied(request: &ResourceRequest<'_>, config: &Value) -> Result<(), Status> {
    let resource = &request.resource;
    let (mut copy, mut unknown) = (config.clone(), Vec::new());
    if let Some(version) = &resource.custom {
        let Some(wanted) = &version.schema else { return Ok(()) };
        schema::prune(wanted, &mut copy, "", &mut unknown);
    } else {
        unknown = openapi::check(resource, Reading::Converted, &mut copy).unknown;
    }
    let lines: Vec<String> = unknown.iter().map(|field| format!(".{field}: field not declared in schema")).collect();
    let errors = match lines.as_slice() {
        [] => return Ok(()),
        [only] => only.clone(),
        many => format!("errors:\n  {}", many.join("\n  ")),
    };
    let of = identity(config);
    Err(Status::plain(500, format!("failed to create typed patch object ({of}): {errors}")))
}

/// Namespace, name and kind of what is applied.
fn identity(config: &Value) -> String {
    let text = |field: &str| config["metadata"][field].as_str().unwrap_or_default();
    format!("{}/{}; {}", text("namespace"), text("name"), kind_of(config))
}

/// Group, version and kind as Go prints them.
pub(crate) fn kind_of(object: &Value) -> String {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    format!("{group}/{version}, Kind={}", object["kind"].as_str().unwrap_or_default())
}

fn cannot_be_handled(request: &ResourceRequest<'_>, object: &Value, why: &str) -> Status {
    let applies = has_patch_type(request, PatchType::Apply);
    if request.call.method == http::Method::PATCH && !applies {
        return Status::patch_invalid(object, why);
    }
    let (kind, version) = (&request.resource.kind, &request.resource.version);
    Status::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"))
}
