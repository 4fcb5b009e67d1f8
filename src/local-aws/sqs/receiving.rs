//! Receiving with long polling, and how a received message is shown.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::attempt;
use super::attributes::is_queue_attribute;
use super::input::{number, strings};
use super::message::{Message, md5_of_attributes, md5_of_body};
use super::queue::Taken;
use super::store::Store;
use crate::cloud::Cloud;
use crate::fault::Fault;

/// SQS's limits of messages that are received and not deleted.
const IN_FLIGHT_MAX: usize = 120_000;
/// What a message says about itself beyond its body.
const SYSTEM_ATTRIBUTES: [&str; 9] = [
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];
/// Waits up to the wait time for a first message. Nothing is taken before there is something to answer, so a client
/// that goes away while waiting loses nothing.
pub(super) async fn receive(cloud: &Cloud, name: &str, input: &Value) -> Result<Value, Fault> {
    let count_max = number(input, "MaxNumberOfMessages", 1..=10)?.unwrap_or(1) as usize;
    let visibility = number(input, "VisibilityTimeout", 0..=43_200)?;
    let attempt = attempt::id(cloud.sqs().queue(name)?.fifo, input)?;
    check_names(input)?;
    let request = ReceiveRequest { count_max, visibility, attempt };
    let wait = number(input, "WaitTimeSeconds", 0..=20)?;
    let start = cloud.clock.moment();
    loop {
        let wake = cloud.sqs().queue(name)?.wake.clone();
        let woken = wake.notified();
        tokio::pin!(woken);
        // Registered before looking, so that a message sent in between is not missed.
        woken.as_mut().enable();
        let now = cloud.clock.moment();
        let (taken, deadline) = {
            let mut store = cloud.sqs();
            let queue = store.queue(name)?;
            let wait = wait.map_or_else(|| queue.settings.wait(), Duration::from_secs);
            (store.take(cloud, name, &request)?, start.plus(wait))
        };
        if !taken.received.is_empty() || now >= deadline {
            return Ok(answer(taken, input));
        }
        let next = taken.next.map_or(deadline, |next| next.min(deadline));
        tokio::select! {
            () = &mut woken => {}
            () = cloud.clock.sleep_until(next) => {}
            () = cloud.stop.cancelled() => return Ok(json!({})),
        }
    }
}

/// What a receive wants.
struct ReceiveRequest<'a> {
    count_max: usize,
    /// Seconds; the queue's if not given.
    visibility: Option<u64>,
    attempt: Option<&'a str>,
}

impl Store {
    fn take(&mut self, cloud: &Cloud, name: &str, request: &ReceiveRequest<'_>) -> Result<Taken, Fault> {
        let now = cloud.clock.moment();
        let queue = self.queue(name)?;
        let visibility = request.visibility.map_or_else(|| queue.settings.visibility(), Duration::from_secs);
        if let Some(taken) = request.attempt.and_then(|attempt| queue.repeat(attempt, visibility, now)) {
            return Ok(taken);
        }
        if queue.counts(now).in_flight >= IN_FLIGHT_MAX {
            // A FIFO queue gives no error then, only no message.
            if queue.fifo {
                return Ok(Taken::default());
            }
            return Err(Fault::new(
                403,
                "OverLimit",
                "Too many messages are in flight; delete messages before receiving more.",
            ));
        }
        let target_arn = queue.settings.redrive.as_ref().map(|redrive| redrive.target_arn.clone());
        let target_exists = self.queues.values().any(|queue| Some(&queue.arn) == target_arn.as_ref());
        let queue = self.queue(name)?;
        let mut taken =
            queue.take(target_exists, request.count_max, visibility, now, cloud.clock.now(), request.attempt);
        let source = queue.arn.clone();
        let target = self.queues.values_mut().find(|queue| Some(&queue.arn) == target_arn.as_ref());
        if let Some(target) = target {
            for mut message in taken.dead.drain(..) {
                message.receipt = None;
                message.visible = now;
                message.source_arn = Some(source.clone());
                // Retention counts on from the first sending in a standard queue, and anew in a FIFO queue.
                if target.fifo {
                    message.enqueued = now;
                }
                target.push(message);
            }
        }
        Ok(taken)
    }
}

/// Names that no message can have an attribute of are refused, as for queues.
fn check_names(input: &Value) -> Result<(), Fault> {
    for parameter in ["AttributeNames", "MessageSystemAttributeNames"] {
        // The older parameter's model also has the names of queue attributes, which no message has.
        let known = |name: &str| {
            SYSTEM_ATTRIBUTES.contains(&name)
                || name == "All"
                || (parameter == "AttributeNames" && is_queue_attribute(name))
        };
        if let Some(name) = strings(input, parameter).iter().find(|name| !known(name)) {
            return Err(Fault::sender("InvalidAttributeName", format!("Unknown Attribute {name}.")));
        }
    }
    Ok(())
}

fn answer(taken: Taken, input: &Value) -> Value {
    let mut system = strings(input, "MessageSystemAttributeNames");
    system.extend(strings(input, "AttributeNames"));
    let wanted = strings(input, "MessageAttributeNames");
    let messages: Vec<_> =
        taken.received.into_iter().map(|(handle, message)| render(&handle, &message, &system, &wanted)).collect();
    if messages.is_empty() { json!({}) } else { json!({ "Messages": messages }) }
}

fn render(handle: &str, message: &Message, system: &[String], wanted: &[String]) -> Value {
    let mut value = json!({
        "MessageId": message.id,
        "ReceiptHandle": handle,
        "MD5OfBody": md5_of_body(&message.body),
        "Body": message.body,
    });
    let system = system_attributes(message, system);
    if !system.is_empty() {
        value["Attributes"] = Value::Object(system);
    }
    let chosen: Map<String, Value> = message
        .attributes
        .iter()
        .filter(|(name, _)| wanted.iter().any(|one| attribute_matches(one, name)))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if let Some(digest) = md5_of_attributes(chosen.iter()) {
        value["MD5OfMessageAttributes"] = json!(digest);
        value["MessageAttributes"] = Value::Object(chosen);
    }
    value
}

fn attribute_matches(wanted: &str, name: &str) -> bool {
    wanted == "All"
        || wanted == name
        || wanted.strip_suffix(".*").is_some_and(|prefix| prefix.is_empty() || name.starts_with(&format!("{prefix}.")))
}

fn system_attributes(message: &Message, names: &[String]) -> Map<String, Value> {
    let everything = names.iter().any(|name| name == "All");
    let received = message.first_received_at.map(|time| time.as_millisecond().to_string());
    let all = [
        ("SenderId", Some(message.sender.clone())),
        ("SentTimestamp", Some(message.sent_at.as_millisecond().to_string())),
        ("ApproximateReceiveCount", Some(message.receives.to_string())),
        ("ApproximateFirstReceiveTimestamp", received),
        ("SequenceNumber", message.sequence.clone()),
        ("MessageDeduplicationId", message.deduplication_id.clone()),
        ("MessageGroupId", message.group.clone()),
        ("AWSTraceHeader", message.trace_header.clone()),
        ("DeadLetterQueueSourceArn", message.source_arn.clone()),
    ];
    all.into_iter()
        .filter(|(name, _)| everything || names.iter().any(|one| one == name))
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))))
        .collect()
}
