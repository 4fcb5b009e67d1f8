//! What happens during a refresh or an apply, as values for a view.

use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc;

use crate::address::Address;
use crate::plan::Action;

/// The sending end of the event stream. Unbounded: a slow view must not hold up an apply.
pub type Events = mpsc::UnboundedSender<Event>;

/// One thing that happened. Durations are system time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A resource is being read.
    RefreshStart {
        /// Which.
        address: Address,
    },
    /// A resource has been read.
    RefreshComplete {
        /// Which.
        address: Address,
        /// Whether it exists.
        found: bool,
    },
    /// A step has begun.
    ApplyStart {
        /// Which.
        address: Address,
        /// What is done to it.
        action: Action,
    },
    /// A step is still running.
    Progress {
        /// Which.
        address: Address,
        /// Since the step's start.
        #[serde(serialize_with = "seconds")]
        elapsed: Duration,
        /// The provider's status and health, for people.
        status: String,
    },
    /// A step has ended well and is recorded in the state.
    Complete {
        /// Which.
        address: Address,
        /// What was done to it.
        action: Action,
        /// Since the step's start.
        #[serde(serialize_with = "seconds")]
        elapsed: Duration,
        /// The object's identifier; absent after a deletion.
        id: Option<String>,
    },
    /// A step has failed.
    Errored {
        /// Which.
        address: Address,
        /// What was tried.
        action: Action,
        /// Since the step's start.
        #[serde(serialize_with = "seconds")]
        elapsed: Duration,
        /// Why.
        error: String,
    },
    /// A step was not tried.
    Skipped {
        /// Which.
        address: Address,
        /// What would have been done to it.
        action: Action,
        /// Why not.
        because: String,
    },
}

fn seconds<S: serde::Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(elapsed.as_secs_f64())
}

/// Tells the view how a running step is doing.
#[derive(Debug, Clone)]
pub struct Progress(Option<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    address: Address,
    clock: clock::Clock,
    start: clock::Moment,
    events: Events,
}

impl Progress {
    /// Progress that nobody watches.
    pub fn silent() -> Self {
        Self(None)
    }

    /// Progress of `address` from now on.
    pub fn new(address: Address, clock: &clock::Clock, events: Events) -> Self {
        Self(Some(Inner { address, clock: clock.clone(), start: clock.moment(), events }))
    }

    /// Tells `status`.
    pub fn report(&self, status: impl Into<String>) {
        if let Some(inner) = &self.0 {
            let elapsed = inner.clock.elapsed(inner.start);
            let event = Event::Progress { address: inner.address.clone(), elapsed, status: status.into() };
            // A view that has gone away is no reason to stop.
            let _ = inner.events.send(event);
        }
    }
}
