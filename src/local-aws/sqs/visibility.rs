//! The visibility timeout of messages that were received: how it is changed, and its limit.
//!
//! A receive sets it first: [`Queue::take`] hides what it gives out.

use std::time::Duration;

use serde_json::{Value, json};

use super::input::{invalid, missing, number, required};
use super::queue::Queue;
use super::receipt_handle;
use crate::cloud::Cloud;
use crate::fault::Fault;

/// For how long a message may stay hidden after it was received, however often that is prolonged.
const HIDDEN_MAX: Duration = Duration::from_hours(12);

pub(super) fn change_visibility(cloud: &Cloud, name: &str, input: &Value) -> Result<Value, Fault> {
    let mut store = cloud.sqs();
    change_one(cloud, store.queue(name)?, input)
}

pub(super) fn change_one(cloud: &Cloud, queue: &mut Queue, input: &Value) -> Result<Value, Fault> {
    let handle = required(input, "ReceiptHandle")?;
    let seconds = number(input, "VisibilityTimeout", 0..=43_200)?.ok_or_else(|| missing("VisibilityTimeout"))?;
    let (arrival, nonce) = receipt_handle::parse(&queue.id, handle)?;
    let now = cloud.clock.moment();
    let message = queue.messages.get_mut(&arrival).filter(|message| message.receipt.as_ref() == Some(&nonce));
    let message = message.ok_or_else(|| {
        invalid(format!(
            "Value {handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."
        ))
    })?;
    if message.visible <= now {
        return Err(Fault::sender(
            "AWS.SimpleQueueService.MessageNotInflight",
            format!("Value {handle} for parameter ReceiptHandle is invalid. Reason: Message is not in flight."),
        ));
    }
    let visible = now.plus(Duration::from_secs(seconds));
    if message.received.is_some_and(|received| visible > received.plus(HIDDEN_MAX)) {
        return Err(invalid(format!(
            "Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [{} seconds]",
            HIDDEN_MAX.as_secs()
        )));
    }
    message.visible = visible;
    queue.wake.notify_waiters();
    Ok(json!({}))
}
