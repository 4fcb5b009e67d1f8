//! The kinds of group `keda.sh/v1alpha1`: ScaledObject, ScaledJob, TriggerAuthentication, ClusterTriggerAuthentication.
//!
//! As in KEDA, the schema has no defaults: a default is applied where a value is used, so that what a user wrote is
//! what the API server shows. The methods on the types are those defaults.

#[expect(clippy::duplicated_attributes, reason = "each column of kube's derive has the same keys")]
mod authentication;
#[expect(clippy::duplicated_attributes, reason = "each column of kube's derive has the same keys")]
mod scaled_job;
#[expect(clippy::duplicated_attributes, reason = "each column of kube's derive has the same keys")]
mod scaled_object;
mod secret_source;
mod status;

pub use authentication::*;
pub use scaled_job::*;
pub use scaled_object::*;
pub use secret_source::*;
pub use status::*;

/// The API group of all kinds.
pub const GROUP: &str = "keda.sh";
/// The one served version.
pub const VERSION: &str = "v1alpha1";
