//! Parity: what a real control plane and AWS emulators answered once, asked again of the local cloud, without network.
//!
//! `parity/recorded` holds the exchanges: the request, the real answer made comparable, and the leaves in which the local
//! cloud differs on purpose, each with its entry in the lists of differences. `parity/record.py` makes them from real parts.

mod aws;
pub(crate) mod client;
mod comparison;
mod kubernetes;
mod local;
mod recording;
mod rules;
pub(crate) mod xml;

use crate::workspace::{Workspace, moment};
use local::Local;
use recording::{Recording, all};

/// How many exchanges a suite has at least, lest a recording run that found little passes for one.
const KUBERNETES_MIN: usize = 789;
const AWS_MIN: usize = 702;

#[test]
fn kubernetes_answers_as_the_recorded_control_plane() {
    let recordings = all("kubernetes");
    assert!(exchanges(&recordings) >= KUBERNETES_MIN, "{} exchanges", exchanges(&recordings));
    let local = Local::start(Workspace::new(), "");
    let mut replay = kubernetes::Replay::new(&local);
    finish("Kubernetes", &recordings, |recording| replay.run(recording));
    local.stop();
}

#[test]
fn aws_answers_as_the_recorded_emulators() {
    let suites = ["localstack", "moto"].map(|emulator| (emulator, all(emulator)));
    let count: usize = suites.iter().map(|(_, recordings)| exchanges(recordings)).sum();
    assert!(count >= AWS_MIN, "{count} exchanges");
    // Seconds count in what queues do.
    let local = Local::start(Workspace::new(), "--time-scale 1");
    let mut replay = aws::Replay::new(&local);
    for (emulator, recordings) in &suites {
        finish(emulator, recordings, |recording| replay.run(recording));
    }
    local.stop();
}

fn exchanges(recordings: &[Recording]) -> usize {
    recordings.iter().map(|recording| recording.exchanges.len()).sum()
}

/// Runs them in their order and shows every difference, not only the first.
fn finish(suite: &str, recordings: &[Recording], mut run: impl FnMut(&Recording) -> Vec<String>) {
    let start = moment();
    let wrong: Vec<String> = recordings
        .iter()
        .flat_map(|recording| run(recording).into_iter().map(|line| format!("{}: {line}", recording.test)))
        .collect();
    println!("{suite}: {} exchanges in {:.1} s", exchanges(recordings), start.elapsed().as_secs_f32());
    assert!(wrong.is_empty(), "{suite}: {} differences from what is recorded:\n{}", wrong.len(), wrong.join("\n"));
}
