//! What single cells are made of.

use jiff::Timestamp;
use serde_json::Value;

use crate::table::age::age;

pub(super) fn name(object: &Value) -> Value {
    object["metadata"]["name"].clone()
}

/// How old an object is.
pub(super) fn created(object: &Value, now: Timestamp) -> Value {
    age(&object["metadata"]["creationTimestamp"], now).into()
}

/// The text at a field, or a stand-in.
pub(super) fn text_or(value: &Value, other: &str) -> String {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or(other).to_owned()
}

pub(super) fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

pub(super) fn each<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    list.as_array().into_iter().flatten().filter_map(|item| item[field].as_str()).collect()
}

pub(super) fn joined(list: &Value, field: &str) -> Value {
    each(list, field).join(",").into()
}

pub(super) fn selector(value: &Value) -> Value {
    let labels = if value["matchLabels"].is_object() { &value["matchLabels"] } else { value };
    let parts: Vec<String> = labels
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    if parts.is_empty() { "<none>".into() } else { parts.join(",").into() }
}

pub(super) fn count(value: &Value) -> usize {
    value.as_object().map_or(0, serde_json::Map::len)
}
