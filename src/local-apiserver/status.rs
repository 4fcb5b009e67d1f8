//! metav1.Status: how every refusal is said, in Kubernetes' own words.

use serde_json::{Value, json};

/// A refusal (or the answer to a delete) as `metav1.Status`.
#[derive(Debug, Clone, PartialEq)]
pub struct Status(Value);

impl Status {
    /// A failure with an HTTP `code`, a machine-readable `reason` and a message.
    pub(crate) fn failure(code: u16, reason: &str, message: impl Into<String>) -> Self {
        Self(json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message.into(), "reason": reason, "code": code,
        }))
    }

    /// A failure that the real server did not foresee: without a reason.
    pub(crate) fn plain(code: u16, message: impl Into<String>) -> Self {
        let mut status = Self::failure(code, "", message);
        if let Some(map) = status.0.as_object_mut() {
            map.remove("reason");
        }
        status
    }

    /// Wraps a Status object that came over the wire.
    pub(crate) fn from_value(value: Value) -> Self {
        Self(value)
    }

    /// The HTTP status code.
    pub fn code(&self) -> u16 {
        self.0["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(500)
    }

    /// The machine-readable reason, such as `NotFound`.
    pub fn reason(&self) -> &str {
        self.0["reason"].as_str().unwrap_or_default()
    }

    /// The sentence for people.
    pub fn message(&self) -> &str {
        self.0["message"].as_str().unwrap_or_default()
    }

    /// The object does not exist.
    pub fn is_not_found(&self) -> bool {
        self.reason() == "NotFound"
    }

    /// The object was changed by somebody else meanwhile.
    pub fn is_conflict(&self) -> bool {
        self.reason() == "Conflict"
    }

    /// An object of that name exists.
    pub fn is_already_exists(&self) -> bool {
        self.reason() == "AlreadyExists"
    }

    /// The JSON of the `metav1.Status`.
    pub fn as_value(&self) -> &Value {
        &self.0
    }

    /// The JSON of the `metav1.Status`, by value.
    pub fn into_value(self) -> Value {
        self.0
    }

    pub(crate) fn with_details(mut self, details: Value) -> Self {
        self.0["details"] = details;
        self
    }

    /// With one more machine-readable cause.
    pub(crate) fn with_cause(mut self, cause: Value) -> Self {
        match self.0["details"]["causes"].as_array_mut() {
            Some(causes) => causes.push(cause),
            None => self.0["details"]["causes"] = json!([cause]),
        }
        self
    }

    pub(crate) fn not_found(group: &str, plural: &str, name: &str) -> Self {
        Self::failure(404, "NotFound", format!("{} \"{name}\" not found", qualified(plural, group)))
            .with_details(details(group, plural, name))
    }

    /// The path names nothing that is served.
    pub(crate) fn no_such_path() -> Self {
        Self::failure(404, "NotFound", "the server could not find the requested resource").with_details(json!({}))
    }

    pub(crate) fn already_exists(group: &str, plural: &str, name: &str) -> Self {
        Self::failure(409, "AlreadyExists", format!("{} \"{name}\" already exists", qualified(plural, group)))
            .with_details(details(group, plural, name))
    }

    /// Its name is taken by an object that is still terminating.
    pub(crate) fn still_there(group: &str, plural: &str, name: &str) -> Self {
        let mut status = Self::already_exists(group, plural, name);
        status.0["message"] = format!("object is being deleted: {}", status.message()).into();
        status
    }

    pub(crate) fn conflict(group: &str, plural: &str, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", qualified(plural, group));
        Self::failure(409, "Conflict", message).with_details(details(group, plural, name))
    }

    pub(crate) fn modified(group: &str, plural: &str, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(group, plural, name, why)
    }

    pub(crate) fn forbidden(group: &str, plural: &str, name: &str, why: &str) -> Self {
        let subject = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
        Self::failure(403, "Forbidden", format!("{}{subject} is forbidden: {why}", qualified(plural, group)))
            .with_details(details(group, plural, name))
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::failure(400, "BadRequest", message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::failure(401, "Unauthorized", "Unauthorized")
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::failure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
            .with_details(json!({}))
    }

    pub(crate) fn unsupported_media_type(accepted: &str) -> Self {
        let message =
            format!("the body of the request was in an unknown format - accepted media types include: {accepted}");
        Self::failure(415, "UnsupportedMediaType", message)
    }

    /// A patch that cannot be applied to this object.
    pub(crate) fn patch_failed() -> Self {
        Self::failure(422, "Invalid", "the server rejected our request due to an error in our request")
            .with_details(json!({}))
    }

    /// A patch whose outcome is no object of its kind.
    pub(crate) fn patch_invalid(outcome: &Value, why: &str) -> Self {
        let error = FieldError::invalid("patch", &outcome.to_string().into(), why);
        Self::invalid("", "", "", &[error])
    }

    /// A revision that does not exist yet.
    pub(crate) fn too_large(request: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {request}, current: {current}");
        Self::failure(504, "Timeout", message).with_details(json!({
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        }))
    }

    pub(crate) fn too_old(request: u64, oldest: u64) -> Self {
        Self::failure(410, "Expired", format!("too old resource version: {request} ({oldest})"))
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::failure(503, "ServiceUnavailable", message)
    }

    pub(crate) fn internal(message: impl std::fmt::Display) -> Self {
        Self::failure(500, "InternalError", format!("Internal error occurred: {message}"))
    }

    /// 422 with one cause per field.
    pub(crate) fn invalid(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        // A mistake that two checks find is said once, and listed twice.
        let mut lines: Vec<String> = Vec::new();
        for line in errors.iter().map(ToString::to_string) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let text = if let [only] = lines.as_slice() { only.clone() } else { format!("[{}]", lines.join(", ")) };
        let causes: Vec<Value> =
            errors.iter().map(|e| json!({"reason": e.reason, "message": e.detail_line(), "field": e.field})).collect();
        let subject = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        Self::failure(422, "Invalid", format!("{subject} \"{name}\" is invalid: {text}"))
            .with_details(detailed(&[("name", name), ("group", group), ("kind", kind)], &causes))
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Status {}

/// One mistake in one field, worded as apimachinery's `field.Error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldError {
    pub(crate) field: String,
    pub(crate) reason: &'static str,
    detail: String,
}

impl FieldError {
    pub(crate) fn required(field: impl Into<String>, detail: &str) -> Self {
        let detail = if detail.is_empty() { "Required value".to_owned() } else { format!("Required value: {detail}") };
        Self { field: field.into(), reason: "FieldValueRequired", detail }
    }

    pub(crate) fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self::invalid_shown(field, &shown(value), detail)
    }

    /// `invalid` with the value as it is to be shown.
    pub(crate) fn invalid_shown(field: impl Into<String>, value: &str, detail: &str) -> Self {
        let detail = format!("Invalid value: {value}: {detail}");
        Self { field: field.into(), reason: "FieldValueInvalid", detail }
    }

    /// `invalid` for a value that is not to be shown.
    pub(crate) fn invalid_omitted(field: impl Into<String>, detail: &str) -> Self {
        Self { field: field.into(), reason: "FieldValueInvalid", detail: format!("Invalid value: {detail}") }
    }

    /// `duplicate` for a value that is not to be shown.
    pub(crate) fn duplicate_omitted(field: impl Into<String>) -> Self {
        Self { field: field.into(), reason: "FieldValueDuplicate", detail: "Duplicate value".to_owned() }
    }

    pub(crate) fn wrong_type(field: impl Into<String>, found: &str, detail: &str) -> Self {
        let detail = format!("Invalid value: \"{found}\": {detail}");
        Self { field: field.into(), reason: "FieldValueTypeInvalid", detail }
    }

    pub(crate) fn unsupported(field: impl Into<String>, value: &Value, supported: &[String]) -> Self {
        Self::unsupported_shown(field, &shown(value), supported)
    }

    /// `unsupported` with the value as it is to be shown.
    pub(crate) fn unsupported_shown(field: impl Into<String>, value: &str, supported: &[String]) -> Self {
        let supported: Vec<String> = supported.iter().map(|s| format!("\"{s}\"")).collect();
        let detail = format!("Unsupported value: {value}: supported values: {}", supported.join(", "));
        Self { field: field.into(), reason: "FieldValueNotSupported", detail }
    }

    pub(crate) fn not_found(field: impl Into<String>, value: &Value) -> Self {
        Self { field: field.into(), reason: "FieldValueNotFound", detail: format!("Not found: {}", shown(value)) }
    }

    pub(crate) fn too_many(field: impl Into<String>, held: usize, most: usize) -> Self {
        let things = if most == 1 { "item" } else { "items" };
        let detail = format!("Too many: {held}: must have at most {most} {things}");
        Self { field: field.into(), reason: "FieldValueTooMany", detail }
    }

    pub(crate) fn too_long(field: impl Into<String>, most: usize) -> Self {
        let bytes = if most == 1 { "byte" } else { "bytes" };
        let detail = format!("Too long: may not be more than {most} {bytes}");
        Self { field: field.into(), reason: "FieldValueTooLong", detail }
    }

    pub(crate) fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        let detail = format!("Duplicate value: {}", shown(value));
        Self { field: field.into(), reason: "FieldValueDuplicate", detail }
    }

    pub(crate) fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self { field: field.into(), reason: "FieldValueForbidden", detail: format!("Forbidden: {detail}") }
    }

    /// Whether an object with this mistake is not shown to rules, which may not stand it.
    pub(crate) fn hides_others(&self) -> bool {
        matches!(
            self.reason,
            "FieldValueNotSupported"
                | "FieldValueRequired"
                | "FieldValueTooLong"
                | "FieldValueTooMany"
                | "FieldValueTypeInvalid"
        )
    }

    fn detail_line(&self) -> &str {
        &self.detail
    }
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.detail)
    }
}

fn shown(value: &Value) -> String {
    // Texts come quoted and escaped; Go's %q and JSON agree on what occurs in objects.
    value.to_string()
}

/// `deployments.apps`, or `pods` for the core group.
pub(crate) fn qualified(plural: &str, group: &str) -> String {
    if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") }
}

/// The parts that are not empty, and the causes.
fn detailed(parts: &[(&str, &str)], causes: &[Value]) -> Value {
    let mut details = json!({"causes": causes});
    for (key, text) in parts.iter().filter(|(_, text)| !text.is_empty()) {
        details[*key] = (*text).into();
    }
    details
}

fn details(group: &str, plural: &str, name: &str) -> Value {
    let mut details = json!({"kind": plural});
    if !name.is_empty() {
        details["name"] = name.into();
    }
    if !group.is_empty() {
        details["group"] = group.into();
    }
    details
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_read_as_kubernetes_says_them() {
        assert_eq!(Status::not_found("apps", "deployments", "x").message(), "deployments.apps \"x\" not found");
        assert_eq!(
            Status::invalid("apps", "Deployment", "x", &[FieldError::required("spec.selector", "")]).message(),
            "Deployment.apps \"x\" is invalid: spec.selector: Required value"
        );
        assert!(Status::modified("", "pods", "p").is_conflict());
    }
}
