//! The sample consumer: long-polls a queue, works on each message, deletes it.
//!
//! Entry point: [`run`]. Every message ends in one receipt, a JSON line that says what became of it.
//!
//! Invariants:
//! - A message is deleted only after its work is done; whatever else happens, it reappears.
//! - Nothing is received once the process is told to stop; work that fits the grace period is finished, the rest handed back.
//! - No error ends the consumer: it says what is wrong and tries again.
//!
//! This crate must not know Kubernetes or who scales it.

mod consumer;
mod message;
mod receipt;

use std::io::Write;
use std::time::Duration;

use aws::queue::Queue;
use aws::session::Session;
use clock::Clock;
use tokio_util::sync::CancellationToken;

pub use receipt::{Outcome, Receipt};

/// What the consumer is told. Durations are system time.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The queue.
    pub queue_url: String,
    /// Work per message.
    pub work: Duration,
    /// One long poll, at most 20 s (SQS's limit).
    pub wait: Duration,
    /// Messages worked on at the same time, at least 1.
    pub parallelism: usize,
    /// Share of messages whose work fails, 0 to 1. A failed message is left to reappear when its visibility ends.
    pub failure_rate: f64,
    /// How long work may go on after the signal to stop; work that needs longer is handed back.
    pub grace: Duration,
    /// The name that receipts carry.
    pub pod: String,
    /// Decides which messages fail.
    pub seed: u64,
}

/// Consumes until `stop`, then finishes or hands back what it holds. Receipts go to `receipts`, one line each.
pub async fn run(
    settings: Settings,
    session: &Session,
    receipts: impl Write + Send + 'static,
    clock: Clock,
    stop: CancellationToken,
) {
    let queue = Queue::new(session, &settings.queue_url);
    let receipts = receipt::Receipts::new(settings.pod.clone(), receipts);
    tracing::info!(queue = settings.queue_url, work = ?settings.work, parallelism = settings.parallelism, "consuming");
    consumer::consume(settings, queue, receipts, clock, stop).await;
    tracing::info!("stopped");
}
