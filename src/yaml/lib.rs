//! Strict reading of a person's YAML files: each value with its place, every problem at once, no unknown key.
//!
//! Entry points: [`parse`] makes a tree of located values, [`lay_over`] changes it by flags and variables, and [`Section`]
//! takes its keys out one by one, into [`Findings`].
//!
//! Invariants: everything here is a pure function of its arguments; a problem names file, line, key, cause and next step.
//!
//! This crate must not know what any key means.

mod problem;
mod reader;
mod tree;

pub use problem::{Origin, Problem, Problems};
pub use reader::{Findings, Item, Section, Setting, nearest, origin};
pub use tree::{Entry, Node, Override, Value, lay_over, parse};
