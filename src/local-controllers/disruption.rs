//! Disruption budgets: how many of the pods that they select may go now.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cache::{Cache, Change};
use crate::error::Result;
use crate::object::{
    Key, condition, controller, deleting, generation, integer, items, labels, name, namespace, pod_ready, second,
    strings, text,
};
use crate::selector::selects;
use crate::work::Controller;

const BUDGETS: &str = "poddisruptionbudgets.policy";
/// A pod that is not deleted within this time after its eviction counts as healthy again.
const EVICTION_LIMIT: Duration = Duration::from_mins(2);

pub(crate) struct DisruptionController {
    cache: Arc<Cache>,
}

impl Controller for DisruptionController {
    type Key = Key;
    const NAME: &'static str = "disruption";

    fn concerns(&self, change: &Change) -> Vec<(Key, Duration)> {
        let Some(object) = change.object() else { return vec![] };
        match change.id.as_str() {
            BUDGETS => vec![(Key::of(object), Duration::ZERO)],
            "pods" | "replicasets.apps" | "statefulsets.apps" => {
                let budgets = self.cache.list(BUDGETS, Some(namespace(object)));
                budgets.iter().map(|budget| (Key::of(budget), Duration::ZERO)).collect()
            }
            _ => vec![],
        }
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>> {
        let Some(budget) = self.cache.get(BUDGETS, &key.namespace, &key.name) else { return Ok(None) };
        if !self.cache.synced("pods") {
            return Ok(Some(Duration::from_millis(100)));
        }
        let pods: Vec<Arc<Value>> = self.cache.list("pods", Some(&key.namespace));
        let pods: Vec<Arc<Value>> =
            pods.into_iter().filter(|pod| selects(budget.pointer("/spec/selector"), &labels(pod))).collect();
        let scale = self.scale(&key.namespace, &pods);
        let (evicted, again) = self.evicted(&budget, &pods);
        let mut status = status(&budget, &pods, scale, &evicted);
        let now = second(self.cache.clock.now());
        let held = condition(&budget, "DisruptionAllowed")
            .filter(|held| text(held, "/status") == text(&status, "/conditions/0/status"));
        status["conditions"][0]["lastTransitionTime"] =
            held.map_or(now.as_str(), |held| text(held, "/lastTransitionTime")).into();
        if budget.get("status") == Some(&status) {
            return Ok(again);
        }
        // On top of the version that was read: an eviction in between has spent from the budget.
        let mut changed = (*budget).clone();
        changed["status"] = status;
        match self.cache.update(BUDGETS, &changed, "status").await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(again),
        }
    }
}

impl DisruptionController {
    pub(crate) fn new(cache: &Arc<Cache>) -> Self {
        Self { cache: Arc::clone(cache) }
    }

    /// Pods that an eviction has taken and that are not seen to be deleted yet, with the time of the eviction; and the
    /// pause after which the next of them counts again, because nothing came of it.
    fn evicted(&self, budget: &Value, pods: &[Arc<Value>]) -> (BTreeMap<String, String>, Option<Duration>) {
        let mut waits = Vec::new();
        let taken = strings(budget, "/status/disruptedPods").into_iter().filter(|(pod, since)| {
            let there = pods.iter().any(|one| name(one) == pod && !deleting(one));
            let since = since.parse().map_or(Duration::ZERO, |since| self.cache.clock.since(since));
            let left = EVICTION_LIMIT.saturating_sub(since);
            waits.extend((there && !left.is_zero()).then_some(left));
            there && !left.is_zero()
        });
        let taken = taken.collect();
        (taken, waits.into_iter().min())
    }

    /// How many pods the controllers of these pods want; a pod that nobody controls does not count, as in the real controller.
    fn scale(&self, namespace: &str, pods: &[Arc<Value>]) -> i64 {
        let mut wanted: BTreeMap<String, i64> = BTreeMap::new();
        for pod in pods {
            let Some(owner) = controller(pod) else { continue };
            let id = if text(owner, "/kind") == "StatefulSet" { "statefulsets.apps" } else { "replicasets.apps" };
            let found = self.cache.get(id, namespace, text(owner, "/name"));
            let replicas = found.and_then(|found| integer(&found, "/spec/replicas")).unwrap_or(1);
            wanted.insert(text(owner, "/uid").to_owned(), replicas);
        }
        wanted.values().sum()
    }
}

/// A number, or the share of `whole` that a percentage is, rounded up.
fn amount(value: &Value, whole: i64) -> Option<i64> {
    let share = |text: &str| text.strip_suffix('%')?.parse::<i64>().ok().map(|share| (whole * share + 99) / 100);
    value.as_i64().or_else(|| value.as_str().and_then(share))
}

/// The status that the budget has with these pods, whose controllers want `scale` of them.
fn status(budget: &Value, pods: &[Arc<Value>], scale: i64, evicted: &BTreeMap<String, String>) -> Value {
    let spec = &budget["spec"];
    let (expected, desired) = match amount(&spec["maxUnavailable"], scale) {
        Some(most) => (scale, (scale - most).max(0)),
        None if spec["minAvailable"].is_string() => (scale, amount(&spec["minAvailable"], scale).unwrap_or(0)),
        None => (pods.len() as i64, spec["minAvailable"].as_i64().unwrap_or(1)),
    };
    let healthy = pods.iter().filter(|pod| pod_ready(pod) && !deleting(pod) && !evicted.contains_key(name(pod)));
    let healthy = healthy.count() as i64;
    // A budget that covers no pod yet allows nothing, so that its first pods are safe.
    let allowed = if expected > 0 { (healthy - desired).max(0) } else { 0 };
    let (holds, reason) = if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
    let generation = generation(budget);
    let others = items(budget, "/status/conditions").iter().filter(|one| text(one, "/type") != "DisruptionAllowed");
    let own = json!({
        "type": "DisruptionAllowed", "status": holds, "reason": reason, "message": "", "observedGeneration": generation,
        "lastTransitionTime": "",
    });
    let conditions: Vec<Value> = std::iter::once(own).chain(others.cloned()).collect();
    let mut status = json!({
        "currentHealthy": healthy, "desiredHealthy": desired, "disruptionsAllowed": allowed, "expectedPods": expected,
        "observedGeneration": generation, "conditions": conditions,
    });
    if !evicted.is_empty() {
        status["disruptedPods"] = json!(evicted);
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(spec: &Value, ready: usize, scale: i64) -> [i64; 3] {
        let pod = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        let found = status(
            &json!({"spec": spec}),
            &std::iter::repeat_n(&pod, ready).map(|pod| Arc::new(pod.clone())).collect::<Vec<_>>(),
            scale,
            &BTreeMap::new(),
        );
        ["desiredHealthy", "disruptionsAllowed", "expectedPods"].map(|field| found[field].as_i64().unwrap())
    }

    #[test]
    fn budgets_count_what_may_go() {
        assert_eq!(numbers(&json!({"minAvailable": 2}), 3, 3), [2, 1, 3]);
        assert_eq!(numbers(&json!({"minAvailable": 1}), 0, 0), [1, 0, 0]);
        assert_eq!(numbers(&json!({"minAvailable": "50%"}), 3, 3), [2, 1, 3]);
        assert_eq!(numbers(&json!({"maxUnavailable": 1}), 2, 3), [2, 0, 3]);
        assert_eq!(numbers(&json!({"maxUnavailable": "50%"}), 3, 3), [1, 2, 3]);
    }

    #[test]
    fn an_evicted_pod_counts_as_gone_before_its_deletion_is_seen() {
        let pod = |name: &str| {
            Arc::new(
                json!({"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
            )
        };
        let pods = [pod("a"), pod("b"), pod("c")];
        let budget = json!({"spec": {"minAvailable": 2}});
        let evicted = BTreeMap::from([("a".to_owned(), "2026-01-01T00:00:00Z".to_owned())]);
        let found = status(&budget, &pods, 3, &evicted);
        assert_eq!((&found["currentHealthy"], &found["disruptionsAllowed"]), (&json!(2), &json!(0)));
        assert_eq!(found["disruptedPods"]["a"], "2026-01-01T00:00:00Z");
    }
}
