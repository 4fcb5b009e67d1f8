//! Lists of tags in inputs, and what EC2 takes of them.

use serde_json::Value;

use super::store::{Kind, Tags};
use crate::fault::Fault;

/// Tags of one thing (EC2 User Guide, "Tag restrictions").
const MOST: usize = 50;

/// The tags that `TagSpecifications` gives what is made.
pub(super) fn given(input: &Value, kind: Kind) -> Result<Tags, Fault> {
    let mut tags = Tags::new();
    for specification in input.get("TagSpecifications").and_then(Value::as_array).into_iter().flatten() {
        let of = specification.get("ResourceType").and_then(Value::as_str).unwrap_or_default();
        if of != kind.resource() {
            let text = format!("'{of}' is not a valid taggable resource type for this operation.");
            return Err(Fault::sender("InvalidParameterValue", text));
        }
        tags.extend(list(specification));
    }
    check(&tags)?;
    Ok(tags)
}

/// The tags that an input itself lists.
pub(super) fn of_input(input: &Value) -> Tags {
    list(input).collect()
}

fn list(of: &Value) -> impl Iterator<Item = (String, String)> + '_ {
    let text = |tag: &Value, name: &str| tag.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    of.get("Tags")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(move |tag| (text(tag, "Key"), text(tag, "Value")))
}

pub(super) fn check(tags: &Tags) -> Result<(), Fault> {
    if let Some(key) = tags.keys().find(|key| key.is_empty() || key.len() > 127) {
        return Err(Fault::sender(
            "InvalidParameterValue",
            format!("Tag key length must be between 1 and 127 characters: '{key}'"),
        ));
    }
    if let Some(key) = tags.keys().find(|key| key.to_lowercase().starts_with("aws:")) {
        return Err(Fault::sender(
            "InvalidParameterValue",
            format!("Tag keys starting with 'aws:' are reserved for internal use: '{key}'"),
        ));
    }
    if tags.len() > MOST {
        return Err(Fault::sender("TagLimitExceeded", "The maximum number of Tags for a resource has been reached."));
    }
    Ok(())
}
