//! Unknown fields and wrong types, by the `fieldValidation` parameter.

use serde_json::Value;

use crate::crd::{schema, validation};
use crate::handlers::Asked;
use crate::openapi;
use crate::patch::PatchType;
use crate::status::Status;

/// Prunes and defaults `object` by its kind's schema; unknown fields are refused, warned of or ignored as asked.
pub(crate) fn check(asked: &Asked<'_>, object: &mut Value, warnings: &mut Vec<String>) -> Result<(), Status> {
    let resource = &asked.resource;
    let mut unknown = Vec::new();
    let mut errors = Vec::new();
    // A refused patch is shown with its outcome, unknown fields and all.
    let sent = (asked.call.method == http::Method::PATCH).then(|| object.clone());
    if let Some(version) = &resource.custom {
        let Some(wanted) = &version.schema else { return Ok(()) };
        schema::prune(wanted, object, "", &mut unknown);
        schema::default(wanted, object);
        if asked.target.subresource == "status" {
            // Only what is written is judged.
            errors.extend(validation::check(&wanted["properties"]["status"], &object["status"], "status"));
        } else {
            errors.extend(validation::check(wanted, object, ""));
        }
        errors.extend(resource.scale.iter().flat_map(|scale| validation::check_scale(scale, object)));
        if !errors.is_empty() {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            return Err(Status::invalid(&resource.group, &resource.kind, name, &errors));
        }
    } else {
        let mut odd = None;
        openapi::check(&resource.group, &resource.version, &resource.kind, object, &mut unknown, &mut odd);
        if let Some(odd) = odd {
            return Err(cannot_be_handled(asked, object, &odd));
        }
    }
    let lines: Vec<String> = unknown.iter().map(|field| format!("unknown field \"{field}\"")).collect();
    match asked.call.query.get("fieldValidation") {
        Some("Strict") if !lines.is_empty() => Err(cannot_be_handled(
            asked,
            sent.as_ref().unwrap_or(object),
            &format!("strict decoding error: {}", lines.join(", ")),
        )),
        Some("Ignore" | "Strict") => Ok(()),
        _ => {
            warnings.extend(lines);
            Ok(())
        }
    }
}

fn cannot_be_handled(asked: &Asked<'_>, object: &Value, why: &str) -> Status {
    let applies = asked.call.header("content-type").starts_with(PatchType::Apply.content_type());
    if asked.call.method == http::Method::PATCH && !applies {
        return Status::patch_invalid(object, why);
    }
    let (kind, version) = (&asked.resource.kind, &asked.resource.version);
    Status::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"))
}
