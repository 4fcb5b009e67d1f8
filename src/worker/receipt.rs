//! Receipts: one JSON line per message, which a verification counts.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Worked on and deleted.
    Deleted,
    /// The work failed; it reappears when its visibility ends.
    Failed,
    /// Handed back unworked because the consumer was told to stop.
    Returned,
}

/// What is written about one message. Times are real.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Receipt {
    /// The format's version, 1.
    pub receipt: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// SQS's id of the message.
    pub message_id: String,
    /// How often it had been received, this time included.
    pub receive_count: u32,
    /// When its work began.
    pub started_at: Timestamp,
    /// When its fate was settled with the queue.
    pub finished_at: Timestamp,
    /// Who did it.
    pub pod: String,
}

/// Where receipts go. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Receipts {
    pod: String,
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
}

impl Receipts {
    pub(crate) fn new(pod: String, writer: impl Write + Send + 'static) -> Self {
        Self { pod, writer: Arc::new(Mutex::new(Box::new(writer))) }
    }

    /// Writes one line at once: a pod may be gone a moment later.
    pub(crate) fn write(
        &self,
        message: &aws::queue::Message,
        outcome: Outcome,
        started_at: Timestamp,
        finished_at: Timestamp,
    ) {
        let receipt = Receipt {
            receipt: 1,
            outcome,
            message_id: message.id.clone(),
            receive_count: message.receive_count,
            started_at,
            finished_at,
            pod: self.pod.clone(),
        };
        let line = serde_json::to_string(&receipt).unwrap_or_default();
        // A panic elsewhere leaves the writer usable: each line is written whole.
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = writeln!(writer, "{line}").and_then(|()| writer.flush()) {
            tracing::error!(%error, "a receipt could not be written");
        }
    }
}
