//! The query protocol's shapes, to and from those of the JSON protocol.

use serde_json::{Map, Value, json};

use crate::fault::Fault;
use crate::model;
use crate::request::{Request, Service};

/// The parameters of a query call; the queue may be named by the path instead of `QueueUrl`.
pub(super) fn from_query(action: &str, request: &Request) -> Value {
    let Value::Object(form) = request.form().clone() else { return json!({}) };
    let mut input = entry(action, form);
    let takes_url = model::of(Service::Sqs).input(action).is_some_and(|(members, _)| members.contains_key("QueueUrl"));
    if takes_url
        && input.get("QueueUrl").is_none()
        && let [account, name] = request.segments().as_slice()
    {
        input["QueueUrl"] = json!(format!("/{account}/{name}"));
    }
    input
}

fn entry(action: &str, form: Map<String, Value>) -> Value {
    let mut input = Map::new();
    for (key, value) in form {
        match key.as_str() {
            "Attribute" => input.insert("Attributes".into(), keyed(value, "Name")),
            "MessageAttribute" => input.insert("MessageAttributes".into(), keyed(value, "Name")),
            "MessageSystemAttribute" => input.insert("MessageSystemAttributes".into(), keyed(value, "Name")),
            "Tag" if action == "CreateQueue" => input.insert("tags".into(), keyed(value, "Key")),
            "Tag" => input.insert("Tags".into(), keyed(value, "Key")),
            "AttributeName" | "MessageAttributeName" | "MessageSystemAttributeName" | "TagKey" => {
                input.insert(format!("{key}s"), Value::Array(items(value)))
            }
            "AWSAccountId" => input.insert("AWSAccountIds".into(), Value::Array(items(value))),
            "ActionName" => input.insert("Actions".into(), Value::Array(items(value))),
            "SendMessageBatchRequestEntry"
            | "DeleteMessageBatchRequestEntry"
            | "ChangeMessageVisibilityBatchRequestEntry" => {
                let entries = items(value).into_iter().map(|one| match one {
                    Value::Object(form) => entry(action, form),
                    other => other,
                });
                input.insert("Entries".into(), entries.collect())
            }
            _ => input.insert(key, value),
        };
    }
    Value::Object(input)
}

fn items(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        single => vec![single],
    }
}

/// `[{Name, Value}]` as an object.
fn keyed(value: Value, key: &str) -> Value {
    let pairs = items(value).into_iter().filter_map(|one| {
        let name = one.get(key)?.as_str()?.to_owned();
        Some((name, one.get("Value").cloned().unwrap_or_else(|| json!(""))))
    });
    Value::Object(pairs.collect())
}

/// SQS words this one differently in the query protocol.
pub(super) fn fault_to_query(fault: Fault) -> Fault {
    if fault.code == "AWS.SimpleQueueService.NonExistentQueue" {
        return Fault { message: "The specified queue does not exist for this wsdl version.".into(), ..fault };
    }
    fault
}

/// An answer in the query protocol's shapes.
pub(super) fn to_query(action: &str, output: Value) -> Value {
    let Value::Object(output) = output else { return Value::Null };
    if output.is_empty() && !matches!(action, "ReceiveMessage" | "ListQueues" | "GetQueueAttributes" | "ListQueueTags")
    {
        return Value::Null;
    }
    let mut result = Map::new();
    for (key, value) in output {
        match key.as_str() {
            "Attributes" => result.insert("Attribute".into(), listed(value, "Name")),
            "MessageAttributes" => result.insert("MessageAttribute".into(), listed(value, "Name")),
            "Tags" => result.insert("Tag".into(), listed(value, "Key")),
            "QueueUrls" | "queueUrls" => result.insert("QueueUrl".into(), value),
            "Messages" => {
                let messages = items(value).into_iter().map(|one| to_query("ReceiveMessage", one));
                result.insert("Message".into(), messages.collect())
            }
            "Successful" => result.insert(format!("{action}ResultEntry"), value),
            "Results" => result.insert("ListMessageMoveTasksResultEntry".into(), value),
            "Failed" => result.insert("BatchResultErrorEntry".into(), value),
            _ => result.insert(key, value),
        };
    }
    Value::Object(result)
}

fn listed(value: Value, key: &str) -> Value {
    let Value::Object(map) = value else { return json!([]) };
    map.into_iter().map(|(name, value)| json!({ key: name, "Value": value })).collect()
}
