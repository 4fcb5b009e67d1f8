//! What a step usually takes: what earlier runs of this stack took, or, before there are any, what is reported of AWS.
//!
//! The history is `durations.json` in the stack's folder ([formats](../../docs/formats.md)); it outlives `down`. A history that
//! cannot be read or written is no reason to fail: a wait is then shown without it.

mod reported;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use provision::{Action, Address};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::spelled::spelled;

/// The number of the format.
const VERSION: u32 = 1;
/// Runs that are remembered of each step: enough for a median, few enough that it follows a change.
const RUNS: usize = 20;

/// The file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct History {
    version: u32,
    /// Seconds of the stack's time by `ADDRESS ACTION`, oldest first.
    seconds: BTreeMap<String, Vec<f64>>,
}

/// What steps of a stack took.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    /// `None` where nothing is remembered.
    path: Option<PathBuf>,
    history: History,
    /// Something was added since it was read.
    has_new: bool,
}

/// What a step usually takes, in the stack's time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Usual {
    /// The median of this stack's earlier runs.
    Own { median: Duration, runs: usize },
    /// What is reported of AWS.
    OnAws { shortest: Duration, longest: Duration },
}

impl Usual {
    /// As a person reads it, in real time: a stack's time may run faster, and reports of AWS are of AWS's time.
    pub(crate) fn spelled(self, to_real: impl Fn(Duration) -> Duration) -> String {
        match self {
            Self::Own { median, runs: 1 } => format!("{} the last time", spelled(to_real(median))),
            Self::Own { median, runs } => format!("usually {} ({runs} runs)", spelled(to_real(median))),
            Self::OnAws { shortest, longest } => {
                format!("usually {} to {} on AWS", spelled(shortest), spelled(longest))
            }
        }
    }

    /// As an object of the stream.
    pub(crate) fn object(self) -> Value {
        let (shortest, longest, runs) = match self {
            Self::Own { median, runs } => (median, median, Some(runs)),
            Self::OnAws { shortest, longest } => (shortest, longest, None),
        };
        json!({
            "shortest_seconds": shortest.as_secs_f64(),
            "longest_seconds": longest.as_secs_f64(),
            "runs": runs,
        })
    }
}

impl Durations {
    /// The history of the stack in `folder`.
    pub(crate) fn load(folder: &Path) -> Self {
        let path = folder.join("durations.json");
        match read(&path) {
            Ok(history) => Self { path: Some(path), history, has_new: false },
            Err(why) => {
                tracing::warn!(path = %path.display(), %why, "what earlier runs took is not known");
                // What another program wrote is not overwritten.
                Self::default()
            }
        }
    }

    /// What an action on a resource usually takes.
    pub(crate) fn usual(&self, address: &Address, action: Action) -> Option<Usual> {
        let own = self.history.seconds.get(&key(address, action)).and_then(|runs| Some((median(runs)?, runs.len())));
        own.map(|(median, runs)| Usual::Own { median, runs }).or_else(|| {
            let reported = reported::of(address.kind(), action)?;
            Some(Usual::OnAws { shortest: reported.shortest, longest: reported.longest })
        })
    }

    /// What a part of a command usually takes, in the stack's time.
    pub(crate) fn usual_of_part(&self, part: &str) -> Option<Usual> {
        let runs = self.history.seconds.get(&part_key(part))?;
        Some(Usual::Own { median: median(runs)?, runs: runs.len() })
    }

    /// Remembers what a part took that has ended well.
    pub(crate) fn add_part(&mut self, part: &str, took: Duration) {
        self.add_run(part_key(part), took);
    }

    /// Remembers what a step took that has ended well.
    pub(crate) fn add(&mut self, address: &Address, action: Action, took: Duration) {
        self.add_run(key(address, action), took);
    }

    fn add_run(&mut self, key: String, took: Duration) {
        let runs = self.history.seconds.entry(key).or_default();
        // Milliseconds, so that a person can read the file.
        runs.push((took.as_secs_f64() * 1000.0).round() / 1000.0);
        let surplus = runs.len().saturating_sub(RUNS);
        runs.drain(..surplus);
        self.has_new = true;
    }

    /// Writes the history. The file appears whole or not at all.
    pub(crate) fn save(&mut self) {
        let Some(path) = self.path.as_ref().filter(|_| self.has_new) else { return };
        self.history.version = VERSION;
        let partial = path.with_extension("json.partial");
        let text = serde_json::to_string_pretty(&self.history).map_err(std::io::Error::from);
        let written =
            text.and_then(|text| std::fs::write(&partial, text)).and_then(|()| std::fs::rename(&partial, path));
        if let Err(why) = written {
            tracing::warn!(path = %path.display(), %why, "what this run took is not remembered");
        }
    }
}

fn part_key(part: &str) -> String {
    format!("{part} part")
}

fn key(address: &Address, action: Action) -> String {
    let action = match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Replace => "replace",
        Action::Delete => "delete",
        Action::NoOp | Action::Forget | Action::Keep => "none",
    };
    format!("{address} {action}")
}

fn read(path: &Path) -> Result<History, String> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(History::default()),
        Err(error) => return Err(error.to_string()),
    };
    let history: History = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    if history.version > VERSION {
        return Err(format!("its version is {}, and this program knows {VERSION}", history.version));
    }
    Ok(history)
}

/// Values that are no duration (a file may be edited) do not count.
fn median(runs: &[f64]) -> Option<Duration> {
    let mut sorted: Vec<Duration> =
        runs.iter().filter_map(|seconds| Duration::try_from_secs_f64(*seconds).ok()).collect();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        even if even % 2 == 0 => Some((sorted[middle - 1] + sorted[middle]) / 2),
        _ => Some(sorted[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> Address {
        "aws_eks_cluster.this".parse().unwrap()
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_first_run_shows_reports_of_aws_and_later_ones_the_median_of_the_stacks_own() {
        let folder = tempfile::tempdir().unwrap();
        let first = Durations::load(folder.path()).usual(&cluster(), Action::Create).unwrap();
        assert_eq!(first, Usual::OnAws { shortest: seconds(600), longest: seconds(960) });
        assert_eq!(first.spelled(|time| time / 30), "usually 10m00s to 16m00s on AWS");
        for took in [540, 700, 560] {
            let mut durations = Durations::load(folder.path());
            durations.add(&cluster(), Action::Create, seconds(took));
            durations.save();
        }
        let own = Durations::load(folder.path()).usual(&cluster(), Action::Create).unwrap();
        assert_eq!(own, Usual::Own { median: seconds(560), runs: 3 });
        assert_eq!(own.spelled(|time| time), "usually 9m20s (3 runs)");
        assert_eq!(own.spelled(|time| time / 30), "usually 18s (3 runs)");
        // What creation took says nothing of the deletion.
        let deletion = Durations::load(folder.path()).usual(&cluster(), Action::Delete);
        assert!(matches!(deletion, Some(Usual::OnAws { .. })), "{deletion:?}");
    }

    #[test]
    fn old_runs_are_forgotten_so_that_the_median_follows_a_change() {
        let mut durations = Durations::default();
        for run in 0..60 {
            durations.add(&cluster(), Action::Create, seconds(if run < 40 { 900 } else { 300 }));
        }
        let usual = durations.usual(&cluster(), Action::Create).unwrap();
        assert_eq!(usual, Usual::Own { median: seconds(300), runs: RUNS });
    }

    #[test]
    fn a_history_that_cannot_be_read_is_left_as_it_is_and_stops_nothing() {
        for text in ["no json", r#"{"version": 2, "seconds": {}}"#, r#"{"version": 1, "seconds": 7}"#] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("durations.json");
            std::fs::write(&file, text).unwrap();
            let mut durations = Durations::load(folder.path());
            durations.add(&cluster(), Action::Create, seconds(5));
            durations.save();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_duration_does_not_count() {
        assert_eq!(median(&[-1.0, f64::NAN, 4.0]), Some(seconds(4)));
        assert_eq!(median(&[f64::INFINITY]), None);
        assert_eq!(median(&[2.0, 4.0]), Some(seconds(3)));
    }
}
