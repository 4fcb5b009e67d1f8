//! Direct activation, opt-in and not KEDA's: an object wakes up at the count that the HPA would come to, so that nobody waits for
//! the HPA's next look.
//!
//! The limits of the HPA's scale-up hold as in its first period from the count at which KEDA would begin (Kubernetes, Horizontal
//! Pod Autoscaling, "Configurable scaling behavior" and its defaults).

use std::collections::BTreeMap;

use k8s_openapi::api::autoscaling::v2::{HPAScalingPolicy, HPAScalingRules};

use super::{Input, Reading};
use crate::naming;

/// Policies of a scale-up of which nothing is said: the greater of 4 pods and 100 percent.
const PODS: i32 = 4;
const PERCENT: i32 = 100;

/// Whether the annotation asks for it, in the words that Go takes for a boolean as KEDA's annotations do; `Err` with what was
/// written if it is none.
pub(super) fn wish(annotations: &BTreeMap<String, String>) -> Result<bool, &str> {
    match annotations.get(naming::DIRECT_ACTIVATION).map(String::as_str) {
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some(other) => Err(other),
    }
}

/// The count to wake up at, where it is asked for and the HPA's count is known; never below what KEDA begins with.
pub(super) fn count(input: &Input<'_>, held: &[Reading]) -> Option<i32> {
    if wish(input.annotations) != Ok(true) {
        return None;
    }
    let begin = input.spec.hpa_min_replicas();
    let wanted = super::explain::wanted_by_hpa(input, held)?;
    Some(wanted.min(limit(input, begin)).max(begin))
}

/// The most that the policies of `behavior.scaleUp` allow in one period from `begin` on.
fn limit(input: &Input<'_>, begin: i32) -> i32 {
    let config = input.spec.advanced.as_ref().and_then(|advanced| advanced.horizontal_pod_autoscaler_config.as_ref());
    let rules = config.and_then(|config| config.behavior.as_ref()?.scale_up.as_ref());
    let limit = |policy: &HPAScalingPolicy| match policy.type_.as_str() {
        "Percent" => begin.saturating_add((f64::from(begin) * f64::from(policy.value) / 100.0).ceil() as i32),
        _ => begin.saturating_add(policy.value),
    };
    let Some(rules) = rules else { return default(begin) };
    // The HPA holds the lowest count of the window, and begins with the one that it finds.
    if rules.stabilization_window_seconds.is_some_and(|seconds| seconds > 0) {
        return begin;
    }
    let limits = policies(rules).iter().map(limit);
    match rules.select_policy.as_deref() {
        Some("Disabled") => begin,
        Some("Min") => limits.min().unwrap_or_else(|| default(begin)),
        _ => limits.max().unwrap_or_else(|| default(begin)),
    }
}

fn policies(rules: &HPAScalingRules) -> &[HPAScalingPolicy] {
    rules.policies.as_deref().unwrap_or_default()
}

fn default(begin: i32) -> i32 {
    let percent = begin.saturating_add(begin.saturating_mul(PERCENT) / 100);
    percent.max(begin.saturating_add(PODS))
}
