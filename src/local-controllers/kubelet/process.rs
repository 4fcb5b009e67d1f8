//! Containers as processes: each in its own process group, started through the launcher that makes it die with us.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::Child;

/// Everything that is needed to start a program as a container would.
#[derive(Clone)]
pub(super) struct Command {
    pub(super) launcher: Vec<String>,
    pub(super) argv: Vec<String>,
    pub(super) variables: Vec<(String, String)>,
    pub(super) folder: PathBuf,
}

impl Command {
    /// Starts the program. The launcher ties its life to the calling thread's, so this must run on a thread that lasts
    /// as long as the runtime: a worker of tokio's, never its blocking pool.
    pub(super) fn spawn(&self) -> std::io::Result<Child> {
        self.prepared(&self.argv).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }

    fn prepared(&self, argv: &[String]) -> tokio::process::Command {
        let mut words = self.launcher.iter().chain(argv);
        let mut command = tokio::process::Command::new(words.next().map_or("", String::as_str));
        command
            .args(words)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .process_group(0)
            .stdin(Stdio::null());
        command
    }

    /// Runs another program in the container's environment to its end (exec probes and hooks).
    pub(super) async fn exec(&self, argv: &[String]) -> Result<(), String> {
        let mut command = self.prepared(argv);
        let output = command.kill_on_drop(true).output().await.map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        let code = exit_code(output.status);
        Err(if said.is_empty() { format!("command exited with code {code}") } else { said })
    }
}

/// Sends a signal to a whole process group; a group that is gone needs none.
pub(super) fn signal_group(leader: Option<u32>, signal: Signal) {
    if let Some(leader) = leader.and_then(|pid| i32::try_from(pid).ok())
        && leader > 1
        && let Err(error) = killpg(Pid::from_raw(leader), signal)
    {
        tracing::trace!(leader, %signal, %error, "process group is gone");
    }
}

/// The exit code as container runtimes report it: 128 + n for a death by signal n.
pub(super) fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(255)
}
