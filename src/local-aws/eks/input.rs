//! Reading EKS's parameters, and pages of names.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::faults::invalid;
use super::store::Tags;
use crate::fault::Fault;
use crate::model::{self, Shape};
use crate::request::{Request, Service, pairs};

/// The members of an operation's input, from the address, the query string and the body.
pub(super) fn whole(
    operation: &str,
    request: &Request,
    labels: &BTreeMap<&str, String>,
    body: &Value,
) -> Result<Value, Fault> {
    let Some(body) = body.as_object() else {
        return Err(Fault::sender("MalformedInput", "The request body is no JSON object."));
    };
    let mut input = body.clone();
    let Some((members, _)) = model::of(Service::Eks).input(operation) else { return Ok(Value::Object(input)) };
    let named = |name: &str| members.iter().find(|(_, member)| member.name.as_deref() == Some(name));
    for (name, value) in labels {
        if let Some((member, _)) = named(name) {
            input.insert(member.clone(), json!(value));
        }
    }
    for (name, value) in pairs(&request.query).filter(|(name, _)| !name.to_lowercase().starts_with("x-amz-")) {
        let Some((member, shape)) = named(&name).filter(|(_, one)| one.location.as_deref() == Some("querystring"))
        else {
            return Err(invalid(format!("{operation} has no parameter {name}.")));
        };
        if matches!(model::of(Service::Eks).shape(&shape.shape), Some(Shape::List { .. })) {
            let list = input.entry(member.clone()).or_insert_with(|| json!([]));
            list.as_array_mut().into_iter().for_each(|list| list.push(json!(value)));
        } else {
            input.insert(member.clone(), json!(value));
        }
    }
    Ok(Value::Object(input))
}

pub(super) fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name).and_then(Value::as_str)
}

pub(super) fn required<'a>(body: &'a Value, name: &str) -> Result<&'a str, Fault> {
    text(body, name).filter(|text| !text.is_empty()).ok_or_else(|| invalid(format!("{name} is required.")))
}

/// A required parameter of the query string.
pub(super) fn required_parameter(request: &Request, name: &str) -> Result<String, Fault> {
    request.parameter(name).filter(|text| !text.is_empty()).ok_or_else(|| invalid(format!("{name} is required.")))
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
