//! ScaledObject: what to scale, between which bounds, and by which triggers.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerBehavior;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ScaledObjectStatus;

const DEFAULT_POLLING: Duration = Duration::from_secs(30);
const DEFAULT_COOLDOWN: Duration = Duration::from_mins(5);
const DEFAULT_MAX: i32 = 100;

/// ScaledObjectSpec is the spec for a ScaledObject resource
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "keda.sh",
    version = "v1alpha1",
    kind = "ScaledObject",
    namespaced,
    status = "ScaledObjectStatus",
    shortname = "so",
    derive = "PartialEq",
    doc = "ScaledObject is a specification for a ScaledObject resource",
    printcolumn(name = "ScaleTargetKind", type_ = "string", json_path = ".status.scaleTargetKind"),
    printcolumn(name = "ScaleTargetName", type_ = "string", json_path = ".spec.scaleTargetRef.name"),
    printcolumn(name = "Min", type_ = "integer", json_path = ".spec.minReplicaCount"),
    printcolumn(name = "Max", type_ = "integer", json_path = ".spec.maxReplicaCount"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Active", type_ = "string", json_path = r#".status.conditions[?(@.type=="Active")].status"#),
    printcolumn(
        name = "Fallback",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Fallback")].status"#
    ),
    printcolumn(name = "Paused", type_ = "string", json_path = r#".status.conditions[?(@.type=="Paused")].status"#),
    printcolumn(name = "Triggers", type_ = "string", json_path = ".status.triggersTypes"),
    printcolumn(name = "Authentications", type_ = "string", json_path = ".status.authenticationsTypes"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ScaledObjectSpec {
    /// ScaleTarget holds the reference to the scale target Object
    pub scale_target_ref: ScaleTarget,
    /// Seconds between two polls of the triggers; 30 if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub polling_interval: Option<i32>,
    /// Seconds without initial activity before the first scaling to zero; 0 if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub initial_cooldown_period: Option<i32>,
    /// Seconds after the last activity before scaling to zero; 300 if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub cooldown_period: Option<i32>,
    /// Replicas while no trigger is active, below minReplicaCount.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub idle_replica_count: Option<i32>,
    /// Least replicas; 0 if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min_replica_count: Option<i32>,
    /// Most replicas; 100 if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_replica_count: Option<i32>,
    /// AdvancedConfig specifies advance scaling options
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advanced: Option<Box<AdvancedConfig>>,
    /// What to scale by.
    #[schemars(length(min = 1))]
    pub triggers: Vec<ScaleTriggers>,
    /// Fallback is the spec for fallback options
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
}

/// ScaleTarget holds the reference to the scale target Object
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScaleTarget {
    /// The target's name, in the ScaledObject's namespace.
    #[schemars(length(min = 1))]
    pub name: String,
    /// apps/v1 if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Deployment if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The container whose environment the triggers read; the first if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env_source_container_name: Option<String>,
}

impl ScaleTarget {
    /// The target's kind.
    pub fn kind_or_default(&self) -> &str {
        self.kind.as_deref().filter(|kind| !kind.is_empty()).unwrap_or("Deployment")
    }

    /// The target's apiVersion.
    pub fn api_version_or_default(&self) -> &str {
        self.api_version.as_deref().filter(|version| !version.is_empty()).unwrap_or("apps/v1")
    }
}

/// AdvancedConfig specifies advance scaling options
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdvancedConfig {
    /// HorizontalPodAutoscalerConfig specifies horizontal scale config
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horizontal_pod_autoscaler_config: Option<HorizontalPodAutoscalerConfig>,
    /// Put the original replica count back when the ScaledObject is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_to_original_replica_count: Option<bool>,
    /// ScalingModifiers describes advanced scaling logic options like formula
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling_modifiers: Option<ScalingModifiers>,
}

/// HorizontalPodAutoscalerConfig specifies horizontal scale config
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HorizontalPodAutoscalerConfig {
    /// The HPA's scaling behavior, passed on as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behavior: Option<HorizontalPodAutoscalerBehavior>,
    /// The HPA's name; keda-hpa-NAME of the ScaledObject if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// ScalingModifiers describes advanced scaling logic options like formula
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScalingModifiers {
    /// Expression over the triggers' names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    /// Target of the composite metric.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Value above which the composite metric is active.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation_target: Option<String>,
    /// AverageValue or Value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["AverageValue", "Value"]))]
    pub metric_type: Option<String>,
}

impl ScalingModifiers {
    /// Whether any field is set, which is when KEDA uses the formula.
    pub fn in_use(&self) -> bool {
        [&self.formula, &self.target, &self.activation_target, &self.metric_type]
            .into_iter()
            .flatten()
            .any(|text| !text.is_empty())
    }
}

/// ScaleTriggers reference the scaler that will be used
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScaleTriggers {
    /// The scaler's type, such as aws-sqs-queue.
    #[serde(rename = "type")]
    #[schemars(length(min = 1))]
    pub type_: String,
    /// A name that is unique in the ScaledObject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Answer requests for the metric from the last poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_cached_metrics: Option<bool>,
    /// The scaler's settings.
    pub metadata: BTreeMap<String, String>,
    /// AuthenticationRef points to the TriggerAuthentication or ClusterTriggerAuthentication object
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication_ref: Option<AuthenticationRef>,
    /// AverageValue, Value or Utilization; AverageValue if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_type: Option<String>,
}

impl ScaleTriggers {
    /// cpu and memory are read by the HPA itself.
    pub fn is_resource(&self) -> bool {
        matches!(self.type_.as_str(), "cpu" | "memory")
    }

    /// The types of these triggers in their order, each once, joined by commas.
    pub fn types(triggers: &[Self]) -> String {
        joined(triggers.iter().map(|trigger| trigger.type_.as_str()))
    }

    /// The names of the authentications that these triggers use, each once, joined by commas.
    pub fn authentications(triggers: &[Self]) -> String {
        let references = triggers.iter().filter_map(|trigger| trigger.authentication_ref.as_ref());
        joined(references.map(|reference| reference.name.as_str()).filter(|name| !name.is_empty()))
    }
}

/// AuthenticationRef points to the TriggerAuthentication or ClusterTriggerAuthentication object that is used to authenticate the scaler with the environment
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticationRef {
    /// The object's name.
    pub name: String,
    /// Kind of the resource being referred to. Defaults to TriggerAuthentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["TriggerAuthentication", "ClusterTriggerAuthentication"]))]
    pub kind: Option<String>,
}

/// Fallback is the spec for fallback options
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fallback {
    /// Failures in a row that are borne; the next one puts the fallback in force.
    #[schemars(range(min = 0))]
    pub failure_threshold: i32,
    /// Replicas while it is in force.
    #[schemars(range(min = 0))]
    pub replicas: i32,
    /// What replicas means: the count itself (static), the target's current count, or the greater or the lesser of the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = [
        "static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower", "scalingModifiers",
    ]))]
    pub behavior: Option<String>,
}

impl ScaledObjectSpec {
    /// Time between two polls. One second at least, so that a zero makes no hot loop.
    pub fn polling(&self) -> Duration {
        polling(self.polling_interval)
    }

    /// Time after the last activity before the target may go to zero or idle.
    pub fn cooldown(&self) -> Duration {
        self.cooldown_period.map_or(DEFAULT_COOLDOWN, seconds)
    }

    /// The same, measured from creation, while there has been no activity yet.
    pub fn initial_cooldown(&self) -> Duration {
        self.initial_cooldown_period.map_or(Duration::ZERO, seconds)
    }

    /// Least replicas for the scale loop.
    pub fn min_replicas(&self) -> i32 {
        self.min_replica_count.unwrap_or(0)
    }

    /// Least replicas for the HPA, which cannot go below one.
    pub fn hpa_min_replicas(&self) -> i32 {
        self.min_replicas().max(1)
    }

    /// Most replicas.
    pub fn max_replicas(&self) -> i32 {
        self.max_replica_count.unwrap_or(DEFAULT_MAX)
    }

    /// The formula and what goes with it, if any of its fields is set.
    pub fn scaling_modifiers(&self) -> Option<&ScalingModifiers> {
        self.advanced.as_ref()?.scaling_modifiers.as_ref().filter(|modifiers| modifiers.in_use())
    }

    /// Replicas while nothing is active: the idle count, else the minimum.
    pub fn idle_or_min(&self) -> i32 {
        self.idle_replica_count.unwrap_or_else(|| self.min_replicas())
    }
}

/// The time between two polls that is written so.
pub(super) fn polling(interval: Option<i32>) -> Duration {
    interval.map_or(DEFAULT_POLLING, |n| seconds(n).max(Duration::from_secs(1)))
}

fn joined<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen.join(",")
}

fn seconds(count: i32) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or(0))
}
