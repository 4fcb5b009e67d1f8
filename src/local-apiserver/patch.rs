//! The four kinds of patch.

pub(crate) mod apply;
pub(crate) mod fields;
mod last_applied;
pub(crate) mod lists;
mod managers;
pub(crate) mod strategic;

use serde_json::{Map, Value, json};

use crate::status::Status;

/// Operations that a JSON patch may have.
const OPERATIONS_MAX: usize = 10_000;

/// A patch's kind, by its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchType {
    /// RFC 6902.
    Json,
    /// RFC 7396.
    Merge,
    /// Kubernetes' own, which merges lists by key.
    Strategic,
    /// Server-side apply.
    Apply,
}

impl PatchType {
    /// The media type that names it.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json-patch+json",
            Self::Merge => "application/merge-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
            Self::Apply => "application/apply-patch+yaml",
        }
    }

    pub(crate) fn parse(content_type: &str) -> Result<Self, Status> {
        let media = content_type.split(';').next().unwrap_or_default().trim();
        [Self::Json, Self::Merge, Self::Strategic, Self::Apply]
            .into_iter()
            .find(|kind| kind.content_type() == media)
            .ok_or_else(|| {
                let message = "415: Unsupported Media Type";
                Status::failure(415, "UnsupportedMediaType", message).with_details(json!({}))
            })
    }
}

/// `document` after an RFC 6902 patch.
pub(crate) fn json(document: &Value, patch: &Value) -> Result<Value, Status> {
    let operations: Vec<Map<String, Value>> = serde_json::from_value(patch.clone())
        .map_err(|error| Status::bad_request(format!("error decoding patch: {error}")))?;
    if operations.len() > OPERATIONS_MAX {
        let why = format!(
            "Request entity too large: The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {}",
            operations.len()
        );
        return Err(Status::failure(413, "RequestEntityTooLarge", why));
    }
    let mut patched = document.clone();
    for mut operation in operations {
        if operation.get("op").is_some_and(|op| op == "replace") && lacks_key(&patched, &operation) {
            operation.insert("op".to_owned(), "add".into());
        }
        let one: json_patch::Patch = serde_json::from_value(json!([operation])).map_err(|_| Status::patch_failed())?;
        json_patch::patch(&mut patched, &one).map_err(|_| Status::patch_failed())?;
    }
    Ok(patched)
}

/// Whether an operation names a key that its map does not have: the real server's library replaces what is not there.
fn lacks_key(document: &Value, operation: &Map<String, Value>) -> bool {
    let path = operation.get("path").and_then(Value::as_str).unwrap_or_default();
    let parent = path.rsplit_once('/').and_then(|(parent, _)| document.pointer(parent));
    parent.is_some_and(Value::is_object) && document.pointer(path).is_none()
}

/// `document` after an RFC 7396 patch.
pub(crate) fn merge(document: &Value, patch: &Value) -> Value {
    let mut patched = document.clone();
    json_patch::merge(&mut patched, patch);
    patched
}
