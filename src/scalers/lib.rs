//! Event sources: one file per trigger type.
//!
//! Entry point: [`build`] makes a [`Scaler`] of a trigger and what was resolved for it ([`Context`]). A new type is a file, and
//! a row in the table of `triggers.rs`. What scalers share lies in [`services::Services`].
//!
//! Invariants: a failed or incomplete reading is an error and never a zero; building calls nothing, so a wrong trigger is
//! distinguished from a source that is down; credentials appear in no log, no `Debug` and no error.
//!
//! This crate must not know Kubernetes objects' lives: environments, authentication parameters and the workload's role
//! are resolved by its caller, who also hands in the little of Kubernetes that scalers look at ([`kubernetes`]).

mod authorities;
pub mod aws_identity;
mod aws_sqs_queue;
mod connections;
mod context;
mod cron;
pub mod env;
mod error;
mod external;
mod http;
mod http_auth;
pub mod kubernetes;
mod kubernetes_resource;
mod kubernetes_workload;
mod label_selector;
mod link;
mod metadata;
mod metrics_api;
mod nats_jetstream;
mod path;
mod postgresql;
mod prometheus;
mod rabbitmq;
mod reads;
mod redis_list;
mod redis_server;
mod redis_streams;
mod scaler;
#[cfg(test)]
mod scripted;
pub mod services;
mod sql;
mod tls;
mod triggers;

pub use authorities::Authorities;
pub use connections::Connections;
pub use context::{Context, ROLE_ARN_ANNOTATION, Workload};
pub use error::{Error, Result};
pub use reads::Reads;
pub use scaler::{Samples, Scaler};
pub use triggers::{build, label, specs};
