//! SQS while a queue comes and goes.

use local_faults::Kind;
use serde_json::{Value, json};

use super::journal::Mark;
use super::{Profile, Subject};
use crate::fault::Fault;

/// Seconds until a new queue can be used: "after you create a queue, you must wait at least one second" (SQS API Reference,
/// CreateQueue).
const NEW: std::ops::RangeInclusive<u64> = 1..=5;
/// Seconds for which a deleted one may still show; half of what SQS allows, so that whoever waits until it has been away for half
/// a minute sees the end of it.
const DELETED: std::ops::RangeInclusive<u64> = 5..=28;

impl Profile {
    pub(super) fn queues(&self, subject: &Subject) -> Option<Result<Value, Fault>> {
        let queue = subject.queue.as_deref()?;
        if matches!(subject.operation.as_str(), "CreateQueue" | "DeleteQueue") {
            return None;
        }
        let lasts = |bounds| self.faults().lasts_within(Kind::QueuesLate, queue, bounds);
        let (made, deleted) = (self.since(Mark::QueueMade, queue), self.since(Mark::QueueDeleted, queue));
        if deleted.is_none_or(|deleted| made.is_some_and(|made| made < deleted)) {
            return made.filter(|elapsed| *elapsed < lasts(NEW)).map(|_| Err(absent()));
        }
        let shows = subject.operation == "GetQueueUrl"
            && !subject.is_query
            && deleted.is_some_and(|elapsed| elapsed < lasts(DELETED))
            && self.strikes(Kind::QueuesLate, queue, 2);
        shows.then(|| Ok(json!({ "QueueUrl": format!("http://sqs.invalid/{queue}") })))
    }
}

fn absent() -> Fault {
    Fault::sender("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
}
