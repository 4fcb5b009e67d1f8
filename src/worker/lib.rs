//! The sample consumer: receives messages, works on each for a while, deletes it, and writes one receipt per message.
//!
//! Entry point: [`run`] with [`Settings`]; it ends when the token is cancelled and what was begun is settled, or, asked to take one
//! message, after that one.
//!
//! Invariants: a message is deleted only after its work is done; every message that was begun ends in exactly one
//! receipt; no error of the queue ends the process; a message that comes while stopping is not begun. Whatever this
//! process does not settle (it was killed, or the answer to a receive was lost) reappears when its visibility ends.
//!
//! This crate must not know who scales it or how many others work beside it.

mod consumer;
pub mod env;
mod error;
mod receipt;
mod settings;

use std::sync::Arc;

use aws::queue::Queue;
use aws::session::Session;
use clock::Clock;
pub use error::{Error, Result};
pub use receipt::{Outcome, Receipt};
pub use settings::Settings;
use tokio_util::sync::CancellationToken;

use crate::consumer::Consumer;
use crate::receipt::Ledger;

/// Consumes the queue until `stop` is cancelled, or takes one message. The AWS session is the one that the environment describes.
///
/// # Errors
///
/// [`Error::Setting`] if a setting makes no sense. [`Error::Session`] if there is no AWS session. [`Error::Unsettled`] if the
/// one message was not worked on, so that a Job counts it as failed. What the queue answers is never an error of this function.
pub async fn run(settings: Settings, clock: Clock, stop: CancellationToken) -> Result<()> {
    settings.check()?;
    let session = Session::load(aws::session::Settings::new("worker")).await?;
    consume(&session, settings, clock, stop).await
}

/// As [`run`], with the AWS session given.
///
/// # Errors
///
/// [`Error::Setting`] if a setting makes no sense. [`Error::Unsettled`] if the one message was not worked on.
pub async fn consume(session: &Session, settings: Settings, clock: Clock, stop: CancellationToken) -> Result<()> {
    settings.check()?;
    let queue = Queue::new(session, &settings.queue_url);
    tracing::info!(queue = settings.queue_url, parallelism = settings.parallelism, "consuming");
    let once = settings.once;
    let (plan, ledger) = split(settings);
    let consumers = (0..plan.parallelism).map(|_| Consumer {
        queue: queue.clone(),
        plan: Arc::clone(&plan),
        ledger: Arc::clone(&ledger),
        clock: clock.clone(),
        stop: stop.clone(),
    });
    let last = futures::future::join_all(consumers.map(Consumer::run)).await;
    match last.into_iter().flatten().next().filter(|_| once) {
        Some(Outcome::Failed | Outcome::Returned) => return Err(Error::Unsettled),
        Some(Outcome::Deleted) => tracing::info!("took one message, which is done"),
        None if once && !stop.is_cancelled() => tracing::info!("no message waits; nothing was taken"),
        None => tracing::info!("stopped; nothing is in work"),
    }
    Ok(())
}

fn split(settings: Settings) -> (Arc<settings::Plan>, Arc<Ledger>) {
    let (plan, receipts, pod) = settings.split();
    (Arc::new(plan), Arc::new(Ledger::new(receipts, pod)))
}

#[cfg(test)]
mod tests;
