//! ScaledJob: which Job to make for what waits in a source, how many at once, and how many to keep.

use std::time::Duration;

use k8s_openapi::api::batch::v1::JobSpec;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::scaled_object::polling;
use super::{ScaleTriggers, ScaledJobStatus};

const DEFAULT_MAX: i32 = 100;
const DEFAULT_HISTORY: i32 = 100;

/// ScaledJobSpec defines the desired state of ScaledJob
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "keda.sh",
    version = "v1alpha1",
    kind = "ScaledJob",
    namespaced,
    status = "ScaledJobStatus",
    shortname = "sj",
    derive = "PartialEq",
    doc = "ScaledJob is the Schema for the scaledjobs API",
    printcolumn(name = "Min", type_ = "integer", json_path = ".spec.minReplicaCount"),
    printcolumn(name = "Max", type_ = "integer", json_path = ".spec.maxReplicaCount"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Active", type_ = "string", json_path = r#".status.conditions[?(@.type=="Active")].status"#),
    printcolumn(name = "Paused", type_ = "string", json_path = r#".status.conditions[?(@.type=="Paused")].status"#),
    printcolumn(name = "Triggers", type_ = "string", json_path = ".status.triggersTypes"),
    printcolumn(name = "Authentications", type_ = "string", json_path = ".status.authenticationsTypes"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ScaledJobSpec {
    /// The spec of the Jobs that are made, a JobSpec of batch/v1, passed on as it is.
    // Kept as it was written: a field that this build does not know is the API server's to judge.
    #[schemars(with = "JobSpec")]
    pub job_target_ref: Value,
    /// Seconds between two polls of the triggers; 30 if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub polling_interval: Option<i32>,
    /// Jobs that ended well and are kept; 100 if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub successful_jobs_history_limit: Option<i32>,
    /// Jobs that failed and are kept; 100 if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub failed_jobs_history_limit: Option<i32>,
    /// Deprecated: rollout.strategy. It wins over that if both are set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout_strategy: Option<String>,
    /// What becomes of Jobs of an earlier spec
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// The container whose environment the triggers read; the first if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env_source_container_name: Option<String>,
    /// Jobs that run whatever the triggers say; 0 if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min_replica_count: Option<i32>,
    /// Most Jobs that run at once; 100 if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_replica_count: Option<i32>,
    /// How many Jobs are made for what waits
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling_strategy: Option<ScalingStrategy>,
    /// What to scale by.
    #[schemars(length(min = 1))]
    pub triggers: Vec<ScaleTriggers>,
}

/// What becomes of Jobs of an earlier spec
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// gradual lets them end by themselves; anything else deletes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// foreground or background, which is the default: how they are deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub propagation_policy: Option<String>,
}

/// How many Jobs are made for what waits
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScalingStrategy {
    /// default, custom, accurate or eager; anything else is default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// For custom: is subtracted from what waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_scaling_queue_length_deduction: Option<i32>,
    /// For custom: the share of running Jobs that is subtracted, such as 0.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_scaling_running_job_percentage: Option<String>,
    /// Conditions of a pod that a Job needs all of in one of its pods to be pending no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_pod_conditions: Vec<String>,
    /// max, min, avg or sum of the triggers that are active; max if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiple_scalers_calculation: Option<String>,
}

impl ScaledJobSpec {
    /// Time between two polls.
    pub fn polling(&self) -> Duration {
        polling(self.polling_interval)
    }

    /// Jobs that always run, at most the maximum.
    pub fn min_jobs(&self) -> i64 {
        let min = self.min_replica_count.unwrap_or(0).max(0);
        i64::from(self.max_replica_count.map_or(min, |max| min.min(max)))
    }

    /// Jobs that run for what waits, besides the minimum. Quirks of KEDA's: without a maximum the minimum is not subtracted
    /// from the 100, and a minimum above the maximum is not subtracted either.
    pub fn max_jobs(&self) -> i64 {
        match self.max_replica_count {
            Some(max) if self.min_replica_count.is_some_and(|min| min > max) => i64::from(max),
            Some(max) => i64::from(max) - self.min_jobs(),
            None => i64::from(DEFAULT_MAX),
        }
    }

    /// Jobs that ended well and are kept.
    pub fn successful_history(&self) -> usize {
        limit(self.successful_jobs_history_limit)
    }

    /// Jobs that failed and are kept.
    pub fn failed_history(&self) -> usize {
        limit(self.failed_jobs_history_limit)
    }

    /// Whether Jobs of an earlier spec end by themselves.
    pub fn is_gradual(&self) -> bool {
        let deprecated = self.rollout_strategy.as_deref().filter(|strategy| !strategy.is_empty());
        let strategy = deprecated.or_else(|| self.rollout.as_ref()?.strategy.as_deref());
        strategy == Some("gradual")
    }

    /// Whether Jobs of an earlier spec go only after their pods.
    pub fn is_foreground(&self) -> bool {
        self.rollout.as_ref().and_then(|rollout| rollout.propagation_policy.as_deref()) == Some("foreground")
    }
}

fn limit(count: Option<i32>) -> usize {
    usize::try_from(count.unwrap_or(DEFAULT_HISTORY)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_follow_the_table_of_keda() {
        let bounds = |min, max| {
            let spec = ScaledJobSpec { min_replica_count: min, max_replica_count: max, ..Default::default() };
            (spec.min_jobs(), spec.max_jobs())
        };
        assert_eq!(bounds(None, None), (0, 100));
        assert_eq!(bounds(Some(10), None), (10, 100));
        assert_eq!(bounds(None, Some(50)), (0, 50));
        assert_eq!(bounds(Some(10), Some(50)), (10, 40));
        assert_eq!(bounds(Some(50), Some(50)), (50, 0));
        assert_eq!(bounds(Some(60), Some(50)), (50, 50));
        assert_eq!(bounds(Some(-3), Some(50)), (0, 50));
    }

    #[test]
    fn the_deprecated_rollout_strategy_wins_and_only_gradual_keeps_jobs() {
        let is_gradual = |deprecated: Option<&str>, strategy: Option<&str>| {
            let rollout = Rollout { strategy: strategy.map(str::to_owned), ..Default::default() };
            let rollout_strategy = deprecated.map(str::to_owned);
            ScaledJobSpec { rollout_strategy, rollout: Some(rollout), ..Default::default() }.is_gradual()
        };
        assert!(is_gradual(None, Some("gradual")) && is_gradual(Some("gradual"), Some("immediate")));
        assert!(is_gradual(Some(""), Some("gradual")));
        assert!(!is_gradual(Some("immediate"), Some("gradual")));
        for other in [None, Some(""), Some("default"), Some("immediate"), Some("Gradual")] {
            assert!(!is_gradual(None, other), "{other:?}");
        }
    }
}
