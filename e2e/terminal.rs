//! A terminal of its own for a test: what a person at a keyboard sees and presses.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::workspace::{COMMAND_LIMIT, kill, signal, wait_until};

/// A program that runs in a terminal (a pseudo-terminal, pty(7)), the foreground as its shell would make it.
pub(crate) struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    /// Starts the command with the terminal as its stdin, stdout and stderr.
    pub(crate) fn start(mut command: Command) -> Self {
        let pair = nix::pty::openpty(None, None).unwrap();
        let side = || Stdio::from(pair.slave.try_clone().unwrap());
        command.env("NO_COLOR", "1").stdin(side()).stdout(side()).stderr(side()).process_group(0);
        let child = command.spawn().unwrap();
        // Held open by the program alone from here on, so that its end is the screen's.
        drop(command);
        drop(pair.slave);
        let (keyboard, mut reader) = (File::from(pair.master.try_clone().unwrap()), File::from(pair.master));
        let screen = Arc::new(Mutex::new(String::new()));
        let shown = screen.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // A terminal that nobody holds any more gives an error.
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                shown.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Self { child, keyboard, screen }
    }

    /// Everything that was shown so far.
    pub(crate) fn screen(&self) -> String {
        self.screen.lock().unwrap().clone()
    }

    /// Waits until the screen shows `text`.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) {
        let shown = || self.screen().contains(text).then_some(());
        wait_until("the screen shows it", COMMAND_LIMIT, shown)
            .unwrap_or_else(|why| panic!("{why}: {text}\n{}", self.screen()));
    }

    pub(crate) fn presses(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Ctrl-C, as the terminal passes it on: to the whole group in the foreground.
    pub(crate) fn interrupt(&self) {
        signal(format!("-{}", self.child.id()), "-INT");
    }

    /// Waits for the program's end; its exit code and all that was shown.
    #[track_caller]
    pub(crate) fn ends(mut self) -> (Option<i32>, String) {
        let ended = wait_until("the program ends", COMMAND_LIMIT, || self.child.try_wait().unwrap());
        let status = ended.unwrap_or_else(|why| panic!("{why}:\n{}", self.screen()));
        (status.code(), self.screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        kill(self.child.id());
        let _ = self.child.wait();
    }
}
