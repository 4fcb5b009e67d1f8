//! Who works on the stack. A command takes the lock before anything else, so that what is refused is refused before anything
//! is made.
//!
//! What changes the stack holds it alone, from its first look to its last (`demo` through all three parts). What needs it to
//! stay holds it with others. What only shows (`status`, `outputs`, `watch`, `explain`, `env`, `kubeconfig`, `token`) holds
//! nothing: it says what it sees, also that something is gone.

use std::path::Path;

use clock::Clock;
use provision::store::StoreError;
use provision::{Holder, Lock, Mode};

use crate::diagnostic::{Diagnostic, Outcome};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::target;

/// For what changes the stack.
pub(crate) fn exclusive(settings: &Settings, operation: &str) -> Outcome<Lock> {
    take(&settings.state(), Mode::Exclusive, operation)
}

/// For what needs the stack to stay.
pub(crate) fn shared(settings: &Settings, operation: &str) -> Outcome<Lock> {
    take(&settings.state(), Mode::Shared, operation)
}

/// For what looks at the stack by a cloud that is started for the look if none runs; then nobody else may look meanwhile.
pub(crate) fn read_only(settings: &Settings, operation: &str) -> Outcome<Lock> {
    let lock = shared(settings, operation)?;
    if target::is_running(settings)? {
        return Ok(lock);
    }
    drop(lock);
    exclusive(settings, operation)
}

/// For the one verification that a stack can have at a time: two would take each other's messages and replicas for theirs.
pub(crate) fn verification(settings: &Settings) -> Outcome<Lock> {
    take(&settings.folder.join("verification"), Mode::Exclusive, "verify")
}

fn take(path: &Path, mode: Mode, operation: &str) -> Outcome<Lock> {
    let host = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let holder = Holder { pid: std::process::id(), host, operation: operation.to_owned(), since: Clock::real().now() };
    Lock::take(path, mode, &holder).map_err(|error| {
        // Nothing has been begun, and waiting helps: as with everything else that is needed before the first step.
        let exit = if matches!(error, StoreError::Locked { .. }) { Exit::Preflight } else { Exit::Failed };
        vec![Diagnostic::from(error).exit(exit)]
    })
}
