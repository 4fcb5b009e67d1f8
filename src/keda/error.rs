//! What can be wrong with an object of ours.

/// Why an object cannot be worked with. The texts are meant for a condition's message.
#[expect(clippy::error_impl_error, reason = "one error enum per crate, and it is called Error everywhere")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `scaleTargetRef` does not name a target.
    #[error("scaleTargetRef.name is empty; name the workload that is to be scaled")]
    NoTarget,
    /// A count or a time is less than it may be.
    #[error("spec.{field} in body should be greater than or equal to {min}, it is {value}")]
    TooSmall {
        /// The field of the spec.
        field: &'static str,
        /// Its value.
        value: i32,
        /// The least that it may be.
        min: i32,
    },
    /// The minimum is above the maximum.
    #[error(
        "minReplicaCount={min} must be less than or equal to maxReplicaCount={max}; lower the one or raise the other"
    )]
    MinAboveMax {
        /// The minimum as it counts for the check.
        min: i32,
        /// The maximum, 100 if unset.
        max: i32,
    },
    /// The idle count is not below the minimum.
    #[error(
        "idleReplicaCount={idle} must be less than minReplicaCount={min}; remove idleReplicaCount or raise minReplicaCount"
    )]
    IdleNotBelowMin {
        /// The idle count.
        idle: i32,
        /// The minimum as it counts for the check.
        min: i32,
    },
    /// `triggers` is empty.
    #[error("no triggers defined in the {kind}; add at least one to spec.triggers")]
    NoTriggers {
        /// ScaledObject or ScaledJob.
        kind: &'static str,
    },
    /// Two triggers have one name.
    #[error("triggerName {name:?} is defined multiple times in the {kind}, but it must be unique")]
    DuplicateTriggerName {
        /// ScaledObject or ScaledJob.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// `jobTargetRef` cannot be made a Job.
    #[error("ScaledJob.spec.jobTargetRef is no spec of a Job: {0}; correct it")]
    JobTarget(String),
    /// A ScaledJob's name does not fit into the label that its Jobs carry.
    #[error("the name {0:?} is longer than the 63 characters of the label that its Jobs carry; choose a shorter one")]
    LongName(String),
    /// A trigger of a ScaledJob has a metric type.
    #[error("metricType cannot be set in ScaledJob triggers; remove it from the trigger of type {0:?}")]
    JobMetricType(String),
    /// `useCachedMetrics` on a trigger that cannot have it.
    #[error("property \"useCachedMetrics\" is not supported for {0:?} scaler; remove it from that trigger")]
    CachedMetricsUnsupported(String),
    /// A metric type that the trigger cannot have.
    #[error("metricType {found:?} is not supported for external metrics; use AverageValue or Value")]
    MetricType {
        /// What the trigger says.
        found: String,
    },
    /// A `cpu` or `memory` trigger that cannot be used as it is written.
    #[error("error parsing {trigger} metadata: {problem}")]
    Resource {
        /// `cpu` or `memory`.
        trigger: String,
        /// What is wrong.
        problem: String,
    },
    /// Nothing could wake the target once it is at zero.
    #[error(
        "scaledobject has only cpu/memory triggers AND minReplica is 0 (scale to zero doesn't work in this case); set \
         minReplicaCount to 1 or more, or add another trigger"
    )]
    OnlyResources,
    /// Two triggers made one metric name.
    #[error("metricName {0:?} is defined multiple times in the ScaledObject; each trigger needs its own")]
    DuplicateMetricName(String),
    /// The fallback has a negative number.
    #[error("fallback.{field}={value} is negative; both numbers of a fallback must be 0 or more")]
    NegativeFallback {
        /// `failureThreshold` or `replicas`.
        field: &'static str,
        /// The number.
        value: i32,
    },
    /// A behavior of a fallback that is none.
    #[error(
        "fallback.behavior {0:?} is unknown; use static, currentReplicas, currentReplicasIfHigher, currentReplicasIfLower or scalingModifiers"
    )]
    FallbackBehavior(String),
    /// A fallback where no trigger can take part in it.
    #[error("fallback needs at least one trigger that is not cpu or memory; remove the fallback or add such a trigger")]
    FallbackWithoutExternalTrigger,
    /// The formula, or what goes with it, cannot be used as it is written.
    #[error("{0}; correct advanced.scalingModifiers")]
    Modifiers(String),
    /// A fallback leaves its value to a formula that is not there.
    #[error(
        "fallback.behavior scalingModifiers needs a formula in advanced.scalingModifiers; add one, or choose another behavior"
    )]
    FallbackWithoutFormula,
    /// The pause annotation is no number.
    #[error("annotation autoscaling.keda.sh/paused-replicas={0:?} is no integer of 0 or more; correct or remove it")]
    PausedReplicas(String),
    /// A TriggerAuthentication uses a source that cannot be read yet.
    #[error(
        "{kind} {name:?}: {source_name} is not served by this operator; use env, configMapTargetRef, secretTargetRef, boundServiceAccountToken, filePath or podIdentity aws"
    )]
    UnsupportedSource {
        /// TriggerAuthentication or ClusterTriggerAuthentication.
        kind: &'static str,
        /// The object's name.
        name: String,
        /// The field of the spec.
        source_name: String,
    },
    /// A file of the operator is for ClusterTriggerAuthentications alone.
    #[error(
        "TriggerAuthentication {name:?}: filePath is only supported for ClusterTriggerAuthentication; make it one, or use secretTargetRef"
    )]
    FilePathOfNamespace {
        /// The object's name.
        name: String,
    },
    /// A pod identity that names two roles.
    #[error("{kind} {name:?}: podIdentity.roleArn and identityOwner workload exclude each other; remove one of them")]
    TwoIdentities {
        /// TriggerAuthentication or ClusterTriggerAuthentication.
        kind: &'static str,
        /// The object's name.
        name: String,
    },
    /// The definitions could not be turned into JSON and back: a mistake in this crate's types.
    #[error("custom resource definitions cannot be rendered: {0}")]
    Definition(String),
}

/// This crate's result.
pub type Result<T> = std::result::Result<T, Error>;
