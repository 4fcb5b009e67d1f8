//! What is written into the status of our kinds.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// ScaledObjectStatus is the status for a ScaledObject resource
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScaledObjectStatus {
    /// `<group>/<version>.<Kind>` of the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_target_kind: Option<String>,
    /// GroupVersionKindResource of the target.
    #[serde(rename = "scaleTargetGVKR", skip_serializing_if = "Option::is_none")]
    pub scale_target_gvkr: Option<GroupVersionKindResource>,
    /// Replicas of the target when it was first seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_replica_count: Option<i32>,
    /// When a trigger was last seen active.
    // Microseconds, because a cooldown is measured from it under a scaled clock too; readers of whole seconds accept both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_active_time: Option<MicroTime>,
    /// Names of the external metrics, in the order of the triggers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external_metric_names: Vec<String>,
    /// Names of the resource metrics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_metric_names: Vec<String>,
    /// Name of the composite metric, if a formula is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub composite_scaler_name: Option<String>,
    /// Conditions an array representation to store multiple Conditions
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Failures by metric name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub health: BTreeMap<String, HealthStatus>,
    /// Activity by external metric.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub triggers_activity: BTreeMap<String, TriggerActivityStatus>,
    /// Replicas at which the target is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_replica_count: Option<i32>,
    /// Name of the HPA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hpa_name: Option<String>,
    /// The types of the triggers, joined by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triggers_types: Option<String>,
    /// The names of the authentications that the triggers use, joined by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentications_types: Option<String>,
}

/// ScaledJobStatus defines the observed state of ScaledJob
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScaledJobStatus {
    /// When a trigger was last seen active.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_active_time: Option<MicroTime>,
    /// Conditions an array representation to store multiple Conditions
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Of KEDA's definition; nobody writes it.
    #[serde(rename = "Paused", skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// Names of the external metrics, in the order of the triggers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external_metric_names: Vec<String>,
    /// Activity by external metric.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub triggers_activity: BTreeMap<String, TriggerActivityStatus>,
    /// The types of the triggers, joined by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triggers_types: Option<String>,
    /// The names of the authentications that the triggers use, joined by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentications_types: Option<String>,
}

/// TriggerActivityStatus represents the activity status of an external trigger
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriggerActivityStatus {
    /// Whether the last poll found it active.
    pub is_active: bool,
}

/// GroupVersionKindResource provides unified structure for schema.GroupVersionKind and Resource
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupVersionKindResource {
    /// Empty for the core group.
    pub group: String,
    /// Such as v1.
    pub version: String,
    /// Such as Deployment.
    pub kind: String,
    /// The plural, such as deployments.
    pub resource: String,
}

impl GroupVersionKindResource {
    /// Deployments of apps/v1, KEDA's default target.
    pub fn deployment() -> Self {
        let [group, version, kind, resource] = ["apps", "v1", "Deployment", "deployments"].map(String::from);
        Self { group, version, kind, resource }
    }

    /// `<group>/<version>`, or the version alone for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `<group>/<version>.<Kind>`, with a leading slash for the core group, as KEDA writes `scaleTargetKind`.
    pub fn scale_target_kind(&self) -> String {
        format!("{}/{}.{}", self.group, self.version, self.kind)
    }
}

/// HealthStatus is the status for a ScaledObject's health
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthStatus {
    /// Failures in a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_of_failures: Option<i32>,
    /// HealthStatusType is an indication of whether the health status is happy or failing
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// Condition to store the condition state
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Condition {
    /// Type of condition
    #[serde(rename = "type")]
    pub type_: String,
    /// Status of the condition, one of True, False, Unknown.
    #[schemars(with = "String")]
    pub status: ConditionStatus,
    /// The reason for the condition's last transition.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// A human readable message indicating details about the transition.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// The three states of a condition; what cannot be read counts as unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nothing is known.
    #[default]
    #[serde(other)]
    Unknown,
}

/// TriggerAuthenticationStatus defines the observed state of TriggerAuthentication
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TriggerAuthenticationStatus {
    /// Names of the ScaledObjects that use it, joined by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaledobjects: Option<String>,
    /// Names of the ScaledJobs that use it, joined by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaledjobs: Option<String>,
}
