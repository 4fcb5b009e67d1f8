//! Reading SQS's parameters; numbers may come as text from the query protocol.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::strings;

/// The body of a JSON call.
pub(super) fn json(body: &[u8]) -> Result<Value, Fault> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    let fault = || Fault::sender("MalformedInput", "The request body is no JSON object.");
    serde_json::from_slice::<Value>(body).ok().filter(Value::is_object).ok_or_else(fault)
}

pub(super) fn text<'a>(input: &'a Value, name: &str) -> Option<&'a str> {
    input.get(name).and_then(Value::as_str)
}

pub(super) fn required<'a>(input: &'a Value, name: &str) -> Result<&'a str, Fault> {
    text(input, name).ok_or_else(|| missing(name))
}

pub(super) fn missing(name: &str) -> Fault {
    Fault::sender("MissingParameter", format!("The request must contain the parameter {name}."))
}

pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault::sender("InvalidParameterValue", message)
}

/// An optional whole number within `range`.
pub(super) fn number(input: &Value, name: &str, range: std::ops::RangeInclusive<u64>) -> Result<Option<u64>, Fault> {
    let Some(value) = input.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let parsed = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    parsed.filter(|number| range.contains(number)).map(Some).ok_or_else(|| {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let (low, high) = (range.start(), range.end());
        let bounds = match name {
            "WaitTimeSeconds" => format!(">= {low} and <= {high}"),
            _ => format!("between {low} and {high}"),
        };
        invalid(format!("Value {shown} for parameter {name} is invalid. Reason: Must be {bounds}, if provided."))
    })
}

/// A list of strings, or one string.
pub(super) fn strings(input: &Value, name: &str) -> Vec<String> {
    strings::one_or_list(input.get(name))
}

/// An object of strings; other scalars are taken as their text.
pub(super) fn string_map(value: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    value.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
}
