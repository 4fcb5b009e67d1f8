//! Ctrl-C, SIGTERM and a terminal that goes away: the first asks for an orderly end, a second Ctrl-C or SIGTERM ends at once.
//! A terminal that goes away says so up to twice (the shell passes it on, and so does the kernel when the shell has ended), and
//! nobody is in a hurry behind it: it never ends anything at once.

use std::process::exit;
use std::time::Duration;

use clock::Clock;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::diagnostic::{Diagnostic, Outcome};
use crate::exit::Exit;
use crate::view::View;

/// Real time after which a person reads that the orderly end takes a while.
const PATIENCE: Duration = Duration::from_secs(1);

/// A token that is cancelled by SIGINT, SIGTERM or SIGHUP.
///
/// A second SIGINT or SIGTERM ends the process at once with [`Exit::Interrupted`]: the state is checkpointed after every step, so
/// nothing more than time is lost. `person` gets a line if the orderly end takes a while.
pub(crate) fn stop(person: Option<View>) -> CancellationToken {
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        let Some(mut signals) = Signals::listen() else {
            tracing::error!("signals cannot be received; Ctrl-C ends at once");
            return;
        };
        signals.next().await;
        token.cancel();
        let clock = Clock::real();
        tokio::select! {
            () = signals.next_of_person() => end(person.as_ref()),
            () = clock.sleep(PATIENCE) => {}
        }
        if let Some(view) = &person {
            view.aside("Interrupted: ending in order. A second Ctrl-C ends at once and leaves what is up.");
        }
        signals.next_of_person().await;
        end(person.as_ref());
    });
    stop
}

/// What `work` gives, unless the signal comes first; then `work` is dropped, so it must be something that only looks.
pub(crate) async fn unless_stopped<T>(stop: &CancellationToken, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(vec![Diagnostic::interrupted("nothing was changed")]),
        outcome = work => outcome,
    }
}

#[expect(clippy::exit, clippy::disallowed_methods, reason = "the second signal asks for exactly this")]
fn end(person: Option<&View>) {
    if let Some(view) = person {
        view.leave_screen();
    }
    exit(Exit::Interrupted as i32)
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` under `nohup`.
    hangup: Option<Signal>,
}

impl Signals {
    fn listen() -> Option<Self> {
        let hangup = if is_ignored(SignalKind::hangup()) { None } else { Some(signal(SignalKind::hangup()).ok()?) };
        let interrupt = signal(SignalKind::interrupt()).ok()?;
        Some(Self { interrupt, terminate: signal(SignalKind::terminate()).ok()?, hangup })
    }

    /// SIGINT or SIGTERM.
    async fn next_of_person(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }
}

/// Whether whoever started this had the signal ignored: SIGHUP so that it outlives the terminal (`nohup`), SIGINT so that it runs
/// in a script's background. Where there is no `/proc`, nobody can say.
pub(crate) fn is_ignored(signal: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status) & (1 << (signal.as_raw_value() - 1)) != 0
}

/// The mask `SigIgn` of a process's status (proc_pid_status(5)); bit 0 is signal 1, SIGHUP.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_hangup_is_read_from_the_mask() {
        assert_eq!(ignored("Name:\tsluice\nSigIgn:\t0000000000001001\nSigCgt:\t0\n") & 1, 1);
        assert_eq!(ignored("SigIgn:\t0000000000001000\n") & 1, 0);
        assert_eq!(ignored(""), 0);
    }

    #[tokio::test]
    async fn what_only_looks_ends_with_the_signal() {
        let stop = CancellationToken::new();
        stop.cancel();
        let wrong = unless_stopped(&stop, std::future::pending::<Outcome>()).await.unwrap_err();
        assert_eq!(wrong[0].exit, Exit::Interrupted);
    }
}
