//! All of SQS's state: the queues by name, the names that were deleted lately, and the tasks that move dead letters.

use std::collections::{BTreeMap, HashMap};

use clock::Moment;

use super::input::invalid;
use super::move_task::MoveTask;
use super::queue::Queue;
use super::redrive::{Redrive, RedriveAllow};
use crate::fault::Fault;

/// All queues by name.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(super) queues: BTreeMap<String, Queue>,
    /// When a name was deleted: it cannot be used again for a while.
    pub(super) deleted: HashMap<String, Moment>,
    /// Oldest first.
    pub(super) moves: Vec<MoveTask>,
}

impl Store {
    /// The queue, or SQS's error for one that is not there.
    pub(super) fn queue(&mut self, name: &str) -> Result<&mut Queue, Fault> {
        self.queues.get_mut(name).ok_or_else(no_queue)
    }

    /// Whether the queue `source` may have this redrive policy: its target is there, of its type, and lets it.
    pub(super) fn check_redrive(&self, redrive: &Redrive, source: &str, fifo: bool) -> Result<(), Fault> {
        let bad = |reason: &str| {
            Err(invalid(format!("Value {} for parameter RedrivePolicy is invalid. Reason: {reason}", redrive.text())))
        };
        match self.queues.values().find(|queue| queue.arn == redrive.target_arn) {
            None => bad("Dead letter target does not exist."),
            Some(queue) if queue.fifo != fifo => bad("Dead-letter queue must be same type of queue as the source."),
            Some(queue) => match &queue.settings.redrive_allow {
                None | Some(RedriveAllow::All) => Ok(()),
                Some(RedriveAllow::By(sources)) if sources.iter().any(|one| one == source) => Ok(()),
                Some(_) => bad(&format!(
                    "Queue {source} does not have permission to use {} as a dead-letter queue: its RedriveAllowPolicy does not allow it.",
                    redrive.target_arn
                )),
            },
        }
    }

    /// ARN and tags of each queue, for the tag search.
    pub(crate) fn tagged(&self) -> Vec<(String, BTreeMap<String, String>)> {
        self.queues.values().map(|queue| (queue.arn.clone(), queue.tags.clone())).collect()
    }
}

pub(super) fn no_queue() -> Fault {
    Fault::sender("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
}
