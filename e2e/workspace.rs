//! A folder of its own for a test, the program run in it, and everything that such a run may leave behind.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Real time after which a single command counts as hanging.
pub(crate) const COMMAND_LIMIT: Duration = Duration::from_mins(4);

/// The test's folder. Dropping it ends what still runs in it.
pub(crate) struct Workspace {
    folder: tempfile::TempDir,
    /// What every program that is run here is given besides.
    variables: Vec<(String, OsString)>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The command ended with this exit code; otherwise its words are shown.
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Exactly one message on stderr, which holds all of these.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "stderr lacks {part:?}:\n{}", self.stderr);
        }
        let messages = self.stderr.lines().filter(|line| line.starts_with("error")).count();
        assert_eq!(messages, 1, "one message was expected:\n{}", self.stderr);
        self
    }
}

impl Workspace {
    pub(crate) fn new() -> Self {
        Self::with(Vec::new())
    }

    /// A place whose programs are given these variables besides.
    pub(crate) fn with(variables: Vec<(String, OsString)>) -> Self {
        let workspace = Self { folder: tempfile::tempdir().unwrap(), variables };
        std::fs::create_dir(workspace.path().join("tmp")).unwrap();
        workspace
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file of the stack `e2e` in its folder below `.sluice`.
    pub(crate) fn stack_file(&self, name: &str) -> PathBuf {
        self.path().join(".sluice/e2e").join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// What lies in the folder, without what the test itself put there.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = match std::fs::read_dir(folder) {
                // Gone since it was listed: what runs meanwhile removes its own.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                entries => entries.unwrap(),
            };
            for entry in entries {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(self.path()).unwrap().display().to_string());
                }
            }
        }
        found.sort();
        found
    }

    /// The program with these words, in this folder, with nothing of this machine's own settings.
    pub(crate) fn sluice(&self, words: &str) -> Command {
        // SIGHUP counts, even where whoever runs the tests ignores it.
        let mut command = Command::new("/usr/bin/env");
        command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_sluice")]);
        command.args(words.split_whitespace());
        self.at_home(&mut command);
        command
    }

    /// Any program in this folder.
    pub(crate) fn at_home(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("AWS_") || text.starts_with("SLUICE_") || text == "KUBECONFIG" {
                command.env_remove(&name);
            }
        }
        // A home of its own: no credentials, no configuration.
        command.current_dir(self.path()).env("HOME", self.path().join("home")).env("SLUICE_STACK", "e2e");
        command.env("TMPDIR", self.path().join("tmp"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
    }

    /// Runs the program to its end.
    #[track_caller]
    pub(crate) fn run(&self, words: &str) -> Ended {
        ended(&mut self.sluice(words))
    }

    /// The same for one that may take longer than others.
    #[track_caller]
    pub(crate) fn run_within(&self, words: &str, limit: Duration) -> Ended {
        ended_within(&mut self.sluice(words), limit)
    }

    /// Every process that was started in this folder or was given it: command line, variables or working folder name it.
    pub(crate) fn processes(&self) -> Vec<(u32, String)> {
        let ours = self.path().to_string_lossy().into_owned();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
            let text = |file: &str| {
                let bytes = std::fs::read(entry.path().join(file)).unwrap_or_default();
                String::from_utf8_lossy(&bytes).replace('\0', " ")
            };
            let line = text("cmdline");
            let folder = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            // A process that has ended and was not yet waited for has no command line.
            let names_us = line.contains(&ours) || text("environ").contains(&ours) || folder.starts_with(self.path());
            if pid != std::process::id() && !line.is_empty() && names_us {
                found.push((pid, line));
            }
        }
        found
    }

    /// No process of this folder is left, at the latest after a moment: killed children take time to go.
    #[track_caller]
    pub(crate) fn nothing_runs(&self) {
        let mut left = Vec::new();
        wait_until("every process has ended", Duration::from_secs(10), || {
            left = self.processes();
            left.is_empty().then_some(())
        })
        .unwrap_or_else(|why| panic!("{why}: {left:#?}"));
    }

    /// Nothing is left: no process, and of the stack's files only those that `down` is meant to keep.
    #[track_caller]
    pub(crate) fn nothing_is_left(&self) {
        self.nothing_runs();
        // kubectl keeps what it has discovered in its user's home; that is kubectl's own.
        let own = |file: &str| {
            // What steps took is remembered for the next stack.
            let kept = ["/evidence/", "/report/", "/failures/", "/logs/"].iter().any(|folder| file.contains(folder));
            kept || file.ends_with("/durations.json") || file.starts_with("home/.kube/")
        };
        // The stack file is the test's own.
        let kept = |file: &&String| !own(file) && *file != "stack.yaml";
        let files = self.files();
        let left: Vec<&String> = files.iter().filter(kept).collect();
        assert!(left.is_empty(), "files are left: {left:#?}");
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        for (pid, _) in self.processes() {
            kill(pid);
        }
    }
}

/// Kills a process the hard way.
pub(crate) fn kill(pid: u32) {
    signal(pid, "-9");
}

/// Sends a process a signal, or a group of processes (`-GROUP`).
pub(crate) fn signal(whom: impl std::fmt::Display, signal: &str) {
    // One that has ended meanwhile is what was wanted.
    let _ = Command::new("kill").args([signal, "--", &whom.to_string()]).stderr(Stdio::null()).status();
}

/// Runs a command to its end; one that hangs is killed and fails the test.
#[track_caller]
pub(crate) fn ended(command: &mut Command) -> Ended {
    ended_within(command, COMMAND_LIMIT)
}

#[track_caller]
fn ended_within(command: &mut Command, limit: Duration) -> Ended {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(limit) else {
        kill(pid);
        panic!("{command:?} hangs");
    };
    let output = output.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Polls until there is something, or says that there never was.
#[expect(clippy::disallowed_methods, reason = "a black-box test looks at other processes in real time")]
pub(crate) fn wait_until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> Result<T, String> {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if start.elapsed() > limit {
            return Err(format!("gave up after {} s waiting until {what}", limit.as_secs()));
        }
        // Only the pace of looking; what is waited for is the condition.
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Now, for what takes its time on a real clock.
#[expect(clippy::disallowed_methods, reason = "how long something took is shown in real time")]
pub(crate) fn moment() -> Instant {
    Instant::now()
}

/// A running command whose JSON stream is followed.
pub(crate) struct Running {
    child: Child,
    events: Receiver<Value>,
}

impl Running {
    /// Starts `sluice WORDS --output json`.
    pub(crate) fn start(workspace: &Workspace, words: &str) -> Self {
        let mut command = workspace.sluice(words);
        command.args(["--output", "json"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, events) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Self { child, events }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The first event from here on that satisfies `wanted`.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            match self.events.recv_timeout(COMMAND_LIMIT) {
                Ok(event) if wanted(&event) => return event,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("{what} did not come"),
                Err(RecvTimeoutError::Disconnected) => panic!("the command ended before {what}"),
            }
        }
    }

    /// The event of this type about this resource.
    #[track_caller]
    pub(crate) fn until_event(&self, kind: &str, address: &str) -> Value {
        self.until(&format!("{kind} of {address}"), |event| event["type"] == kind && event["address"] == address)
    }

    /// What it has said since it was last asked.
    pub(crate) fn said(&self) -> Vec<Value> {
        self.events.try_iter().collect()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for its end; its exit code and the events that were not yet looked at.
    #[track_caller]
    pub(crate) fn ends(mut self) -> (Option<i32>, Vec<Value>) {
        let ended = wait_until("the command ends", COMMAND_LIMIT, || self.child.try_wait().unwrap());
        let code = ended.unwrap_or_else(|why| panic!("{why}")).code();
        // Until the reader has come to the pipe's end.
        (code, self.events.iter().collect())
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After a failed assertion; a killed child needs no second kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
