//! The life of one message in the consumer.

use std::convert::Infallible;
use std::time::Duration;

use aws::queue::{Message, Queue};
use clock::Clock;
use tokio_util::sync::CancellationToken;

use crate::receipt::{Outcome, Receipts};

/// How often the message's invisibility is renewed while it is worked on, and by how much.
const HEARTBEAT: Duration = Duration::from_secs(20);
const VISIBILITY: Duration = Duration::from_secs(60);

pub(crate) struct Work {
    pub(crate) message: Message,
    pub(crate) fails: bool,
    pub(crate) duration: Duration,
    /// What may remain of the work when the consumer is told to stop.
    pub(crate) grace: Duration,
}

impl Work {
    pub(crate) async fn run(self, queue: &Queue, receipts: &Receipts, clock: &Clock, stop: &CancellationToken) {
        let started_at = clock.now();
        let outcome = tokio::select! {
            outcome = self.work(clock, stop) => outcome,
            never = heartbeat(queue, &self.message, clock) => match never {},
        };
        let settled = match outcome {
            Outcome::Deleted => queue.delete(&self.message.receipt_handle).await,
            Outcome::Returned => queue.change_visibility(&self.message.receipt_handle, Duration::ZERO).await,
            Outcome::Failed => Ok(()),
        };
        match settled {
            Ok(()) => receipts.write(&self.message, outcome, started_at, clock.now()),
            // No receipt for what did not happen: the message reappears and gets another.
            Err(error) => {
                tracing::error!(%error, message = self.message.id, ?outcome, "the queue did not take the outcome")
            }
        }
    }

    /// Works; gives up only if told to stop with more left than the grace allows.
    async fn work(&self, clock: &Clock, stop: &CancellationToken) -> Outcome {
        let end = clock.moment().plus(self.duration);
        tokio::select! {
            () = clock.sleep_until(end) => {}
            () = stop.cancelled() => {
                if end.since(clock.moment()) > self.grace {
                    return Outcome::Returned;
                }
                clock.sleep_until(end).await;
            }
        }
        if self.fails { Outcome::Failed } else { Outcome::Deleted }
    }
}

/// Keeps the message invisible for as long as it is polled; a failure is told and tried again.
async fn heartbeat(queue: &Queue, message: &Message, clock: &Clock) -> Infallible {
    loop {
        clock.sleep(HEARTBEAT).await;
        if let Err(error) = queue.change_visibility(&message.receipt_handle, VISIBILITY).await {
            tracing::warn!(%error, message = message.id, "the message's visibility could not be extended");
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn work(seconds: u64, grace: u64, fails: bool) -> Work {
        let message = Message {
            id: "m".into(),
            body: String::new(),
            receipt_handle: "r".into(),
            receive_count: 1,
            sent_at: Timestamp::UNIX_EPOCH,
        };
        Work { message, fails, duration: Duration::from_secs(seconds), grace: Duration::from_secs(grace) }
    }

    #[tokio::test]
    async fn work_that_fits_the_grace_is_finished() {
        let stop = CancellationToken::new();
        stop.cancel();
        let clock = Clock::scaled(1000.0);
        assert_eq!(work(20, 25, false).work(&clock, &stop).await, Outcome::Deleted);
    }

    #[tokio::test]
    async fn work_that_does_not_fit_the_grace_is_handed_back_at_once() {
        let stop = CancellationToken::new();
        stop.cancel();
        let clock = Clock::scaled(1.0);
        assert_eq!(work(60, 25, false).work(&clock, &stop).await, Outcome::Returned);
    }

    #[tokio::test]
    async fn work_that_fails_is_not_deleted() {
        let clock = Clock::scaled(1000.0);
        assert_eq!(work(1, 25, true).work(&clock, &CancellationToken::new()).await, Outcome::Failed);
    }
}
