//! The state file: used under its [`Lock`] only, written whole, atomically, before the next step.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clock::Clock;

use crate::lock::{Lock, beside};
use crate::state::{State, VERSION};

pub use crate::store_error::StoreError;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The state file.
    pub path: PathBuf,
    /// Where the state is put if its own place cannot be written, for example a file in the temporary folder.
    pub emergency: PathBuf,
    /// This run's id.
    pub run: String,
    /// For the times in the records.
    pub clock: Clock,
}

/// The state, under its lock until dropped. It is saved under an exclusive one only.
#[derive(Debug)]
pub struct Store {
    /// The state; [`Store::save`] writes it.
    pub state: State,
    options: Options,
    _lock: Lock,
}

impl Store {
    /// Loads the state; a missing file is an empty state.
    ///
    /// # Errors
    ///
    /// Those of [`load`].
    pub fn open(options: Options, lock: &Lock) -> Result<Self, StoreError> {
        let now = options.clock.now();
        let loaded = load(&options.path)?;
        let mut state = loaded.unwrap_or_else(|| State::new(uuid::Uuid::new_v4().to_string(), &options.run, now));
        state.run.clone_from(&options.run);
        Ok(Self { state, options, _lock: lock.clone() })
    }

    /// Where the state is kept.
    pub fn path(&self) -> &Path {
        &self.options.path
    }

    /// Writes the state and waits until it is on the disk. What cannot be written goes to the emergency place.
    ///
    /// # Errors
    ///
    /// [`StoreError::Write`] if the state's own place cannot be written. It says whether the emergency place has it.
    pub fn save(&mut self) -> Result<(), StoreError> {
        self.state.serial += 1;
        self.state.updated_at = self.options.clock.now();
        let path = &self.options.path;
        write(path, &self.state).map_err(|source| {
            let emergency = write(&self.options.emergency, &self.state).ok().map(|()| self.options.emergency.clone());
            StoreError::Write { path: path.clone(), source, emergency }
        })
    }

    /// Removes the file if nothing is recorded any more; otherwise it holds the last checkpoint and stays.
    ///
    /// # Errors
    ///
    /// [`StoreError::Write`] if the file cannot be removed.
    pub fn close(self) -> Result<(), StoreError> {
        if !self.state.resources.is_empty() {
            return Ok(());
        }
        match fs::remove_file(&self.options.path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::Write { path: self.options.path.clone(), source, emergency: None })
            }
            _ => Ok(()),
        }
    }
}

/// Reads the state without locking it, for looking only; `None` if there is no file.
///
/// # Errors
///
/// [`StoreError::Open`] if the file cannot be read. [`StoreError::Corrupt`] if it holds no state.
/// [`StoreError::Newer`] if a newer build wrote it.
pub fn load(path: &Path) -> Result<Option<State>, StoreError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError::Open { path: path.to_owned(), source }),
    };
    let corrupt = |error: serde_json::Error| StoreError::Corrupt { path: path.to_owned(), message: error.to_string() };
    let value: serde_json::Value = serde_json::from_str(&text).map_err(corrupt)?;
    if let Some(found) = value.get("version").and_then(serde_json::Value::as_u64)
        && found > u64::from(VERSION)
    {
        return Err(StoreError::Newer { path: path.to_owned(), found });
    }
    serde_json::from_value(value).map(Some).map_err(corrupt)
}

fn write(path: &Path, state: &State) -> std::io::Result<()> {
    let temporary = beside(path, ".new");
    let written = (|| {
        let mut file = File::create(&temporary)?;
        let mut text = serde_json::to_vec_pretty(state)?;
        text.push(b'\n');
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        // The rename itself lives in the folder.
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    })();
    if written.is_err() {
        // Half a file would only take space from a disk that is probably full; that it stays is no new error.
        let _ = fs::remove_file(&temporary);
    }
    written
}
