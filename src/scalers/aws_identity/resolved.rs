//! A caller that was resolved: its session with its cached credentials, and one SDK client an endpoint.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws::queue::{Queue, Queues};
use aws::session::Session;

/// A session, and how it was come by where that explains a later refusal.
pub(crate) struct Resolved {
    session: Session,
    pub(super) note: String,
    /// By endpoint.
    queues: Mutex<HashMap<Option<String>, Queues>>,
}

/// Why a call gave nothing.
pub(crate) enum Failure {
    /// AWS refused or failed, and how the identity was come by, where that helps.
    Aws { cause: aws::Error, note: String },
    /// No answer in time.
    TimedOut,
}

impl Resolved {
    pub(super) fn new(session: Session, note: String) -> Self {
        Self { session, note, queues: Mutex::default() }
    }

    /// The queue at a URL or of a name, at another endpoint than the session's if one is named.
    pub(crate) fn queue(&self, endpoint: Option<&str>, queue: &str) -> Queue {
        // The map is consistent between any two of its operations, so a panic elsewhere does not spoil it.
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let queues = queues.entry(endpoint.map(str::to_owned)).or_insert_with(|| match endpoint {
            Some(endpoint) => Queues::new(&self.session.with_endpoint(endpoint)),
            None => Queues::new(&self.session),
        });
        queues.queue(queue)
    }
}
