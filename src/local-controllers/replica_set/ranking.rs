//! Which pods go first when a ReplicaSet shrinks, in the documented order.

use std::cmp::Ordering;

use clock::Clock;
use serde_json::Value;

use crate::object::{annotation, created, items, name, pod_ready, text, timestamp};
use crate::readiness::ready_since;

/// Sorts before everything that is kept: unscheduled, then Pending, then not ready, then cheaper by
/// `controller.kubernetes.io/pod-deletion-cost`, then ready for a shorter time, then restarted more often, then newer.
fn order(a: &Value, b: &Value, clock: &Clock) -> Ordering {
    let key = |pod: &Value| {
        let scheduled = !text(pod, "/spec/nodeName").is_empty();
        let phase = match text(pod, "/status/phase") {
            "Pending" => 0,
            "Unknown" => 1,
            _ => 2,
        };
        let cost: i64 = annotation(pod, "controller.kubernetes.io/pod-deletion-cost")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        (scheduled, phase, pod_ready(pod), cost, age_class(ready_since(pod), clock))
    };
    key(a).cmp(&key(b)).then_with(|| restarts(b).cmp(&restarts(a))).then_with(|| {
        // Newer first, in steps of powers of two, so that pods of nearly the same age are chosen by chance.
        let age = |pod: &Value| age_class(timestamp(pod, "/metadata/creationTimestamp"), clock);
        age(a).cmp(&age(b)).then_with(|| created(b).cmp(created(a))).then_with(|| name(a).cmp(name(b)))
    })
}

/// The logarithm of an age in seconds.
fn age_class(since: Option<jiff::Timestamp>, clock: &Clock) -> u32 {
    since.map_or(0, |since| 64 - clock.since(since).as_secs().leading_zeros())
}

fn restarts(pod: &Value) -> i64 {
    let counts = items(pod, "/status/containerStatuses").iter();
    counts.map(|status| status["restartCount"].as_i64().unwrap_or(0)).max().unwrap_or(0)
}

/// The `count` pods that are to be deleted.
pub(super) fn to_delete<'a>(pods: &[&'a Value], count: usize, clock: &Clock) -> Vec<&'a Value> {
    let mut sorted = pods.to_vec();
    sorted.sort_by(|a, b| order(a, b, clock));
    sorted.truncate(count);
    sorted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, node: &str, phase: &str, ready: &str, cost: &str, created: &str) -> Value {
        json!({
            "metadata": {"name": name, "creationTimestamp": created,
                         "annotations": {"controller.kubernetes.io/pod-deletion-cost": cost}},
            "spec": {"nodeName": node},
            "status": {"phase": phase, "conditions": [
                {"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
        })
    }

    #[test]
    fn pods_go_in_the_documented_order() {
        let (clock, _handle) = Clock::manual("2026-01-01T01:00:00Z".parse().unwrap());
        let (old, new) = ("2026-01-01T00:00:00Z", "2026-01-01T00:59:00Z");
        let pods = [
            pod("kept", "n", "Running", "True", "5", old),
            pod("newer", "n", "Running", "True", "0", new),
            pod("older", "n", "Running", "True", "0", old),
            pod("cheap", "n", "Running", "True", "-1", old),
            pod("unready", "n", "Running", "False", "9", old),
            pod("pending", "n", "Pending", "False", "9", old),
            pod("unscheduled", "", "Pending", "False", "9", old),
        ];
        let all: Vec<&Value> = pods.iter().collect();
        let names: Vec<&str> = to_delete(&all, 7, &clock).into_iter().map(name).collect();
        assert_eq!(names, ["unscheduled", "pending", "unready", "cheap", "newer", "older", "kept"]);
        assert_eq!(to_delete(&all, 2, &clock).len(), 2);
    }
}
