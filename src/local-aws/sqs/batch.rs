//! The batch forms: up to ten entries, each with its own outcome.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::input::text;
use super::queue::Queue;
use super::{deleting, sending, visibility};
use crate::caller::Call;
use crate::cloud::Cloud;
use crate::fault::Fault;

const ENTRIES_MAX: usize = 10;
const BYTES_MAX: usize = 1_048_576;

pub(super) fn send(cloud: &Cloud, call: &Call, name: &str, input: &Value) -> Result<Value, Fault> {
    let entries = entries(input)?;
    sending::check_batch(cloud.sqs().queue(name)?, entries)?;
    let bytes: usize = entries.iter().filter_map(|entry| sending::size(entry).ok()).sum();
    if bytes > BYTES_MAX {
        return Err(Fault::sender(
            "AWS.SimpleQueueService.BatchRequestTooLong",
            format!("Batch requests cannot be longer than {BYTES_MAX} bytes. You have sent {bytes} bytes."),
        ));
    }
    each(cloud, name, input, |queue, entry| {
        sending::enqueue(cloud, call, queue, entry).map_err(sending::fault_in_batch)
    })
}

pub(super) fn delete(cloud: &Cloud, name: &str, input: &Value) -> Result<Value, Fault> {
    each(cloud, name, input, |queue, entry| deleting::delete_one(cloud, queue, entry))
}

pub(super) fn change_visibility(cloud: &Cloud, name: &str, input: &Value) -> Result<Value, Fault> {
    each(cloud, name, input, |queue, entry| visibility::change_one(cloud, queue, entry))
}

fn entries(input: &Value) -> Result<&[Value], Fault> {
    let entries = input.get("Entries").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let fault = |code, message: String| Err(Fault::sender(code, message));
    if entries.is_empty() {
        return fault(
            "AWS.SimpleQueueService.EmptyBatchRequest",
            "There should be at least one entry in the request.".into(),
        );
    }
    if entries.len() > ENTRIES_MAX {
        let message =
            format!("Maximum number of entries per request are {ENTRIES_MAX}. You have sent {}.", entries.len());
        return fault("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", message);
    }
    let mut seen = HashSet::new();
    for entry in entries {
        let id = text(entry, "Id").unwrap_or_default();
        let plain =
            !id.is_empty() && id.len() <= 80 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !plain {
            let message = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.";
            return fault("AWS.SimpleQueueService.InvalidBatchEntryId", message.into());
        }
        if !seen.insert(id) {
            return fault("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", format!("Id {id} repeated."));
        }
    }
    Ok(entries)
}

fn each(
    cloud: &Cloud,
    name: &str,
    input: &Value,
    one: impl Fn(&mut Queue, &Value) -> Result<Value, Fault>,
) -> Result<Value, Fault> {
    let entries = entries(input)?;
    let mut store = cloud.sqs();
    let queue = store.queue(name)?;
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        let id = text(entry, "Id").unwrap_or_default();
        match one(queue, entry) {
            Ok(mut result) => {
                result["Id"] = json!(id);
                successful.push(result);
            }
            Err(fault) => {
                failed.push(
                    json!({ "Id": id, "SenderFault": fault.is_sender(), "Code": fault.code, "Message": fault.message }),
                );
            }
        }
    }
    let mut answer = json!({});
    if !successful.is_empty() {
        answer["Successful"] = Value::Array(successful);
    }
    if !failed.is_empty() {
        answer["Failed"] = Value::Array(failed);
    }
    Ok(answer)
}
