//! DaemonSets: one pod on every node that takes it. Nodes of Fargate take one pod each, which they have: without a
//! toleration of their taint nothing is made for them, and with one the pods stay Pending, as on EKS.
//!
//! Source of the rules: `pkg/controller/daemon` of Kubernetes.

mod node;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::adoption::{Claimant, owners};
use crate::cache::{Cache, Change};
use crate::error::Result;
use crate::event::Recorder;
use crate::history::{self, HASH_LABEL};
use crate::object::{Key, controlled_by, deleting, generation, name, namespace, pod_finished, text, uid};
use crate::pod_control;
use crate::readiness::{available_in, min_ready};
use crate::template;
use crate::work::Controller;

const SETS: &str = "daemonsets.apps";
const GENERATION_LABEL: &str = "pod-template-generation";

pub(crate) struct DaemonSetController {
    cache: Arc<Cache>,
    events: Recorder,
}

impl Controller for DaemonSetController {
    type Key = Key;
    const NAME: &'static str = "daemonset";

    fn concerns(&self, change: &Change) -> Vec<(Key, Duration)> {
        let Some(object) = change.object() else { return vec![] };
        let keys = match change.id.as_str() {
            SETS => vec![Key::of(object)],
            "nodes" => self.cache.list(SETS, None).iter().map(|set| Key::of(set)).collect(),
            "pods" => owners(&self.cache, SETS, "DaemonSet", object),
            _ => vec![],
        };
        keys.into_iter().map(|key| (key, Duration::ZERO)).collect()
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>> {
        let Some(set) = self.cache.get(SETS, &key.namespace, &key.name) else { return Ok(None) };
        let read = ["pods", "nodes", history::REVISIONS].iter().all(|kind| self.cache.synced(kind));
        if !read {
            return Ok(Some(Duration::from_millis(100)));
        }
        if deleting(&set) {
            return Ok(None);
        }
        self.sync(&set).await
    }
}

/// The pods of a set by the node that they are for, and the nodes that are to have one.
struct Placement<'a> {
    pods: BTreeMap<String, Vec<&'a Arc<Value>>>,
    wanted: Vec<String>,
}

impl DaemonSetController {
    pub(crate) fn new(cache: &Arc<Cache>) -> Self {
        Self { cache: Arc::clone(cache), events: Recorder::new(cache, "daemonset-controller") }
    }

    async fn sync(&self, set: &Value) -> Result<Option<Duration>> {
        let claimant = Claimant {
            cache: &self.cache,
            owner: set,
            id: SETS,
            api_version: "apps/v1",
            kind: "DaemonSet",
            finalizer: None,
        };
        let history = history::sync(&claimant).await?;
        let hash = text(&history.newest, "/metadata/labels/controller.kubernetes.io~1hash").to_owned();
        let pods = claimant.claim("pods", |_| true).await?;
        let nodes = self.cache.list("nodes", None);
        let wanted = nodes.iter().filter(|one| node::takes(one, set)).map(|one| name(one).to_owned()).collect();
        let mut placement = Placement { pods: BTreeMap::new(), wanted };
        for pod in &pods {
            placement.pods.entry(node::of_pod(pod).to_owned()).or_default().push(pod);
        }
        let outcome = self.place(set, &placement, &hash).await;
        let again = self.write_status(set, &placement.wanted, &hash, history.collisions).await?;
        outcome?;
        let live: Vec<&str> = history
            .all
            .iter()
            .filter(|one| {
                pods.iter()
                    .any(|pod| one["metadata"]["labels"]["controller.kubernetes.io/hash"] == history::of_pod(pod))
            })
            .map(|one| name(one))
            .chain([name(&history.newest)])
            .collect();
        history::trim(&claimant, &history, &live).await?;
        Ok(again)
    }

    async fn place(&self, set: &Value, placement: &Placement<'_>, hash: &str) -> Result<()> {
        for (node, pods) in &placement.pods {
            let wanted = placement.wanted.contains(node);
            let mut kept = false;
            for pod in pods.iter().filter(|pod| !deleting(pod)) {
                if wanted && pod_finished(pod) {
                    let message = format!(
                        "Found failed daemon pod {}/{} on node {node}, will try to kill it",
                        namespace(pod),
                        name(pod)
                    );
                    self.events.warning(set, "FailedDaemonPod", &message).await;
                }
                // Of several on one node the first stays.
                if !wanted || pod_finished(pod) || kept {
                    pod_control::delete(&self.cache, &self.events, set, pod).await?;
                } else {
                    kept = true;
                }
            }
        }
        for node in &placement.wanted {
            if placement.pods.get(node).is_none_or(Vec::is_empty) {
                self.create(set, node, hash).await?;
            }
        }
        if text(set, "/spec/updateStrategy/type") != "OnDelete" {
            self.update(set, placement, hash).await?;
        }
        Ok(())
    }

    /// Pods of older revisions go, so many at a time as may be unavailable.
    async fn update(&self, set: &Value, placement: &Placement<'_>, hash: &str) -> Result<()> {
        let ready_for = min_ready(set);
        let ours = placement.wanted.iter().filter_map(|node| placement.pods.get(node)?.first().copied());
        let ours: Vec<&Arc<Value>> = ours.collect();
        let available = |pod: &Value| {
            !deleting(pod) && available_in(pod, ready_for, &self.cache.clock).is_some_and(|wait| wait.is_zero())
        };
        let missing = placement.wanted.len() - ours.iter().filter(|pod| available(pod)).count();
        let mut room = node::max_unavailable(set, placement.wanted.len()).saturating_sub(missing);
        for pod in ours.iter().filter(|pod| !deleting(pod) && history::of_pod(pod) != hash) {
            // One that serves nobody costs nothing.
            if !available(pod) {
                pod_control::delete(&self.cache, &self.events, set, pod).await?;
            } else if room > 0 {
                room -= 1;
                pod_control::delete(&self.cache, &self.events, set, pod).await?;
            }
        }
        Ok(())
    }

    async fn create(&self, set: &Value, node: &str, hash: &str) -> Result<()> {
        let mut pod = template::pod(&set["spec"]["template"], set, "apps/v1", "DaemonSet");
        pod["metadata"]["generateName"] = format!("{}-", name(set)).into();
        pod["metadata"]["labels"][HASH_LABEL] = hash.into();
        pod["metadata"]["labels"][GENERATION_LABEL] = generation(set).to_string().into();
        node::bind(&mut pod, node);
        match self.cache.create("pods", &pod).await {
            Ok(made) => {
                self.events.normal(set, "SuccessfulCreate", &format!("Created pod: {}", name(&made))).await;
                Ok(())
            }
            Err(error) => {
                self.events.warning(set, "FailedCreate", &format!("Error creating: {error}")).await;
                Err(error)
            }
        }
    }

    async fn write_status(
        &self,
        set: &Value,
        wanted: &[String],
        hash: &str,
        collisions: i64,
    ) -> Result<Option<Duration>> {
        let key = Key::of(set);
        let Some(set) = self.cache.get(SETS, &key.namespace, &key.name).filter(|now| uid(now) == uid(set)) else {
            return Ok(None);
        };
        let pods = self.cache.list("pods", Some(&key.namespace));
        let pods: Vec<Arc<Value>> =
            pods.into_iter().filter(|pod| controlled_by(pod, uid(&set)) && !deleting(pod)).collect();
        let placed: Vec<&Arc<Value>> =
            wanted.iter().filter_map(|node| pods.iter().find(|pod| node::of_pod(pod) == node)).collect();
        let waits: Vec<Option<Duration>> =
            placed.iter().map(|pod| available_in(pod, min_ready(&set), &self.cache.clock)).collect();
        let available = waits.iter().flatten().filter(|wait| wait.is_zero()).count();
        let misplaced = pods.iter().filter(|pod| !wanted.iter().any(|node| node::of_pod(pod) == node)).count();
        let mut status = json!({
            "currentNumberScheduled": placed.len(), "desiredNumberScheduled": wanted.len(), "numberMisscheduled": misplaced,
            "numberReady": waits.iter().flatten().count(), "observedGeneration": generation(&set),
        });
        let counts = [
            ("updatedNumberScheduled", placed.iter().filter(|pod| history::of_pod(pod) == hash).count()),
            ("numberAvailable", available),
            ("numberUnavailable", wanted.len() - available),
            ("collisionCount", collisions as usize),
        ];
        for (field, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            status[field] = count.into();
        }
        self.cache.update_status(SETS, &set, status).await?;
        Ok(waits.into_iter().flatten().filter(|wait| !wait.is_zero()).min())
    }
}
