//! A POSIX shell that lives from command to command, as a person's terminal does: variables stay.

use std::ffi::OsString;
use std::io::{Error, Result};
use std::process::Stdio;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The shell. It is killed when dropped.
///
/// It has a process group of its own: Ctrl-C at the terminal reaches this process alone, which passes it on once
/// ([`Shell::interrupt`]). Twice would end at once what should end in order.
pub(crate) struct Shell {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// Ends the output of every command; random, so that no output can hold it.
    marker: String,
}

/// What a command did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) exit: i32,
    /// Stdout and stderr as they came.
    pub(crate) output: String,
}

impl Shell {
    /// Starts `sh` with `environment` added to this process's own.
    pub(crate) fn start(environment: impl IntoIterator<Item = (&'static str, OsString)>) -> Result<Self> {
        let mut command = Command::new("sh");
        command.envs(environment).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0).kill_on_drop(true);
        let mut child = command.spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::other("the shell has no pipes"));
        };
        let marker = format!("end-{}", uuid::Uuid::new_v4());
        Ok(Self { child, input, output: BufReader::new(output).lines(), marker })
    }

    /// Runs the command and waits for its end.
    pub(crate) async fn run(&mut self, command: &str) -> Result<Done> {
        // The commands must not eat the script, which is what the shell's own stdin holds. The marker begins a line of its
        // own whether or not the output ended with one.
        let script = format!("{{\n{command}\n}} </dev/null 2>&1\nprintf '\\n%s %d\\n' {} \"$?\"\n", self.marker);
        self.input.write_all(script.as_bytes()).await?;
        self.input.flush().await?;
        let mut lines = Vec::new();
        while let Some(line) = self.output.next_line().await? {
            let Some(exit) = line.strip_prefix(&self.marker) else {
                lines.push(line);
                continue;
            };
            if lines.last().is_some_and(String::is_empty) {
                lines.pop();
            }
            let exit = exit.trim().parse().map_err(Error::other)?;
            return Ok(Done { exit, output: lines.join("\n") });
        }
        Err(Error::other("the shell ended; is the command complete?"))
    }

    /// Ends the shell and what runs in it, and waits until all of it has. What it still says is given line by line.
    pub(crate) async fn interrupt(mut self, mut said: impl FnMut(&str)) -> Result<()> {
        let Some(pid) = self.child.id() else { return Ok(()) };
        drop(self.input);
        killpg(Pid::from_raw(pid as i32), Signal::SIGINT).map_err(Error::from)?;
        // The pipe ends with the last process that holds it, which is not always the shell.
        while let Some(line) = self.output.next_line().await? {
            if !line.starts_with(&self.marker) {
                said(&line);
            }
        }
        self.child.wait().await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn variables_stay_and_both_streams_are_read() {
        let mut shell = Shell::start([("GIVEN", "7".into())]).unwrap();
        assert_eq!(shell.run("N=$GIVEN; cat").await.unwrap(), Done { exit: 0, output: String::new() });
        let done = shell.run("echo out$N; printf err >&2; false").await.unwrap();
        assert_eq!(done, Done { exit: 1, output: "out7\nerr".to_owned() });
    }

    #[tokio::test]
    async fn an_interrupt_reaches_what_runs_and_waits_for_its_end() {
        // A shell cannot trap what was ignored when it began, so there is nothing to wait for.
        if crate::signals::is_ignored(tokio::signal::unix::SignalKind::interrupt()) {
            return;
        }
        let mut shell = Shell::start([]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ready = folder.path().join("ready");
        let script =
            format!("(trap 'echo ended in order; exit' INT; : > {}; while :; do sleep 0.01; done)", ready.display());
        tokio::select! {
            done = shell.run(&script) => panic!("{done:?}"),
            () = async { while !ready.exists() { tokio::task::yield_now().await; } } => {}
        }
        let mut said = Vec::new();
        shell.interrupt(|line| said.push(line.to_owned())).await.unwrap();
        assert_eq!(said, ["ended in order"]);
    }

    #[tokio::test]
    async fn a_command_that_ends_the_shell_is_an_error() {
        let mut shell = Shell::start([]).unwrap();
        assert!(shell.run("exit 3").await.is_err());
    }
}
