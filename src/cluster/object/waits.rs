//! Waiting until an object is ready, or gone. Every wait says what it waits for, puts up with a server that does not answer
//! for a while, and ends early when waiting longer cannot help.

use std::time::Duration;

use clock::Moment;
use k8s_openapi::api::core::v1::Pod;
use provision::Context;
use serde_json::Value;

use super::passed_over::PassedOver;
use super::{Object, release};
use crate::Result;
use crate::address::text;
use crate::connection::Session;
use crate::diagnosis;
use crate::ending::{Remains, ending, held_by};
use crate::error::Error;
use crate::hope::Hope;
use crate::readiness::{self, Readiness, readiness};

/// How long a pod on Fargate may take, with room for a slow image
/// (`docs/rules.md#fargate-time-until-a-pod-is-ready`).
const READY_LIMIT: Duration = Duration::from_mins(15);
/// A removal waits for finalizers and for pods' grace periods.
const GONE_LIMIT: Duration = Duration::from_mins(10);
/// How long finalizers of others may hold a deleted object without anything changing.
const HELD_LIMIT: Duration = Duration::from_mins(3);
/// How long an API server may not answer; a managed control plane is back within it.
const DEAF_LIMIT: Duration = Duration::from_mins(3);
pub(super) const PERIOD: Duration = Duration::from_secs(1);

/// One wait.
struct Wait<'a> {
    context: &'a Context,
    what: String,
    limit: Duration,
    start: Moment,
    last: String,
    /// Since when the last reason stands.
    since: Moment,
    /// Since when the server has not answered.
    deaf: Option<Moment>,
}

impl<'a> Wait<'a> {
    fn new(context: &'a Context, what: String, limit: Duration) -> Self {
        let start = context.clock.moment();
        Self { context, what, limit, start, last: String::new(), since: start, deaf: None }
    }

    /// Takes what a look has found for the reason to wait. A look that failed is a reason only if it passes, and not for ever.
    fn reason(&mut self, look: Result<String>, object: &Object) -> Result<()> {
        let clock = &self.context.clock;
        let why = match look {
            Ok(why) => {
                self.deaf = None;
                why
            }
            Err(error) if error.passes() || object.is_of_new_cluster(&error) => {
                let since = *self.deaf.get_or_insert_with(|| clock.moment());
                if clock.elapsed(since) >= DEAF_LIMIT {
                    return Err(error);
                }
                error.to_string()
            }
            Err(error) => return Err(error),
        };
        if why != self.last {
            self.context.progress.report(why.clone());
            self.since = clock.moment();
            self.last = why;
        }
        Ok(())
    }

    /// How long the reason has been the same.
    fn unchanged(&self) -> Duration {
        self.context.clock.elapsed(self.since)
    }

    async fn pause(&self) -> Result<()> {
        let seconds = self.context.clock.elapsed(self.start).as_secs();
        if self.context.clock.elapsed(self.start) >= self.limit {
            return Err(Error::Deadline { what: self.what.clone(), seconds, last: self.last.clone() });
        }
        tokio::select! {
            () = self.context.clock.sleep(PERIOD) => Ok(()),
            () = self.context.stop.cancelled() => Err(Error::Interrupted { what: self.what.clone() }),
        }
    }

    fn hopeless(&self, why: String) -> Error {
        Error::Hopeless { what: self.what.clone(), why }
    }
}

/// What a look at an object that is to become ready has found.
enum Seen {
    Ready(Value),
    Waiting(String),
    Hopeless(String),
}

impl Object {
    pub(super) async fn until_ready(&self, context: &Context) -> Result<Value> {
        let mut wait = Wait::new(context, format!("{} to become ready", self.name.for_people()), READY_LIMIT);
        let (mut hope, mut passed_over) = (Hope::default(), PassedOver::default());
        loop {
            let look = match self.look_ready(&mut hope, &mut passed_over, context).await {
                Ok(Seen::Ready(live)) => return Ok(live),
                Ok(Seen::Hopeless(why)) => return Err(wait.hopeless(why)),
                Ok(Seen::Waiting(why)) => Ok(why),
                Err(error) => Err(error),
            };
            wait.reason(look, self)?;
            wait.pause().await?;
        }
    }

    async fn look_ready(&self, hope: &mut Hope, passed_over: &mut PassedOver, context: &Context) -> Result<Seen> {
        let session = self.cluster.session().await?;
        let Some(live) = self.fetch(&session).await? else {
            return Ok(Seen::Hopeless("it has been deleted by somebody else".to_owned()));
        };
        let why = match readiness(&live) {
            Readiness::Ready => return Ok(Seen::Ready(live)),
            Readiness::Waiting(why) => why,
        };
        if self.name.kind != "Deployment" {
            return Ok(Seen::Waiting(why));
        }
        let mut pods = self.newest_pods(&session, &live).await?;
        // Only in a cluster of the stack's own is Fargate all that there is.
        if self.lives_in.is_some() {
            if let Some(why) = passed_over.given_up(&pods, &context.clock) {
                return Ok(Seen::Hopeless(why));
            }
            pods = passed_over
                .replaced(&session, pods, context)
                .await
                .map_err(|error| self.failed(&session, "replace a pod of", &error))?;
        }
        if let Some(lost) = hope.lost(&live, &pods, &context.clock) {
            return Ok(Seen::Hopeless(lost));
        }
        let reasons = std::iter::once(why).chain(readiness::pod_trouble(&pods));
        Ok(Seen::Waiting(reasons.collect::<Vec<_>>().join("; ")))
    }

    async fn newest_pods(&self, session: &Session, live: &Value) -> Result<Vec<Pod>> {
        let pods = diagnosis::newest_pods(session, live).await;
        pods.map_err(|error| self.failed(session, "look at the pods of", &error))
    }

    pub(super) async fn until_gone(&self, deleted: &Value, context: &Context) -> Result<()> {
        let mut wait = Wait::new(context, format!("{} to be gone", self.name.for_people()), GONE_LIMIT);
        if text(deleted, "/metadata/deletionTimestamp").is_some() {
            context.progress.note(format!("waiting for its end: {}", ending(deleted)));
        }
        loop {
            let look = match self.remaining(deleted).await {
                Ok(None) => return Ok(()),
                Ok(Some(remains)) => match self.helped(&remains, wait.unchanged(), context).await {
                    Ok(false)
                        if (remains.is_held || remains.is_stale)
                            && wait.last == remains.why
                            && wait.unchanged() >= HELD_LIMIT =>
                    {
                        return Err(wait.hopeless(remains.why));
                    }
                    Ok(_) => Ok(remains.why),
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            wait.reason(look, self)?;
            wait.pause().await?;
        }
    }

    /// What is still there of a deleted object.
    async fn remaining(&self, deleted: &Value) -> Result<Option<Remains>> {
        let Some(session) = self.cluster.find().await? else { return Ok(None) };
        let uid = text(deleted, "/metadata/uid");
        if let Some(live) = self.fetch(&session).await?.filter(|live| text(live, "/metadata/uid") == uid) {
            return Ok(Some(held_by(&live)));
        }
        // Fargate profiles and the operator must outlive the pods, not only the object that they follow from.
        let (what, following) = match self.name.kind.as_str() {
            "Deployment" => ("pods", readiness::pods_of(&session, deleted).await.map(names)),
            "ScaledJob" => ("Jobs", readiness::jobs_of(&session, deleted).await),
            _ => return Ok(None),
        };
        let names = following.map_err(|error| self.failed(&session, &format!("look at the {what} of"), &error))?;
        let why = format!("its {what} are ending: {}", names.join(", "));
        Ok((!names.is_empty()).then_some(Remains { why, is_held: false, is_stale: false }))
    }

    /// Whether something of ours that stands in the way of the end was removed.
    async fn helped(&self, remains: &Remains, unchanged: Duration, context: &Context) -> Result<bool> {
        if remains.is_stale {
            let session = self.cluster.session().await?;
            return release::api_services(&session, &self.name.name, &self.stack, context).await;
        }
        if remains.is_held { self.release_orphans(unchanged, context).await } else { Ok(false) }
    }

    /// Whether finalizers of our operator were taken off, because no operator does.
    async fn release_orphans(&self, held: Duration, context: &Context) -> Result<bool> {
        let session = self.cluster.session().await?;
        let Some(patience) = release::patience(&session, held).await? else { return Ok(false) };
        release::orphans(&session, &self.name, &patience, context).await
    }
}

fn names(pods: Vec<Pod>) -> Vec<String> {
    pods.into_iter().filter_map(|pod| pod.metadata.name).collect()
}
