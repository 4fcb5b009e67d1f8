//! The first process of a container behind namespaces: completes the file system, gives up its powers, starts the
//! program, passes signals on to it and clears away what it leaves behind.
//!
//! The program is not the first process itself, because the kernel keeps signals from a first process that has not
//! asked for them: a plain `sleep` would never end by SIGTERM.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::report::Report;
use crate::root::read_only;
use crate::spec::Spec;
use crate::supervision::Supervision;
use crate::{Error, Result, confinement, not_started, refused};

/// Parts of `/proc` that speak to the whole kernel, and are only read in a container.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
/// Parts of `/proc` that describe the machine, and are empty in a container.
const HIDDEN: [&str; 8] = [
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
];

const NONE: Option<&str> = None;

/// What the first process has to know.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    folder: PathBuf,
    without: Vec<String>,
}

impl Task {
    pub(crate) fn of(spec: &Spec) -> Self {
        Self { folder: spec.folder.clone(), without: spec.without.clone() }
    }

    pub(crate) fn to_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Runs as the first process of a container; standard input is the socket to the process that started it. Returns the
/// program's exit code.
pub fn init(argv: &[OsString]) -> u8 {
    let Ok(mut report) = Report::take() else { return crate::START_FAILED };
    match start(&mut report, argv) {
        Ok((supervision, child)) => {
            report.started();
            supervision.follow(child)
        }
        Err(error) => report.end(&error),
    }
}

fn start(report: &mut Report, argv: &[OsString]) -> Result<(Supervision, u32)> {
    let supervision = Supervision::start()?;
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(refused("tie the container to the local cloud"))?;
    // Its parent is out of sight, but the socket ends with it.
    if report.is_deserted() {
        return Err(Error::Orphaned);
    }
    let task = report.line()?;
    let task: Task = serde_json::from_str(&task).map_err(|error| Error::Description(error.to_string()))?;
    processes()?;
    confinement::confine(&task.without)?;
    let Some((program, arguments)) = argv.split_first() else {
        return Err(Error::Description("no program".to_owned()));
    };
    let folder = if task.folder.as_os_str().is_empty() { Path::new("/") } else { &task.folder };
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    let child = command.spawn().map_err(|error| not_started(program, &error))?;
    // Nobody in the container has a look into this process.
    prctl::set_dumpable(false).map_err(refused("be out of sight"))?;
    Ok((supervision, child.id()))
}

/// A `/proc` that shows the container's processes only.
fn processes() -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, NONE).map_err(refused("mount /proc"))?;
    let bind = |source: &str, target: &str| {
        let done = mount(Some(source), target, NONE, MsFlags::MS_BIND, NONE);
        done.map_err(refused(format!("mount {target}")))
    };
    for path in READ_ONLY.into_iter().filter(|path| Path::new(path).exists()) {
        bind(path, path)?;
        read_only(Path::new(path))?;
    }
    for path in HIDDEN.into_iter().map(Path::new).filter(|path| path.exists()) {
        if path.is_dir() {
            let done = mount(Some("tmpfs"), path, Some("tmpfs"), flags | MsFlags::MS_RDONLY, NONE);
            done.map_err(refused(format!("cover {}", path.display())))?;
        } else {
            bind("/dev/null", &path.to_string_lossy())?;
        }
    }
    Ok(())
}
