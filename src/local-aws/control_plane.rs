//! What is asked of whoever runs the clusters' control planes.

use local_eks::{AccessEntry, FargateProfile};
use serde_json::Value;
use tokio::sync::oneshot;

/// What a control plane needs to know about its EKS cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// The cluster's name.
    pub name: String,
    /// The cluster's ARN.
    pub arn: String,
    /// The Kubernetes minor version, such as `1.35`.
    pub version: String,
    /// The IAM principal that created the cluster.
    pub creator_arn: String,
    /// The ACTIVE Fargate profiles.
    pub profiles: Vec<FargateProfile>,
    /// The access entries.
    pub access: Vec<AccessEntry>,
    /// The addons that are not being deleted.
    pub addons: Vec<Addon>,
}

/// An addon.
#[derive(Debug, Clone, PartialEq)]
pub struct Addon {
    /// Such as `coredns`.
    pub name: String,
    /// Such as `v1.13.1-eksbuild.1`.
    pub version: String,
    /// The configuration values, `null` without any.
    pub configuration: Value,
}

/// Where a started control plane is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The API server's `https` address.
    pub url: String,
    /// The certificate that it is trusted by.
    pub ca_pem: String,
    /// The OIDC issuer of its service account tokens.
    pub issuer: String,
}

/// A request to whoever runs the control planes.
#[derive(Debug)]
pub enum Request {
    /// Start a control plane and say where it is, or why it could not be started.
    Start {
        /// The new cluster.
        spec: Spec,
        /// Takes the endpoint once it answers.
        reply: oneshot::Sender<Result<Endpoint, String>>,
    },
    /// Profiles, access entries, addons or the version have changed.
    Update {
        /// The cluster as it is now.
        spec: Spec,
    },
    /// End a control plane and all that runs on it.
    Stop {
        /// The cluster's name.
        name: String,
        /// Cancelled once nothing runs any more.
        reply: oneshot::Sender<()>,
    },
}
