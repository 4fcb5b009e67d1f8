//! Why triggers cannot be built.

use std::fmt;
use std::sync::Arc;

use crate::authentication::{CLUSTER_KIND, KIND};
use crate::error::brief;
use crate::target::TargetError;

/// Why one trigger cannot be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TriggerError {
    /// The target's pods, whose environment a trigger may name, cannot be read.
    #[error(transparent)]
    Target(TargetError),
    /// The target's pods have no such container.
    #[error("the target's pods have no container {0:?}; correct envSourceContainerName")]
    Container(String),
    /// `authenticationRef.kind` is neither kind.
    #[error("authenticationRef.kind {0:?} is unknown; use {KIND} or {CLUSTER_KIND}")]
    AuthenticationKind(String),
    /// There is no such (Cluster)TriggerAuthentication.
    #[error(
        "{kind} {name:?} not found{}; create it, or correct authenticationRef",
        namespace.as_ref().map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default()
    )]
    NoAuthentication { kind: &'static str, name: String, namespace: Option<String> },
    /// The (Cluster)TriggerAuthentication breaks a rule.
    #[error(transparent)]
    Authentication(keda::Error),
    /// The file with the parameters cannot be used.
    #[error("ClusterTriggerAuthentication {name:?}: filePath {path:?}: {problem}")]
    CredentialFile { name: String, path: String, problem: String },
    /// The workload's `ServiceAccount` cannot be read.
    #[error("ServiceAccount {name} cannot be read: {}", brief(source))]
    ServiceAccount { name: String, source: kube::Error },
    /// The source does not say which metrics it has.
    #[error("the metrics are not known: {0}")]
    Specs(Box<scalers::Error>),
    /// The object was changed meanwhile and has no such trigger any more.
    #[error("the trigger is gone; the object was changed meanwhile")]
    Gone,
    /// The scaler refuses what the trigger and its references say.
    #[error("{error}{}", parenthesised(problems))]
    Scaler {
        error: Box<scalers::Error>,
        /// Why values that the trigger refers to are missing.
        problems: Vec<String>,
        /// Nothing but the trigger itself has a part in it.
        is_self_contained: bool,
    },
}

impl TriggerError {
    /// Whether it may heal without a change of the object or of its (Cluster)TriggerAuthentication.
    fn may_heal_unseen(&self) -> bool {
        match self {
            Self::AuthenticationKind(_) | Self::NoAuthentication { .. } | Self::Authentication(_) => false,
            Self::Scaler { error, is_self_contained, .. } => match **error {
                scalers::Error::UnknownType { .. } => false,
                scalers::Error::Metadata { .. } => !is_self_contained,
                _ => true,
            },
            Self::Target(_)
            | Self::Container(_)
            | Self::CredentialFile { .. }
            | Self::ServiceAccount { .. }
            | Self::Specs(_)
            | Self::Gone => true,
        }
    }
}

fn parenthesised(problems: &[String]) -> String {
    if problems.is_empty() { String::new() } else { format!(" ({})", problems.join("; ")) }
}

/// The triggers of one object that cannot be built, with index and name or type.
#[derive(Debug, Clone)]
pub(crate) struct TriggersError(pub(super) Vec<(usize, String, Arc<TriggerError>)>);

impl TriggersError {
    /// How many they are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether one of them may heal without a change that is seen.
    pub(crate) fn may_heal_unseen(&self) -> bool {
        self.0.iter().any(|(_, _, error)| error.may_heal_unseen())
    }
}

impl fmt::Display for TriggersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (index, label, error)) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(f, "{separator}trigger {index} ({label}): {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for TriggersError {}
