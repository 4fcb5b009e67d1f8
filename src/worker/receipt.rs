//! Receipts: one JSON line per message that was begun, which a verification counts.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use aws::queue::Message;
use jiff::Timestamp;
use serde::Serialize;

/// The version of the line's form.
const VERSION: u32 = 1;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Worked on and deleted; the service confirmed it.
    Deleted,
    /// Its work failed, or it could not be deleted: it will be received again.
    Failed,
    /// Handed back undone, because the process stops.
    Returned,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The version of this form, 1.
    pub receipt: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// The message.
    pub message_id: String,
    /// How often it has been received, this time included.
    pub receive_count: u32,
    /// When its work began, real time.
    pub started_at: Timestamp,
    /// When it was settled, real time.
    pub finished_at: Timestamp,
    /// Who did it.
    pub pod: String,
}

pub(crate) struct Ledger {
    writer: Mutex<Box<dyn Write + Send>>,
    pod: String,
}

impl Ledger {
    pub(crate) fn new(writer: Box<dyn Write + Send>, pod: String) -> Self {
        Self { writer: Mutex::new(writer), pod }
    }

    pub(crate) fn write(&self, message: &Message, outcome: Outcome, started_at: Timestamp, finished_at: Timestamp) {
        let receipt = Receipt {
            receipt: VERSION,
            outcome,
            message_id: message.id.clone(),
            receive_count: message.receive_count,
            started_at,
            finished_at,
            pod: self.pod.clone(),
        };
        if let Err(error) = self.line(&receipt) {
            // The message is settled all the same; the log keeps what the receipts lack.
            tracing::error!(%error, ?receipt, "the receipt could not be written");
        }
    }

    fn line(&self, receipt: &Receipt) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(receipt)?;
        line.push(b'\n');
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(&line)?;
        writer.flush()
    }
}
