//! What a StatefulSet reports. Pure.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::history;
use crate::object::{deleting, generation, integer, text};

/// `waits` are the pods' times until they are available, none where they are not ready; `names` are the current and the
/// newest revision.
pub(super) fn status(
    set: &Value,
    pods: &[Arc<Value>],
    waits: &[Option<Duration>],
    (current, newest): (&str, &str),
    collisions: i64,
) -> Value {
    let replicas = integer(set, "/spec/replicas").unwrap_or(1);
    let of = |revision: &str| pods.iter().filter(|pod| !deleting(pod) && history::of_pod(pod) == revision).count();
    let running = |wait: &&(&Arc<Value>, &Option<Duration>)| text(wait.0, "/status/phase") == "Running";
    let paired: Vec<(&Arc<Value>, &Option<Duration>)> = pods.iter().zip(waits).collect();
    let ready: Vec<&Duration> = paired.iter().filter(running).filter_map(|(_, wait)| wait.as_ref()).collect();
    let available = ready.iter().filter(|wait| wait.is_zero()).count();
    let (mut current, mut of_current, updated) = (current, of(current), of(newest));
    let rolling = text(set, "/spec/updateStrategy/type") != "OnDelete";
    let all = [pods.len(), ready.len(), updated].iter().all(|count| *count as i64 == replicas);
    if rolling && all {
        // The update is complete: the newest revision is the current one.
        (current, of_current) = (newest, updated);
    }
    let mut status = Map::new();
    status.insert("observedGeneration".into(), generation(set).into());
    status.insert("replicas".into(), pods.len().into());
    status.insert("availableReplicas".into(), available.into());
    let counts = [("readyReplicas", ready.len()), ("currentReplicas", of_current), ("updatedReplicas", updated)];
    // Zeroes are left out, as `omitempty` does.
    status.extend(counts.iter().filter(|(_, count)| *count > 0).map(|(key, count)| ((*key).into(), (*count).into())));
    status.insert("currentRevision".into(), current.into());
    status.insert("updateRevision".into(), newest.into());
    status.insert("collisionCount".into(), collisions.into());
    status.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_complete_update_makes_the_newest_revision_the_current_one() {
        let pod = |revision: &str| {
            Arc::new(json!({"metadata": {"labels": {history::HASH_LABEL: revision}}, "status": {"phase": "Running"}}))
        };
        let set = json!({"metadata": {"generation": 2}, "spec": {"replicas": 2}});
        let waits = [Some(Duration::ZERO), Some(Duration::from_secs(1))];
        let half = status(&set, &[pod("old"), pod("new")], &waits, ("old", "new"), 0);
        assert_eq!(
            half,
            json!({"observedGeneration": 2, "replicas": 2, "availableReplicas": 1, "readyReplicas": 2, "currentReplicas": 1,
                   "updatedReplicas": 1, "currentRevision": "old", "updateRevision": "new", "collisionCount": 0})
        );
        let whole = status(&set, &[pod("new"), pod("new")], &waits, ("old", "new"), 0);
        assert_eq!((&whole["currentRevision"], &whole["currentReplicas"]), (&json!("new"), &json!(2)));
    }
}
