//! How much memory a demo takes on this machine: its own process, the local cloud's, and those of the pods, together.
//!
//! Shared pages count once (proportional set size, `/proc/PID/smaps_rollup`), since all of them run one program.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::Clock;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Real time between two samples.
const PERIOD: Duration = Duration::from_millis(250);

/// Samples until it is asked.
pub(crate) struct PeakMemory {
    task: JoinHandle<Option<u64>>,
    stop: DropGuard,
}

impl PeakMemory {
    /// Begins with the process `root` and its descendants, and this process.
    pub(crate) fn start(root: u32) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let (clock, mut peak) = (Clock::real(), None);
            loop {
                peak = peak.max(kilobytes(root));
                tokio::select! {
                    () = stopped.cancelled() => return peak,
                    () = clock.sleep(PERIOD) => {}
                }
            }
        });
        Self { task, stop: stop.drop_guard() }
    }

    /// The greatest sum that was seen, in megabytes (10^6 bytes); `None` where there is no `/proc`.
    pub(crate) async fn peak_megabytes(self) -> Option<u64> {
        drop(self.stop);
        self.task.await.ok().flatten().map(|kilobytes| (kilobytes * 1024).div_ceil(1_000_000))
    }
}

fn kilobytes(root: u32) -> Option<u64> {
    let entries = std::fs::read_dir("/proc").ok()?.flatten();
    let parents: BTreeMap<u32, u32> =
        entries.filter_map(|entry| parent(&entry.file_name().to_string_lossy())).collect();
    let belongs = |mut pid: u32| {
        while let Some(parent) = parents.get(&pid) {
            if pid == root {
                return true;
            }
            pid = *parent;
        }
        false
    };
    let own = std::process::id();
    // A process may end between the two looks; then it takes nothing any more.
    Some(parents.keys().filter(|pid| **pid == own || belongs(**pid)).filter_map(|pid| proportional(*pid)).sum())
}

/// Process and parent, from `PID (name) state ppid …`; the name may hold anything.
fn parent(pid: &str) -> Option<(u32, u32)> {
    let pid: u32 = pid.parse().ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    Some((pid, rest.split(' ').nth(1)?.parse().ok()?))
}

fn proportional(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_that_is_held_is_seen() {
        if !std::path::Path::new("/proc/self/smaps_rollup").exists() {
            return;
        }
        let before = kilobytes(std::process::id()).unwrap();
        let held = vec![1_u8; 64_000_000];
        let memory = PeakMemory::start(std::process::id());
        tokio::task::yield_now().await;
        let peak = memory.peak_megabytes().await.unwrap();
        assert!(peak * 1_000_000 / 1024 >= before + 60_000, "{before} kB before, {peak} MB with {}", held.len());
    }
}
