//! All log groups.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::faults::{absent, invalid};
use super::group::{Group, Tags, check_tags, tags};
use crate::fault::Fault;

/// What a retention may be.
const RETENTIONS: [u64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];
const PAGE: u64 = 50;

#[derive(Debug)]
pub(crate) struct Store {
    /// What every ARN begins with.
    prefix: String,
    pub(super) groups: BTreeMap<String, Group>,
}

/// The name of the group that an input is about.
pub(super) fn name(input: &Value) -> Result<&str, Fault> {
    input.get("logGroupName").and_then(Value::as_str).ok_or_else(|| invalid("logGroupName is required."))
}

impl Store {
    pub(crate) fn new(region: &str, account: &str) -> Self {
        Self { prefix: format!("arn:aws:logs:{region}:{account}:log-group:"), groups: BTreeMap::new() }
    }

    pub(super) fn arn(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(super) fn by_arn(&mut self, arn: &str) -> Option<&mut Group> {
        self.groups.get_mut(arn.strip_prefix(self.prefix.as_str())?)
    }

    /// ARN and tags of each group, for the tag search.
    pub(crate) fn tagged(&self) -> Vec<(String, Tags)> {
        self.groups.values().map(|group| (group.arn.clone(), group.tags.clone())).collect()
    }

    /// The group of a service that writes into it, made if it is not there: it has no retention and no tags then.
    pub(crate) fn write_into(&mut self, name: &str, now: Timestamp) {
        if !self.groups.contains_key(name) {
            let group = self.group(name, now);
            self.groups.insert(name.to_owned(), group);
        }
    }

    fn group(&self, name: &str, now: Timestamp) -> Group {
        Group {
            name: name.to_owned(),
            arn: self.arn(name),
            class: "STANDARD".to_owned(),
            created_at: now,
            retention_days: None,
            tags: Tags::new(),
        }
    }

    pub(super) fn create(&mut self, input: &Value, now: Timestamp) -> Result<Value, Fault> {
        let name = name(input)?;
        let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-/#".contains(c));
        if !is_plain || name.is_empty() || name.len() > 512 {
            let pattern = "[\\.\\-_/#A-Za-z0-9]+";
            return Err(invalid(format!(
                "1 validation error detected: Value '{name}' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: {pattern}"
            )));
        }
        let (tags, class) = (tags(input), input.get("logGroupClass").and_then(Value::as_str));
        check_tags(&tags)?;
        let mut group = self.group(name, now);
        group.tags = tags;
        if let Some(class) = class {
            class.clone_into(&mut group.class);
        }
        match self.groups.entry(name.to_owned()) {
            Entry::Occupied(_) => {
                Err(Fault::sender("ResourceAlreadyExistsException", "The specified log group already exists"))
            }
            Entry::Vacant(free) => {
                free.insert(group);
                Ok(json!({}))
            }
        }
    }

    pub(super) fn describe(&self, input: &Value) -> Result<Value, Fault> {
        let text = |name: &str| input.get(name).and_then(Value::as_str);
        let (prefix, part) = (text("logGroupNamePrefix"), text("logGroupNamePattern"));
        if prefix.is_some() && part.is_some() {
            return Err(invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."));
        }
        let class = text("logGroupClass");
        let fits = |group: &&Group| {
            prefix.is_none_or(|prefix| group.name.starts_with(prefix))
                && part.is_none_or(|part| group.name.contains(part))
                && class.is_none_or(|class| group.class == class)
        };
        let start = match text("nextToken") {
            None => 0,
            Some(token) => token.parse().map_err(|_| invalid("The specified nextToken is invalid."))?,
        };
        let size = input.get("limit").and_then(Value::as_u64).unwrap_or(PAGE).min(PAGE) as usize;
        let found: Vec<_> = self.groups.values().filter(fits).collect();
        let end = usize::saturating_add(start, size);
        let page: Vec<_> = found.iter().skip(start).take(size).map(|group| group.value()).collect();
        let mut answer = json!({ "logGroups": page });
        if found.len() > end {
            answer["nextToken"] = json!(end.to_string());
        }
        Ok(answer)
    }

    pub(super) fn delete(&mut self, name: &str) -> Result<Value, Fault> {
        self.groups.remove(name).map(|_| json!({})).ok_or_else(absent)
    }

    pub(super) fn retain(&mut self, name: &str, days: Option<u64>) -> Result<Value, Fault> {
        if let Some(days) = days.filter(|days| !RETENTIONS.contains(days)) {
            let set = RETENTIONS.map(|one| one.to_string()).join(", ");
            return Err(invalid(format!(
                "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [{set}]"
            )));
        }
        self.groups.get_mut(name).ok_or_else(absent)?.retention_days = days;
        Ok(json!({}))
    }
}
