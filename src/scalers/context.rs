//! What a scaler is built from besides its trigger.

use std::collections::BTreeMap;
use std::sync::Arc;

use keda::api::AuthPodIdentity;

use crate::services::Services;

/// What was resolved for one trigger.
#[derive(Clone)]
pub struct Context {
    /// What all scalers share.
    pub services: Arc<Services>,
    /// The name of the object that has the trigger.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Whether the trigger's value only counts in a formula, so that it needs no target of its own.
    pub is_metric_source: bool,
    /// The environment of the target's container, for the `…FromEnv` keys.
    pub environment: BTreeMap<String, String>,
    /// The parameters that the TriggerAuthentication's sources gave.
    pub authentication: BTreeMap<String, String>,
    /// Whether it may give others as well, since nobody has read it yet: a trigger that lacks one of them is in order.
    pub authentication_is_open: bool,
    /// The TriggerAuthentication's pod identity.
    pub pod_identity: Option<AuthPodIdentity>,
    /// The workload's ServiceAccount.
    pub workload: Workload,
}

/// The ServiceAccount of the scaled workload, as far as identity goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workload {
    /// `namespace/name`, for messages.
    pub service_account: String,
    /// Its annotation `eks.amazonaws.com/role-arn`.
    pub role_arn: Option<String>,
}

/// The annotation that names a ServiceAccount's role on EKS.
pub const ROLE_ARN_ANNOTATION: &str = "eks.amazonaws.com/role-arn";
