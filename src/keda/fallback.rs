//! Fallback: what holds while a trigger cannot be read (`docs/rules.md#keda-fallback`: the HPA does it
//! through the metric's value).

use std::collections::BTreeMap;

use crate::api::{Fallback, HealthStatus};
use crate::metric::Target;

/// Counts one reading of `metric`: a success resets, a failure adds one.
pub fn record(health: &mut BTreeMap<String, HealthStatus>, metric: &str, success: bool) {
    let entry = health.entry(metric.to_owned()).or_default();
    let failures = if success { 0 } else { entry.number_of_failures.unwrap_or(0).saturating_add(1) };
    entry.number_of_failures = Some(failures);
    entry.status = Some(if success { "Happy" } else { "Failing" }.to_owned());
}

/// Whether the fallback is in force for `metric`: more failures in a row than the threshold.
pub fn engaged(fallback: &Fallback, health: &BTreeMap<String, HealthStatus>, metric: &str) -> bool {
    let failures = health.get(metric).and_then(|status| status.number_of_failures).unwrap_or(0);
    failures > fallback.failure_threshold
}

/// The metric value that makes the HPA want `fallback.replicas`. `ready` is the number of ready pods, needed for a
/// target of type Value only; `None` if it cannot be computed, which is an error for the HPA and holds the target.
pub fn value(fallback: &Fallback, target: Target, ready: i32) -> Option<f64> {
    let replicas = f64::from(fallback.replicas);
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
        let fallback = Fallback { failure_threshold: 3, replicas: 6 };
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
        let fallback = Fallback { failure_threshold: 3, replicas: 6 };
        assert_eq!(value(&fallback, Target::AverageValue(0.5), 0), Some(3.0));
        assert_eq!(value(&fallback, Target::Value(10.0), 3), Some(20.0));
        assert_eq!(value(&fallback, Target::Value(10.0), 0), None);
    }
}
