//! The manual clock: a face that is read and a handle that moves it, joined by a watch channel.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

/// Moves a manual clock. Dropping it stops the clock for good.
#[derive(Debug)]
pub struct ClockHandle(watch::Sender<Duration>);

impl ClockHandle {
    /// Moves time forward and wakes every wait that has become due.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|elapsed| *elapsed += by);
    }
}

#[derive(Debug)]
pub(crate) struct Face {
    start: Timestamp,
    elapsed: watch::Receiver<Duration>,
}

pub(crate) fn pair(start: Timestamp) -> (Face, ClockHandle) {
    let (sender, elapsed) = watch::channel(Duration::ZERO);
    (Face { start, elapsed }, ClockHandle(sender))
}

impl Face {
    pub(crate) fn elapsed(&self) -> Duration {
        *self.elapsed.borrow()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.start.checked_add(self.elapsed()).unwrap_or(Timestamp::MAX)
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        let due = self.elapsed().saturating_add(duration);
        let mut elapsed = self.elapsed.clone();
        if elapsed.wait_for(|now| *now >= due).await.is_err() {
            // Nobody can move this clock any more, so the moment never comes.
            std::future::pending::<()>().await;
        }
    }
}
