//! Wakes the loop of one object: there may be something to do.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Wakes a loop.
#[derive(Default)]
pub(crate) struct Wake {
    notify: Notify,
    again: AtomicBool,
}

impl Wake {
    /// `again`: something that the object depends on has changed, so it is to be reconciled in any case.
    pub(crate) fn up(&self, again: bool) {
        if again {
            self.again.store(true, Ordering::Release);
        }
        self.notify.notify_one();
    }

    /// Whether it is to be reconciled in any case; that is asked for once.
    pub(crate) fn is_again(&self) -> bool {
        self.again.swap(false, Ordering::AcqRel)
    }

    /// Returns once it is woken.
    pub(crate) async fn woken(&self) {
        self.notify.notified().await;
    }
}
