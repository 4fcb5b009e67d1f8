//! AWS as Sluice uses it: sessions, queues, EKS sign-in, and the AWS kinds of the provisioning engine.
//!
//! Entry points: [`session::Session::load`], [`queue::Queue`], [`eks_token::token`], [`resources::build`], [`audit::find`],
//! [`preflight::look`].
//!
//! Invariants: this is the only crate that names `aws_sdk_*`; a failed or refused call is an error and never "not there";
//! credentials and tokens appear in no log, no `Debug` and no error; every wait of ours goes through a clock.
//!
//! This crate must not know stack files, Kubernetes objects, or which target is in use.

mod agent;
pub mod audit;
pub mod cloud;
mod cloudwatch_logs;
pub mod documents;
pub mod ec2;
pub mod ecr;
pub mod eks_token;
mod error;
mod partition;
pub mod permissions;
pub mod preflight;
pub mod probe;
pub mod queue;
pub mod recording;
pub mod resources;
pub mod service_quotas;
pub mod session;
mod signed;
#[cfg(test)]
mod tests;
mod zones;

pub use error::{Error, Result};
