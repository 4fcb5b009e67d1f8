//! The arithmetic of the horizontal pod autoscaler. Pure: samples and counts in, replica counts out.
//!
//! Rules: `docs/rules.md#hpa-algorithm`. Metric values and targets are in thousandths.

/// How far usage may be off the target before anything is done, as ratios.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tolerance {
    pub(super) down: f64,
    pub(super) up: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { down: 0.1, up: 0.1 }
    }
}

impl Tolerance {
    fn covers(self, ratio: f64) -> bool {
        (1.0 - self.down) <= ratio && ratio <= (1.0 + self.up)
    }
}

/// What one metric asks for, and what it measured (per pod for averages).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proposal {
    pub(super) replicas: i64,
    pub(super) usage_milli: i128,
}

/// Target type AverageValue: the total is shared by all pods.
pub(super) fn for_average(total_milli: i128, target_milli: i128, pods: i64, tolerance: Tolerance) -> Proposal {
    let ratio = total_milli as f64 / (target_milli as f64 * pods as f64);
    let replicas = if tolerance.covers(ratio) { pods } else { ceil(total_milli as f64 / target_milli as f64) };
    let usage_milli = if pods > 0 { (total_milli + i128::from(pods) - 1) / i128::from(pods) } else { total_milli };
    Proposal { replicas, usage_milli }
}

/// Whether the usage is near enough to the target for nothing to be done, whatever the pods are.
pub(super) fn is_settled(usage_milli: i128, target_milli: i128, tolerance: Tolerance) -> bool {
    tolerance.covers(usage_milli as f64 / target_milli as f64)
}

/// Target type Value: the usage of the ready pods together is compared with the target.
pub(super) fn for_value(
    usage_milli: i128,
    target_milli: i128,
    current: i64,
    ready: i64,
    tolerance: Tolerance,
) -> Proposal {
    let ratio = usage_milli as f64 / target_milli as f64;
    let replicas = if current == 0 {
        ceil(ratio)
    } else if tolerance.covers(ratio) {
        current
    } else {
        ceil(ratio * ready as f64)
    };
    Proposal { replicas, usage_milli }
}

fn ceil(value: f64) -> i64 {
    // Not finite means a division by zero; the controller then keeps to its limits.
    if value.is_finite() { value.ceil().clamp(0.0, f64::from(i32::MAX)) as i64 } else { i64::from(i32::MAX) }
}

/// One metric of the spec after it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Proposed {
        replicas: i64,
        name: String,
    },
    /// `message` is for the condition and the event, `error` for the summary over all metrics.
    Failed {
        reason: &'static str,
        message: String,
        error: String,
    },
}

/// What all metrics together ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The largest proposal, by this metric; `partial` says which metrics failed nevertheless.
    Replicas { replicas: i64, metric: String, partial: Option<String> },
    /// Nothing may be concluded: all failed, or some did and the rest would scale down.
    Unknown { reason: &'static str, message: String, error: String },
}

pub(super) fn combine(outcomes: &[Outcome], current: i64) -> Verdict {
    let mut best: Option<(i64, &str)> = None;
    let mut failures = Vec::new();
    for outcome in outcomes {
        match outcome {
            Outcome::Proposed { replicas, name } if best.is_none_or(|(most, _)| most == 0 || *replicas > most) => {
                // A proposal of zero counts as none yet, so the next metric names itself, as in the real controller.
                best = Some((*replicas, name));
            }
            Outcome::Proposed { .. } => {}
            Outcome::Failed { reason, message, error } => failures.push((*reason, message.as_str(), error.as_str())),
        }
    }
    let (invalid, total) = (failures.len(), outcomes.len());
    let error = failures
        .first()
        .map(|(_, _, first)| format!("invalid metrics ({invalid} invalid out of {total}), first error is: {first}"));
    match (best, failures.first()) {
        (Some((replicas, metric)), failure) if failure.is_none() || replicas >= current => {
            Verdict::Replicas { replicas, metric: metric.to_owned(), partial: error }
        }
        (_, Some((reason, message, _))) => {
            Verdict::Unknown { reason, message: (*message).to_owned(), error: error.unwrap_or_default() }
        }
        (_, None) => Verdict::Unknown {
            reason: "InvalidMetricSourceType",
            message: "the HPA has no metrics".to_owned(),
            error: "no metrics".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn averages_share_the_total_among_the_pods() {
        let five = |total: i128, pods: i64| for_average(total * 1000, 3000, pods, Tolerance::default()).replicas;
        for (total, pods, replicas) in [
            (9, 1, 3),
            (10, 1, 4),
            (1, 1, 1),
            (0, 3, 0),
            (3, 1, 1),
            // 10 % off in either direction changes nothing.
            (33, 10, 10),
            (34, 10, 12),
            (27, 10, 10),
            (26, 10, 9),
        ] {
            assert_eq!(five(total, pods), replicas, "{total} messages on {pods} pods");
        }
        assert_eq!(for_average(10_000, 3000, 3, Tolerance::default()).usage_milli, 3334);
        assert_eq!((five(0, 0), five(9, 0)), (0, 3), "without pods only the total counts");
    }

    #[test]
    fn values_scale_the_ready_pods() {
        let value = |usage: i128, current: i64, ready: i64| {
            for_value(usage * 1000, 10_000, current, ready, Tolerance::default()).replicas
        };
        for (usage, current, ready, replicas) in
            [(20, 3, 3, 6), (20, 3, 2, 4), (5, 4, 4, 2), (11, 3, 3, 3), (9, 3, 3, 3), (25, 0, 0, 3), (12, 3, 3, 4)]
        {
            assert_eq!(value(usage, current, ready), replicas, "{usage} with {current}/{ready}");
        }
    }

    #[test]
    fn a_tolerance_of_its_own_replaces_the_default() {
        let strict = Tolerance { down: 0.0, up: 0.5 };
        assert_eq!(for_average(14_000, 10_000, 1, strict).replicas, 1);
        assert_eq!(for_average(16_000, 10_000, 1, strict).replicas, 2);
        assert_eq!(for_average(19_000, 10_000, 2, strict).replicas, 2);
    }

    fn proposed(replicas: i64, name: &str) -> Outcome {
        Outcome::Proposed { replicas, name: name.to_owned() }
    }

    fn failed() -> Outcome {
        Outcome::Failed { reason: "FailedGetExternalMetric", message: "no".to_owned(), error: "no".to_owned() }
    }

    #[test]
    fn the_largest_proposal_wins() {
        let verdict = combine(&[proposed(2, "a"), proposed(5, "b"), proposed(5, "c")], 1);
        assert_eq!(verdict, Verdict::Replicas { replicas: 5, metric: "b".to_owned(), partial: None });
    }

    #[test]
    fn a_failed_metric_blocks_scaling_down_but_not_up() {
        assert!(matches!(combine(&[failed(), proposed(2, "a")], 3), Verdict::Unknown { .. }));
        assert!(matches!(combine(&[failed(), proposed(3, "a")], 3), Verdict::Replicas { replicas: 3, .. }));
        let up = combine(&[proposed(4, "a"), failed()], 3);
        let partial = Some("invalid metrics (1 invalid out of 2), first error is: no".to_owned());
        assert_eq!(up, Verdict::Replicas { replicas: 4, metric: "a".to_owned(), partial });
        assert!(matches!(combine(&[failed()], 0), Verdict::Unknown { reason: "FailedGetExternalMetric", .. }));
    }

    proptest! {
        #[test]
        fn an_average_never_leaves_pods_above_tolerance(total in 0_i128..1_000_000, target in 1_i128..10_000, pods in 1_i64..500) {
            let made = for_average(total, target, pods, Tolerance::default());
            let per_pod = total as f64 / made.replicas.max(1) as f64;
            prop_assert!(per_pod <= target as f64 * 1.1 + 1e-6 || made.replicas == i64::from(i32::MAX));
        }
    }
}
