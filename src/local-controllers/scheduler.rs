//! Scheduling in the manner of EKS Fargate: a pod that matches an active profile gets a node of its own.
//!
//! On EKS the decision falls when the pod is created: a webhook gives matching pods to the Fargate scheduler, and a pod
//! created before its profile was ACTIVE stays Pending until it is made again. The same holds here, with one allowance unless the
//! fault profile takes it: a pod is tried again for [`RESCHEDULED_FOR`] real time after it was first seen, because a profile that became ACTIVE
//! just before the pod was created may reach this scheduler just after it.

mod fargate;
mod node;
mod refusal;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock::Moment;
use local_eks::FargateProfile;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::cache::{Cache, Change};
use crate::error::{Error, Result};
use crate::event::Recorder;
use crate::object::{Key, condition, controller_name, deleting, items, labels, name, namespace, second, text, uid};
use crate::work::Controller;

pub(crate) use node::PREFIX as NODE_PREFIX;
use refusal::Claim;

/// Names under which this scheduler is known; Fargate's webhook writes the second one on EKS.
const SCHEDULERS: [&str; 3] = ["default-scheduler", "fargate-scheduler", ""];
/// System time from the decision until the node is there (on AWS it is 30 to 60 s).
const START_DELAY: Duration = Duration::from_secs(3);
/// Real time during which a pod that matched nothing is tried again.
const RESCHEDULED_FOR: Duration = Duration::from_secs(2);
/// Real pause between such attempts.
const RESCHEDULED_EVERY: Duration = Duration::from_millis(100);
pub(crate) const PROFILE_LABEL: &str = "eks.amazonaws.com/fargate-profile";

pub(crate) struct Scheduler {
    cache: Arc<Cache>,
    profiles: watch::Receiver<Vec<FargateProfile>>,
    network: u8,
    retries: bool,
    memory: Mutex<Memory>,
    fargate: Recorder,
    default: Recorder,
}

/// What the scheduler remembers of pods, by uid.
#[derive(Default)]
struct Memory {
    first_seen: BTreeMap<String, Moment>,
    refused: BTreeSet<String>,
    matched: BTreeMap<String, Moment>,
    /// Addresses handed out, with the node that has each.
    addresses: BTreeMap<u16, String>,
    last_address: u16,
}

impl Controller for Scheduler {
    type Key = Key;
    const NAME: &'static str = "scheduler";
    const WORKERS: usize = 16;

    fn concerns(&self, change: &Change) -> Vec<(Key, Duration)> {
        let Some(pod) = change.object().filter(|_| change.id == "pods") else { return vec![] };
        let unbound = text(pod, "/spec/nodeName").is_empty();
        if change.new.is_none() || unbound { vec![(Key::of(pod), Duration::ZERO)] } else { vec![] }
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>> {
        match self.cache.get("pods", &key.namespace, &key.name) {
            None => self.release_nodes().await.map(|()| None),
            Some(pod) if !text(&pod, "/spec/nodeName").is_empty() => Ok(None),
            Some(pod) if deleting(&pod) => {
                // Nothing runs anywhere, so nobody else would end it.
                self.cache.delete("pods", &pod, &json!({"gracePeriodSeconds": 0})).await.map(|()| None)
            }
            // Another scheduler was asked for, whose business the pod's place and conditions are.
            Some(pod) if !SCHEDULERS.contains(&text(&pod, "/spec/schedulerName")) => Ok(None),
            Some(pod) if !items(&pod, "/spec/schedulingGates").is_empty() => self.gate(&pod).await.map(|()| None),
            Some(pod) if controller_name(&pod, "DaemonSet").is_some() => self.leave_daemon(&pod).await.map(|()| None),
            Some(pod) => self.place(&pod).await,
        }
    }
}

impl Scheduler {
    pub(crate) fn new(
        cache: &Arc<Cache>,
        profiles: watch::Receiver<Vec<FargateProfile>>,
        network: u8,
        retries: bool,
    ) -> Self {
        Self {
            cache: Arc::clone(cache),
            profiles,
            network,
            retries,
            memory: Mutex::default(),
            fargate: Recorder::new(cache, "fargate-scheduler"),
            default: Recorder::new(cache, "default-scheduler"),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn place(&self, pod: &Value) -> Result<Option<Duration>> {
        let now = self.cache.clock.moment();
        let first_seen = *self.memory().first_seen.entry(uid(pod).to_owned()).or_insert(now);
        let matched = self.memory().matched.get(uid(pod)).copied();
        if let Some(since) = matched {
            let waited = now.since(since);
            if waited < START_DELAY {
                return Ok(Some(START_DELAY.saturating_sub(waited)));
            }
            return self.bind(pod).await.map(|()| None);
        }
        let retried_for = if self.retries { RESCHEDULED_FOR } else { Duration::ZERO };
        let may_schedule = self.cache.clock.to_real(now.since(first_seen)) <= retried_for;
        let profile = may_schedule.then(|| choose(pod, &self.profiles.borrow()).map(|profile| profile.name.clone()));
        if let Some(Some(profile)) = profile {
            self.claim(pod, &profile).await?;
            if let Some(message) = refusal::reason(pod, |claim| self.volume_of(namespace(pod), claim)) {
                self.memory().refused.insert(uid(pod).to_owned());
                let said = condition(pod, "PodScheduled").is_some_and(|old| text(old, "/message") == message);
                if !said {
                    self.refuse(pod, "Unschedulable", &message, Some(&self.fargate)).await?;
                }
                // A claim that was made together with the pod is bound a moment later.
                return Ok(Some(self.cache.clock.to_system(RESCHEDULED_EVERY)));
            }
            self.memory().matched.insert(uid(pod).to_owned(), now);
            return Ok(Some(START_DELAY));
        }
        let news = self.memory().refused.insert(uid(pod).to_owned());
        if news {
            self.match_nothing(pod).await?;
        }
        Ok(may_schedule.then(|| self.cache.clock.to_system(RESCHEDULED_EVERY)))
    }

    /// What the Fargate webhook and scheduler write on a pod that they take.
    async fn claim(&self, pod: &Value, profile: &str) -> Result<()> {
        let patch = json!({"metadata": {
            "labels": {PROFILE_LABEL: profile},
            "annotations": {
                "CapacityProvisioned": fargate::capacity_for(pod).to_string(),
                "Logging": "LoggingDisabled: LOGGING_CONFIGMAP_NOT_FOUND",
            },
        }});
        self.cache.merge("pods", &Key::of(pod), "", &patch).await.map(drop)
    }

    /// A pod that waits for its gates to be taken away is not looked at.
    async fn gate(&self, pod: &Value) -> Result<()> {
        let message = "Scheduling is blocked due to non-empty scheduling gates";
        let said = condition(pod, "PodScheduled").is_some_and(|old| text(old, "/reason") == "SchedulingGated");
        if said { Ok(()) } else { self.refuse(pod, "SchedulingGated", message, None).await }
    }

    /// What the claim of a volume stands for.
    fn volume_of(&self, namespace: &str, claim: &str) -> Claim {
        let Some(claim) = self.cache.get("persistentvolumeclaims", namespace, claim) else { return Claim::Unbound };
        if text(&claim, "/status/phase") != "Bound" {
            return Claim::Unbound;
        }
        let volume = text(&claim, "/spec/volumeName").to_owned();
        let driver = self.cache.get("persistentvolumes", "", &volume);
        let driver = driver.map(|volume| text(&volume, "/spec/csi/driver").to_owned()).unwrap_or_default();
        Claim::Bound { volume, driver }
    }

    async fn match_nothing(&self, pod: &Value) -> Result<()> {
        let nodes = self.cache.list("nodes", None).len();
        let nodes = if nodes == 0 {
            "no nodes available to schedule pods".to_owned()
        } else {
            format!(
                "0/{nodes} nodes are available: {nodes} node(s) had untolerated taint \
                 {{eks.amazonaws.com/compute-type: fargate}}"
            )
        };
        let message = format!(
            "{nodes}; no active Fargate profile matches namespace \"{}\" and the pod's labels. A pod must match when it \
             is created: add a selector or wait for the profile, then make the pod again",
            namespace(pod)
        );
        self.refuse(pod, "Unschedulable", &message, Some(&self.default)).await
    }

    /// Writes why a pod has no node, and an event if somebody is to say it.
    async fn refuse(&self, pod: &Value, reason: &str, message: &str, says: Option<&Recorder>) -> Result<()> {
        let now = second(self.cache.clock.now());
        let since = condition(pod, "PodScheduled").map(|old| text(old, "/lastTransitionTime").to_owned());
        let patch = json!({"status": {"conditions": [{
            "type": "PodScheduled", "status": "False", "reason": reason, "message": message,
            "lastProbeTime": null, "lastTransitionTime": since.unwrap_or(now),
        }]}});
        self.cache.merge("pods", &Key::of(pod), "status", &patch).await?;
        if let Some(says) = says {
            says.warning(pod, "FailedScheduling", message).await;
        }
        Ok(())
    }

    /// A DaemonSet's pod is for a node that is there, and such a node has its one pod already.
    async fn leave_daemon(&self, pod: &Value) -> Result<()> {
        let nodes = self.cache.list("nodes", None).len();
        let others = nodes.saturating_sub(1);
        let message = format!(
            "0/{nodes} nodes are available: 1 Too many pods, {others} node(s) didn't satisfy plugin(s) [NodeAffinity]. \
             DaemonSets do not run on Fargate, where every node has one pod: run it as a sidecar"
        );
        if condition(pod, "PodScheduled").is_some_and(|old| text(old, "/reason") == "Unschedulable") {
            return Ok(());
        }
        self.refuse(pod, "Unschedulable", &message, Some(&self.default)).await
    }

    /// Makes the node and puts the pod on it.
    async fn bind(&self, pod: &Value) -> Result<()> {
        let address = self.allocate(pod)?;
        let node = node::build(pod, address, fargate::capacity_for(pod), self.cache.clock.now());
        match self.cache.create("nodes", &node).await {
            Err(error) if !error.is_already_exists() => return Err(error),
            _ => {}
        }
        let path = format!("/api/v1/namespaces/{}/pods/{}/binding", namespace(pod), name(pod));
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding",
            "metadata": {"name": name(pod), "namespace": namespace(pod), "uid": uid(pod)},
            "target": {"apiVersion": "v1", "kind": "Node", "name": name(&node)},
        });
        let bound = self.cache.client.create(&path, &binding).await;
        bound.map_err(Error::api(format!("failed to bind pod {}", Key::of(pod))))?;
        let message = format!("Successfully assigned {} to {}", Key::of(pod), name(&node));
        self.fargate.normal(pod, "Scheduled", &message).await;
        Ok(())
    }

    /// The pod's own loopback address, `127.NETWORK.y.z`; addresses return long after they were given back.
    fn allocate(&self, pod: &Value) -> Result<Ipv4Addr> {
        let mut memory = self.memory();
        let taken = memory.addresses.iter().find(|(_, owner)| *owner == uid(pod)).map(|(index, _)| *index);
        let last = memory.last_address;
        let free = (1..=u16::MAX - 2).map(|step| last.wrapping_add(step)).find(|index| {
            let host = index & 0xff;
            (2..255).contains(&host) && !memory.addresses.contains_key(index)
        });
        let index = taken.or(free).ok_or_else(|| Error::Invalid("all pod addresses are in use".to_owned()))?;
        memory.addresses.insert(index, uid(pod).to_owned());
        memory.last_address = index;
        Ok(Ipv4Addr::new(127, self.network, (index >> 8) as u8, (index & 0xff) as u8))
    }

    /// Removes the nodes, addresses and memories of pods that are gone.
    async fn release_nodes(&self) -> Result<()> {
        let pods = self.cache.list("pods", None);
        let present: BTreeSet<&str> = pods.iter().map(|pod| uid(pod)).collect();
        {
            let mut memory = self.memory();
            memory.first_seen.retain(|uid, _| present.contains(uid.as_str()));
            memory.matched.retain(|uid, _| present.contains(uid.as_str()));
            memory.refused.retain(|uid| present.contains(uid.as_str()));
            memory.addresses.retain(|_, uid| present.contains(uid.as_str()));
        }
        for node in self.cache.list("nodes", None) {
            if node::pod_uid(&node).is_some_and(|uid| !present.contains(uid)) {
                self.cache.delete("nodes", &node, &json!({})).await?;
            }
        }
        Ok(())
    }
}

/// The profile that takes a pod: the one that its label names, else the first by name that matches.
fn choose<'a>(pod: &Value, profiles: &'a [FargateProfile]) -> Option<&'a FargateProfile> {
    let labels = labels(pod);
    let requested = labels.get(PROFILE_LABEL);
    let candidates = profiles.iter().filter(|profile| requested.is_none_or(|requested| *requested == profile.name));
    let matching = candidates.filter(|profile| profile.takes(namespace(pod), &labels));
    matching.min_by(|a, b| a.name.cmp(&b.name))
}

/// Deleting a Fargate profile deletes the pods that run on it.
pub(crate) async fn retire(
    cache: Arc<Cache>,
    mut profiles: watch::Receiver<Vec<FargateProfile>>,
    stop: CancellationToken,
) {
    let mut known: BTreeSet<String> = profiles.borrow().iter().map(|one| one.name.clone()).collect();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = profiles.changed() => if changed.is_err() { return },
        }
        let active: BTreeSet<String> = profiles.borrow_and_update().iter().map(|one| one.name.clone()).collect();
        let gone: Vec<String> = known.difference(&active).cloned().collect();
        for pod in cache.list("pods", None) {
            let profile = labels(&pod).get(PROFILE_LABEL).cloned().unwrap_or_default();
            if gone.contains(&profile)
                && let Err(error) = cache.delete("pods", &pod, &json!({})).await
            {
                tracing::debug!(%error, profile, "failed to delete a pod of a deleted profile");
            }
        }
        known = active;
    }
}

#[cfg(test)]
mod tests {
    use local_eks::FargateSelector;

    use super::*;

    fn profile(name: &str, namespace: &str, labels: &[(&str, &str)]) -> FargateProfile {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        FargateProfile {
            name: name.to_owned(),
            selectors: vec![FargateSelector { namespace: namespace.to_owned(), labels }],
            pod_execution_role_arn: String::new(),
        }
    }

    #[test]
    fn profiles_match_by_namespace_and_labels_with_wildcards() {
        let pod = json!({"metadata": {"namespace": "team-a", "labels": {"app": "web"}}});
        let profiles =
            [profile("other", "team-b", &[]), profile("b", "team-*", &[]), profile("a", "team-?", &[("app", "w*")])];
        assert_eq!(choose(&pod, &profiles).map(|one| one.name.as_str()), Some("a"));
        assert!(choose(&pod, &profiles[..1]).is_none());
        assert!(choose(&pod, &[profile("x", "team-a", &[("app", "db")])]).is_none());
    }

    #[test]
    fn a_pod_may_name_its_profile() {
        let pod = json!({"metadata": {"namespace": "x", "labels": {PROFILE_LABEL: "b"}}});
        let profiles = [profile("a", "x", &[]), profile("b", "x", &[])];
        assert_eq!(choose(&pod, &profiles).map(|one| one.name.as_str()), Some("b"));
    }
}
