//! An object as it is stored, and as it is served.

mod autoscaling_v1;
pub(crate) mod metadata;
pub(crate) mod versions;
pub(crate) mod zero;
