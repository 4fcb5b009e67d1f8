//! Which walls this machine allows: found by building them once, since no single question to the kernel answers it.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::spec::{Spec, Walls};
use crate::{landlock, visible};

/// The strongest walls, and why not stronger ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Possible {
    /// What containers are held in by.
    pub walls: Walls,
    /// Why there are no namespaces, where there are none.
    pub reason: Option<String>,
}

/// Tries to run `program` with the one argument `--version` behind namespaces, started by `launcher` (the words up to the
/// description's file), in a folder of its own below `folder`.
pub fn possible(launcher: &[String], program: &Path, folder: &Path) -> Possible {
    match attempt(launcher, program, &folder.join("trial")) {
        Ok(()) => Possible { walls: Walls::Namespaces, reason: None },
        Err(reason) if landlock::is_there() => {
            let reason = [Some(reason.as_str()), landlock::gap()].into_iter().flatten().collect::<Vec<_>>().join("; ");
            Possible { walls: Walls::Landlock, reason: Some(reason) }
        }
        Err(reason) => Possible { walls: Walls::None, reason: Some(format!("{reason}, and {}", landlock::NOT_THERE)) },
    }
}

fn attempt(launcher: &[String], program: &Path, folder: &Path) -> Result<(), String> {
    let outcome = run(launcher, program, folder);
    if let Err(error) = crate::remove(folder) {
        return Err(format!("failed to remove {}: {error}", folder.display()));
    }
    outcome
}

fn run(launcher: &[String], program: &Path, folder: &Path) -> Result<(), String> {
    let said = |error: std::io::Error| error.to_string();
    let root = folder.join("root");
    std::fs::create_dir_all(&root).map_err(said)?;
    let spec = Spec {
        walls: Walls::Namespaces,
        root,
        visible: visible(program, "", &[]),
        own: Vec::new(),
        mounts: Vec::new(),
        folder: PathBuf::from("/"),
        home: PathBuf::from("/"),
        hostname: "trial".to_owned(),
        hosts: String::new(),
        read_only_root: true,
        user: 0,
        group: 0,
        without: Vec::new(),
    };
    let file = folder.join("spec.json");
    std::fs::write(&file, serde_json::to_string(&spec).unwrap_or_default()).map_err(said)?;
    let (mut ours, theirs) = UnixStream::pair().map_err(said)?;
    let (first, rest) = launcher.split_first().ok_or("there is no launcher")?;
    let mut command = Command::new(first);
    command.args(rest).arg(&file).arg("--").arg(program).arg("--version");
    command.env_clear().process_group(0).stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)));
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    drop(command);
    let status = status.map_err(said)?;
    if status.success() {
        return Ok(());
    }
    let mut reason = String::new();
    ours.read_to_string(&mut reason).map_err(said)?;
    Err(if reason.is_empty() { format!("the trial ended with {status}") } else { reason })
}
