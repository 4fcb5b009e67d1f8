//! One consumer: receive a message, work on it, settle it, again; as many consumers as messages may be worked on at once.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use aws::queue::{Message, Queue};
use clock::Clock;
use tokio_util::sync::CancellationToken;

use crate::receipt::{Ledger, Outcome};
use crate::settings::Plan;

/// Pauses after failed calls: doubled from the first up to the last, then jittered by up to a half.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(30);
/// How often settling a message is tried before it is left to reappear.
const SETTLE_ATTEMPTS: u32 = 5;

pub(crate) struct Consumer {
    pub(crate) queue: Queue,
    pub(crate) plan: Arc<Plan>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) clock: Clock,
    pub(crate) stop: CancellationToken,
}

/// How the work ended.
enum Work {
    Done,
    Failed,
    OutOfTime,
}

impl Consumer {
    /// Consumes until the stop, or once. What became of the last message, if there was any.
    pub(crate) async fn run(self) -> Option<Outcome> {
        let (mut failures, mut last) = (0, None);
        while let Some(received) = self.received().await {
            match received {
                Ok(messages) => {
                    failures = 0;
                    for message in messages {
                        last = Some(self.settle(&message).await);
                    }
                    if self.plan.once {
                        break;
                    }
                }
                Err(error) => {
                    failures += 1;
                    report(&error, failures, "cannot receive");
                    let pause = self.clock.sleep(pause(failures));
                    self.stop.run_until_cancelled(pause).await;
                }
            }
        }
        last
    }

    /// The next answer of the queue; `None` once stopping. A receive that is under way then is dropped: a message in
    /// its answer was never begun and reappears when its visibility ends.
    async fn received(&self) -> Option<Result<Vec<Message>, aws::Error>> {
        if self.stop.is_cancelled() {
            return None;
        }
        let receive = self.queue.receive_for(1, self.plan.wait, Some(self.plan.visibility));
        self.stop.run_until_cancelled(receive).await
    }

    async fn settle(&self, message: &Message) -> Outcome {
        let started_at = self.clock.now();
        let work = if self.stop.is_cancelled() { Work::OutOfTime } else { self.worked(message).await };
        let outcome = match work {
            Work::Done => self.deleted(message).await,
            Work::Failed => {
                tracing::warn!(message_id = message.id, "work failed; the message goes back to the queue");
                self.handed_back(message).await;
                Outcome::Failed
            }
            Work::OutOfTime => {
                tracing::info!(message_id = message.id, "stopping; the message goes back to the queue");
                self.handed_back(message).await;
                Outcome::Returned
            }
        };
        self.ledger.write(message, outcome, started_at, self.clock.now());
        outcome
    }

    /// The work itself, with the message kept hidden meanwhile, and bounded by the grace once stopping.
    async fn worked(&self, message: &Message) -> Work {
        let out_of_time = async {
            self.stop.cancelled().await;
            self.clock.sleep(self.plan.grace).await;
        };
        tokio::select! {
            biased;
            () = self.clock.sleep(self.plan.work) => if self.fails(message) { Work::Failed } else { Work::Done },
            () = out_of_time => Work::OutOfTime,
            () = self.kept_hidden(message) => Work::Failed,
        }
    }

    /// Extends the visibility for as long as it is polled.
    async fn kept_hidden(&self, message: &Message) {
        loop {
            self.clock.sleep(self.plan.visibility / 2).await;
            let extended = self.queue.change_visibility(&message.receipt_handle, self.plan.visibility).await;
            if let Err(error) = extended {
                // The work goes on: at worst somebody else does it too, which at-least-once delivery allows.
                tracing::warn!(message_id = message.id, %error, "the message could not be kept hidden");
            }
        }
    }

    async fn deleted(&self, message: &Message) -> Outcome {
        let done = self.attempted("cannot delete", || self.queue.delete(&message.receipt_handle)).await;
        if done { Outcome::Deleted } else { Outcome::Failed }
    }

    async fn handed_back(&self, message: &Message) {
        let back = || self.queue.change_visibility(&message.receipt_handle, Duration::ZERO);
        self.attempted("cannot hand back", back).await;
    }

    /// Tries `call` a few times; false if it never succeeded, in which case the message is left to reappear.
    async fn attempted<F>(&self, what: &str, call: impl Fn() -> F) -> bool
    where
        F: Future<Output = Result<(), aws::Error>>,
    {
        for attempt in 1..=SETTLE_ATTEMPTS {
            let Err(error) = call().await else { return true };
            report(&error, attempt, what);
            if !error.is_retryable() || attempt == SETTLE_ATTEMPTS {
                break;
            }
            self.clock.sleep(pause(attempt)).await;
        }
        false
    }

    /// Whether the work on this message fails: the same for the same seed, message and receive count, however the
    /// consumers interleave.
    fn fails(&self, message: &Message) -> bool {
        if let Some(times) = poison(&message.body) {
            return message.receive_count <= times;
        }
        let mut hasher = DefaultHasher::new();
        (self.plan.seed, &message.id, message.receive_count).hash(&mut hasher);
        fastrand::Rng::with_seed(hasher.finish()).f64() < self.plan.failure_rate
    }
}

/// How often the work on a message fails whose body begins with `poison` or `poison:N`: always, or its first N times.
fn poison(body: &str) -> Option<u32> {
    let first = body.split_whitespace().next()?;
    if first == "poison" {
        return Some(u32::MAX);
    }
    first.strip_prefix("poison:")?.parse().ok()
}

fn pause(failures: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << (failures.saturating_sub(1)).min(5)).min(LAST_PAUSE);
    doubled.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// A failure that may pass is a warning; one that somebody must mend is an error, with the next step in its text.
fn report(error: &aws::Error, failures: u32, what: &str) {
    if error.is_retryable() {
        tracing::warn!(%error, failures, "{what}; trying again");
    } else {
        tracing::error!(%error, failures, "{what}; trying again, but this needs a change");
    }
}

#[cfg(test)]
mod tests {
    use super::poison;

    #[test]
    fn the_first_word_of_a_body_says_how_often_its_work_fails() {
        for (body, times) in [
            ("poison order 4", Some(u32::MAX)),
            ("poison", Some(u32::MAX)),
            ("poison:2 order", Some(2)),
            ("poison:two", None),
            ("order poison", None),
            ("poisonous", None),
            ("", None),
        ] {
            assert_eq!(poison(body), times, "{body}");
        }
    }
}
