//! One container as a process of this machine: its walls, and the last steps before its program.
//!
//! Entry points: [`exec`] is what the node agent starts for every container, [`init()`] is the first process behind
//! namespaces, [`possible()`] finds the strongest walls of this
//! machine, and [`visible()`] lists what of the machine a program needs to see.
//!
//! Invariants:
//! - A container writes only below its own folders, whoever runs the product.
//! - A container never outlives the process that started it, however that ends.
//! - Exit codes are the program's own; death by signal n is 128 + n.
//! - Nothing here has a second thread: the kernel refuses a new user namespace to a process that has one.
//!
//! This crate must not know Kubernetes, AWS or the product; what it is to do comes as a [`Spec`].

mod confinement;
mod etc;
mod forbidden;
mod init;
mod landlock;
mod namespaces;
mod nobody;
mod possible;
mod removal;
mod report;
mod root;
mod spec;
mod supervision;
mod system;
mod tree;
mod visible;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

pub use init::init;
pub use landlock::gap;
use nix::sys::signal::Signal;
pub use possible::{Possible, possible};
pub use removal::remove;
use report::Report;
pub use spec::{Mount, Spec, Walls};
pub use visible::visible;

/// The exit code of a container whose program could not be started, as container runtimes give it.
pub const START_FAILED: u8 = 128;

/// What can go wrong before a container's program runs.
#[expect(clippy::error_impl_error, reason = "one error enum per crate, and it is called Error everywhere")]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call to the kernel was refused.
    #[error("failed to {action}: {source}")]
    Refused {
        /// What was tried, such as `mount /dev`.
        action: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// What is to be done cannot be understood.
    #[error("failed to read the container's description: {0}")]
    Description(String),
    /// The program cannot be started.
    #[error("exec: {program:?}: {reason}")]
    Program {
        /// As it was asked for.
        program: String,
        /// In the words of container runtimes, where they have some.
        reason: String,
    },
    /// What a later step has said.
    #[error("{0}")]
    Reported(String),
    /// The local cloud ended while the container was being started.
    #[error("the local cloud that started this container has ended")]
    Orphaned,
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What failed, in the form that [`Error::Refused`] wants.
fn refused<E: Into<io::Error>>(action: impl Into<String>) -> impl FnOnce(E) -> Error {
    move |error| Error::Refused { action: action.into(), source: error.into() }
}

/// How a process comes to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It starts the container.
    Start,
    /// It runs one more program in the container that this process was started for.
    Enter(i32),
}

/// Becomes, or starts and follows, a program of the container that the file `spec` describes. `parent` is the process
/// whose end ends this one. Returns the exit code to end with.
///
/// Standard input is a socket to the node agent: it ends when the program runs, or says why it does not.
pub fn exec(parent: i32, spec: &Path, way: Way, argv: &[OsString]) -> u8 {
    let Ok(report) = Report::take() else { return START_FAILED };
    let spec = match tie(parent).and_then(|()| Spec::load(spec)) {
        Ok(spec) => spec,
        Err(error) => return report.end(&error),
    };
    match (spec.walls, way) {
        (Walls::Namespaces, Way::Start) => namespaces::run(parent, &spec, argv, report),
        (Walls::Namespaces, Way::Enter(launcher)) => namespaces::enter(parent, &spec, launcher, argv, report),
        (Walls::Landlock, _) => match landlock::restrict(parent, &spec) {
            Ok(()) => report.end(&become_program(argv, &spec.folder)),
            Err(error) => report.end(&error),
        },
        (Walls::None, _) => report.end(&become_program(argv, &spec.folder)),
    }
}

/// Asks the kernel to end this process when the one that started it ends.
fn tie(parent: i32) -> Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(refused("tie the container to the local cloud"))?;
    if nix::unistd::getppid().as_raw() == parent { Ok(()) } else { Err(Error::Orphaned) }
}

/// The program in place of this process; returns only why not.
fn become_program(argv: &[OsString], folder: &Path) -> Error {
    let Some((program, arguments)) = argv.split_first() else { return Error::Description("no program".to_owned()) };
    let error = Command::new(program).args(arguments).current_dir(folder).stdin(Stdio::null()).exec();
    not_started(program, &error)
}

/// Why a program could not be started.
fn not_started(program: &OsString, error: &io::Error) -> Error {
    let program = program.to_string_lossy().into_owned();
    let reason = match error.kind() {
        io::ErrorKind::NotFound if program.contains('/') => "no such file or directory".to_owned(),
        io::ErrorKind::NotFound => "executable file not found in $PATH".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    Error::Program { program, reason }
}
