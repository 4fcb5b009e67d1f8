//! What of each object the rows of a table hold.

use crate::status::Status;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowObject {
    Nothing,
    Metadata,
    Whole,
}

/// The parameter `includeObject` of a request for a table.
pub(crate) fn held(given: Option<&str>) -> Result<RowObject, Status> {
    match given.unwrap_or_default() {
        "" | "Metadata" => Ok(RowObject::Metadata),
        "None" => Ok(RowObject::Nothing),
        "Object" => Ok(RowObject::Whole),
        other => Err(Status::bad_request(format!(
            "Unable to convert to Table as requested: includeObject: Invalid value: \"{other}\": must be 'Metadata', 'Object', 'None', or empty"
        ))),
    }
}
