//! A server that a script of this folder starts, and ends whatever happens.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

/// The exit code of a script whose programs are not installed.
const MISSING: i32 = 69;
/// Ports that a server takes, one after the other.
const PORTS: u16 = 5;

pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    pub(crate) port: u16,
    folder: String,
}

impl Server {
    /// Starts it; `None`, with a line on what to install, if its programs are missing and need not be there.
    #[track_caller]
    pub(crate) fn up(name: &'static str) -> Option<Self> {
        let port = free_ports();
        let output = Command::new(script(name)).arg("up").arg(port.to_string()).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        if output.status.code() == Some(MISSING) {
            println!("skipped: {}", said.trim());
            assert!(std::env::var_os("SLUICE_E2E_REQUIRED").is_none(), "{said}");
            return None;
        }
        assert!(output.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
        let folder = said.lines().find_map(|line| line.strip_prefix("folder=")).unwrap().to_owned();
        let version = said.lines().next().unwrap().to_owned();
        Some(Self { name, version, port, folder })
    }

    /// Kills it; its data stay.
    #[track_caller]
    pub(crate) fn stop(&self) {
        self.script("stop");
    }

    /// Starts it again, with its data, on the same ports.
    #[track_caller]
    pub(crate) fn start(&self) {
        self.script("start");
    }

    /// A file that its script made, such as `ca.crt`.
    pub(crate) fn file(&self, name: &str) -> String {
        std::fs::read_to_string(PathBuf::from(&self.folder).join(name)).unwrap()
    }

    #[track_caller]
    fn script(&self, what: &str) {
        run(Command::new(script(self.name)).args([what, &self.folder]));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new(script(self.name)).args(["down", &self.folder]).status();
    }
}

/// Runs a client of a server to its end; returns its output.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("e2e/servers").join(name)
}

/// The first of some ports in a row of which nobody listens on any.
fn free_ports() -> u16 {
    for _ in 0..100 {
        let first = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let Some(last) = first.checked_add(PORTS - 1) else { continue };
        if (first..=last).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return first;
        }
    }
    panic!("there are no {PORTS} free ports in a row");
}
