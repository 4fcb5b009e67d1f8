//! What happens during a refresh or an apply, as values for a view.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc;

use crate::action::Action;
use crate::address::Address;

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
    /// Something was done in a step that a person should know of.
    Note {
        /// Which.
        address: Address,
        /// What, for people.
        text: String,
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
        /// What was seen of the thing when it failed, one line each.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        evidence: Vec<String>,
        /// What to do or to look at next.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    },
    /// A removal has failed of something that goes with its container, which is removed next.
    #[serde(rename = "left")]
    LeftToContainer {
        /// Which.
        address: Address,
        /// What it goes with.
        container: Address,
        /// Since the step's start.
        #[serde(serialize_with = "seconds")]
        elapsed: Duration,
        /// Why it could not be removed by itself.
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

/// Reports to the view how a running step is doing.
#[derive(Debug, Clone)]
pub struct Progress(Option<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    address: Address,
    clock: clock::Clock,
    start: clock::Moment,
    events: Events,
    /// What was said last; clones share it.
    last: Arc<Mutex<Option<String>>>,
}

impl Progress {
    /// Progress that nobody watches.
    pub fn silent() -> Self {
        Self(None)
    }

    /// Progress of `address` from now on.
    pub fn new(address: Address, clock: &clock::Clock, events: Events) -> Self {
        let (start, last) = (clock.moment(), Arc::default());
        Self(Some(Inner { address, clock: clock.clone(), start, events, last }))
    }

    /// What was said last, if anything was.
    pub(crate) fn last(&self) -> Option<String> {
        // A panic elsewhere while it was held leaves a whole text.
        self.0.as_ref()?.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reports `status`.
    pub fn report(&self, status: impl Into<String>) {
        if let Some(inner) = &self.0 {
            let (elapsed, status) = (inner.clock.elapsed(inner.start), status.into());
            *inner.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(status.clone());
            let event = Event::Progress { address: inner.address.clone(), elapsed, status };
            // A view that has gone away is no reason to stop.
            let _ = inner.events.send(event);
        }
    }

    /// Says something that must be seen, whatever the pace of progress.
    pub fn note(&self, text: impl Into<String>) {
        if let Some(inner) = &self.0 {
            let event = Event::Note { address: inner.address.clone(), text: text.into() };
            // A view that has gone away is no reason to stop.
            let _ = inner.events.send(event);
        }
    }
}
