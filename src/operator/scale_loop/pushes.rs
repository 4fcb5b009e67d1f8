//! The door for triggers that say by themselves when they become active or inactive: their object is polled at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clock::Moment;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio_stream::StreamMap;

use crate::sources::Triggers;

/// The least time between two polls of one object, however often its triggers speak; system time.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The streams of one object's triggers.
#[derive(Default)]
pub(super) struct Pushes {
    triggers: Option<Arc<Triggers>>,
    /// By the trigger's index. Streams are not `Sync`, which what is borrowed across an await must be; nobody ever waits here.
    streams: Mutex<StreamMap<usize, BoxStream<'static, bool>>>,
    /// Something was said that no poll has taken into account.
    is_pending: bool,
}

impl Pushes {
    /// Listens to these triggers from now on, and no more to others.
    pub(super) fn follow(&mut self, triggers: &Arc<Triggers>) {
        if !self.triggers.as_ref().is_some_and(|before| Arc::ptr_eq(before, triggers)) {
            self.streams = Mutex::default();
            self.triggers = Some(Arc::clone(triggers));
        }
        for (index, changes) in triggers.new_changes() {
            self.streams().insert(index, changes);
        }
    }

    /// Returns once a trigger has said something; never if there is none that could.
    pub(super) async fn next(&mut self) {
        let spoken = self.streams().next().await;
        let (Some(triggers), Some((index, is_active))) = (&self.triggers, spoken) else {
            return std::future::pending().await;
        };
        tracing::debug!(index, is_active, "a trigger speaks by itself");
        triggers.set_active(index, is_active);
        self.is_pending = true;
    }

    fn streams(&mut self) -> &mut StreamMap<usize, BoxStream<'static, bool>> {
        self.streams.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the object is to be polled for what was said, if anything was; `last`: when it was polled last.
    pub(super) fn due(&self, last: Moment) -> Option<Moment> {
        self.is_pending.then(|| last.plus(PAUSE_MIN))
    }

    /// A poll begins that takes it into account.
    pub(super) fn answered(&mut self) {
        self.is_pending = false;
    }
}
