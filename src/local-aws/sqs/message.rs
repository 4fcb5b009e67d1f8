//! A message: what was sent, and what has become of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clock::Moment;
use jiff::Timestamp;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value};

use super::input::invalid;
use crate::fault::Fault;

const ATTRIBUTES_MAX: usize = 10;
const NAME_LENGTH_MAX: usize = 256;

#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) body: String,
    pub(super) attributes: Map<String, Value>,
    pub(super) trace_header: Option<String>,
    pub(super) sender: String,
    pub(super) sent_at: Timestamp,
    /// On the clock's axis; retention counts from here.
    pub(super) enqueued: Moment,
    /// When it can be received next.
    pub(super) visible: Moment,
    pub(super) receives: u64,
    /// When it was last received: nobody may hide it for more than half a day from then.
    pub(super) received: Option<Moment>,
    pub(super) first_received_at: Option<Timestamp>,
    /// The nonce of the latest receipt handle; `None` until it is received from this queue.
    pub(super) receipt: Option<String>,
    pub(super) group: Option<String>,
    pub(super) deduplication_id: Option<String>,
    pub(super) sequence: Option<String>,
    /// The queue that this dead letter comes from.
    pub(super) source_arn: Option<String>,
}

fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// Characters that XML 1.0 cannot carry are refused in both protocols.
pub(super) fn check_body(body: &str) -> Result<(), Fault> {
    if body.is_empty() {
        return Err(super::input::missing("MessageBody"));
    }
    if body.chars().all(is_allowed) {
        return Ok(());
    }
    Err(Fault::sender(
        "InvalidMessageContents",
        "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
    ))
}

/// Checks message attributes and gives their size in bytes.
pub(super) fn check_attributes(attributes: &Map<String, Value>) -> Result<usize, Fault> {
    if attributes.len() > ATTRIBUTES_MAX {
        return Err(invalid(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{ATTRIBUTES_MAX}].",
            attributes.len()
        )));
    }
    let mut size = 0;
    for (name, attribute) in attributes {
        check_name(name)?;
        check_lists(attribute)?;
        let kind = attribute.get("DataType").and_then(Value::as_str).unwrap_or_default();
        let base = kind.split('.').next().unwrap_or_default();
        if !matches!(base, "String" | "Number" | "Binary") {
            return Err(invalid(format!(
                "The type of message (user) attribute '{name}' is invalid. You must use only the following supported type prefixes: Binary, Number, String."
            )));
        }
        let value = value(attribute).filter(|value| !value.is_empty()).ok_or_else(|| {
            invalid(format!("Message (user) attribute '{name}' must contain a non-empty value of type '{base}'."))
        })?;
        if base == "Number"
            && std::str::from_utf8(&value).ok().and_then(|text| text.trim().parse::<f64>().ok()).is_none()
        {
            return Err(invalid(format!("Can't cast the value of message (user) attribute '{name}' to a number.")));
        }
        if base != "Binary" && !std::str::from_utf8(&value).is_ok_and(|text| text.chars().all(is_allowed)) {
            return Err(invalid(format!(
                "Invalid binary character was found in the value of message (user) attribute '{name}'."
            )));
        }
        size += name.len() + kind.len() + value.len();
    }
    Ok(size)
}

/// The one system attribute that can be sent is the X-Ray trace header, as text. It does not count for the size.
pub(super) fn check_system_attributes(attributes: &Map<String, Value>) -> Result<(), Fault> {
    for (name, attribute) in attributes {
        if name != "AWSTraceHeader" {
            return Err(invalid(format!("Message system attribute name '{name}' is invalid.")));
        }
        check_lists(attribute)?;
        let kind = attribute.get("DataType").and_then(Value::as_str).unwrap_or_default();
        let text = attribute.get("StringValue").and_then(Value::as_str).unwrap_or_default();
        if kind != "String" || text.is_empty() {
            return Err(invalid(format!(
                "The message system attribute '{name}' must have the type String and a non-empty value."
            )));
        }
    }
    Ok(())
}

/// The API's shape has lists, and SQS does not take them.
fn check_lists(attribute: &Value) -> Result<(), Fault> {
    let given = ["StringListValues", "BinaryListValues"]
        .into_iter()
        .any(|name| attribute.get(name).is_some_and(|list| list.as_array().is_none_or(|list| !list.is_empty())));
    if given {
        return Err(Fault::sender(
            "AWS.SimpleQueueService.UnsupportedOperation",
            "Message attribute list values in SendMessage operation are not supported.",
        ));
    }
    Ok(())
}

/// A message attribute's name: no other characters than these, no dots at the ends or in a row, no prefix of AWS's own.
fn check_name(name: &str) -> Result<(), Fault> {
    let lower = name.to_lowercase();
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if name.is_empty() || name.len() > NAME_LENGTH_MAX || !plain {
        return Err(invalid(format!(
            "The message attribute name '{name}' is invalid. Attribute name can contain A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) characters."
        )));
    }
    if name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        return Err(invalid(format!(
            "The message attribute name '{name}' is invalid. It can't start or end with a period, or have successive periods."
        )));
    }
    if lower.starts_with("aws.") || lower.starts_with("amazon.") {
        return Err(invalid(format!(
            "The message attribute name '{name}' is invalid. It can't start with AWS. or Amazon. (or any casing variants)."
        )));
    }
    Ok(())
}

fn value(attribute: &Value) -> Option<Vec<u8>> {
    let text = |name: &str| attribute.get(name).and_then(Value::as_str);
    if text("DataType").is_some_and(|kind| kind.starts_with("Binary")) {
        return STANDARD.decode(text("BinaryValue")?).ok();
    }
    text("StringValue").map(|text| text.as_bytes().to_vec())
}

pub(super) fn md5_of_body(body: &str) -> String {
    hex::encode(Md5::digest(body.as_bytes()))
}

/// The digest over the attributes in the order of their names; `None` without any.
///
/// SQS Developer Guide, "Calculating the MD5 message digest for message attributes".
pub(super) fn md5_of_attributes<'a>(attributes: impl Iterator<Item = (&'a String, &'a Value)>) -> Option<String> {
    let mut sorted: Vec<_> = attributes.collect();
    if sorted.is_empty() {
        return None;
    }
    sorted.sort_by_key(|(name, _)| *name);
    let mut bytes = Vec::new();
    for (name, attribute) in sorted {
        let kind = attribute.get("DataType").and_then(Value::as_str).unwrap_or_default();
        let value = value(attribute).unwrap_or_default();
        for part in [name.as_bytes(), kind.as_bytes()] {
            bytes.extend((part.len() as u32).to_be_bytes());
            bytes.extend(part);
        }
        bytes.push(if kind.starts_with("Binary") { 2 } else { 1 });
        bytes.extend((value.len() as u32).to_be_bytes());
        bytes.extend(value);
    }
    Some(hex::encode(Md5::digest(&bytes)))
}
