//! Queues themselves: making, finding, emptying, tagging and deleting them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::attributes::check_principals;
use super::input::{invalid, number, string_map, strings, text};
use super::queue::{Queue, is_fifo};
use super::queue_name::{address, arn};
use super::settings::Settings;
use super::store::no_queue;
use crate::caller::Call;
use crate::cloud::Cloud;
use crate::fault::Fault;

/// How long a deleted queue's name is not free, and how often a queue may be purged.
const PAUSE: Duration = Duration::from_mins(1);
const PAGE_MAX: u64 = 1000;
const TAGS_MAX: usize = 50;
const TAG_KEY_LENGTH_MAX: usize = 128;
const TAG_VALUE_LENGTH_MAX: usize = 256;

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
    let settings = Settings::new(is_fifo(name)).with(name, &attributes)?;
    check_principals(cloud, &settings)?;
    let tags = input.get("tags").or_else(|| input.get("Tags")).map(string_map).unwrap_or_default();
    check_tags(&tags)?;
    let now = cloud.clock.moment();
    let mut store = cloud.sqs();
    store.deleted.retain(|_, at| at.plus(PAUSE) > now);
    if store.deleted.contains_key(name) {
        return Err(Fault::sender(
            "AWS.SimpleQueueService.QueueDeletedRecently",
            "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
        ));
    }
    if let Some(existing) = store.queues.get(name) {
        // Whatever is given must be what the queue has; in normal form, so that spelling does not count.
        let (has, wants) = (existing.settings.report(), existing.settings.with(name, &attributes)?.report());
        return match attributes.keys().find(|key| has.get(*key) != wants.get(*key)) {
            None => Ok(answer),
            Some(key) => Err(Fault::sender(
                "QueueAlreadyExists",
                format!("A queue already exists with the same name and a different value for attribute {key}"),
            )),
        };
    }
    if let Some(redrive) = &settings.redrive {
        store.check_redrive(redrive, &arn(cloud, name), is_fifo(name))?;
    }
    let mut queue = Queue::new(name, arn(cloud, name), settings, call.now);
    queue.tags = tags;
    store.queues.insert(name.to_owned(), queue);
    Ok(answer)
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
    let store = cloud.sqs();
    page(cloud, call, "QueueUrls", store.queues.keys().filter(|name| name.starts_with(prefix)), input)
}

/// One page of queues under `member`; a token for the next one only if `MaxResults` was given, as SQS documents.
fn page<'a>(
    cloud: &Cloud,
    call: &Call,
    member: &str,
    names: impl Iterator<Item = &'a String>,
    input: &Value,
) -> Result<Value, Fault> {
    let size = number(input, "MaxResults", 1..=PAGE_MAX)?;
    let after = text(input, "NextToken").unwrap_or_default();
    let mut names = names.filter(|name| name.as_str() > after).peekable();
    let page: Vec<_> = names.by_ref().take(size.unwrap_or(PAGE_MAX) as usize).collect();
    let mut answer = json!({});
    if !page.is_empty() {
        answer[member] = page.iter().map(|name| address(cloud, call, name)).collect();
    }
    if size.is_some() && names.peek().is_some() {
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
            check_tags(&tags)?;
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

/// The bounds of a queue's tags.
fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Fault> {
    if tags.len() > TAGS_MAX {
        return Err(invalid("Too many tags added for queue."));
    }
    for (key, value) in tags {
        let bad = |problem: &str| Err(invalid(format!("Tag key {key} is invalid. Reason: {problem}")));
        if key.is_empty() || key.chars().count() > TAG_KEY_LENGTH_MAX {
            return bad("A tag key must have 1 to 128 characters.");
        }
        if value.chars().count() > TAG_VALUE_LENGTH_MAX {
            return bad("A tag value can have at most 256 characters.");
        }
        if key.to_lowercase().starts_with("aws:") {
            return bad("Tag keys that start with aws: are reserved for system use.");
        }
    }
    Ok(())
}

/// The queues whose dead letters go to this one.
pub(super) fn sources(cloud: &Cloud, call: &Call, name: &str, input: &Value) -> Result<Value, Fault> {
    let mut store = cloud.sqs();
    let target = store.queue(name)?.arn.clone();
    let redrives = |name: &&String| {
        let redrive = store.queues.get(*name).and_then(|queue| queue.settings.redrive.as_ref());
        redrive.is_some_and(|redrive| redrive.target_arn == target)
    };
    let mut answer = page(cloud, call, "queueUrls", store.queues.keys().filter(redrives), input)?;
    // The member is there even if it is empty.
    answer["queueUrls"] = answer.get("queueUrls").cloned().unwrap_or_else(|| json!([]));
    Ok(answer)
}
