//! ConfigMaps and Secrets.

use jiff::Timestamp;
use serde_json::Value;

use super::cell::{count, created, name};

pub(crate) fn config_map(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), (count(&object["data"]) + count(&object["binaryData"])).into(), created(object, now)]
}

pub(crate) fn secret(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), object["type"].clone(), count(&object["data"]).into(), created(object, now)]
}
