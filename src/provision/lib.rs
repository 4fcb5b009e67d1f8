//! The Terraform-style engine: graph, refresh, plan, apply, destroy, state.
//!
//! Entry points: `Graph::new`, `refresh`, `plan::up`, `plan::down`, `apply`.
//!
//! Invariants: the world is touched only through [`Resource`]; an apply does nothing that is not in its plan; the
//! state is written after every step and before what depends on it; a failed look is never "absent"; `graph`, `diff` and
//! `plan` read no clock, socket, file or environment.
//!
//! This crate must not know what AWS, Kubernetes, a stack file or a terminal is.

mod address;
mod event;
pub mod plan;
mod resource;

pub use address::{Address, BadAddress};
pub use event::{Event, Events, Progress};
pub use plan::Action;
pub use resource::{Attributes, Context, Failure, Health, Known, Node, Object, Reading, Resource, Schema};
