//! A task that moves dead letters: its state, and the handle by which it is cancelled.
//!
//! Source: SQS Developer Guide, "Learn how to configure a dead-letter queue redrive": messages that are moved are new ones, with
//! new ids and times.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::input::{invalid, required, text};
use crate::fault::Fault;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Running,
    Completed,
    Cancelled,
    Failed,
}

impl Status {
    fn text(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
        }
    }
}

#[derive(Debug)]
pub(super) struct MoveTask {
    pub(super) id: String,
    /// The name of the dead-letter queue.
    pub(super) queue: String,
    pub(super) source_arn: String,
    pub(super) destination_arn: Option<String>,
    /// Messages a second.
    pub(super) rate: Option<u64>,
    pub(super) status: Status,
    pub(super) moved: u64,
    pub(super) to_move: usize,
    /// The last arrival that the task is for; what comes later stays.
    pub(super) last_arrival: u64,
    pub(super) started_at: Timestamp,
    pub(super) failure: Option<&'static str>,
}

impl MoveTask {
    pub(super) fn handle(&self) -> String {
        STANDARD.encode(json!({ "taskId": self.id, "sourceArn": self.source_arn }).to_string())
    }

    pub(super) fn value(&self) -> Value {
        let mut value = json!({
            "Status": self.status.text(),
            "SourceArn": self.source_arn,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.to_move,
            "StartedTimestamp": self.started_at.as_millisecond(),
        });
        // Only what is running can be cancelled, so only that has a handle.
        if self.status == Status::Running {
            value["TaskHandle"] = json!(self.handle());
        }
        if let Some(arn) = &self.destination_arn {
            value["DestinationArn"] = json!(arn);
        }
        if let Some(rate) = self.rate {
            value["MaxNumberOfMessagesPerSecond"] = json!(rate);
        }
        if let Some(why) = self.failure {
            value["FailureReason"] = json!(why);
        }
        value
    }
}

/// The task's id and its queue's ARN.
pub(super) fn parse_handle(input: &Value) -> Result<(String, String), Fault> {
    let handle = required(input, "TaskHandle")?;
    let value: Option<Value> = STANDARD.decode(handle).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let part = |name: &str| value.as_ref().and_then(|value| text(value, name)).map(str::to_owned);
    part("taskId")
        .zip(part("sourceArn"))
        .ok_or_else(|| invalid(format!("Value {handle} for parameter TaskHandle is invalid.")))
}
