//! Queue attributes: setting and reporting them.

use serde_json::{Map, Value, json};

use super::input;
use super::input::{string_map, strings};
use super::queue::Queue;
use super::settings::{Settings, is_known};
use crate::cloud::Cloud;
use crate::fault::Fault;

const COUNTS: [&str; 3] =
    ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"];

pub(super) fn set(cloud: &Cloud, name: &str, input: &Value) -> Result<Value, Fault> {
    let attributes = input.get("Attributes").map(string_map).ok_or_else(|| input::missing("Attribute.Name"))?;
    let before = cloud.sqs().queue(name)?.settings.clone();
    check_principals(cloud, &before.with(name, &attributes)?)?;
    let now = cloud.clock.moment();
    let mut store = cloud.sqs();
    // Made again on what the queue is set to now: another call may have come between.
    let queue = store.queue(name)?;
    let (settings, arn, fifo) = (queue.settings.with(name, &attributes)?, queue.arn.clone(), queue.fifo);
    if let Some(redrive) = settings.redrive.as_ref().filter(|_| attributes.contains_key("RedrivePolicy")) {
        store.check_redrive(redrive, &arn, fifo)?;
    }
    let queue = store.queue(name)?;
    queue.set(settings, now);
    queue.modified_at = cloud.clock.now();
    Ok(json!({}))
}

/// The users and roles of this account that a policy names must exist.
pub(super) fn check_principals(cloud: &Cloud, settings: &Settings) -> Result<(), Fault> {
    let Some(policy) = &settings.policy else { return Ok(()) };
    let iam = cloud.iam();
    match policy.named.document.aws_principals().find(|principal| !iam.principal_exists(principal)) {
        None => Ok(()),
        Some(none) => Err(Fault::sender(
            "InvalidAttributeValue",
            format!("Invalid value for the parameter Policy. Reason: Invalid principal in policy: \"AWS\":\"{none}\""),
        )),
    }
}

pub(super) fn get(cloud: &Cloud, name: &str, input: &Value) -> Result<Value, Fault> {
    let names = strings(input, "AttributeNames");
    let now = cloud.clock.moment();
    let mut store = cloud.sqs();
    let queue = store.queue(name)?;
    queue.expire(now);
    let all = report(queue, now);
    let everything = names.iter().any(|name| name == "All");
    if let Some(name) = names.iter().find(|name| *name != "All" && !all.contains_key(*name) && !is_known(name)) {
        return Err(Fault::sender("InvalidAttributeName", format!("Unknown Attribute {name}.")));
    }
    let chosen: Map<String, Value> = all.into_iter().filter(|(key, _)| everything || names.contains(key)).collect();
    Ok(if chosen.is_empty() { json!({}) } else { json!({ "Attributes": chosen }) })
}

/// Whether a queue can have an attribute of this name.
pub(super) fn is_queue_attribute(name: &str) -> bool {
    is_known(name)
        || COUNTS.contains(&name)
        || matches!(name, "QueueArn" | "CreatedTimestamp" | "LastModifiedTimestamp")
        || Settings::new(false).report().contains_key(name)
}

fn report(queue: &Queue, now: clock::Moment) -> Map<String, Value> {
    let counts = queue.counts(now);
    let mut all = queue.settings.report();
    for (name, count) in COUNTS.into_iter().zip([counts.visible, counts.in_flight, counts.delayed]) {
        all.insert(name.into(), json!(count.to_string()));
    }
    all.insert("QueueArn".into(), json!(queue.arn));
    all.insert("CreatedTimestamp".into(), json!(queue.created_at.as_second().to_string()));
    all.insert("LastModifiedTimestamp".into(), json!(queue.modified_at.as_second().to_string()));
    all
}
