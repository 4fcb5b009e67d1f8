//! One log group.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::faults::invalid;
use crate::fault::Fault;

pub(crate) type Tags = BTreeMap<String, String>;

/// AWS's limit.
const TAGS_MAX: usize = 50;

#[derive(Debug)]
pub(crate) struct Group {
    pub(super) name: String,
    /// Without `:*` at its end.
    pub(super) arn: String,
    pub(super) class: String,
    pub(super) created_at: Timestamp,
    /// For ever, if none.
    pub(super) retention_days: Option<u64>,
    pub(super) tags: Tags,
}

impl Group {
    /// As `DescribeLogGroups` gives it.
    pub(super) fn value(&self) -> Value {
        let mut value = json!({
            "logGroupName": self.name,
            "creationTime": self.created_at.as_millisecond(),
            "metricFilterCount": 0,
            "arn": format!("{}:*", self.arn),
            "logGroupArn": self.arn,
            "logGroupClass": self.class,
            "storedBytes": 0,
            "deletionProtectionEnabled": false,
        });
        if let Some(days) = self.retention_days {
            value["retentionInDays"] = json!(days);
        }
        value
    }
}

/// The tags of an input.
pub(super) fn tags(input: &Value) -> Tags {
    let map = input.get("tags").and_then(Value::as_object);
    map.into_iter().flatten().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

pub(super) fn check_tags(tags: &Tags) -> Result<(), Fault> {
    if let Some(key) = tags.keys().find(|key| key.to_lowercase().starts_with("aws:")) {
        return Err(invalid(format!("The tag key {key} is invalid: keys do not start with aws:.")));
    }
    if tags.len() > TAGS_MAX {
        return Err(Fault::sender("TooManyTagsException", format!("A resource has at most {TAGS_MAX} tags.")));
    }
    Ok(())
}
