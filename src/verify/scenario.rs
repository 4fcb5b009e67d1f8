//! Scenarios: lists of named steps, each with a condition on the snapshot and a deadline.

mod faults;
mod jobs;
mod play;
mod tutorial;

use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::evidence::{FORMAT, Header, VERSION};
use crate::hopeless;
use crate::observation::{JobCounts, Observation, Record, Source, Step, StepState};
use crate::observe::{self, Observer};
use crate::recorder::{self, Recorder, Writer};
pub use crate::scenario::play::Player;
pub(crate) use crate::scenario::play::run as play;
use crate::settings::{Settings, Thresholds};
use crate::snapshot::Snapshot;

/// A scenario that can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// The tutorial's check: idle at zero, messages, one replica, all replicas, all worked, zero again, and staying there.
    Tutorial,
    /// The same where Jobs do the work: none runs, messages, as many as may run at once, each worked in a Job of its own, none runs again.
    Jobs,
}

impl Scenario {
    /// All scenarios.
    pub const ALL: [Self; 2] = [Self::Tutorial, Self::Jobs];

    /// The name by which a person calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tutorial => "tutorial",
            Self::Jobs => "jobs",
        }
    }

    /// The names of its steps, in order.
    pub fn steps(self) -> &'static [&'static str] {
        match self {
            Self::Tutorial => &tutorial::STEPS,
            Self::Jobs => &jobs::STEPS,
        }
    }

    /// One line about it.
    pub fn description(self) -> &'static str {
        match self {
            Self::Tutorial => {
                "idle at 0, messages, 1 and then the maximum of replicas, all worked, 0 again and staying there"
            }
            Self::Jobs => "no Job, messages, the maximum of Jobs at once, each message in a Job, no Job again",
        }
    }
}

impl std::str::FromStr for Scenario {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        // Evidence and command lines of before the scenario got its name call it `seed`.
        let known = if name == "seed" { "tutorial" } else { name };
        Self::ALL.into_iter().find(|scenario| scenario.name() == known).ok_or_else(|| Error::Scenario(name.to_owned()))
    }
}

/// The names of a scenario's steps, in order.
pub(crate) fn steps(scenario: &str) -> Option<&'static [&'static str]> {
    scenario.parse().ok().map(Scenario::steps)
}

/// How a wait ended other than by its condition.
#[derive(Debug)]
enum End {
    /// The deadline passed.
    Missed(String),
    /// Interrupted, or waiting does not help any more.
    Stopped(String),
    /// The evidence cannot be written any more.
    Broken,
}

/// A scenario that is running.
struct Running {
    settings: Settings,
    thresholds: Thresholds,
    run: String,
    recorder: Recorder,
    snapshot: watch::Receiver<Snapshot>,
    stop: CancellationToken,
    /// Whether a wait ends early that does not help any more.
    gives_up: bool,
}

impl Running {
    /// Waits for a condition on the snapshot. `detail` says what is awaited.
    async fn wait(
        &mut self,
        name: &str,
        detail: &str,
        deadline: Duration,
        condition: impl FnMut(&Snapshot) -> bool,
    ) -> Result<(), End> {
        self.step(name, StepState::Started, detail, deadline);
        let end = self.until(deadline, condition).await;
        let (state, text) = match &end {
            Ok(()) => (StepState::Reached, detail.to_owned()),
            Err(End::Missed(text)) => (StepState::Missed, text.clone()),
            Err(End::Stopped(text)) => (StepState::Stopped, text.clone()),
            Err(End::Broken) => return end,
        };
        self.step(name, state, &text, deadline);
        end
    }

    fn step(&self, name: &str, state: StepState, detail: &str, deadline: Duration) {
        let step =
            Step { name: name.to_owned(), state, detail: detail.to_owned(), deadline_seconds: deadline.as_secs_f64() };
        self.recorder.record(Source::Scenario, Observation::Step(step));
    }

    async fn until(&mut self, deadline: Duration, mut condition: impl FnMut(&Snapshot) -> bool) -> Result<(), End> {
        let patience = Duration::from_secs(2 * self.settings.scaling.polling_seconds + 30);
        let (clock, gives_up) = (self.settings.clock.clone(), self.gives_up);
        let mut hopeless = None;
        let mut snapshot = self.snapshot.clone();
        let wait = snapshot.wait_for(|snapshot| {
            hopeless = hopeless::why(snapshot, clock.to_real(patience)).filter(|_| gives_up);
            hopeless.is_some() || condition(snapshot)
        });
        let ended = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(End::Stopped(Step::INTERRUPTED.to_owned())),
            ended = clock.timeout(deadline, wait) => ended.map(|result| result.map(|_| ())),
        };
        match (ended, hopeless) {
            (Ok(Ok(())), Some(text)) => Err(End::Stopped(text)),
            (Ok(Ok(())), None) => Ok(()),
            (Ok(Err(_)), _) => Err(End::Broken),
            (Err(_), _) => Err(End::Missed(describe(&self.snapshot.borrow()))),
        }
    }
}

/// What the snapshot shows, for a step that missed its deadline.
fn describe(snapshot: &Snapshot) -> String {
    let unknown = || "unknown".to_owned();
    let queue = snapshot
        .queue
        .map_or_else(unknown, |counts| format!("{} visible, {} in flight", counts.visible, counts.in_flight));
    let replicas = || {
        let replicas =
            snapshot.deployment.map_or_else(unknown, |it| format!("{} desired, {} ready", it.desired, it.ready));
        let hpa = snapshot.hpa.as_ref().and_then(|hpa| hpa.desired);
        format!("replicas {replicas}; HPA wants {}", hpa.map_or_else(unknown, |desired| desired.to_string()))
    };
    let jobs =
        |JobCounts { running, complete, failed }| format!("Jobs: {running} run, {complete} complete, {failed} failed");
    let scaled = snapshot.jobs.map_or_else(replicas, jobs);
    let pods = snapshot.pods.as_ref().map_or_else(unknown, |pods| {
        let waiting: Vec<_> = pods.iter().filter_map(|pod| pod.waiting.clone()).collect();
        format!("{}{}{}", pods.len(), if waiting.is_empty() { "" } else { ", waiting: " }, waiting.join("; "))
    });
    let refusal = snapshot.refusal.as_ref().map_or_else(String::new, |refusal| format!("; refused: {}", refusal.text));
    format!(
        "deadline passed with queue {queue}; {scaled}; pods {pods}; messages outstanding {}{refusal}",
        snapshot.outstanding()
    )
}

/// Runs a scenario: starts the observers, walks the steps, ends the observers. Fails only if evidence cannot be written.
pub(crate) async fn run(
    settings: Settings,
    scenario: Scenario,
    live: Option<UnboundedSender<Record>>,
    stop: CancellationToken,
) -> Result<()> {
    let header = header(&settings, scenario.name());
    let mut underway = Underway::begin(settings, &header, live, true, &stop)?;
    let end = match scenario {
        Scenario::Tutorial => tutorial::run(&mut underway.running).await,
        Scenario::Jobs => jobs::run(&mut underway.running).await,
    };
    tracing::debug!(?end, "scenario ended");
    underway.end(&end).await
}

/// A scenario that runs on one workload, with what watches it and writes its evidence.
struct Underway {
    running: Running,
    observer: Observer,
    observers: JoinSet<()>,
    writer: Writer,
}

impl Underway {
    fn begin(
        settings: Settings,
        header: &Header,
        live: Option<UnboundedSender<Record>>,
        gives_up: bool,
        stop: &CancellationToken,
    ) -> Result<Self> {
        let (recorder, writer) = recorder::start(Some((&settings.evidence, header)), live, settings.clock.clone())?;
        let observer = Observer { settings: settings.clone(), recorder: recorder.clone(), since: Some(header.started) };
        let observers = observe::start(&observer);
        let running = Running {
            settings,
            thresholds: header.thresholds,
            run: header.run.clone(),
            recorder,
            snapshot: writer.snapshot.clone(),
            stop: stop.clone(),
            gives_up,
        };
        Ok(Self { running, observer, observers, writer })
    }

    /// Fails only if evidence cannot be written.
    async fn end(mut self, end: &std::result::Result<(), End>) -> Result<()> {
        let stop = &self.running.stop;
        if let (Err(End::Missed(_) | End::Stopped(_)), false) = (end, stop.is_cancelled()) {
            // Pods that ail are there now, and may be gone in a moment.
            stop.run_until_cancelled(observe::diagnose(&self.observer)).await;
        }
        drop(self.observer);
        self.observers.shutdown().await;
        drop(self.running);
        self.writer.finish().await
    }
}

fn header(settings: &Settings, scenario: &str) -> Header {
    Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        product: env!("CARGO_PKG_VERSION").to_owned(),
        run: uuid::Uuid::new_v4().to_string(),
        scenario: scenario.to_owned(),
        stack: settings.stack.clone(),
        started: settings.clock.now(),
        time_scale: settings.clock.scale(),
        seed: settings.seed,
        messages: settings.messages,
        workload: format!("{}/{}", settings.names.namespace, settings.names.deployment),
        consumer: settings.consumer,
        retention_seconds: settings.retention_seconds,
        has_dead_letter_queue: settings.dead_letter_queue_url.is_some(),
        scaling: settings.scaling,
        jobs: settings.jobs,
        course: None,
        thresholds: Thresholds::of(settings),
        environment: settings.environment.clone(),
        limits: settings.limits.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_are_found_by_name() {
        assert_eq!("jobs".parse::<Scenario>().unwrap(), Scenario::Jobs);
        for name in ["tutorial", "seed"] {
            assert_eq!(name.parse::<Scenario>().unwrap(), Scenario::Tutorial);
        }
        assert!("sed".parse::<Scenario>().unwrap_err().to_string().contains("scenarios: tutorial, jobs"));
    }
}
