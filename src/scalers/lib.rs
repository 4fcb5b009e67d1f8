//! Event sources: one file per trigger type.
//!
//! Entry point: [`build`] makes a [`Scaler`] of a trigger and what was resolved for it.
//!
//! Invariants: a failed or incomplete reading is an error and never a zero; building calls nothing, so a wrong trigger is
//! distinguished from a source that is down; credentials appear in no log, no `Debug` and no error.
//!
//! This crate must not know Kubernetes objects' lives: environments, authentication parameters and the workload's role
//! are resolved by its caller.

pub mod aws_identity;
mod aws_sqs_queue;
pub mod env;
mod error;
mod metadata;
#[cfg(test)]
mod scripted;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use error::{Error, Result};
use futures::future::BoxFuture;
use keda::api::{AuthPodIdentity, ScaleTriggers};
use keda::decision::Sample;
use keda::metric;

use crate::aws_identity::Identities;

/// One trigger that can be read.
pub trait Scaler: Send + Sync {
    /// The external metrics that it gives, with what the HPA holds them at.
    fn metric_specs(&self) -> Vec<metric::Spec>;

    /// Reads the metric of that name once. Nothing is retried here beyond what the source's own client does.
    fn metrics_and_activity<'a>(&'a self, metric_name: &'a str) -> BoxFuture<'a, Result<Sample>>;
}

/// What was resolved for one trigger.
#[derive(Clone)]
pub struct Context {
    /// The operator's identity on AWS and those derived from it; one per process.
    pub identities: Arc<Identities>,
    /// The environment of the target's container, for the `…FromEnv` keys.
    pub environment: BTreeMap<String, String>,
    /// The parameters that the TriggerAuthentication's sources gave.
    pub authentication: BTreeMap<String, String>,
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

/// The external metrics of the trigger at `index`, as far as its metadata alone say what they are; empty if they do not.
pub fn specs(trigger: &ScaleTriggers, index: usize) -> Vec<metric::Spec> {
    match trigger.type_.as_str() {
        "aws-sqs-queue" => aws_sqs_queue::spec(trigger, index).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The label `scaler` of a trigger without a name in Prometheus metrics: the name of KEDA's Go type
/// (`docs/rules.md#keda-prometheus-metrics`).
pub fn label(trigger_type: &str) -> &str {
    match trigger_type {
        "aws-sqs-queue" => "awsSqsQueueScaler",
        other => other,
    }
}

/// The scaler for the trigger at `index` of its ScaledObject.
///
/// # Errors
///
/// [`Error::UnknownType`] if no scaler has the trigger's type. [`Error::Metadata`] holds all that is wrong with its
/// metadata and its identity.
pub fn build(trigger: &ScaleTriggers, index: usize, context: &Context) -> Result<Box<dyn Scaler>> {
    match trigger.type_.as_str() {
        "aws-sqs-queue" => Ok(Box::new(aws_sqs_queue::AwsSqsQueue::new(trigger, index, context)?)),
        other => Err(Error::UnknownType(other.to_owned())),
    }
}
