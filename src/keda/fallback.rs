//! Fallback: what holds while a trigger cannot be read (`docs/rules.md#keda-fallback`: the HPA does it
//! through the metric's value).

use std::collections::BTreeMap;

use crate::api::{Fallback, HealthStatus};
use crate::metric::Target;

/// Counts one reading of `metric`: a success resets, a failure adds one.
pub fn record(health: &mut BTreeMap<String, HealthStatus>, metric: &str, success: bool) {
    let mut since = Since::default();
    since.record(success);
    since.fold(health, metric);
}

/// Readings of one metric that are not in the status yet: those of requests of the HPA between two polls (KEDA 2.19 counts both).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Since {
    /// One was a success, so that nothing from before counts.
    has_succeeded: bool,
    failures: i32,
}

impl Since {
    /// One more reading.
    pub fn record(&mut self, success: bool) {
        if success {
            *self = Self { has_succeeded: true, failures: 0 };
        } else {
            self.failures = self.failures.saturating_add(1);
        }
    }

    /// Counts them in `health`.
    pub fn fold(self, health: &mut BTreeMap<String, HealthStatus>, metric: &str) {
        let entry = health.entry(metric.to_owned()).or_default();
        let before = if self.has_succeeded { 0 } else { entry.number_of_failures.unwrap_or(0) };
        let failures = before.saturating_add(self.failures);
        entry.number_of_failures = Some(failures);
        entry.status = Some(if failures == 0 { "Happy" } else { "Failing" }.to_owned());
    }
}

/// Whether the fallback is in force for `metric`: more failures in a row than the threshold.
pub fn engaged(fallback: &Fallback, health: &BTreeMap<String, HealthStatus>, metric: &str) -> bool {
    let failures = health.get(metric).and_then(|status| status.number_of_failures).unwrap_or(0);
    failures > fallback.failure_threshold
}

/// The replicas that the fallback asks for while the target has `current`.
pub fn replicas(fallback: &Fallback, current: i32) -> i32 {
    match fallback.behavior.as_deref().unwrap_or_default() {
        "currentReplicas" => current,
        "currentReplicasIfHigher" => current.max(fallback.replicas),
        "currentReplicasIfLower" => current.min(fallback.replicas),
        _ => fallback.replicas,
    }
}

/// Whether [`replicas`] depends on the target's current count.
pub fn follows_current(fallback: &Fallback) -> bool {
    replicas(fallback, fallback.replicas.saturating_sub(1)) != replicas(fallback, fallback.replicas.saturating_add(1))
}

/// The metric value that makes the HPA want `replicas`. `ready` is the number of ready pods, needed for a
/// target of type Value only; `None` if it cannot be computed, which is an error for the HPA and holds the target.
pub fn value(replicas: i32, target: Target, ready: i32) -> Option<f64> {
    let replicas = f64::from(replicas);
    match target {
        Target::AverageValue(per_replica) => Some(per_replica * replicas),
        Target::Value(total) if ready > 0 => Some(total * replicas / f64::from(ready)),
        Target::Value(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_in_force_after_the_failure_that_exceeds_the_threshold() {
        let fallback = Fallback { failure_threshold: 3, replicas: 6, ..Fallback::default() };
        let mut health = BTreeMap::new();
        for _ in 0..3 {
            record(&mut health, "m", false);
        }
        assert!(!engaged(&fallback, &health, "m"));
        record(&mut health, "m", false);
        assert!(engaged(&fallback, &health, "m"));
        assert_eq!(health["m"].status.as_deref(), Some("Failing"));
        record(&mut health, "m", true);
        assert!(!engaged(&fallback, &health, "m"));
    }

    #[test]
    fn the_value_makes_the_hpa_want_the_fallback_replicas() {
        assert_eq!(value(6, Target::AverageValue(0.5), 0), Some(3.0));
        assert_eq!(value(6, Target::Value(10.0), 3), Some(20.0));
        assert_eq!(value(6, Target::Value(10.0), 0), None);
    }

    #[test]
    fn requests_between_two_polls_count_and_a_success_among_them_begins_anew() {
        let mut health = BTreeMap::new();
        record(&mut health, "m", false);
        let counted = |readings: &[bool]| {
            let (mut since, mut health) = (Since::default(), health.clone());
            for success in readings {
                since.record(*success);
            }
            since.fold(&mut health, "m");
            (health["m"].number_of_failures.unwrap(), health["m"].status.clone().unwrap())
        };
        assert_eq!(counted(&[false, false]), (3, "Failing".to_owned()));
        assert_eq!(counted(&[false, true, false]), (1, "Failing".to_owned()));
        assert_eq!(counted(&[false, true]), (0, "Happy".to_owned()));
        assert_eq!(counted(&[]).0, 1);
    }

    #[test]
    fn each_behavior_relates_the_count_to_the_current_one() {
        let table = [
            (None, [3, 3], false),
            (Some("static"), [3, 3], false),
            (Some("currentReplicas"), [1, 5], true),
            (Some("currentReplicasIfHigher"), [3, 5], true),
            (Some("currentReplicasIfLower"), [1, 3], true),
        ];
        for (behavior, wanted, follows) in table {
            let behavior = behavior.map(str::to_owned);
            let fallback = Fallback { failure_threshold: 0, replicas: 3, behavior };
            assert_eq!([1, 5].map(|current| replicas(&fallback, current)), wanted, "{fallback:?}");
            assert_eq!(follows_current(&fallback), follows, "{fallback:?}");
        }
    }
}
