//! The local cloud seen from outside: find it, start it in the background, end it.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use clock::Clock;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::files::{Folder, Record};
use crate::{Error, Result};

/// Real time within which the process must have said that it listens.
const START_LIMIT: Duration = Duration::from_secs(20);
/// Real time within which the process must have ended its containers and itself.
const STOP_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// Whether the process of `record` is there and is a local cloud (a process id may have been given to another program).
pub fn is_alive(record: &Record) -> bool {
    let pid = Pid::from_raw(record.pid);
    if signal::kill(pid, None).is_err() {
        return false;
    }
    // Where there is no /proc, a live process id has to be enough.
    std::fs::read(format!("/proc/{pid}/cmdline")).map_or(true, |line| {
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.windows(2).any(|pair| pair == [b"local".as_slice(), b"run"])
    })
}

/// The running local cloud of `folder`, if there is one.
///
/// # Errors
///
/// Those of [`Folder::load_record`].
pub fn find(folder: &Folder) -> Result<Option<Record>> {
    Ok(folder.load_record()?.filter(is_alive))
}

/// Starts `program` with `arguments` (which make it run [`crate::cloud::run`] for `folder`) in the background.
///
/// It has a process group of its own, so that Ctrl-C in the terminal does not end it. Returns once it listens.
///
/// # Errors
///
/// [`Error::File`] if the folder or the log cannot be made. [`Error::Start`] if the process cannot be started, ends,
/// or does not listen within 20 s.
pub async fn start(folder: &Folder, program: &Path, arguments: &[String]) -> Result<Record> {
    folder.create()?;
    let log = folder.log();
    let failed = |source| Error::File { action: "open", path: folder.log(), source };
    let output = std::fs::OpenOptions::new().create(true).append(true).open(&log).map_err(failed)?;
    let errors = output.try_clone().map_err(failed)?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map_err(|error| Error::Start { reason: error.to_string(), log: log.clone() })?;
    let pid = child.id() as i32;
    let mut ended = None;
    let clock = Clock::real();
    let outcome = clock
        .poll_until(START_LIMIT, POLL, || {
            ended = child.try_wait().ok().flatten();
            let record = folder.load_record().ok().flatten().filter(|record| record.pid == pid);
            std::future::ready(match (record, ended) {
                (Some(record), None) => Some(Ok(record)),
                (_, Some(status)) => Some(Err(format!("it ended with {status}: {}", last_line(&log)))),
                (None, None) => None,
            })
        })
        .await;
    match outcome {
        Ok(Ok(record)) => Ok(record),
        Ok(Err(reason)) => Err(Error::Start { reason, log }),
        Err(_) => Err(Error::Start { reason: format!("no sign of life for {} s", START_LIMIT.as_secs()), log }),
    }
}

/// Ends the local cloud of `folder` and waits until it is gone. `false` if none was running.
///
/// # Errors
///
/// Those of [`find`]. [`Error::Stop`] if the process cannot be signalled, or is still there after 20 s.
pub async fn stop(folder: &Folder) -> Result<bool> {
    let Some(record) = find(folder)? else { return Ok(false) };
    let pid = Pid::from_raw(record.pid);
    let failed = |reason: String| Error::Stop { pid: record.pid, reason };
    signal::kill(pid, Signal::SIGTERM).map_err(|error| failed(error.to_string()))?;
    // A child of ours stays as a zombie until it is waited for; /proc says so.
    let gone = || std::future::ready((!is_alive(&record) || is_zombie(record.pid)).then_some(()));
    Clock::real()
        .poll_until(STOP_LIMIT, POLL, gone)
        .await
        .map_err(|_| failed(format!("it is still there after {} s", STOP_LIMIT.as_secs())))?;
    Ok(true)
}

fn is_zombie(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')))
}

fn last_line(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_owned()
}
