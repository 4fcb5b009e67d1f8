//! A Kubernetes cluster seen as its client: connect, apply, wait, read, remove.
//!
//! Entry points: [`Cluster`] (a connection that is made when first used), [`Object`] (any manifest as a resource of the
//! engine), [`Rollout`] (a wait for pods of somebody else's making), [`collection`] (all that may explain a failure), [`read`] (what verification and views look at), [`wait`], [`audit`], [`preflight`], [`kubeconfig`].
//!
//! Invariants: an unreachable cluster is an error, never an absent object; a cluster that does not exist holds nothing
//! and is not connected to; objects of another stack are not touched; bearer tokens appear in no log, error or file.
//! This crate must not know what AWS or a stack file is: endpoint and token come from closures.

mod address;
pub mod audit;
pub mod collection;
mod connection;
mod diagnosis;
mod ending;
mod error;
pub mod existing;
pub mod foreign;
pub mod generated;
mod hope;
mod kinds;
pub mod kubeconfig;
mod object;
mod ownership;
mod patience;
pub mod preflight;
pub mod read;
mod readiness;
mod record;
mod redact;
mod renewal;
mod rollout;
mod shape;
mod wait;

pub use connection::{Cluster, Connection, Endpoint, Locate, Secret, Token, TokenSource};
pub use diagnosis::Diagnosis;
pub use error::Error;
pub use kinds::OperatorHomes;
pub use object::{Manifest, Object};
pub use record::rebuild;
pub use redact::{redact, redact_lines, redact_text};
pub use rollout::Rollout;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Label that says to which stack an object belongs.
pub const LABEL_STACK: &str = "sluice.dev/stack";
/// Label that says who manages an object.
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Value of [`LABEL_MANAGED_BY`], and our field manager.
pub const MANAGER: &str = "sluice";
