//! The running program, or another build of it, as its own container image: packed without Docker, saved as an archive or pushed to a registry.
//!
//! The way of the data: [`Program`] (the executable and what its loader maps) → `layer` (one tar.gz) → [`Image`]
//! (layer, configuration, manifest) → [`Image::save`] or [`push()`]. [`look()`] says what a registry has already,
//! and [`tagged()`] which content that is.
//!
//! Invariants: the same files give the same digest, on any day and machine; nothing that runs in the container is root;
//! a file that could not be written whole is not left behind; credentials reach neither logs nor errors.
//! This crate must not know what a stack, a cluster or a target is.

mod archive;
mod content;
mod credentials;
mod env;
mod error;
mod layer;
mod look;
mod name;
mod program;
mod push;
mod refusal;
mod tagged;

#[cfg(test)]
mod tests;

pub use content::Image;
pub use error::{Error, Result};
pub use look::{Reader, Seen, look};
pub use name::Name;
pub use program::{Architecture, Program};
pub use push::{Login, Options, Pushed, push};
pub use tagged::{Tagged, tagged};
