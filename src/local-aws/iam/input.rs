//! Parameters, pages and texts that IAM's operations share.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::model::{Tags, Written};
use crate::fault::Fault;
use crate::policy::{Document, Kind};
use crate::validation::{member, required};

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const PAGE_ITEMS_DEFAULT: usize = 100;
const TAGS_MAX: usize = 50;
const TAG_KEY_LENGTH_MAX: usize = 128;
const TAG_VALUE_LENGTH_MAX: usize = 256;

pub(super) fn text<'a>(input: &'a Value, name: &str) -> Option<&'a str> {
    input.get(name).and_then(Value::as_str)
}

/// A name of at most `length_max` letters, digits and `+=,.@_-`.
pub(super) fn name<'a>(input: &'a Value, parameter: &str, length_max: usize) -> Result<&'a str, Fault> {
    let name = required(input, parameter)?;
    let member = member(parameter);
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c)) {
        return Err(invalid(format!(
            "The specified value for {member} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
        )));
    }
    if name.len() > length_max {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: Member must have length less than or equal to {length_max}"
        )));
    }
    Ok(name)
}

/// `Some` if what is at `path` is wanted by the `PathPrefix` parameter.
pub(super) fn at_path(path: &str, input: &Value) -> Option<()> {
    path.starts_with(text(input, "PathPrefix").unwrap_or("/")).then_some(())
}

pub(super) fn path(input: &Value) -> Result<String, Fault> {
    let path = text(input, "Path").unwrap_or("/");
    // Printable ASCII without the space, as the model's pattern has it.
    if path.starts_with('/') && path.ends_with('/') && path.len() <= 512 && path.chars().all(|c| c.is_ascii_graphic()) {
        return Ok(path.to_owned());
    }
    Err(invalid(
        "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.",
    ))
}

pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault::sender("ValidationError", message)
}

pub(super) fn missing(message: impl Into<String>) -> Fault {
    Fault::new(404, "NoSuchEntity", message)
}

pub(super) fn exists(message: impl Into<String>) -> Fault {
    Fault::new(409, "EntityAlreadyExists", message)
}

pub(super) fn conflict(message: impl Into<String>) -> Fault {
    Fault::new(409, "DeleteConflict", message)
}

/// A policy document parameter, parsed.
pub(super) fn document(input: &Value, parameter: &str, kind: Kind) -> Result<Written, Fault> {
    let text = required(input, parameter)?;
    let document = Document::parse(text, kind).map_err(|why| Fault::sender("MalformedPolicyDocument", why))?;
    Ok(Written { text: text.to_owned(), document: Arc::new(document) })
}

/// The characters of a document that count against quotas: white space does not (IAM User Guide, "IAM and AWS STS quotas").
pub(super) fn characters(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

/// IAM's refusal of what goes over a quota.
pub(super) fn quota(name: &str, most: usize) -> Fault {
    Fault::new(409, "LimitExceeded", format!("Cannot exceed quota for {name}: {most}"))
}

/// A document as IAM's answers carry it: URL-encoded.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

pub(super) fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The `Tags` parameter.
pub(super) fn tags(input: &Value) -> Tags {
    let list = input.get("Tags").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter_map(|tag| Some((text(tag, "Key")?.to_owned(), text(tag, "Value").unwrap_or_default().to_owned())))
        .collect()
}

/// Adds the `Tags` parameter to `tags`.
pub(super) fn merge_tags(tags: &mut Tags, input: &Value) -> Result<(), Fault> {
    check_tags(input)?;
    let new = self::tags(input);
    if let Some(key) = new.keys().find(|key| key.to_lowercase().starts_with("aws:")) {
        return Err(Fault::sender("InvalidInput", format!("Tag keys may not start with aws: ({key})")));
    }
    tags.extend(new);
    if tags.len() > TAGS_MAX {
        return Err(Fault::new(409, "LimitExceeded", "The number of tags has reached the maximum limit."));
    }
    Ok(())
}

/// The bounds of one call's tags, each and together.
fn check_tags(input: &Value) -> Result<(), Fault> {
    let list = input.get("Tags").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let bad = |value: &str, at: &str, problem: &str| {
        Err(invalid(format!(
            "1 validation error detected: Value '{value}' at '{at}' failed to satisfy constraint: Member must {problem}"
        )))
    };
    if list.len() > TAGS_MAX {
        return bad(&Value::from(list).to_string(), "tags", &format!("have length less than or equal to {TAGS_MAX}"));
    }
    let mut seen = BTreeSet::new();
    for (number, tag) in (1..).zip(list) {
        let (key, value) = (text(tag, "Key").unwrap_or_default(), text(tag, "Value").unwrap_or_default());
        let (at_key, at_value) = (format!("tags.{number}.member.key"), format!("tags.{number}.member.value"));
        let plain = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
        if key.chars().count() > TAG_KEY_LENGTH_MAX {
            return bad(key, &at_key, &format!("have length less than or equal to {TAG_KEY_LENGTH_MAX}"));
        }
        if value.chars().count() > TAG_VALUE_LENGTH_MAX {
            return bad(value, &at_value, &format!("have length less than or equal to {TAG_VALUE_LENGTH_MAX}"));
        }
        if key.is_empty() || !key.chars().all(plain) {
            return bad(key, &at_key, "satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+");
        }
        if !value.chars().all(plain) {
            return bad(value, &at_value, "satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*");
        }
        if !seen.insert(key.to_lowercase()) {
            let message = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            return Err(Fault::sender("InvalidInput", message));
        }
    }
    Ok(())
}

pub(super) fn remove_tags(tags: &mut Tags, input: &Value) {
    for key in input.get("TagKeys").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        tags.remove(key);
    }
}

/// One page of tags.
pub(super) fn tag_page(tags: &Tags, input: &Value) -> Result<Value, Fault> {
    page("Tags", tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect(), input)
}

pub(super) fn tag_list(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

/// One page of `items` under `member`, by `MaxItems` and `Marker`.
pub(super) fn page(member: &str, items: Vec<Value>, input: &Value) -> Result<Value, Fault> {
    let number = |name: &str| match text(input, name) {
        None => Ok(None),
        Some(text) => text.parse::<usize>().map(Some).map_err(|_| invalid(format!("Invalid {name}."))),
    };
    let size = number("MaxItems")?.unwrap_or(PAGE_ITEMS_DEFAULT).clamp(1, 1000);
    let start = number("Marker")?.unwrap_or(0);
    let end = start.saturating_add(size);
    let truncated = items.len() > end;
    let part: Vec<_> = items.into_iter().skip(start).take(size).collect();
    let mut answer = json!({ member: part, "IsTruncated": truncated });
    if truncated {
        answer["Marker"] = json!(end.to_string());
    }
    Ok(answer)
}
