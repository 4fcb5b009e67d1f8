//! The Terraform-style engine: graph, refresh, plan, apply, destroy, state.
//!
//! The way through: [`Graph::new`] → [`Lock::take`] → [`Store::open`] → [`refresh()`] → [`plan::up`] or [`plan::down`] → [`apply()`].
//!
//! Invariants: what exists is touched only through [`Resource`]; an apply does nothing that is not in its [`Plan`]; the
//! state is written after every step and before what depends on it; a failed look is never "absent"; `graph`, `diff` and
//! `plan` read no clock, socket, file or environment.
//!
//! This crate must not know what AWS, Kubernetes, a stack file or a terminal is.

mod action;
mod address;
mod apply;
mod diff;
mod event;
mod graph;
mod lock;
pub mod plan;
mod reference;
mod refresh;
mod refreshed;
mod render;
mod resource;
pub mod state;
pub mod store;
mod store_error;
#[cfg(test)]
mod tests;

pub use action::Action;
pub use address::{Address, BadAddress};
pub use apply::{Options, Outcome, apply};
pub use diff::{After, Field};
pub use event::{Event, Events, Progress};
pub use graph::{Graph, GraphError};
pub use lock::{Holder, Lock, Mode};
pub use plan::{Change, Drift, Plan, Summary};
pub use reference::{Reference, UNKNOWN};
pub use refresh::refresh;
pub use refreshed::Refreshed;
pub use render::{Line, Mark, outline, render, render_drift};
pub use resource::{Attributes, Context, Failure, Health, Known, Node, Object, Reading, Resource, Schema};
pub use state::{Entry, State};
pub use store::Store;
