//! The loop: receive as much as can be worked on, hand each message to a task of its own, stop in order.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws::queue::Queue;
use clock::Clock;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Settings;
use crate::message::Work;
use crate::receipt::Receipts;

/// SQS gives at most this many messages at a time.
const RECEIVE_MAX: usize = 10;
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(30);

pub(crate) async fn consume(
    settings: Settings,
    queue: Queue,
    receipts: Receipts,
    clock: Clock,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(settings.parallelism.max(1)));
    let chance = Mutex::new(fastrand::Rng::with_seed(settings.seed));
    let mut tasks = JoinSet::new();
    let mut backoff = BACKOFF_FIRST;
    while !stop.is_cancelled() {
        let Some(free) = free_places(&places, &stop).await else { break };
        let received = tokio::select! {
            // A message that arrives while this is dropped was not touched; it reappears.
            () = stop.cancelled() => break,
            received = queue.receive(free, settings.wait) => received,
        };
        match received {
            Ok(messages) => {
                backoff = BACKOFF_FIRST;
                for message in messages {
                    let Ok(place) = places.clone().acquire_owned().await else { break };
                    let fails = chance.lock().unwrap_or_else(PoisonError::into_inner).f64() < settings.failure_rate;
                    let work = Work { message, fails, duration: settings.work, grace: settings.grace };
                    let (queue, receipts) = (queue.clone(), receipts.clone());
                    let (clock, stop) = (clock.clone(), stop.clone());
                    tasks.spawn(async move {
                        work.run(&queue, &receipts, &clock, &stop).await;
                        drop(place);
                    });
                }
            }
            Err(error) => {
                tracing::error!(%error, code = error.code(), retry_in = ?backoff, "no message could be received");
                let pause = backoff.mul_f64(0.5 + fastrand::f64() / 2.0);
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = clock.sleep(pause) => backoff = (backoff * 2).min(BACKOFF_MAX),
                }
            }
        }
        while tasks.try_join_next().is_some() {}
    }
    tracing::info!(held = tasks.len(), "stopping");
    while tasks.join_next().await.is_some() {}
}

/// How many messages can be worked on now; waits for at least one place. `None` when told to stop.
async fn free_places(places: &Semaphore, stop: &CancellationToken) -> Option<u32> {
    tokio::select! {
        () = stop.cancelled() => None,
        permit = places.acquire() => {
            drop(permit.ok()?);
            Some(places.available_permits().clamp(1, RECEIVE_MAX) as u32)
        }
    }
}
