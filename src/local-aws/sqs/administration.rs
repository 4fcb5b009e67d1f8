//! Queues themselves: making, finding, emptying, tagging and deleting them.

use std::time::Duration;

use serde_json::{Value, json};

use super::attributes::{Change, defaults};
use super::input::{invalid, number, string_map, strings, text};
use super::queue::{Queue, is_fifo};
use super::{arn, no_queue};
use crate::caller::Call;
use crate::cloud::Cloud;
use crate::fault::Fault;

/// How long a deleted queue's name is not free, and how often a queue may be purged.
const PAUSE: Duration = Duration::from_mins(1);

fn address(cloud: &Cloud, call: &Call, name: &str) -> Value {
    json!(format!("http://{}/{}/{name}", call.host, cloud.account))
}

fn check_name(name: &str, fifo: bool) -> Result<(), Fault> {
    let stem = name.strip_suffix(".fifo").filter(|_| fifo).unwrap_or(name);
    let plain = !stem.is_empty() && stem.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if name.len() <= 80 && plain && fifo == is_fifo(name) {
        return Ok(());
    }
    Err(invalid(if fifo {
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length"
    } else {
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
    }))
}

pub(super) fn create(cloud: &Cloud, call: &Call, name: &str, input: &Value) -> Result<Value, Fault> {
    let attributes = input.get("Attributes").map(string_map).unwrap_or_default();
    check_name(name, attributes.get("FifoQueue").is_some_and(|flag| flag == "true"))?;
    let answer = json!({ "QueueUrl": address(cloud, call, name) });
    let now = cloud.clock.moment();
    let mut store = cloud.sqs();
    store.deleted.retain(|_, at| at.plus(PAUSE) > now);
    if store.deleted.contains_key(name) {
        return Err(Fault::sender(
            "AWS.SimpleQueueService.QueueDeletedRecently",
            "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
        ));
    }
    let change = Change::check(&store, name, attributes)?;
    if let Some(existing) = store.queues.get(name) {
        return match change.settings.iter().find(|(key, value)| !same(existing, key, value)) {
            None => Ok(answer),
            Some((key, _)) => Err(Fault::sender(
                "QueueAlreadyExists",
                format!("A queue already exists with the same name and a different value for attribute {key}"),
            )),
        };
    }
    let mut queue = Queue::new(name, arn(cloud, name), defaults(is_fifo(name)), call.now);
    queue.tags = input.get("tags").or_else(|| input.get("Tags")).map(string_map).unwrap_or_default();
    change.apply(&mut queue);
    store.queues.insert(name.to_owned(), queue);
    Ok(answer)
}

/// Documents are compared as JSON, other settings as text.
fn same(queue: &Queue, key: &str, value: &str) -> bool {
    let existing = queue.settings.get(key).map(String::as_str).unwrap_or_default();
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    existing == value || (parsed(existing).is_some() && parsed(existing) == parsed(value))
}

pub(super) fn url(cloud: &Cloud, call: &Call, name: &str, input: &Value) -> Result<Value, Fault> {
    let elsewhere = text(input, "QueueOwnerAWSAccountId").is_some_and(|owner| owner != cloud.account);
    if elsewhere {
        return Err(no_queue());
    }
    cloud.sqs().queue(name)?;
    Ok(json!({ "QueueUrl": address(cloud, call, name) }))
}

pub(super) fn list(cloud: &Cloud, call: &Call, input: &Value) -> Result<Value, Fault> {
    let prefix = text(input, "QueueNamePrefix").unwrap_or_default();
    let size = number(input, "MaxResults", 1..=1000)?.unwrap_or(1000) as usize;
    let after = text(input, "NextToken").unwrap_or_default();
    let store = cloud.sqs();
    let mut names = store.queues.keys().filter(|name| name.starts_with(prefix) && name.as_str() > after).peekable();
    let page: Vec<_> = names.by_ref().take(size).cloned().collect();
    let mut answer = json!({});
    if !page.is_empty() {
        answer["QueueUrls"] = page.iter().map(|name| address(cloud, call, name)).collect();
    }
    if names.peek().is_some() {
        answer["NextToken"] = json!(page.last());
    }
    Ok(answer)
}

pub(super) fn delete(cloud: &Cloud, name: &str) -> Result<Value, Fault> {
    let mut store = cloud.sqs();
    let queue = store.queues.remove(name).ok_or_else(no_queue)?;
    store.deleted.insert(name.to_owned(), cloud.clock.moment());
    // Open polls find that the queue is gone.
    queue.wake.notify_waiters();
    Ok(json!({}))
}

pub(super) fn purge(cloud: &Cloud, name: &str) -> Result<Value, Fault> {
    let now = cloud.clock.moment();
    let mut store = cloud.sqs();
    let queue = store.queue(name)?;
    if queue.purged.is_some_and(|at| at.plus(PAUSE) > now) {
        return Err(Fault::new(
            403,
            "AWS.SimpleQueueService.PurgeQueueInProgress",
            format!("Only one PurgeQueue operation on {} is allowed every 60 seconds.", queue.name),
        ));
    }
    queue.purged = Some(now);
    queue.messages.clear();
    Ok(json!({}))
}

pub(super) fn tags(cloud: &Cloud, action: &str, name: &str, input: &Value) -> Result<Value, Fault> {
    let mut store = cloud.sqs();
    let queue = store.queue(name)?;
    match action {
        "TagQueue" => {
            let mut tags = queue.tags.clone();
            tags.extend(input.get("Tags").map(string_map).unwrap_or_default());
            if tags.len() > 50 {
                return Err(invalid("Too many tags added for queue."));
            }
            queue.tags = tags;
        }
        "UntagQueue" => strings(input, "TagKeys").iter().for_each(|key| {
            queue.tags.remove(key);
        }),
        _ if queue.tags.is_empty() => {}
        _ => return Ok(json!({ "Tags": queue.tags })),
    }
    Ok(json!({}))
}

/// The queues whose dead letters go to this one.
pub(super) fn sources(cloud: &Cloud, call: &Call, name: &str) -> Result<Value, Fault> {
    let mut store = cloud.sqs();
    let target = store.queue(name)?.arn.clone();
    let sources = store
        .queues
        .values()
        .filter(|queue| queue.redrive.as_ref().is_some_and(|redrive| redrive.target_arn == target));
    Ok(json!({ "queueUrls": sources.map(|queue| address(cloud, call, &queue.name)).collect::<Vec<_>>() }))
}
