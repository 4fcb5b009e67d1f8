//! The autoscaling contract: KEDA's API types (2.20 schema, which takes 2.14's manifests) and every decision taken on them, as pure functions.
//!
//! Entry points: [`api`] for the kinds, [`crds`] for their definitions, [`hpa::build`] for the autoscaler that a
//! ScaledObject owns, [`decision::decide`] for one poll of it, [`job::decide`] for one of a ScaledJob.
//!
//! Invariants: nothing here reads a clock, a socket, a file or the environment; times come in as arguments, already as
//! durations of system time where a window is evaluated. A missing or failed reading is never taken for a zero.
//!
//! This crate must not know how a metric is read, who writes an object, or on which target it runs.

pub mod admission;
pub mod api;
pub mod conditions;
mod crd;
pub mod decision;
mod error;
pub mod event;
pub mod fallback;
pub mod formula;
pub mod hpa;
pub mod job;
pub mod metric;
pub mod modifiers;
pub mod naming;
pub mod pause;
pub mod quantity;
pub mod resource;
pub mod validate;

pub use crd::crds;
pub use error::{Error, Result};

/// The KEDA version whose behaviour and schema this crate follows; also the value of `app.kubernetes.io/version`.
pub const KEDA_VERSION: &str = "2.20.2";
/// The finalizer that KEDA puts on every kind of its own.
pub const FINALIZER: &str = "finalizer.keda.sh";
