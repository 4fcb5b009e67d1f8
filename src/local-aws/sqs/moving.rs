//! Moving dead letters back: the operations on move tasks, and the work of those that run.
//!
//! Source: SQS API Reference, StartMessageMoveTask, ListMessageMoveTasks and CancelMessageMoveTask.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::input::{invalid, number, required, text};
use super::move_task::{self, MoveTask, Status};
use super::queue_name::arn;
use super::store::Store;
use crate::authorization::Access;
use crate::caller::Call;
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::identifier;

/// What a second moves at most, and where no rate is given: SQS finds its own rate then.
const RATE_MAX: u64 = 500;

/// A queue's tasks that are listed: the ten latest.
const LISTED_MAX: usize = 10;
const STEP: Duration = Duration::from_secs(1);

/// The name of the queue of this cloud that an ARN means.
pub(super) fn queue_of<'a>(cloud: &Cloud, input: &'a Value, parameter: &str) -> Result<&'a str, Fault> {
    let given = required(input, parameter)?;
    let fault = || {
        invalid(format!(
            "You must use this format to specify the {parameter}: arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
        ))
    };
    let name = given.rsplit(':').next().filter(|_| given.split(':').count() == 6 && given.starts_with("arn:"));
    let name = name.ok_or_else(fault)?;
    if given == arn(cloud, name) { Ok(name) } else { Err(no_resource(parameter)) }
}

/// The queue of the task that a handle means.
pub(super) fn queue_of_handle(cloud: &Cloud, input: &Value) -> Result<String, Fault> {
    let (_, source) = move_task::parse_handle(input)?;
    queue_of(cloud, &json!({ "SourceArn": source }), "SourceArn").map(str::to_owned)
}

fn no_resource(parameter: &str) -> Fault {
    Fault::new(
        404,
        "ResourceNotFoundException",
        format!("The resource that you specified for the {parameter} parameter doesn't exist."),
    )
}

fn no_task() -> Fault {
    Fault::new(404, "ResourceNotFoundException", "Task does not exist.")
}

pub(super) fn start(cloud: &Arc<Cloud>, call: &Call, name: &str, input: &Value) -> Result<Value, Fault> {
    let rate = number(input, "MaxNumberOfMessagesPerSecond", 1..=RATE_MAX)?;
    let destination = match text(input, "DestinationArn") {
        None => None,
        Some(_) => Some(queue_of(cloud, input, "DestinationArn")?),
    };
    let targets = targets(&cloud.sqs(), name, destination)?;
    may_move(cloud, call, name, &targets)?;
    let now = cloud.clock.moment();
    let mut store = cloud.sqs();
    if store.moves.iter().any(|task| task.queue == name && task.status == Status::Running) {
        return Err(invalid(
            "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
        ));
    }
    let queue = store.queue(name).map_err(|_| no_resource("SourceArn"))?;
    queue.expire(now);
    let task = MoveTask {
        id: identifier::uuid(),
        queue: name.to_owned(),
        source_arn: queue.arn.clone(),
        destination_arn: text(input, "DestinationArn").map(str::to_owned),
        rate,
        status: Status::Running,
        moved: 0,
        to_move: queue.counts(now).visible,
        last_arrival: queue.arrivals,
        started_at: call.now,
        failure: None,
    };
    let (handle, id) = (task.handle(), task.id.clone());
    store.moves.push(task);
    drop(store);
    run(cloud, id);
    Ok(json!({ "TaskHandle": handle }))
}

/// The queues that messages may be sent to: the destination, or all whose dead letters are here.
fn targets(store: &Store, name: &str, destination: Option<&str>) -> Result<Vec<String>, Fault> {
    let source = store.queues.get(name).ok_or_else(|| no_resource("SourceArn"))?;
    let sources: Vec<_> = store
        .queues
        .values()
        .filter(|queue| queue.settings.redrive.as_ref().is_some_and(|redrive| redrive.target_arn == source.arn))
        .map(|queue| queue.arn.clone())
        .collect();
    if sources.is_empty() {
        return Err(invalid("Source queue must be configured as a Dead Letter Queue."));
    }
    let Some(destination) = destination else { return Ok(sources) };
    if destination == name {
        return Err(invalid("Source queue arn and destination queue arn cannot be the same."));
    }
    match store.queues.get(destination) {
        None => Err(no_resource("DestinationArn")),
        Some(queue) if queue.fifo != source.fifo => {
            Err(invalid("The source queue and destination queue must be of the same queue type."))
        }
        Some(queue) => Ok(vec![queue.arn.clone()]),
    }
}

/// A task receives and deletes at its source and sends at its target, by the rights of who starts it.
fn may_move(cloud: &Cloud, call: &Call, name: &str, targets: &[String]) -> Result<(), Fault> {
    let policy_of = |name: &str| cloud.sqs().queues.get(name).and_then(|queue| queue.settings.policy.clone());
    let allowed = |action: &str, name: &str| {
        let resource = arn(cloud, name);
        let resource_policy = policy_of(name).map(|policy| policy.named);
        cloud.authorize(call, Access { resource_policy, ..Access::new(action, &resource) })
    };
    for action in ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"] {
        allowed(action, name)?;
    }
    targets.iter().try_for_each(|target| allowed("sqs:SendMessage", target.rsplit(':').next().unwrap_or_default()))
}

/// Moves in the background, a second's worth at a time.
fn run(cloud: &Arc<Cloud>, id: String) {
    let task = Arc::clone(cloud);
    tokio::spawn(async move {
        while task.sqs().advance(&task, &id) {
            tokio::select! {
                () = task.clock.sleep(STEP) => {}
                () = task.stop.cancelled() => break,
            }
        }
    });
}

impl Store {
    /// Moves the next messages of a task; whether there is more to do.
    fn advance(&mut self, cloud: &Cloud, id: &str) -> bool {
        let Some(at) = self.moves.iter().position(|task| task.id == id && task.status == Status::Running) else {
            return false;
        };
        let (name, last) = (self.moves[at].queue.clone(), self.moves[at].last_arrival);
        let destination = self.moves[at].destination_arn.clone();
        for _ in 0..self.moves[at].rate.unwrap_or(RATE_MAX) {
            match self.move_one(cloud, &name, last, destination.as_deref()) {
                Ok(true) => self.moves[at].moved += 1,
                Ok(false) => {
                    self.moves[at].status = Status::Completed;
                    return false;
                }
                Err(why) => {
                    self.moves[at].status = Status::Failed;
                    self.moves[at].failure = Some(why);
                    return false;
                }
            }
        }
        true
    }

    /// Moves the first visible message; `false` if there is none. It stays where it is if it cannot be moved.
    fn move_one(
        &mut self,
        cloud: &Cloud,
        name: &str,
        last_arrival: u64,
        destination: Option<&str>,
    ) -> Result<bool, &'static str> {
        const NO_QUEUE: &str = "AWS.SimpleQueueService.NonExistentQueue";
        let now = cloud.clock.moment();
        let source = self.queues.get_mut(name).ok_or(NO_QUEUE)?;
        source.expire(now);
        let found =
            source.messages.iter().find(|(arrival, message)| **arrival <= last_arrival && message.visible <= now);
        let Some((arrival, message)) = found.map(|(arrival, message)| (*arrival, message)) else { return Ok(false) };
        let target = destination.or(message.source_arn.as_deref()).ok_or("CouldNotDetermineMessageSource")?.to_owned();
        if !self.queues.values().any(|queue| queue.arn == target) {
            return Err(NO_QUEUE);
        }
        let message = self.queues.get_mut(name).and_then(|source| source.messages.remove(&arrival));
        let target = self.queues.values_mut().find(|queue| queue.arn == target);
        if let (Some(mut message), Some(target)) = (message, target) {
            message.id = identifier::uuid();
            message.sent_at = cloud.clock.now();
            message.enqueued = now;
            message.visible = now.plus(target.settings.delay());
            message.receives = 0;
            message.received = None;
            message.first_received_at = None;
            message.receipt = None;
            message.source_arn = None;
            message.sequence = target.fifo.then(|| target.next_sequence());
            target.push(message);
        }
        Ok(true)
    }
}

pub(super) fn list(cloud: &Cloud, name: &str, input: &Value) -> Result<Value, Fault> {
    let most = number(input, "MaxResults", 1..=LISTED_MAX as u64)?.unwrap_or(1) as usize;
    let store = cloud.sqs();
    if !store.queues.contains_key(name) {
        return Err(no_resource("SourceArn"));
    }
    let tasks: Vec<_> =
        store.moves.iter().rev().filter(|task| task.queue == name).take(most).map(MoveTask::value).collect();
    Ok(json!({ "Results": tasks }))
}

pub(super) fn cancel(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let (id, _) = move_task::parse_handle(input)?;
    let mut store = cloud.sqs();
    let task = store.moves.iter_mut().find(|task| task.id == id).ok_or_else(no_task)?;
    if task.status != Status::Running {
        return Err(invalid("Only active tasks can be cancelled."));
    }
    task.status = Status::Cancelled;
    Ok(json!({ "ApproximateNumberOfMessagesMoved": task.moved }))
}
