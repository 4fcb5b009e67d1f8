//! ReplicaSets: as many pods of one template as asked for.

mod ranking;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::adoption::{Claimant, owners};
use crate::cache::{Cache, Change};
use crate::deployment::REPLICA_SETS;
use crate::error::{Error, Result};
use crate::event::Recorder;
use crate::object::{
    Key, condition, controlled_by, deleting, generation, integer, labels, name, namespace, pod_finished, second, text,
    uid,
};
use crate::pod_control;
use crate::readiness::{available_in, min_ready};
use crate::template;
use crate::work::Controller;

/// Pods created or deleted in one reconcile; more follow in the next.
const BURST_REPLICAS: usize = 500;

pub(crate) struct ReplicaSetController {
    cache: Arc<Cache>,
    events: Recorder,
}

impl Controller for ReplicaSetController {
    type Key = Key;
    const NAME: &'static str = "replicaset";

    fn concerns(&self, change: &Change) -> Vec<(Key, Duration)> {
        let Some(object) = change.object() else { return vec![] };
        match change.id.as_str() {
            REPLICA_SETS => vec![(Key::of(object), Duration::ZERO)],
            "pods" => owners(&self.cache, REPLICA_SETS, "ReplicaSet", object)
                .into_iter()
                .map(|key| (key, Duration::ZERO))
                .collect(),
            _ => vec![],
        }
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>> {
        let Some(set) = self.cache.get(REPLICA_SETS, &key.namespace, &key.name) else { return Ok(None) };
        if !self.cache.synced("pods") {
            return Ok(Some(Duration::from_millis(100)));
        }
        let claimant = Claimant {
            cache: &self.cache,
            owner: &set,
            id: REPLICA_SETS,
            api_version: "apps/v1",
            kind: "ReplicaSet",
            finalizer: None,
        };
        claimant.claim("pods", |_| true).await?;
        let pods = self.pods(&set);
        let failure = if deleting(&set) { None } else { self.manage(&set, &pods).await.err() };
        let again = self.write_status(&set, failure.as_ref()).await?;
        failure.map_or(Ok(again), Err)
    }
}

impl ReplicaSetController {
    pub(crate) fn new(cache: &Arc<Cache>) -> Self {
        Self { cache: Arc::clone(cache), events: Recorder::new(cache, "replicaset-controller") }
    }

    /// Owned pods that have not ended, those being deleted included.
    fn pods(&self, set: &Value) -> Vec<Arc<Value>> {
        let pods = self.cache.list("pods", Some(namespace(set)));
        pods.into_iter().filter(|pod| controlled_by(pod, uid(set)) && !pod_finished(pod)).collect()
    }

    async fn manage(&self, set: &Value, pods: &[Arc<Value>]) -> Result<()> {
        let active: Vec<&Arc<Value>> = pods.iter().filter(|pod| !deleting(pod)).collect();
        let wanted = integer(set, "/spec/replicas").unwrap_or(1).max(0) as usize;
        if active.len() < wanted {
            for _ in 0..(wanted - active.len()).min(BURST_REPLICAS) {
                self.create_pod(set).await?;
            }
        } else if active.len() > wanted {
            let surplus = (active.len() - wanted).min(BURST_REPLICAS);
            let all: Vec<&Value> = active.iter().map(AsRef::as_ref).collect();
            for pod in ranking::to_delete(&all, surplus, &self.cache.clock) {
                pod_control::delete(&self.cache, &self.events, set, pod).await?;
            }
        }
        Ok(())
    }

    async fn create_pod(&self, set: &Value) -> Result<()> {
        let mut pod = template::pod(&set["spec"]["template"], set, "apps/v1", "ReplicaSet");
        pod["metadata"]["generateName"] = format!("{}-", name(set)).into();
        pod_control::create(&self.cache, &self.events, set, &pod).await
    }

    /// Counts afresh after all writes; gives the pause after which a ready pod becomes available.
    async fn write_status(&self, set: &Value, failure: Option<&Error>) -> Result<Option<Duration>> {
        let key = Key::of(set);
        let Some(set) = self.cache.get(REPLICA_SETS, &key.namespace, &key.name) else { return Ok(None) };
        let pods = self.pods(&set);
        let ready_for = min_ready(&set);
        let active: Vec<&Arc<Value>> = pods.iter().filter(|pod| !deleting(pod)).collect();
        let template = crate::object::strings(&set, "/spec/template/metadata/labels");
        let labeled = active.iter().filter(|pod| crate::selector::carries(&labels(pod), &template)).count();
        let waits: Vec<Option<Duration>> =
            active.iter().map(|pod| available_in(pod, ready_for, &self.cache.clock)).collect();
        let mut status = Map::new();
        status.insert("replicas".into(), active.len().into());
        status.insert("observedGeneration".into(), generation(&set).into());
        let counts = [
            ("fullyLabeledReplicas", labeled),
            ("readyReplicas", waits.iter().flatten().count()),
            ("availableReplicas", waits.iter().flatten().filter(|wait| wait.is_zero()).count()),
        ];
        status.insert("terminatingReplicas".into(), (pods.len() - active.len()).into());
        status.extend(counts.iter().filter(|(_, count)| *count > 0).map(|(key, n)| ((*key).into(), (*n).into())));
        if let Some(failure) = failure {
            let since = condition(&set, "ReplicaFailure").map(|old| text(old, "/lastTransitionTime").to_owned());
            let now = second(self.cache.clock.now());
            status.insert(
                "conditions".into(),
                json!([{
                    "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
                    "message": failure.to_string(), "lastTransitionTime": since.unwrap_or(now),
                }]),
            );
        }
        let status = Value::from(status);
        self.cache.update_status(REPLICA_SETS, &set, status).await?;
        Ok(waits.into_iter().flatten().filter(|wait| !wait.is_zero()).min())
    }
}
