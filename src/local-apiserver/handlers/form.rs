//! The form of an answer, by what the client accepts: the object, its metadata alone, or a table.

use serde_json::{Value, json};

use crate::protobuf;
use crate::status::Status;

/// What an object or a list is shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Whole,
    /// `PartialObjectMetadata` and its list.
    Metadata,
    Table,
}

const MEDIA_TYPES: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// The first form of an `Accept` header that can be served.
pub(crate) fn accepted(accept: &str) -> Result<Form, Status> {
    if accept.trim().is_empty() {
        return Ok(Form::Whole);
    }
    let mut known = false;
    for clause in accept.split(',') {
        let mut parts = clause.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        if !matches!(media, "application/json" | "application/yaml" | "application/*" | "*/*" | protobuf::CONTENT_TYPE)
        {
            continue;
        }
        known = true;
        match parts.find_map(|part| part.strip_prefix("as=")) {
            None => return Ok(Form::Whole),
            Some("Table") => return Ok(Form::Table),
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") => return Ok(Form::Metadata),
            Some(_) => {}
        }
    }
    Err(if known {
        let message = format!("only the following media types are accepted: {MEDIA_TYPES}");
        Status::failure(406, "NotAcceptable", message)
    } else {
        // Refused before any resource is looked at.
        let message = format!("406: Not Acceptable\n\nAvailable representations: {MEDIA_TYPES}");
        Status::failure(406, "NotAcceptable", message).with_details(json!({}))
    })
}

/// An object's metadata in a shape that fits every kind.
pub(crate) fn metadata_only(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_is_known_counts() {
        assert_eq!(accepted("application/json;as=Table;v=v1;g=meta.k8s.io,application/json").unwrap(), Form::Table);
        assert_eq!(accepted("application/json;as=Odd,application/json").unwrap(), Form::Whole);
        assert_eq!(accepted("text/html").unwrap_err().code(), 406);
    }
}
