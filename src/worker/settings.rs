//! The consumer's settings.

use std::io::Write;
use std::time::Duration;

use crate::{Error, Result};

/// The shortest visibility with which a heartbeat still comes in time.
const MIN_VISIBILITY: Duration = Duration::from_secs(2);

/// What to consume and how. Durations are system time.
pub struct Settings {
    /// The queue.
    pub queue_url: String,
    /// Work per message.
    pub work: Duration,
    /// Messages worked on at once.
    pub parallelism: usize,
    /// The share of messages, 0 to 1, whose work fails. A failed message is not deleted; its visibility is set to 0,
    /// so that it comes back at once and the queue's redrive policy counts it.
    pub failure_rate: f64,
    /// Of the failures; random if unset.
    pub seed: Option<u64>,
    /// Longest wait of one receive; SQS takes up to 20 s.
    pub wait: Duration,
    /// How long a received message is hidden from others; extended every half of it while the message is worked on.
    pub visibility: Duration,
    /// How long work that was begun may go on after the stop; what is not done then is handed back. Keep it below the
    /// pod's terminationGracePeriodSeconds.
    pub grace: Duration,
    /// The pod's name, for the receipts.
    pub pod: String,
    /// Takes one message, or none if a whole receive finds none, and ends.
    pub once: bool,
    /// Where receipts go, one JSON object a line.
    pub receipts: Box<dyn Write + Send>,
}

/// The settings without the writer, shared by all consumers.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) work: Duration,
    pub(crate) parallelism: usize,
    pub(crate) failure_rate: f64,
    pub(crate) seed: u64,
    pub(crate) wait: Duration,
    pub(crate) visibility: Duration,
    pub(crate) grace: Duration,
    pub(crate) once: bool,
}

impl Settings {
    /// The sample's own settings: one message at a time, 20 s of work, 20 s long poll, no failures.
    pub fn new(queue_url: impl Into<String>, receipts: Box<dyn Write + Send>) -> Self {
        Self {
            queue_url: queue_url.into(),
            work: Duration::from_secs(20),
            parallelism: 1,
            failure_rate: 0.0,
            seed: None,
            wait: Duration::from_secs(20),
            visibility: Duration::from_mins(2),
            grace: Duration::from_secs(25),
            pod: String::new(),
            once: false,
            receipts,
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |setting, problem: &str| Err(Error::Setting { setting, problem: problem.to_owned() });
        if self.queue_url.is_empty() {
            return wrong("queue_url", "it is empty; name the queue to consume");
        }
        if self.parallelism == 0 {
            return wrong("parallelism", "it is 0, so nothing would ever be received; write 1 or more");
        }
        if self.once && self.parallelism > 1 {
            return wrong("parallelism", "one message is taken once, by one consumer; write 1");
        }
        if !(0.0..=1.0).contains(&self.failure_rate) {
            return wrong("failure_rate", "it is not between 0 and 1; write a share such as 0.1");
        }
        if self.visibility < MIN_VISIBILITY {
            return wrong("visibility", "it is shorter than 2 s, so others would get a message while it is worked on");
        }
        Ok(())
    }

    pub(crate) fn split(self) -> (Plan, Box<dyn Write + Send>, String) {
        let plan = Plan {
            work: self.work,
            parallelism: self.parallelism,
            failure_rate: self.failure_rate,
            seed: self.seed.unwrap_or_else(|| fastrand::u64(..)),
            wait: self.wait,
            visibility: self.visibility,
            grace: self.grace,
            once: self.once,
        };
        (plan, self.receipts, self.pod)
    }
}
