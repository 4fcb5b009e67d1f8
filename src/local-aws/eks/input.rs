//! Reading EKS's parameters, and pages of names.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Tags, invalid};
use crate::fault::Fault;
use crate::request::Request;

pub(super) fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name).and_then(Value::as_str)
}

pub(super) fn required<'a>(body: &'a Value, name: &str) -> Result<&'a str, Fault> {
    text(body, name).filter(|text| !text.is_empty()).ok_or_else(|| invalid(format!("{name} is required.")))
}

pub(super) fn strings(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

pub(super) fn tags(body: &Value) -> Tags {
    let map = body.get("tags").and_then(Value::as_object);
    map.into_iter().flatten().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

pub(super) fn check_tags(tags: &Tags) -> Result<(), Fault> {
    let bad = tags.iter().find(|(key, value)| {
        key.is_empty() || key.len() > 128 || value.len() > 256 || key.to_lowercase().starts_with("aws:")
    });
    match bad {
        Some((key, _)) => Err(invalid(format!(
            "The tag {key} is invalid: keys have 1 to 128 characters and do not start with aws:, values at most 256."
        ))),
        None if tags.len() > 50 => Err(invalid("A resource has at most 50 tags.")),
        None => Ok(()),
    }
}

/// A time as EKS writes it: seconds with a fraction.
pub(super) fn date(time: Timestamp) -> Value {
    json!(time.as_millisecond() as f64 / 1000.0)
}

/// One page of `items` by `maxResults` and `nextToken`.
pub(super) fn page(request: &Request, member: &str, items: Vec<Value>) -> Result<Value, Fault> {
    let number = |name: &str| match request.parameter(name) {
        None => Ok(None),
        Some(text) => text.parse::<usize>().map(Some).map_err(|_| invalid(format!("{name} is invalid."))),
    };
    let size = number("maxResults")?.unwrap_or(100).clamp(1, 100);
    let start = number("nextToken")?.unwrap_or(0);
    let end = start.saturating_add(size);
    let more = items.len() > end;
    let part: Vec<_> = items.into_iter().skip(start).take(size).collect();
    Ok(json!({ member: part, "nextToken": more.then(|| end.to_string()) }))
}
