//! Why the state cannot be used or kept.

use std::path::{Path, PathBuf};

use crate::state::VERSION;

/// The state cannot be used or kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else works on the stack.
    #[error("{} is in use: {holder}; wait for it to end, or end it", path.display())]
    Locked {
        /// The state file.
        path: PathBuf,
        /// Who and since when.
        holder: String,
    },
    /// The file cannot be read or its folder not made.
    #[error("cannot open the state {}: {source}; check the folder's permissions", path.display())]
    Open {
        /// The state file, its lock or its folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no state.
    #[error(
        "{} is not a state file: {message}; move it away and run again (everything is found by name and tag)",
        path.display()
    )]
    Corrupt {
        /// The state file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A newer build wrote it.
    #[error("{} has format {found}, this build knows up to {VERSION}; use a newer sluice", path.display())]
    Newer {
        /// The state file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// A checkpoint could not be written.
    #[error("cannot write the state {}: {source}; {}", path.display(), rescue(emergency.as_deref()))]
    Write {
        /// The state file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
        /// Where the state was put instead, if that worked.
        emergency: Option<PathBuf>,
    },
}

fn rescue(emergency: Option<&Path>) -> String {
    match emergency {
        Some(path) => format!("it was saved as {} instead: free some space and move it back", path.display()),
        None => "it could not be saved elsewhere either; run again, everything is found by name and tag".to_owned(),
    }
}
