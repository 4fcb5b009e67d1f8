//! A value against its shape: members, types, bounds, patterns, enumerations.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

use base64::Engine as _;
use regex::Regex;
use serde_json::Value;

use super::model::Model;

/// Which side of a call a value is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    /// EKS answers `"tags": {}` of what has none, though its model wants one at least of whoever sends some (AWS CLI Command
    /// Reference, the outputs of `eks create-access-entry` and `eks create-addon`).
    Answer,
}

/// The map that may be empty in an answer.
const NO_TAGS: &str = "TagMap";

/// What is wrong with a value, each with the way to it.
pub(super) fn violations(model: &Model, side: Side, shape: &str, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    look((model, side), shape, value, "", &mut found);
    found
}

fn look((model, side): (&Model, Side), name: &str, value: &Value, path: &str, found: &mut Vec<String>) {
    let shape = model.shape(name);
    let mut wrong = |what: String| {
        let path = if path.is_empty() { "the whole" } else { path.trim_start_matches('.') };
        found.push(format!("{path} ({name}): {what}"));
    };
    match (shape["type"].as_str().unwrap_or_default(), value) {
        ("structure", Value::Object(members)) => {
            for required in shape["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if members.get(required).is_none_or(Value::is_null) {
                    wrong(format!("lacks the required member {required}"));
                }
            }
            for (member, value) in members {
                match shape["members"][member]["shape"].as_str() {
                    Some(_) if value.is_null() => {}
                    Some(shape) => look((model, side), shape, value, &format!("{path}.{member}"), found),
                    None => found.push(format!("{}.{member}: {name} has no such member", path.trim_start_matches('.'))),
                }
            }
        }
        ("list", Value::Array(items)) => {
            bounds(shape, items.len(), "items", &mut wrong);
            for (index, item) in items.iter().enumerate() {
                look((model, side), shape["member"].as_str().unwrap(), item, &format!("{path}[{index}]"), found);
            }
        }
        ("map", Value::Object(entries)) => {
            if side == Side::Request || name != NO_TAGS || !entries.is_empty() {
                bounds(shape, entries.len(), "entries", &mut wrong);
            }
            for (key, value) in entries {
                let path = format!("{path}[{key:?}]");
                look((model, side), shape["key"].as_str().unwrap(), &Value::from(key.as_str()), &path, found);
                look((model, side), shape["value"].as_str().unwrap(), value, &path, found);
            }
        }
        ("string", Value::String(text)) => string(shape, text, &mut wrong),
        ("integer" | "long", Value::Number(number)) if number.is_i64() => {
            let number = number.as_i64().unwrap_or_default();
            if shape["min"].as_i64().is_some_and(|min| number < min)
                || shape["max"].as_i64().is_some_and(|max| number > max)
            {
                wrong(format!("{number} is out of {}..={}", shape["min"], shape["max"]));
            }
        }
        ("boolean", Value::Bool(_)) | ("timestamp" | "float" | "double", Value::Number(_)) => {}
        ("timestamp", Value::String(text)) if is_time(text) => {}
        ("blob", Value::String(text)) if base64::engine::general_purpose::STANDARD.decode(text).is_ok() => {}
        (wanted, other) => wrong(format!("{} is no {wanted}", short(other))),
    }
}

fn string(shape: &Value, text: &str, wrong: &mut impl FnMut(String)) {
    bounds(shape, text.chars().count(), "characters", wrong);
    if let Some(values) = shape["enum"].as_array()
        && !values.iter().any(|value| value == text)
    {
        wrong(format!("{text:?} is none of {values:?}"));
    }
    if let Some(pattern) = shape["pattern"].as_str()
        && !matches(pattern, text)
    {
        wrong(format!("{:?} does not match {pattern}", text.chars().take(120).collect::<String>()));
    }
}

fn bounds(shape: &Value, count: usize, of: &str, wrong: &mut impl FnMut(String)) {
    let bound = |name: &str| shape[name].as_u64().and_then(|bound| usize::try_from(bound).ok());
    if bound("min").is_some_and(|min| count < min) || bound("max").is_some_and(|max| count > max) {
        wrong(format!("{count} {of} are out of {}..={}", shape["min"], shape["max"]));
    }
}

/// Whether the whole text matches: a pattern of AWS's services stands for all of a value.
fn matches(pattern: &str, text: &str) -> bool {
    static KNOWN: LazyLock<Mutex<BTreeMap<String, Regex>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap();
    let whole = || Regex::new(&format!("^(?:{pattern})$")).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    known.entry(pattern.to_owned()).or_insert_with(whole).is_match(text)
}

/// ISO 8601 in UTC, as XML carries times.
fn is_time(text: &str) -> bool {
    matches(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text)
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}
