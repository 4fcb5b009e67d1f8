//! The four kinds of patch.

pub(crate) mod apply;
pub(crate) mod fields;
pub(crate) mod lists;
pub(crate) mod strategic;
mod zero;

use serde_json::Value;

use crate::status::Status;

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
        [Self::Json, Self::Merge, Self::Strategic, Self::Apply].into_iter().find(|kind| kind.content_type() == media).ok_or_else(|| {
            Status::unsupported_media_type(
                "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml, application/strategic-merge-patch+json",
            )
        })
    }
}

/// `document` after an RFC 6902 patch.
pub(crate) fn json(document: &Value, patch: &Value) -> Result<Value, Status> {
    let patch: json_patch::Patch = serde_json::from_value(patch.clone())
        .map_err(|error| Status::bad_request(format!("error decoding patch: {error}")))?;
    let mut patched = document.clone();
    json_patch::patch(&mut patched, &patch).map_err(|_| Status::patch_failed())?;
    Ok(patched)
}

/// `document` after an RFC 7396 patch.
pub(crate) fn merge(document: &Value, patch: &Value) -> Value {
    let mut patched = document.clone();
    json_patch::merge(&mut patched, patch);
    patched
}
