//! Following a child: signals go to it, orphans are cleared away, and its end is ours.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::Signals;

use crate::{Result, refused};

/// The signals that have come since it was made; none is lost while the child is being started.
pub(crate) struct Supervision(Signals);

impl Supervision {
    pub(crate) fn start() -> Result<Self> {
        let forwarded = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT];
        let all = forwarded.into_iter().chain([SIGCHLD]);
        Signals::new(all).map(Self).map_err(refused("listen for signals"))
    }

    /// Follows `child` to its end and gives its exit code, 128 + n after signal n.
    pub(crate) fn follow(mut self, child: u32) -> u8 {
        let child = Pid::from_raw(child.cast_signed());
        // It may have ended before the first signal is looked at.
        if let Some(code) = reap(child) {
            return code;
        }
        loop {
            for signal in self.0.wait() {
                if signal == SIGCHLD {
                    if let Some(code) = reap(child) {
                        return code;
                    }
                } else if let Ok(signal) = Signal::try_from(signal) {
                    // A child that has just ended needs none.
                    let _ = kill(child, signal);
                }
            }
        }
    }
}

/// Waits for all that have ended; the exit code if the child is among them.
fn reap(child: Pid) -> Option<u8> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => return Some(code as u8),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => return Some((128 + signal as i32) as u8),
            Ok(WaitStatus::StillAlive) => return None,
            // Without a child there is nothing to follow: somebody else has waited for it.
            Err(Errno::ECHILD) => return Some(255),
            Ok(_) | Err(_) => {}
        }
    }
}
