//! Events: where they lie, and what the newer ones must say.
//!
//! Source: `pkg/apis/core/validation/events.go` of Kubernetes.

use serde_json::Value;

use super::checks::text;
use crate::admission::names;
use crate::kinds::Resource;
use crate::status::FieldError;

/// Bytes that the short texts of an event with `eventTime` may have, and its message.
const TEXT_BYTES_MAX: usize = 128;
const MESSAGE_BYTES_MAX: usize = 1024;

pub(super) fn check(resource: &Resource, event: &Value, errors: &mut Vec<FieldError>) {
    let (own, of) = (text(&event["metadata"]["namespace"]), text(&event["involvedObject"]["namespace"]));
    let newer = !text(&event["eventTime"]).is_empty();
    let fits = match (newer, of) {
        (false, "") => own == "default",
        (false, _) => own == of,
        (true, "") => matches!(own, "default" | "kube-system"),
        (true, _) => true,
    };
    if !fits {
        errors.push(FieldError::invalid("involvedObject.namespace", &of.into(), "does not match event.namespace"));
    }
    if !newer {
        return;
    }
    let controller = text(&event["reportingComponent"]);
    let field = if resource.group.is_empty() { "reportingComponent" } else { "reportingController" };
    if controller.is_empty() {
        errors.push(FieldError::required(field, ""));
    }
    for detail in names::qualified(controller) {
        errors.push(FieldError::invalid(field, &controller.into(), &detail));
    }
    for field in ["reportingInstance", "action", "reason"] {
        if text(&event[field]).is_empty() {
            errors.push(FieldError::required(field, ""));
        }
        limit(&event[field], field, TEXT_BYTES_MAX, errors);
    }
    limit(&event["message"], "message", MESSAGE_BYTES_MAX, errors);
}

fn limit(value: &Value, field: &str, most: usize, errors: &mut Vec<FieldError>) {
    if text(value).len() > most {
        errors.push(FieldError::invalid(field, &"".into(), &format!("can have at most {most} characters")));
    }
}
