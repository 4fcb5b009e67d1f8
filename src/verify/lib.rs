//! Scenarios, observations, verdicts, evidence and reports: the proof that scaling works.
//!
//! Entry points: [`run`] runs a scenario and evaluates it, [`evaluate`] evaluates a recorded run again, [`watch`] only
//! looks, [`explain`] and [`explain_now`] build the causal timeline.
//!
//! Invariants:
//! - Observers write what they see into an append-only evidence file; checks evaluate the evidence, never the live system.
//! - A failed observation is recorded as failed. It is never a zero, and a check that saw nothing fails.
//! - Times in evidence are real; a duration is compared with a setting only after scaling by the run's time scale.
//!
//! This crate must not know which target it looks at, how the stack was made, templates, or the command line.

mod check;
mod course;
mod difference;
mod error;
mod evidence;
mod extract;
#[cfg(test)]
mod fixture;
mod hopeless;
mod log_line;
mod observation;
mod observe;
mod recorder;
mod refusal;
mod report;
mod scenario;
mod settings;
mod snapshot;
mod timeline;
mod verdict;

use std::path::Path;

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

pub use course::{Bounds, Course, Fault, FaultKind, Load, Part, Reaches, Read, Shape, Work, read};
pub use difference::{Difference, Row, Weight};
pub use error::{Error, Result};
pub use evidence::{Evidence, Header};
pub use observation::{
    Condition, Counts, Decision, Denial, Diagnosis, FaultSeen, FaultState, Hpa, Job, JobCounts, JobState,
    KubernetesEvent, Observation, Pod, Receipt, Record, Replicas, ScaledObject, Source, Step, StepState,
};
pub use refusal::Refusal;
pub use report::{Moments, Report, Reports};
pub use scenario::{Player, Scenario};
pub use settings::{Consumer, History, Names, Other, Scaling, Settings, Thresholds};
pub use snapshot::Snapshot;
pub use timeline::{Entry, Timeline};
pub use verdict::{Outcome, Verdict};

/// Runs a scenario and evaluates what was seen. Every record also goes to `live`, from which a view can fold a
/// [`Snapshot`]. Cancelling `stop` ends the scenario early; what was seen by then is
/// evaluated, and [`Report::interrupted_in`] says so.
///
/// # Errors
///
/// [`Error::NoQueue`] if the workload has none. [`Error::Write`] if the evidence cannot be written. [`Error::Report`] if its writer
/// broke. Otherwise those of [`evaluate`]. A scenario that misses what it waits for is in the verdicts.
pub async fn run(
    settings: Settings,
    scenario: Scenario,
    live: Option<UnboundedSender<Record>>,
    stop: CancellationToken,
) -> Result<Report> {
    if settings.queue_url.is_none() {
        return Err(Error::NoQueue(scenario.name().to_owned()));
    }
    let path = settings.evidence.clone();
    Box::pin(scenario::run(settings, scenario, live, stop)).await?;
    evaluate(&path)
}

/// Plays the course of a scenario file on its workloads at once, each with settings and evidence of its own, in the order of the
/// file, and evaluates what was seen of each.
///
/// # Errors
///
/// Those of [`run`].
pub async fn play(players: Vec<Player>, course: &Course, stop: CancellationToken) -> Result<Vec<Report>> {
    if players.iter().any(|player| player.settings.queue_url.is_none()) {
        return Err(Error::NoQueue(course.name.clone()));
    }
    let files: Vec<_> = players.iter().map(|player| player.settings.evidence.clone()).collect();
    scenario::play(players, course, stop).await?;
    files.iter().map(|file| evaluate(file)).collect()
}

/// Evaluates a recorded run.
///
/// # Errors
///
/// Those of [`Evidence::load`].
pub fn evaluate(path: &Path) -> Result<Report> {
    Ok(Report::of(&Evidence::load(path)?))
}

/// Observes until `stop` is cancelled; nothing is written to a file.
///
/// # Errors
///
/// [`Error::Report`] if the task that passes the records on broke.
pub async fn watch(settings: Settings, live: UnboundedSender<Record>, stop: CancellationToken) -> Result<()> {
    let (recorder, writer) = recorder::start(None, Some(live), settings.clock.clone())?;
    let since = Some(settings.clock.now());
    let tasks = observe::start(&observe::Observer { settings, recorder, since });
    stop.cancelled().await;
    drop(tasks);
    writer.finish().await
}

/// Whose program works on the messages: the sample only if it is declared, and the Deployment still runs it.
///
/// # Errors
///
/// [`Error::Cluster`] if the Deployment cannot be read.
pub async fn consumer(settings: &Settings) -> Result<Consumer> {
    if settings.consumer == Consumer::Own {
        return Ok(Consumer::Own);
    }
    observe::runs_the_sample(settings).await.map(|sample| if sample { Consumer::Sample } else { Consumer::Own })
}

/// The causal timeline of a recorded run.
pub fn explain(evidence: &Evidence) -> Timeline {
    Timeline::of(&evidence.records, evidence.header.time_scale, evidence.sending())
}

/// The causal timeline of what the live cluster still remembers: logs, Events and the present state.
///
/// # Errors
///
/// [`Error::Cluster`] if nothing of it could be read. [`Error::Report`] if the task that passes the records on broke.
pub async fn explain_now(settings: Settings) -> Result<Timeline> {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let (recorder, writer) = recorder::start(None, Some(sender), settings.clock.clone())?;
    let scale = settings.clock.scale();
    let observer = observe::Observer { settings, recorder, since: None };
    observe::once(&observer).await;
    drop(observer);
    writer.finish().await?;
    let mut records = Vec::new();
    while let Ok(record) = receiver.try_recv() {
        records.push(record);
    }
    let read = records
        .iter()
        .any(|record| !matches!(record.observation, Observation::Failure { .. } | Observation::Absent { .. }));
    if !read {
        let reason = records.iter().find_map(|record| match &record.observation {
            Observation::Failure { error, .. } => Some(error.clone()),
            Observation::Absent { what } => Some(format!("{what} does not exist")),
            _ => None,
        });
        return Err(Error::Cluster {
            what: "the workload".into(),
            reason: reason.unwrap_or_else(|| "no answer".into()),
        });
    }
    records.sort_by_key(|record: &Record| record.time);
    let first: Option<Timestamp> = records.first().map(|record| record.time);
    Ok(Timeline::of(&records, scale, first))
}
