//! Durations as a person reads them.

use std::time::Duration;

/// Whole seconds, and minutes from one minute on.
pub(crate) fn spelled(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds => format!("{}m{:02}s", seconds / 60, seconds % 60),
    }
}
