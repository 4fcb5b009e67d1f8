//! Queue attributes: checking, setting and reporting them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::input::{invalid, string_map, strings};
use super::queue::{Queue, Redrive, is_fifo};
use super::{Store, input};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::policy::{Document, Kind, Named};

/// Numeric settings: name, least, most, default. The size limit is the 1 MiB of August 2025.
const NUMBERS: [(&str, u64, u64, u64); 6] = [
    ("DelaySeconds", 0, 900, 0),
    ("MaximumMessageSize", 1024, 1_048_576, 1_048_576),
    ("MessageRetentionPeriod", 60, 1_209_600, 345_600),
    ("ReceiveMessageWaitTimeSeconds", 0, 20, 0),
    ("VisibilityTimeout", 0, 43_200, 30),
    ("KmsDataKeyReusePeriodSeconds", 60, 86_400, 300),
];
const COUNTS: [&str; 3] =
    ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"];

/// The settings of a queue that none were given for.
pub(super) fn defaults(fifo: bool) -> BTreeMap<String, String> {
    let mut settings: BTreeMap<String, String> = NUMBERS
        .iter()
        .filter(|(name, ..)| !name.starts_with("Kms"))
        .map(|(name, _, _, default)| ((*name).to_owned(), default.to_string()))
        .collect();
    settings.insert("SqsManagedSseEnabled".into(), "true".into());
    if fifo {
        settings.insert("FifoQueue".into(), "true".into());
        settings.insert("ContentBasedDeduplication".into(), "false".into());
        settings.insert("DeduplicationScope".into(), "queue".into());
        settings.insert("FifoThroughputLimit".into(), "perQueue".into());
    }
    settings
}

fn bad_value(name: &str) -> Fault {
    Fault::sender("InvalidAttributeValue", format!("Invalid value for the parameter {name}."))
}

/// Checks one setting.
fn check(name: &str, value: &str, fifo: bool) -> Result<(), Fault> {
    if let Some((_, least, most, _)) = NUMBERS.iter().find(|(known, ..)| *known == name) {
        let fine = value.parse::<u64>().is_ok_and(|number| (*least..=*most).contains(&number));
        return if fine { Ok(()) } else { Err(bad_value(name)) };
    }
    let fine = match name {
        "ContentBasedDeduplication" if fifo => matches!(value, "true" | "false"),
        "FifoQueue" if fifo => value == "true",
        "DeduplicationScope" if fifo => matches!(value, "queue" | "messageGroup"),
        "FifoThroughputLimit" if fifo => matches!(value, "perQueue" | "perMessageGroupId"),
        "SqsManagedSseEnabled" => matches!(value, "true" | "false"),
        "Policy" | "RedrivePolicy" | "RedriveAllowPolicy" | "KmsMasterKeyId" => true,
        "DeduplicationScope" | "FifoThroughputLimit" => {
            let message = format!("You can specify the {name} only when FifoQueue is set to true.");
            return Err(Fault::sender("InvalidAttributeName", message));
        }
        _ => return Err(Fault::sender("InvalidAttributeName", format!("Unknown Attribute {name}."))),
    };
    if fine { Ok(()) } else { Err(bad_value(name)) }
}

/// Checked attributes, ready to be applied.
pub(super) struct Change {
    pub(super) settings: BTreeMap<String, String>,
    policy: Edit<Named>,
    redrive: Edit<Redrive>,
}

/// What becomes of a document; an empty text takes it away.
enum Edit<T> {
    Keep,
    Remove,
    Set(T),
}

impl<T> Edit<T> {
    /// By the attribute's text, if it is given.
    fn of(text: Option<&String>, parse: impl FnOnce(&str) -> Result<T, Fault>) -> Result<Self, Fault> {
        match text.map(String::as_str) {
            None => Ok(Self::Keep),
            Some("") => Ok(Self::Remove),
            Some(text) => parse(text).map(Self::Set),
        }
    }

    fn apply(self, document: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Remove => *document = None,
            Self::Set(new) => *document = Some(new),
        }
    }
}

impl Change {
    pub(super) fn check(store: &Store, name: &str, attributes: BTreeMap<String, String>) -> Result<Self, Fault> {
        let fifo = is_fifo(name);
        for (key, value) in &attributes {
            check(key, value, fifo)?;
        }
        let policy = Edit::of(attributes.get("Policy"), |text| policy(name, text))?;
        let redrive = Edit::of(attributes.get("RedrivePolicy"), |text| redrive(store, fifo, text))?;
        Ok(Self { settings: attributes, policy, redrive })
    }

    pub(super) fn apply(self, queue: &mut Queue) {
        for (key, value) in self.settings {
            // An empty text takes a document away.
            if value.is_empty() {
                queue.settings.remove(&key)
            } else {
                queue.settings.insert(key, value)
            };
        }
        self.policy.apply(&mut queue.policy);
        self.redrive.apply(&mut queue.redrive);
        // Settings change what waits: a shorter delay or a policy may matter to open polls.
        queue.wake.notify_waiters();
    }
}

fn policy(queue: &str, text: &str) -> Result<Named, Fault> {
    match Document::parse(text, Kind::Resource) {
        Ok(document) => Ok(Named { name: format!("the policy of queue {queue}"), document: Arc::new(document) }),
        Err(why) => Err(Fault::sender(
            "InvalidAttributeValue",
            format!("Invalid value for the parameter Policy. Reason: {why}"),
        )),
    }
}

fn redrive(store: &Store, fifo: bool, text: &str) -> Result<Redrive, Fault> {
    let bad = |reason: &str| invalid(format!("Value {text} for parameter RedrivePolicy is invalid. Reason: {reason}"));
    let value: Value = serde_json::from_str(text).map_err(|_| bad("Redrive policy is not a valid JSON map."))?;
    let target = value.get("deadLetterTargetArn").and_then(Value::as_str);
    let target =
        target.ok_or_else(|| bad("Redrive policy does not contain mandatory attribute: deadLetterTargetArn."))?;
    let count = value
        .get("maxReceiveCount")
        .ok_or_else(|| bad("Redrive policy does not contain mandatory attribute: maxReceiveCount."))?;
    let number = count.as_u64().or_else(|| count.as_str().and_then(|text| text.parse().ok()));
    let receives_max = number.filter(|count| (1..=1000).contains(count)).ok_or_else(|| {
        bad(&format!("Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both inclusive."))
    })?;
    let dead_letters = store.queues.values().find(|queue| queue.arn == target);
    match dead_letters {
        None => Err(bad("Dead letter target does not exist.")),
        Some(queue) if queue.fifo != fifo => Err(bad("Dead-letter queue must be same type of queue as the source.")),
        Some(_) => Ok(Redrive { target_arn: target.to_owned(), receives_max }),
    }
}

pub(super) fn set(cloud: &Cloud, name: &str, input: &Value) -> Result<Value, Fault> {
    let attributes = input.get("Attributes").map(string_map).ok_or_else(|| input::missing("Attribute.Name"))?;
    let mut store = cloud.sqs();
    store.queue(name)?;
    if is_fifo(name) && attributes.get("FifoQueue").is_some_and(|flag| flag != "true") {
        return Err(Fault::sender(
            "InvalidAttributeValue",
            "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
        ));
    }
    let change = Change::check(&store, name, attributes)?;
    let queue = store.queue(name)?;
    change.apply(queue);
    queue.modified_at = cloud.clock.now();
    Ok(json!({}))
}

pub(super) fn get(cloud: &Cloud, name: &str, input: &Value) -> Result<Value, Fault> {
    let names = strings(input, "AttributeNames");
    let now = cloud.clock.moment();
    let mut store = cloud.sqs();
    let queue = store.queue(name)?;
    queue.expire(now);
    let all = report(queue, now);
    let everything = names.iter().any(|name| name == "All");
    for name in names.iter().filter(|name| *name != "All") {
        let known = all.contains_key(name)
            || matches!(
                name.as_str(),
                "Policy" | "RedrivePolicy" | "RedriveAllowPolicy" | "KmsMasterKeyId" | "KmsDataKeyReusePeriodSeconds"
            )
            || matches!(
                name.as_str(),
                "FifoQueue" | "ContentBasedDeduplication" | "DeduplicationScope" | "FifoThroughputLimit"
            );
        if !known {
            return Err(Fault::sender("InvalidAttributeName", format!("Unknown Attribute {name}.")));
        }
    }
    let chosen: Map<String, Value> = all.into_iter().filter(|(key, _)| everything || names.contains(key)).collect();
    Ok(if chosen.is_empty() { json!({}) } else { json!({ "Attributes": chosen }) })
}

fn report(queue: &Queue, now: clock::Moment) -> Map<String, Value> {
    let counts = queue.counts(now);
    let mut all: Map<String, Value> = queue.settings.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    for (name, count) in COUNTS.into_iter().zip([counts.visible, counts.in_flight, counts.delayed]) {
        all.insert(name.into(), json!(count.to_string()));
    }
    all.insert("QueueArn".into(), json!(queue.arn));
    all.insert("CreatedTimestamp".into(), json!(queue.created_at.as_second().to_string()));
    all.insert("LastModifiedTimestamp".into(), json!(queue.modified_at.as_second().to_string()));
    all
}
