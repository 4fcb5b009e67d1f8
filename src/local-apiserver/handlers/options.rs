//! The parameters of a request (`CreateOptions`, `ListOptions` and their like), checked before anything is done.

use serde_json::json;

use crate::patch::PatchType;
use crate::request::resource_request::ResourceRequest;
use crate::request::{MANAGER_BYTES_MAX, Query};
use crate::status::{FieldError, Status};

/// Refuses parameters that make no sense for `verb`.
pub(super) fn check(request: &ResourceRequest<'_>, verb: &str) -> Result<(), Status> {
    let query = &request.call.query;
    let mut errors = Vec::new();
    let kind = match verb {
        "create" => "CreateOptions",
        "update" => "UpdateOptions",
        "patch" => {
            force_and_manager(request, &mut errors);
            "PatchOptions"
        }
        "delete" => "DeleteOptions",
        "list" | "watch" => {
            numbers(query)?;
            selection(query, verb == "watch", &mut errors);
            "ListOptions"
        }
        _ => return Ok(()),
    };
    if matches!(verb, "create" | "update" | "patch") {
        writing(query, &mut errors);
    }
    dry_run(query, &mut errors);
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid("meta.k8s.io", kind, "", &errors)) }
}

fn force_and_manager(request: &ResourceRequest<'_>, errors: &mut Vec<FieldError>) {
    let query = &request.call.query;
    if PatchType::parse(request.call.header("content-type")).is_ok_and(|kind| kind == PatchType::Apply) {
        if query.get("fieldManager").is_none_or(str::is_empty) {
            errors.push(FieldError::required("fieldManager", "is required for apply patch"));
        }
    } else if query.get("force").is_some() {
        errors.push(FieldError::forbidden("force", "may not be specified for non-apply patch"));
    }
}

fn writing(query: &Query, errors: &mut Vec<FieldError>) {
    let manager = query.get("fieldManager").unwrap_or_default();
    if manager.len() > MANAGER_BYTES_MAX {
        errors.push(FieldError::too_long("fieldManager", MANAGER_BYTES_MAX));
    }
    if manager.chars().any(char::is_control) {
        errors.push(FieldError::invalid("fieldManager", &manager.into(), "should only contain printable characters"));
    }
    let validation = query.get("fieldValidation").unwrap_or_default();
    let supported = ["", "Ignore", "Strict", "Warn"];
    if !supported.contains(&validation) {
        errors.push(FieldError::unsupported("fieldValidation", &validation.into(), &supported.map(str::to_owned)));
    }
}

fn dry_run(query: &Query, errors: &mut Vec<FieldError>) {
    if let Some(given) = query.get("dryRun").filter(|given| !matches!(*given, "" | "All")) {
        errors.push(FieldError::unsupported("dryRun", &json!([given]), &["All".to_owned()]));
    }
}

fn numbers(query: &Query) -> Result<(), Status> {
    for name in ["limit", "timeoutSeconds"] {
        if let Some(given) = query.get(name).filter(|given| !given.is_empty() && given.parse::<i64>().is_err()) {
            return Err(Status::bad_request(format!("strconv.ParseInt: parsing \"{given}\": invalid syntax")));
        }
    }
    Ok(())
}

/// How `resourceVersion`, its match, `continue` and the initial events of a watch go together.
fn selection(query: &Query, watch: bool, errors: &mut Vec<FieldError>) {
    let given = |name: &str| query.get(name).filter(|text| !text.is_empty());
    let wanted = given("resourceVersionMatch");
    let initial = query.get("sendInitialEvents").is_some();
    let mut forbid = |field: &str, why: &str| errors.push(FieldError::forbidden(field, why));
    if initial && !watch {
        forbid("sendInitialEvents", "sendInitialEvents is forbidden for list");
    }
    if initial && watch && wanted != Some("NotOlderThan") {
        let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        forbid("resourceVersionMatch", why);
    }
    let Some(wanted) = wanted else { return };
    if watch && !initial {
        let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
        forbid("resourceVersionMatch", why);
    }
    if !watch && given("resourceVersion").is_none() {
        forbid("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided");
    }
    if given("continue").is_some() {
        forbid("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided");
    }
    if wanted == "Exact" && given("resourceVersion") == Some("0") {
        let why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
        forbid("resourceVersionMatch", why);
    }
    let supported: &[&str] = if watch { &["NotOlderThan"] } else { &["Exact", "NotOlderThan", ""] };
    if !supported.contains(&wanted) {
        let supported: Vec<String> = supported.iter().map(ToString::to_string).collect();
        errors.push(FieldError::unsupported("resourceVersionMatch", &wanted.into(), &supported));
    }
}
