//! Containers as processes: each in its own process group, started through the launcher that builds its walls and makes
//! it die with us.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::process::Child;

/// Everything that is needed to start a program as a container would.
#[derive(Clone)]
pub(super) struct Command {
    /// The words that start a container, up to its description; empty to start programs as they are.
    pub(super) launcher: Vec<String>,
    /// The container's description.
    pub(super) description: PathBuf,
    /// What it says about its end.
    pub(super) last_words: PathBuf,
    pub(super) argv: Vec<String>,
    pub(super) variables: Vec<(String, String)>,
    /// Where programs work that are started as they are.
    pub(super) folder: PathBuf,
}

/// A running container, for programs that are run in it besides its own.
#[derive(Clone)]
pub(super) struct Inside {
    pub(super) command: Command,
    /// The container's process.
    pub(super) pid: Option<u32>,
}

/// A container's process. Where there are walls it is the launcher, which ends as the program does.
pub(super) struct Started {
    pub(super) child: Child,
    /// Ends when the program runs; until then it may say why it does not.
    answer: Option<UnixStream>,
}

impl Started {
    /// Waits until the program runs. The error says why it does not, in a runtime's words.
    pub(super) async fn confirmed(&mut self) -> Result<(), String> {
        let Some(mut answer) = self.answer.take() else { return Ok(()) };
        let mut text = String::new();
        match answer.read_to_string(&mut text).await {
            Ok(_) if text.is_empty() => Ok(()),
            Ok(_) => Err(text),
            Err(error) => Err(format!("failed to hear from the container's process: {error}")),
        }
    }
}

impl Command {
    /// Starts the program. The launcher ties its life to the calling thread's, so this must run on a thread that lasts
    /// as long as the runtime: a worker of tokio's, never its blocking pool.
    pub(super) fn spawn(&self) -> io::Result<Started> {
        let (mut command, answer) = self.prepared(&self.argv, None)?;
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        Ok(Started { child, answer })
    }

    /// The program, or `argv` in the container that process `inside` was started for.
    fn prepared(
        &self,
        argv: &[String],
        inside: Option<u32>,
    ) -> io::Result<(tokio::process::Command, Option<UnixStream>)> {
        let mut words: Vec<String> = self.launcher.clone();
        if !words.is_empty() {
            words.push(self.description.display().to_string());
            words.extend(inside.into_iter().flat_map(|pid| ["--enter".to_owned(), pid.to_string()]));
            words.push("--".to_owned());
        }
        words.extend(argv.iter().cloned());
        let mut words = words.into_iter();
        let mut command = tokio::process::Command::new(words.next().unwrap_or_default());
        command.args(words).env_clear().envs(self.variables.iter().cloned()).process_group(0).stdin(Stdio::null());
        if self.launcher.is_empty() {
            command.current_dir(&self.folder);
            return Ok((command, None));
        }
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        command.current_dir("/").stdin(Stdio::from(OwnedFd::from(theirs)));
        Ok((command, Some(UnixStream::from_std(ours)?)))
    }

    /// Runs another program in the container's environment to its end (exec probes and hooks). If nobody waits for it
    /// any more, it ends with all that it has started.
    pub(super) async fn exec(&self, inside: Option<u32>, argv: &[String]) -> Result<(), String> {
        let (mut command, answer) = self.prepared(argv, inside).map_err(|error| error.to_string())?;
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn();
        drop(command);
        let child = child.map_err(|error| error.to_string())?;
        let _group = Group(child.id());
        let mut started = Started { child, answer };
        started.confirmed().await?;
        let output = started.child.wait_with_output().await.map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        let code = exit_code(output.status);
        Err(if said.is_empty() { format!("command exited with code {code}") } else { said })
    }
}

/// A process group that ends with this value.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        kill_group(self.0);
    }
}

fn valid(pid: Option<u32>) -> Option<Pid> {
    pid.and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 1).map(Pid::from_raw)
}

/// Sends a signal to a container's main process; one that is gone needs none.
pub(super) fn signal(process: Option<u32>, signal: Signal) {
    if let Some(process) = valid(process)
        && let Err(error) = kill(process, signal)
    {
        tracing::trace!(%process, %signal, %error, "process is gone");
    }
}

/// Kills a whole process group; a group that is gone needs nothing.
pub(super) fn kill_group(leader: Option<u32>) {
    if let Some(leader) = valid(leader)
        && let Err(error) = killpg(leader, Signal::SIGKILL)
    {
        tracing::trace!(%leader, %error, "process group is gone");
    }
}

/// The exit code as container runtimes report it: 128 + n for a death by signal n.
pub(super) fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(255)
}
