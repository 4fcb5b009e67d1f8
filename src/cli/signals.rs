//! Ctrl-C and SIGTERM: the first asks for an orderly end, the second ends at once.

use nix::sys::signal::{Signal, raise};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by SIGINT or SIGTERM.
///
/// The second signal kills: the state is checkpointed after every step, so nothing more than time is lost.
pub(crate) fn stop() -> CancellationToken {
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            tracing::error!("signals cannot be received; Ctrl-C ends at once");
            return;
        };
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if token.is_cancelled() {
                let _ = raise(Signal::SIGKILL);
            }
            token.cancel();
        }
    });
    stop
}
