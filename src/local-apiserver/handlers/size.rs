//! How large an object may be where it is stored: etcd refuses requests of more than 1.5 MiB.

use serde_json::Value;

use crate::kinds::Resource;
use crate::status::Status;

/// etcd's `--max-request-bytes`.
const BYTES_MAX: usize = 1536 * 1024;

/// Refuses what etcd would refuse, in etcd's words.
pub(super) fn check(resource: &Resource, object: &Value) -> Result<(), Status> {
    // Custom objects are stored as JSON. Built-in ones are stored as protobuf, which does not write the fields' names.
    let size = if resource.custom.is_some() {
        object.to_string().len()
    } else {
        payload(object) + object["metadata"]["managedFields"].to_string().len()
    };
    if size > BYTES_MAX {
        return Err(Status::plain(500, "etcdserver: request is too large"));
    }
    Ok(())
}

/// The texts and numbers of a value.
fn payload(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.values().map(payload).sum(),
        Value::Array(items) => items.iter().map(payload).sum(),
        Value::String(text) => text.len() + 2,
        _ => 2,
    }
}
