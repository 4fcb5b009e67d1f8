//! StatefulSets: pods with names of their own, made and ended in order, each with the claims that are its alone.
//!
//! Source of the rules: `pkg/controller/statefulset` of Kubernetes, and its documentation of StatefulSets.

mod claims;
mod identity;
mod plan;
mod status;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::adoption::{Claimant, owners};
use crate::cache::{Cache, Change};
use crate::error::Result;
use crate::event::Recorder;
use crate::history::{self, History};
use crate::object::{Key, controlled_by, deleting, name, namespace, text, uid};
use crate::readiness::{available_in, min_ready};
use crate::work::Controller;
use plan::Action;

const SETS: &str = "statefulsets.apps";

pub(crate) struct StatefulSetController {
    cache: Arc<Cache>,
    events: Recorder,
}

impl Controller for StatefulSetController {
    type Key = Key;
    const NAME: &'static str = "statefulset";

    fn concerns(&self, change: &Change) -> Vec<(Key, Duration)> {
        let Some(object) = change.object() else { return vec![] };
        let keys = match change.id.as_str() {
            SETS => vec![Key::of(object)],
            "pods" => owners(&self.cache, SETS, "StatefulSet", object),
            _ => vec![],
        };
        keys.into_iter().map(|key| (key, Duration::ZERO)).collect()
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>> {
        let Some(set) = self.cache.get(SETS, &key.namespace, &key.name) else { return Ok(None) };
        if !self.cache.synced("pods") || !self.cache.synced(history::REVISIONS) {
            return Ok(Some(Duration::from_millis(100)));
        }
        if deleting(&set) {
            return Ok(None);
        }
        self.sync(&set).await
    }
}

impl StatefulSetController {
    pub(crate) fn new(cache: &Arc<Cache>) -> Self {
        Self { cache: Arc::clone(cache), events: Recorder::new(cache, "statefulset-controller") }
    }

    fn claimant<'a>(&'a self, set: &'a Value) -> Claimant<'a> {
        Claimant {
            cache: &self.cache,
            owner: set,
            id: SETS,
            api_version: "apps/v1",
            kind: "StatefulSet",
            finalizer: None,
        }
    }

    async fn sync(&self, set: &Value) -> Result<Option<Duration>> {
        let claimant = self.claimant(set);
        let history = history::sync(&claimant).await?;
        let current = history.named(text(set, "/status/currentRevision")).unwrap_or(&history.newest).clone();
        let pods = claimant.claim("pods", |pod| identity::ordinal(set, pod).is_some()).await?;
        claims::keep_owners(&self.cache, set, &pods).await?;
        let ready_for = min_ready(set);
        let available = |pod: &Value| {
            let wait = available_in(pod, ready_for, &self.cache.clock);
            text(pod, "/status/phase") == "Running" && wait.is_some_and(|wait| wait.is_zero())
        };
        let actions = plan::next(set, &pods, name(&history.newest), &available);
        let mut failure = None;
        for action in &actions {
            if let Err(error) = self.act(set, action, &current, &history.newest).await {
                failure = Some(error);
                break;
            }
        }
        let again = self.write_status(set, &history, &current).await?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let live: Vec<&str> = pods.iter().map(|pod| history::of_pod(pod)).chain([name(&current)]).collect();
        let live: Vec<&str> = live.into_iter().chain([name(&history.newest)]).collect();
        history::trim(&claimant, &history, &live).await?;
        Ok(again)
    }

    async fn act(&self, set: &Value, action: &Action<'_>, current: &Value, newest: &Value) -> Result<()> {
        match action {
            Action::Create { ordinal, newest: is_newest } => {
                let revision = if *is_newest { newest } else { current };
                self.create(set, *ordinal, revision).await
            }
            Action::Repair(pod) => {
                let fixed = identity::repaired(set, pod);
                self.cache.update("pods", &fixed, "").await.map(drop)
            }
            Action::Recreate(pod) => {
                let message =
                    format!("StatefulSet {}/{} is recreating failed Pod {}", namespace(set), name(set), name(pod));
                self.events.warning(set, "RecreatingFailedPod", &message).await;
                self.remove(set, pod).await
            }
            Action::Remove { pod, condemned } => {
                if *condemned {
                    claims::condemn(&self.cache, set, pod).await?;
                }
                self.remove(set, pod).await
            }
        }
    }

    async fn create(&self, set: &Value, ordinal: i64, revision: &Value) -> Result<()> {
        let pod = identity::build(set, ordinal, revision);
        let (pod_name, set_name) = (name(&pod).to_owned(), name(set));
        for claim in claims::missing(&self.cache, set, ordinal).await? {
            let about = |outcome: &str| {
                format!("create Claim {} Pod {pod_name} in StatefulSet {set_name} {outcome}", name(&claim))
            };
            match self.cache.create("persistentvolumeclaims", &claim).await {
                Ok(_) => self.events.normal(set, "SuccessfulCreate", &about("success")).await,
                Err(error) if error.is_already_exists() => {}
                Err(error) => {
                    let message = format!("{} error: {}", about("failed"), error.reason());
                    self.events.warning(set, "FailedCreate", &message).await;
                    return Err(error);
                }
            }
        }
        match self.cache.create("pods", &pod).await {
            Ok(_) => {
                let message = format!("create Pod {pod_name} in StatefulSet {set_name} successful");
                self.events.normal(set, "SuccessfulCreate", &message).await;
                Ok(())
            }
            Err(error) => {
                let why = error.reason();
                let message = format!("create Pod {pod_name} in StatefulSet {set_name} failed error: {why}");
                self.events.warning(set, "FailedCreate", &message).await;
                Err(error)
            }
        }
    }

    async fn remove(&self, set: &Value, pod: &Value) -> Result<()> {
        self.cache.delete("pods", pod, &json!({})).await?;
        let message = format!("delete Pod {} in StatefulSet {} successful", name(pod), name(set));
        self.events.normal(set, "SuccessfulDelete", &message).await;
        Ok(())
    }

    /// Counts afresh after all writes; gives the pause after which a ready pod becomes available.
    async fn write_status(&self, set: &Value, history: &History, current: &Value) -> Result<Option<Duration>> {
        let key = Key::of(set);
        let Some(set) = self.cache.get(SETS, &key.namespace, &key.name).filter(|now| uid(now) == uid(set)) else {
            return Ok(None);
        };
        let pods = self.cache.list("pods", Some(&key.namespace));
        let pods: Vec<Arc<Value>> = pods.into_iter().filter(|pod| controlled_by(pod, uid(&set))).collect();
        let waits: Vec<Option<Duration>> =
            pods.iter().map(|pod| available_in(pod, min_ready(&set), &self.cache.clock)).collect();
        let names = (name(current), name(&history.newest));
        let status = status::status(&set, &pods, &waits, names, history.collisions);
        self.cache.update_status(SETS, &set, status).await?;
        Ok(waits.into_iter().flatten().filter(|wait| !wait.is_zero()).min())
    }
}
