//! What the parts of the local cloud call by the same names of EKS: access entries and Fargate profiles.
//!
//! Plain values: the AWS endpoint makes them from its clusters, the API server and the scheduler work by them. Whom an access entry
//! lets in is the API server's; which states a resource has is the AWS endpoint's.
//!
//! This crate must not know sockets, JSON, the AWS API or Kubernetes objects.

mod access;
mod fargate;

pub use access::{ACCESS_POLICIES, ACCESS_POLICY_PREFIX, AccessEntry, AccessPolicy};
pub use fargate::{FargateProfile, FargateSelector};
