//! Deleting messages by their receipts.

use serde_json::{Value, json};

use super::input::{invalid, required};
use super::queue::Queue;
use super::receipt_handle;
use crate::cloud::Cloud;
use crate::fault::Fault;

pub(super) fn delete(cloud: &Cloud, name: &str, input: &Value) -> Result<Value, Fault> {
    let mut store = cloud.sqs();
    delete_one(cloud, store.queue(name)?, input)
}

/// Deletes by the latest receipt; an older one is accepted and does nothing, as SQS documents.
pub(super) fn delete_one(cloud: &Cloud, queue: &mut Queue, input: &Value) -> Result<Value, Fault> {
    let handle = required(input, "ReceiptHandle")?;
    let (arrival, nonce) = receipt_handle::parse(&queue.id, handle)?;
    let now = cloud.clock.moment();
    match queue.messages.get(&arrival) {
        Some(message) if queue.fifo && message.receipt.as_ref() == Some(&nonce) && message.visible <= now => {
            Err(invalid(format!(
                "Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
            )))
        }
        Some(message) if message.receipt.as_ref() == Some(&nonce) => {
            queue.messages.remove(&arrival);
            // The next message of its group may be receivable now.
            queue.wake.notify_waiters();
            Ok(json!({}))
        }
        _ => Ok(json!({})),
    }
}
