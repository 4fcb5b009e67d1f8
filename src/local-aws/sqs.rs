//! SQS: queues and messages, by the JSON protocol and the older query protocol.

mod administration;
mod attempt;
mod attributes;
mod batch;
mod deleting;
mod input;
mod message;
mod move_task;
mod moving;
mod permission;
mod policy;
mod queue;
mod queue_name;
mod receipt_handle;
mod receiving;
mod redrive;
mod sending;
mod settings;
pub(crate) mod store;
mod visibility;
mod wire;

use std::sync::Arc;

use serde_json::Value;

use crate::authorization::{Access, request_tags, resource_tags, tag_keys};
use crate::caller::Call;
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::policy::Context;
use crate::protocol::Protocol;
use crate::request::{Request, Service};
use crate::{coverage, intake};
use queue_name::{arn, queue_name};

/// Performs `action`; both protocols are converted to the JSON protocol's shapes first.
pub(crate) async fn call(
    cloud: &Arc<Cloud>,
    call: &Call,
    action: &str,
    request: &Request,
    protocol: Protocol,
) -> Result<Value, Fault> {
    let is_query = matches!(protocol, Protocol::Query(_));
    let input = if is_query { wire::from_query(action, request) } else { input::json(&request.body)? };
    let output = match intake::check(Service::Sqs, action, &input) {
        Ok(()) => perform(cloud, call, action, &input).await,
        Err(fault) => Err(fault),
    };
    let output = output.map_err(|fault| if is_query { wire::fault_to_query(fault) } else { fault })?;
    Ok(if is_query { wire::to_query(action, output) } else { output })
}

async fn perform(cloud: &Arc<Cloud>, call: &Call, action: &str, input: &Value) -> Result<Value, Fault> {
    let name = subject(cloud, action, input)?;
    authorize(cloud, call, action, &name, input)?;
    match action {
        "CreateQueue" => administration::create(cloud, call, &name, input),
        "GetQueueUrl" => administration::url(cloud, call, &name, input),
        "ListQueues" => administration::list(cloud, call, input),
        "DeleteQueue" => administration::delete(cloud, &name),
        "PurgeQueue" => administration::purge(cloud, &name),
        "TagQueue" | "UntagQueue" | "ListQueueTags" => administration::tags(cloud, action, &name, input),
        "ListDeadLetterSourceQueues" => administration::sources(cloud, call, &name, input),
        "GetQueueAttributes" => attributes::get(cloud, &name, input),
        "SetQueueAttributes" => attributes::set(cloud, &name, input),
        "SendMessage" => sending::send(cloud, call, &name, input),
        "SendMessageBatch" => batch::send(cloud, call, &name, input),
        "ReceiveMessage" => receiving::receive(cloud, &name, input).await,
        "DeleteMessage" => deleting::delete(cloud, &name, input),
        "DeleteMessageBatch" => batch::delete(cloud, &name, input),
        "ChangeMessageVisibility" => visibility::change_visibility(cloud, &name, input),
        "ChangeMessageVisibilityBatch" => batch::change_visibility(cloud, &name, input),
        "AddPermission" => permission::add(cloud, &name, input),
        "RemovePermission" => permission::remove(cloud, &name, input),
        "StartMessageMoveTask" => moving::start(cloud, call, &name, input),
        "ListMessageMoveTasks" => moving::list(cloud, &name, input),
        "CancelMessageMoveTask" => moving::cancel(cloud, input),
        other => Err(unknown(other)),
    }
}

/// The name of the queue that the call is about; none for `ListQueues`.
fn subject(cloud: &Cloud, action: &str, input: &Value) -> Result<String, Fault> {
    match action {
        "CreateQueue" | "GetQueueUrl" => input::required(input, "QueueName").map(str::to_owned),
        "ListQueues" => Ok(String::new()),
        "DeleteQueue"
        | "PurgeQueue"
        | "TagQueue"
        | "UntagQueue"
        | "ListQueueTags"
        | "ListDeadLetterSourceQueues"
        | "GetQueueAttributes"
        | "SetQueueAttributes"
        | "SendMessage"
        | "SendMessageBatch"
        | "ReceiveMessage"
        | "DeleteMessage"
        | "DeleteMessageBatch"
        | "ChangeMessageVisibility"
        | "ChangeMessageVisibilityBatch"
        | "AddPermission"
        | "RemovePermission" => queue_name(cloud, input),
        "StartMessageMoveTask" | "ListMessageMoveTasks" => {
            moving::queue_of(cloud, input, "SourceArn").map(str::to_owned)
        }
        "CancelMessageMoveTask" => moving::queue_of_handle(cloud, input),
        other => Err(unknown(other)),
    }
}

fn unknown(action: &str) -> Fault {
    if action.is_empty() {
        return Fault::sender("MissingAction", "The request must contain the parameter Action.");
    }
    coverage::not_offered(Service::Sqs, action).unwrap_or_else(|| {
        Fault::sender("InvalidAction", format!("The action {action} is not valid for this endpoint."))
    })
}

/// SQS's permissions: the batch forms need that of the single form.
fn authorize(cloud: &Cloud, call: &Call, action: &str, name: &str, input: &Value) -> Result<(), Fault> {
    let permission = format!("sqs:{}", action.strip_suffix("Batch").unwrap_or(action));
    let resource = arn(cloud, name);
    let mut context = Context::default();
    let resource_policy = {
        let mut store = cloud.sqs();
        let queue = store.queue(name).ok();
        if let Some(queue) = &queue {
            resource_tags(&mut context, &queue.tags);
        }
        queue.and_then(|queue| queue.settings.policy.clone()).map(|policy| policy.named)
    };
    let tags = input.get("tags").or_else(|| input.get("Tags")).map(input::string_map).unwrap_or_default();
    request_tags(&mut context, &tags);
    tag_keys(&mut context, input::strings(input, "TagKeys"));
    // Tags that a queue is made with need the permission to tag it.
    let tagging = (action == "CreateQueue" && !tags.is_empty()).then_some("sqs:TagQueue");
    std::iter::once(permission.as_str()).chain(tagging).try_for_each(|action| {
        let (context, resource_policy) = (context.clone(), resource_policy.clone());
        cloud.authorize(call, Access { context, resource_policy, ..Access::new(action, &resource) })
    })
}
