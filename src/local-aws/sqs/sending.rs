//! Sending a message.

use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::input::{invalid, missing, number, text};
use super::message::{Message, check_attributes, check_body, check_system_attributes, md5_of_attributes, md5_of_body};
use super::queue::Queue;
use crate::caller::Call;
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::identifier;

pub(super) fn send(cloud: &Cloud, call: &Call, name: &str, input: &Value) -> Result<Value, Fault> {
    let mut store = cloud.sqs();
    enqueue(cloud, call, store.queue(name)?, input)
}

/// The bytes that a message counts for.
pub(super) fn size(input: &Value) -> Result<usize, Fault> {
    let attributes = attributes(input, "MessageAttributes");
    Ok(text(input, "MessageBody").map_or(0, str::len) + check_attributes(&attributes)?)
}

fn attributes(input: &Value, name: &str) -> Map<String, Value> {
    input.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Checks one message and puts it on the queue.
pub(super) fn enqueue(cloud: &Cloud, call: &Call, queue: &mut Queue, input: &Value) -> Result<Value, Fault> {
    let body = text(input, "MessageBody").ok_or_else(|| missing("MessageBody"))?;
    check_body(body)?;
    let size_max = queue.settings.size_max();
    if size(input)? as u64 > size_max {
        return Err(invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {size_max} bytes."
        )));
    }
    let delay = number(input, "DelaySeconds", 0..=900)?;
    if queue.fifo && delay.is_some_and(|seconds| seconds > 0) {
        return Err(invalid(format!(
            "Value {} for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.",
            delay.unwrap_or_default()
        )));
    }
    let delay = delay.map_or_else(|| queue.settings.delay(), Duration::from_secs);
    let (group, deduplication_id) = ordering(queue, input, body)?;
    let message_attributes = attributes(input, "MessageAttributes");
    let system = attributes(input, "MessageSystemAttributes");
    check_system_attributes(&system)?;
    let now = cloud.clock.moment();
    let message = Message {
        id: identifier::uuid(),
        body: body.to_owned(),
        attributes: message_attributes,
        trace_header: system.get("AWSTraceHeader").and_then(|one| text(one, "StringValue")).map(str::to_owned),
        sender: call.caller.user_id(),
        sent_at: cloud.clock.now(),
        enqueued: now,
        visible: now.plus(delay),
        receives: 0,
        received: None,
        first_received_at: None,
        receipt: None,
        group,
        deduplication_id,
        sequence: None,
        source_arn: None,
    };
    let digest = md5_of_attributes(message.attributes.iter());
    let message = queue.add(message, now);
    let mut answer = json!({ "MessageId": message.id, "MD5OfMessageBody": md5_of_body(body) });
    if let Some(digest) = digest {
        answer["MD5OfMessageAttributes"] = json!(digest);
    }
    if let Some(digest) = md5_of_attributes(system.iter()) {
        answer["MD5OfMessageSystemAttributes"] = json!(digest);
    }
    if let Some(sequence) = message.sequence {
        answer["SequenceNumber"] = json!(sequence);
    }
    Ok(answer)
}

fn content_based(queue: &Queue) -> bool {
    queue.settings.fifo.as_ref().is_some_and(|fifo| fifo.content_based)
}

/// The group and deduplication id; a FIFO queue needs both.
fn ordering(queue: &Queue, input: &Value, body: &str) -> Result<(Option<String>, Option<String>), Fault> {
    let group = ordering_id(input, "MessageGroupId")?;
    let given = ordering_id(input, "MessageDeduplicationId")?;
    if !queue.fifo {
        return match given {
            Some(id) => Err(invalid(format!(
                "Value {id} for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter that is not valid for this queue type."
            ))),
            None => Ok((group, None)),
        };
    }
    let group = group.ok_or_else(|| missing("MessageGroupId"))?;
    let id = match given {
        Some(id) => id,
        None if content_based(queue) => hex::encode(Sha256::digest(body.as_bytes())),
        None => return Err(no_deduplication_id()),
    };
    Ok((Some(group), Some(id)))
}

fn ordering_id(input: &Value, name: &str) -> Result<Option<String>, Fault> {
    match text(input, name) {
        Some(id) if id.is_empty() || id.len() > 128 || !id.chars().all(|c| c.is_ascii_graphic()) => {
            Err(invalid(format!(
                "Value {id} for parameter {name} is invalid. Reason: {name} can only include alphanumeric and punctuation characters. 1 to 128 in length."
            )))
        }
        id => Ok(id.map(str::to_owned)),
    }
}

fn no_deduplication_id() -> Fault {
    invalid(
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
    )
}

/// What a FIFO queue misses in one entry is the fault of the whole batch.
pub(super) fn check_batch(queue: &Queue, entries: &[Value]) -> Result<(), Fault> {
    let lacks = |name: &str| entries.iter().any(|entry| text(entry, name).is_none());
    if queue.fifo && lacks("MessageGroupId") {
        return Err(invalid(missing("MessageGroupId").message));
    }
    if queue.fifo && !content_based(queue) && lacks("MessageDeduplicationId") {
        return Err(no_deduplication_id());
    }
    Ok(())
}

/// SQS words the size limit differently for an entry of a batch.
pub(super) fn fault_in_batch(mut fault: Fault) -> Fault {
    fault.message = fault.message.replace(
        "parameters are invalid. Reason: Message must",
        "parameters cannot be validated. Reason: Message must",
    );
    fault
}
