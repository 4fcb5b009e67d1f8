//! Since when a pod is ready, and when it counts as available.

use std::time::Duration;

use clock::Clock;
use serde_json::Value;

use crate::object::{condition, integer, pod_ready, timestamp};

pub(crate) fn ready_since(pod: &Value) -> Option<jiff::Timestamp> {
    condition(pod, "Ready").filter(|_| pod_ready(pod)).and_then(|ready| timestamp(ready, "/lastTransitionTime"))
}

/// `spec.minReadySeconds` of what keeps pods.
pub(crate) fn min_ready(owner: &Value) -> Duration {
    Duration::from_secs(integer(owner, "/spec/minReadySeconds").unwrap_or(0).max(0) as u64)
}

/// How long until a pod counts as available: nothing if it is not ready, zero if it is available.
pub(crate) fn available_in(pod: &Value, min_ready: Duration, clock: &Clock) -> Option<Duration> {
    if !pod_ready(pod) {
        return None;
    }
    let ready_for = ready_since(pod).map_or(Duration::ZERO, |since| clock.since(since));
    Some(min_ready.saturating_sub(ready_for))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_is_available_after_min_ready_seconds() {
        let (clock, handle) = Clock::manual("2026-01-01T00:00:04Z".parse().unwrap());
        let ready = json!({"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let pod = json!({"status": {"conditions": [ready]}});
        assert_eq!(available_in(&pod, Duration::from_secs(10), &clock), Some(Duration::from_secs(6)));
        handle.advance(Duration::from_secs(6));
        assert_eq!(available_in(&pod, Duration::from_secs(10), &clock), Some(Duration::ZERO));
    }
}
