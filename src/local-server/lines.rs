//! A log of one JSON object a line.

use std::fs::{File, OpenOptions};
use std::io::{Error, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A file to which lines are appended, each as a whole. Cheap to clone; clones share the file.
#[derive(Debug, Clone)]
pub struct Lines(Arc<Mutex<File>>);

impl Lines {
    /// Appends to the file, which is created if it does not exist.
    ///
    /// # Errors
    ///
    /// The file cannot be opened for appending.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    /// Appends one line. A failure is logged: it must not fail the request that the line is about.
    pub fn write(&self, mut line: String) {
        line.push('\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(line.as_bytes()) {
            tracing::warn!(%error, "failed to write a line of the log");
        }
    }
}
