//! Who may work on a stack: one that changes it alone, or any number that need it to stay.
//!
//! An advisory lock (flock(2)) on a file beside the state, so that it goes with its holder's process, however that ends. The
//! file also holds a line a holder, for people: what it does and since when.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::store_error::StoreError;

/// How often the file may be replaced under us by holders that come and go.
const TRIES_MAX: usize = 100;

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// Its machine.
    pub host: String,
    /// What it does: `up`, `verify`.
    pub operation: String,
    /// Since when.
    pub since: Timestamp,
}

/// How the stack is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is changed: nobody else may hold it.
    Exclusive,
    /// It must stay as it is: others may hold it likewise.
    Shared,
}

/// A held lock. It is given back with the last clone.
#[derive(Debug, Clone)]
pub struct Lock {
    _held: Arc<Held>,
}

#[derive(Debug)]
struct Held {
    file: File,
    /// The lock's own file.
    path: PathBuf,
    /// What it is about.
    state: PathBuf,
}

impl Lock {
    /// Takes the lock on the file `state`, which need not exist. Nobody is waited for.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] says who has it. [`StoreError::Open`] if the folder or the lock's file cannot be made,
    /// opened or locked.
    pub fn take(state: &Path, mode: Mode, holder: &Holder) -> Result<Self, StoreError> {
        let path = beside(state, ".lock");
        let open = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Open { path, source }
        };
        for _ in 0..TRIES_MAX {
            if let Some(folder) = state.parent() {
                fs::create_dir_all(folder).map_err(open(folder))?;
            }
            let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            let mut file = match opened {
                // The last holder took the folder away between the two steps.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                other => other.map_err(open(&path))?,
            };
            let locked = match mode {
                Mode::Exclusive => file.try_lock(),
                Mode::Shared => file.try_lock_shared(),
            };
            match locked {
                // A holder that ends removes the file: then this lock is on a file that nobody else will find.
                Ok(()) if !is_same(&file, &path) => {}
                Ok(()) => {
                    record(&mut file, mode, holder);
                    return Ok(Self { _held: Arc::new(Held { file, path, state: state.to_owned() }) });
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::Locked { path: state.to_owned(), holder: describe(&mut file) });
                }
                Err(TryLockError::Error(source)) => return Err(StoreError::Open { path, source }),
            }
        }
        Err(StoreError::Locked { path: state.to_owned(), holder: "others take it again and again".to_owned() })
    }
}

impl Drop for Held {
    /// Where nothing is recorded the lock's file means nothing to anybody, and neither does an empty folder.
    fn drop(&mut self) {
        if !self.state.exists() && self.file.try_lock().is_ok() && is_same(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
            let _ = self.path.parent().map(fs::remove_dir);
        }
    }
}

fn is_same(file: &File, path: &Path) -> bool {
    let identity = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(ours), Ok(there)) if identity(&ours) == identity(&there))
}

/// Writes who holds it: alone, or as one more. A full disk must not keep anyone from working: the record is for people.
fn record(file: &mut File, mode: Mode, holder: &Holder) {
    let Ok(mut line) = serde_json::to_vec(holder) else { return };
    line.push(b'\n');
    let _ = match mode {
        // What there was is overwritten before it is cut off, so that a reader finds a holder at any moment.
        Mode::Exclusive => {
            file.rewind().and_then(|()| file.write_all(&line)).and_then(|()| file.set_len(line.len() as u64))
        }
        Mode::Shared => file.seek(std::io::SeekFrom::End(0)).and_then(|_| file.write_all(&line)),
    };
}

fn describe(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.read_to_string(&mut text);
    let holders = text.lines().filter_map(|line| serde_json::from_str::<Holder>(line).ok()).filter(is_there);
    let named: Vec<String> = holders
        .map(|Holder { pid, host, operation, since }| {
            format!("`{operation}` of process {pid} on {host} since {since:.0}")
        })
        .collect();
    if named.is_empty() { "by a process that left no record".to_owned() } else { named.join(", ") }
}

/// Lines of holders that have ended stay until somebody holds the lock alone. Where there is no `/proc`, nobody can say.
fn is_there(holder: &Holder) -> bool {
    let here = Path::new("/proc/self").exists();
    !here || Path::new("/proc").join(holder.pid.to_string()).exists()
}

/// The path of the file that lies beside the state and has this suffix.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(pid: u32, operation: &str) -> Holder {
        Holder { pid, host: "here".to_owned(), operation: operation.to_owned(), since: Timestamp::UNIX_EPOCH }
    }

    fn ours(operation: &str) -> Holder {
        holder(std::process::id(), operation)
    }

    #[test]
    fn those_that_need_it_to_stay_go_together_and_keep_out_who_changes_it() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("stack/state.json");
        let first = Lock::take(&state, Mode::Shared, &ours("verify")).unwrap();
        let second = Lock::take(&state, Mode::Shared, &ours("send")).unwrap();
        let refused = Lock::take(&state, Mode::Exclusive, &ours("down")).unwrap_err().to_string();
        assert!(refused.contains("`verify` of process") && refused.contains("`send` of process"), "{refused}");
        drop((first, second));
        let alone = Lock::take(&state, Mode::Exclusive, &ours("down")).unwrap();
        for mode in [Mode::Shared, Mode::Exclusive] {
            let refused = Lock::take(&state, mode, &ours("verify")).unwrap_err().to_string();
            assert!(refused.contains("`down` of process") && !refused.contains("verify"), "{refused}");
        }
        drop(alone);
        assert!(!state.parent().unwrap().exists(), "a lock on nothing leaves nothing");
    }

    #[test]
    fn a_holder_that_has_ended_is_not_named() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.json");
        fs::write(&state, "{}").unwrap();
        // Greater than any process id (proc(5), pid_max).
        drop(Lock::take(&state, Mode::Shared, &holder(u32::MAX, "watch")).unwrap());
        let _held = Lock::take(&state, Mode::Shared, &ours("verify")).unwrap();
        let refused = Lock::take(&state, Mode::Exclusive, &ours("down")).unwrap_err().to_string();
        assert!(refused.contains("`verify`") && !refused.contains("`watch`"), "{refused}");
        assert!(beside(&state, ".lock").exists());
    }

    #[test]
    fn of_many_that_come_at_once_one_holds_it_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("stack/state.json");
        let inside = std::sync::atomic::AtomicUsize::new(0);
        let held = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        // Nothing is recorded, so each that ends removes the file and the folder under the others.
                        let Ok(lock) = Lock::take(&state, Mode::Exclusive, &ours("up")) else { continue };
                        assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0, "two hold it");
                        held.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
        assert!(held.into_inner() > 0);
    }
}
