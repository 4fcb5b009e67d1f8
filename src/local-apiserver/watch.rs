//! Watches: the past from the store's history, then the present, as selectors see it.

use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use futures::stream::{self, BoxStream, StreamExt};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::selector::Selector;
use crate::status::Status;
use crate::store::{Change, Object, Store};

/// Real time between bookmarks on a quiet watch.
const BOOKMARK_EVERY: Duration = Duration::from_mins(1);

/// One frame of a watch.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    pub kind: &'static str,
    /// The object, or the Status of an `ERROR`.
    pub object: Value,
}

/// What is watched, from where, and how frames are rendered.
pub(crate) struct Plan {
    pub(crate) collection: String,
    pub(crate) namespace: Option<String>,
    pub(crate) selector: Selector,
    /// Start after this revision; `None` begins with the present objects.
    pub(crate) from: Option<u64>,
    pub(crate) bookmarks: bool,
    /// End the initial objects with the annotated bookmark of WatchList.
    pub(crate) announce_initial_end: bool,
    /// Real time until the watch ends.
    pub(crate) limit: Duration,
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) render: Arc<dyn Fn(&Value) -> Value + Send + Sync>,
}

struct Run {
    plan: Plan,
    store: Arc<Store>,
    clock: Clock,
    stop: CancellationToken,
    changed: tokio::sync::watch::Receiver<u64>,
    at: u64,
    ends: clock::Moment,
}

/// Opens a watch; fails at once if its start is no longer known.
pub(crate) fn open(
    plan: Plan,
    store: &Arc<Store>,
    clock: &Clock,
    stop: &CancellationToken,
) -> Result<BoxStream<'static, Event>, Status> {
    let changed = store.subscribe(&plan.collection);
    let mut first = Vec::new();
    let at = if let Some(revision) = plan.from {
        store.changes_since(&plan.collection, revision).map_err(|old| Status::too_old(revision, old.oldest))?;
        revision
    } else {
        let (objects, revision) = store.list(&plan.collection, plan.namespace.as_deref());
        let seen = objects.iter().filter(|object| plan.selector.matches(object));
        first.extend(seen.map(|object| Event { kind: "ADDED", object: (plan.render)(object) }));
        if plan.announce_initial_end {
            first.push(bookmark(&plan, revision, true));
        }
        revision
    };
    let ends = clock.moment().plus(clock.to_system(plan.limit));
    let run = Run { plan, store: store.clone(), clock: clock.clone(), stop: stop.clone(), changed, at, ends };
    let present = stream::unfold(Some(run), |run| async move {
        let mut run = run?;
        let events = run.next().await?;
        let over = events.iter().any(|event| event.kind == "ERROR");
        Some((stream::iter(events), if over { None } else { Some(run) }))
    });
    Ok(stream::iter(first).chain(present.flatten()).boxed())
}

impl Run {
    /// The next frames, or `None` when the watch is over.
    async fn next(&mut self) -> Option<Vec<Event>> {
        loop {
            self.changed.borrow_and_update();
            let changes = match self.store.changes_since(&self.plan.collection, self.at) {
                Ok(changes) => changes,
                Err(old) => {
                    let status = Status::too_old(self.at, old.oldest);
                    return Some(vec![Event { kind: "ERROR", object: status.into_value() }]);
                }
            };
            if let Some(last) = changes.last() {
                self.at = last.revision;
                let events: Vec<Event> = changes.iter().filter_map(|change| self.frame(change)).collect();
                if !events.is_empty() {
                    return Some(events);
                }
                continue;
            }
            let left = self.ends.since(self.clock.moment());
            if left.is_zero() {
                return None;
            }
            let pause = left.min(self.clock.to_system(BOOKMARK_EVERY));
            let clock = self.clock.clone();
            tokio::select! {
                () = self.stop.cancelled() => return None,
                more = self.changed.changed() => more.ok()?,
                () = clock.sleep(pause) => {
                    // The revision is read before the check: what comes later is newer than the bookmark says.
                    let revision = self.store.revision();
                    let quiet = self.store.changes_since(&self.plan.collection, self.at).is_ok_and(|later| later.is_empty());
                    if self.plan.bookmarks && pause < left && quiet {
                        return Some(vec![bookmark(&self.plan, self.at.max(revision), false)]);
                    }
                },
            }
        }
    }

    fn frame(&self, change: &Change) -> Option<Event> {
        let seen = |object: &Option<Object>| object.as_ref().filter(|object| self.sees(object)).cloned();
        let (kind, object) = match (seen(&change.old), seen(&change.new)) {
            (None, None) => return None,
            (None, Some(new)) => ("ADDED", (self.plan.render)(&new)),
            (Some(_), Some(new)) => ("MODIFIED", (self.plan.render)(&new)),
            (Some(old), None) => {
                let mut last = (*old).clone();
                last["metadata"]["resourceVersion"] = change.revision.to_string().into();
                ("DELETED", (self.plan.render)(&last))
            }
        };
        Some(Event { kind, object })
    }

    fn sees(&self, object: &Value) -> bool {
        let here = |ns: &String| object["metadata"]["namespace"].as_str() == Some(ns);
        self.plan.namespace.as_ref().is_none_or(here) && self.plan.selector.matches(object)
    }
}

fn bookmark(plan: &Plan, revision: u64, initial_end: bool) -> Event {
    let mut object = json!({
        "kind": plan.kind, "apiVersion": plan.api_version,
        "metadata": {"resourceVersion": revision.to_string()},
    });
    if initial_end {
        object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    Event { kind: "BOOKMARK", object }
}
