//! Deployments: one ReplicaSet per revision of the pod template, scaled against each other until the newest has it all.

mod revision;
mod rollout;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::adoption::{Claimant, owners};
use crate::cache::{Cache, Change};
use crate::error::{Error, Result};
use crate::event::Recorder;
use crate::object::{Key, controlled_by, controller_name, deleting, flag, integer, name, text, uid};
use crate::work::Controller;
use rollout::{Plan, Sets};

pub(crate) const DEPLOYMENTS: &str = "deployments.apps";
pub(crate) const REPLICA_SETS: &str = "replicasets.apps";

pub(crate) struct DeploymentController {
    cache: Arc<Cache>,
    events: Recorder,
}

impl Controller for DeploymentController {
    type Key = Key;
    const NAME: &'static str = "deployment";

    fn concerns(&self, change: &Change) -> Vec<(Key, Duration)> {
        let Some(object) = change.object() else { return vec![] };
        let namespace = text(object, "/metadata/namespace");
        match change.id.as_str() {
            DEPLOYMENTS => vec![(Key::of(object), Duration::ZERO)],
            REPLICA_SETS => {
                let concerned = owners(&self.cache, DEPLOYMENTS, "Deployment", object);
                concerned.into_iter().map(|key| (key, Duration::ZERO)).collect()
            }
            // Recreate waits until the last old pod is gone.
            "pods" if change.new.is_none() => controller_name(object, "ReplicaSet")
                .and_then(|set| self.cache.get(REPLICA_SETS, namespace, set))
                .and_then(|set| controller_name(&set, "Deployment").map(str::to_owned))
                .map(|owner| (Key::new(namespace, owner), Duration::ZERO))
                .into_iter()
                .collect(),
            _ => vec![],
        }
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>> {
        let Some(deployment) = self.cache.get(DEPLOYMENTS, &key.namespace, &key.name) else { return Ok(None) };
        if !self.cache.synced(REPLICA_SETS) {
            return Ok(Some(Duration::from_millis(100)));
        }
        let claimant = Claimant {
            cache: &self.cache,
            owner: &deployment,
            id: DEPLOYMENTS,
            api_version: "apps/v1",
            kind: "Deployment",
            finalizer: None,
        };
        claimant.claim(REPLICA_SETS, |_| true).await?;
        self.sync(&deployment).await
    }
}

impl DeploymentController {
    pub(crate) fn new(cache: &Arc<Cache>) -> Self {
        Self { cache: Arc::clone(cache), events: Recorder::new(cache, "deployment-controller") }
    }

    async fn sync(&self, deployment: &Value) -> Result<Option<Duration>> {
        let mut sets = self.sets(deployment);
        if deleting(deployment) {
            self.write_status(deployment, &sets, None).await?;
            return Ok(None);
        }
        let paused = flag(deployment, "/spec/paused");
        self.sync_revision(deployment, &mut sets, !paused).await?;
        let plan = if paused || rollout::replicas_changed(deployment, &sets) {
            rollout::scale_in_proportion(deployment, &sets)
        } else if text(deployment, "/spec/strategy/type") == "Recreate" {
            self.recreate(deployment, &sets)
        } else {
            rollout::rolling_update(deployment, &sets)
        };
        self.apply(deployment, &mut sets, &plan).await?;
        if !paused {
            self.clean_up(deployment, &sets).await?;
        }
        self.write_status(deployment, &sets, None).await
    }

    /// The ReplicaSets that this Deployment controls, the newest template's apart from the older ones.
    fn sets(&self, deployment: &Value) -> Sets {
        let owned = self.cache.list(REPLICA_SETS, Some(text(deployment, "/metadata/namespace")));
        let owned = owned.into_iter().filter(|set| controlled_by(set, uid(deployment)) && !deleting(set));
        rollout::sort_out(deployment, owned.map(|set| (*set).clone()).collect())
    }

    /// Makes sure that the newest template has a ReplicaSet with the highest revision, and the Deployment names it.
    async fn sync_revision(&self, deployment: &Value, sets: &mut Sets, may_create: bool) -> Result<()> {
        let highest = sets.old.iter().map(revision::number).max().unwrap_or(0);
        if let Some(newest) = &mut sets.newest {
            let wanted = (highest + 1).max(revision::number(newest));
            let mut changed = newest.clone();
            if revision::mark(&mut changed, deployment, wanted) {
                *newest = self.cache.update(REPLICA_SETS, &changed, "").await?;
            }
            return self.name_revision(deployment, wanted).await;
        }
        if !may_create {
            return Ok(());
        }
        let replicas = rollout::replicas_of_new_set(deployment, sets);
        let set = revision::build_set(deployment, replicas, highest + 1);
        match self.cache.create(REPLICA_SETS, &set).await {
            Ok(made) => {
                if replicas > 0 {
                    self.announce(deployment, name(&made), 0, replicas).await;
                }
                sets.newest = Some(made);
                self.name_revision(deployment, highest + 1).await
            }
            Err(error) if error.is_already_exists() => self.collide(deployment, &set, error).await,
            Err(error) => {
                self.events.warning(deployment, "ReplicaSetCreateError", &error.to_string()).await;
                self.write_status(deployment, sets, Some(&error.to_string())).await?;
                Err(error)
            }
        }
    }

    /// The name is taken. By another template, by chance: the collision is counted, so that the next try gets another
    /// hash. By a set that is this Deployment's: the next try finds it in the copy.
    async fn collide(&self, deployment: &Value, set: &Value, taken: Error) -> Result<()> {
        let found = self.cache.fetch(&self.cache.client, REPLICA_SETS, &Key::of(set)).await?;
        let ours = |found: &Value| controlled_by(found, uid(deployment)) && revision::is_newest(deployment, found);
        if found.is_none_or(|found| ours(&found)) {
            return Err(taken);
        }
        let count = integer(deployment, "/status/collisionCount").unwrap_or(0) + 1;
        let version = text(deployment, "/metadata/resourceVersion");
        let patch = json!({"metadata": {"resourceVersion": version}, "status": {"collisionCount": count}});
        self.cache.merge(DEPLOYMENTS, &Key::of(deployment), "status", &patch).await?;
        Ok(())
    }

    async fn name_revision(&self, deployment: &Value, number: i64) -> Result<()> {
        let number = number.to_string();
        if crate::object::annotation(deployment, revision::REVISION) == Some(&number) {
            return Ok(());
        }
        let patch = json!({"metadata": {"annotations": {revision::REVISION: number}}});
        // As the real controller does: the number comes with the status, and so belongs to the status' writer.
        self.cache.merge(DEPLOYMENTS, &Key::of(deployment), "status", &patch).await?;
        Ok(())
    }

    /// Recreate: the old pods go first, all of them, then the new ones come.
    fn recreate(&self, deployment: &Value, sets: &Sets) -> Plan {
        let down = rollout::stop_old(sets);
        if !down.is_empty() {
            return down;
        }
        let old: Vec<&str> = sets.old.iter().map(uid).collect();
        let pods = self.cache.list("pods", Some(text(deployment, "/metadata/namespace")));
        let running =
            pods.iter().any(|pod| !crate::object::pod_finished(pod) && old.iter().any(|set| controlled_by(pod, set)));
        if running { Plan::default() } else { rollout::fill_newest(deployment, sets) }
    }

    /// Writes the planned sizes.
    async fn apply(&self, deployment: &Value, sets: &mut Sets, plan: &Plan) -> Result<()> {
        for set in sets.all_mut() {
            let before = rollout::wanted(set);
            let after = plan.get(uid(set)).copied().unwrap_or(before);
            let mut changed = set.clone();
            let marked = (before > 0 || after > 0) && revision::mark_sizes(&mut changed, deployment);
            if after == before && !marked {
                continue;
            }
            changed["spec"]["replicas"] = after.into();
            *set = self.cache.update(REPLICA_SETS, &changed, "").await?;
            if after != before {
                self.announce(deployment, name(set), before, after).await;
            }
        }
        Ok(())
    }

    async fn announce(&self, deployment: &Value, set: &str, before: i64, after: i64) {
        let direction = if after > before { "up" } else { "down" };
        let message = format!("Scaled {direction} replica set {set} from {before} to {after}");
        self.events.normal(deployment, "ScalingReplicaSet", &message).await;
    }

    /// Removes the oldest empty revisions beyond `revisionHistoryLimit`, once the rollout is complete.
    async fn clean_up(&self, deployment: &Value, sets: &Sets) -> Result<()> {
        if !status::complete(deployment, sets) {
            return Ok(());
        }
        let limit = integer(deployment, "/spec/revisionHistoryLimit").unwrap_or(10).max(0) as usize;
        let mut old: Vec<&Value> = sets.old.iter().collect();
        old.sort_by_key(|set| revision::number(set));
        for set in old.iter().take(old.len().saturating_sub(limit)) {
            let empty = rollout::wanted(set) == 0 && integer(set, "/status/replicas").unwrap_or(0) == 0;
            if empty && integer(set, "/status/observedGeneration") >= Some(crate::object::generation(set)) {
                self.cache.delete(REPLICA_SETS, set, &json!({"propagationPolicy": "Background"})).await?;
            }
        }
        Ok(())
    }

    /// Writes the status if it differs; returns the pause after which progress is to be checked again.
    async fn write_status(&self, deployment: &Value, sets: &Sets, failure: Option<&str>) -> Result<Option<Duration>> {
        let key = Key::of(deployment);
        // The revision or a collision may have been written meanwhile.
        let current = self.cache.get(DEPLOYMENTS, &key.namespace, &key.name);
        let current = current.as_deref().unwrap_or(deployment);
        let report = status::report(current, sets, failure, &self.cache.clock);
        self.cache.update_status(DEPLOYMENTS, current, report.status).await?;
        Ok(report.look_again)
    }
}
