//! The form of an answer, by what the client accepts: the object, its metadata alone, or a table.

use serde_json::json;

use crate::protobuf;
use crate::status::Status;

/// What an object or a list is shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Whole,
    /// `PartialObjectMetadata` and its list, in this version of `meta.k8s.io`.
    Metadata(&'static str),
    /// In this version of `meta.k8s.io`.
    Table(&'static str),
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
        let parts: Vec<&str> = parts.collect();
        let given = |name: &str| parts.iter().find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        let Some(kind) = given("as") else { return Ok(Form::Whole) };
        let version = match (given("g"), given("v")) {
            (Some("meta.k8s.io"), Some("v1")) => "meta.k8s.io/v1",
            (Some("meta.k8s.io"), Some("v1beta1")) => "meta.k8s.io/v1beta1",
            _ => continue,
        };
        match kind {
            // There are no tables in protobuf.
            "Table" if media != protobuf::CONTENT_TYPE => return Ok(Form::Table(version)),
            "PartialObjectMetadata" | "PartialObjectMetadataList" => return Ok(Form::Metadata(version)),
            _ => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_is_known_counts() {
        let table = "application/json;as=Table;v=v1beta1;g=meta.k8s.io";
        assert_eq!(accepted(&format!("{table},application/json")).unwrap(), Form::Table("meta.k8s.io/v1beta1"));
        assert_eq!(accepted(&format!("{},application/json", table.replace("v1beta1", "v2"))).unwrap(), Form::Whole);
        assert_eq!(accepted(&table.replace("v1beta1", "v2")).unwrap_err().code(), 406);
        assert_eq!(accepted("application/json;as=Odd,application/json").unwrap(), Form::Whole);
        assert_eq!(accepted("text/html").unwrap_err().code(), 406);
    }
}
