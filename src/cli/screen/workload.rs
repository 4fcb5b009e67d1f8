//! One workload as the screen shows it: what is seen of it now, what was seen over time, and its two clocks.

use std::collections::VecDeque;

use jiff::Timestamp;
use verify::{Observation, Record, Scaling, Snapshot, StepState};

/// Points of the chart that are kept: four hours of a change each second.
const POINTS_MAX: usize = 14_400;
/// Decisions that are kept.
const DECISIONS_MAX: usize = 100;

/// A workload that is looked at.
#[derive(Debug, Clone)]
pub(super) struct Workload {
    pub(super) name: String,
    pub(super) has_queue: bool,
    pub(super) scaling: Scaling,
    /// The scenario's steps, and how many of them were reached.
    pub(super) steps: &'static [&'static str],
    pub(super) reached: usize,
    pub(super) snapshot: Snapshot,
    pub(super) decisions: VecDeque<Decision>,
    pub(super) points: VecDeque<Point>,
    /// What the operator said last of the cooldown: when, and how many seconds were left.
    cooldown: Option<(Timestamp, f64)>,
    /// Since when the HPA holds replicas for its window.
    held: Option<Timestamp>,
}

/// A decision in words.
#[derive(Debug, Clone)]
pub(super) struct Decision {
    pub(super) time: Timestamp,
    pub(super) line: String,
    pub(super) whole: Vec<String>,
}

/// What was seen at one time. What cannot be read is no number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) time: Timestamp,
    pub(super) queue: Option<u64>,
    pub(super) wanted: Option<u32>,
    pub(super) ready: Option<u32>,
}

/// What a clock shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Clock {
    /// It does not run; so many seconds is what it has.
    Idle(u64),
    /// So many seconds are left.
    Left(f64),
}

impl Workload {
    pub(super) fn new(name: String, has_queue: bool, scaling: Scaling, steps: &'static [&'static str]) -> Self {
        Self {
            name,
            has_queue,
            scaling,
            steps,
            reached: 0,
            snapshot: Snapshot::default(),
            decisions: VecDeque::new(),
            points: VecDeque::new(),
            cooldown: None,
            held: None,
        }
    }

    pub(super) fn take(&mut self, record: &Record) {
        self.snapshot.apply(record);
        #[expect(clippy::wildcard_enum_match_arm, reason = "the snapshot takes in what the rest says")]
        match &record.observation {
            Observation::Step(step) if step.state == StepState::Reached => self.reached += 1,
            Observation::Decision(decision) => {
                let left = decision.decision["action"]["remaining"].as_f64();
                self.cooldown = left.map(|left| (record.time, left));
            }
            Observation::Hpa(hpa) => {
                let holds = hpa.conditions.iter().any(|it| it.reason == "ScaleDownStabilized");
                self.held = if holds { Some(self.held.unwrap_or(record.time)) } else { None };
            }
            _ => {}
        }
        self.add_point(record.time);
    }

    fn add_point(&mut self, time: Timestamp) {
        let Snapshot { queue, deployment, jobs, .. } = &self.snapshot;
        let running = jobs.map(|jobs| jobs.running);
        let point = Point {
            time,
            queue: queue.map(|counts| counts.total()),
            wanted: deployment.map(|replicas| replicas.desired).or(running),
            ready: deployment.map(|replicas| replicas.ready).or(running),
        };
        let is_same = |last: &Point| Point { time, ..*last } == point;
        // A log is read later than it was written; the chart goes forward.
        let is_late = self.points.back().is_some_and(|last| last.time > time);
        if !is_late && !self.points.back().is_some_and(is_same) {
            self.points.push_back(point);
        }
        let surplus = self.points.len().saturating_sub(POINTS_MAX);
        self.points.drain(..surplus);
    }

    pub(super) fn decide(&mut self, time: Timestamp, line: String, whole: Vec<String>) {
        self.decisions.push_back(Decision { time, line, whole });
        let surplus = self.decisions.len().saturating_sub(DECISIONS_MAX);
        self.decisions.drain(..surplus);
    }

    /// The operator's cooldown. `since` gives seconds of the stack's time since then.
    pub(super) fn cooldown(&self, since: impl Fn(Timestamp) -> f64) -> Clock {
        let full = self.scaling.cooldown_seconds;
        let is_up = self.snapshot.deployment.is_none_or(|replicas| replicas.desired > 0);
        self.cooldown
            .filter(|_| is_up)
            .map_or(Clock::Idle(full), |(time, left)| Clock::Left((left - since(time)).max(0.0)))
    }

    /// The HPA's window for scaling in.
    pub(super) fn window(&self, since: impl Fn(Timestamp) -> f64) -> Clock {
        let full = self.scaling.window_seconds;
        let is_above_one = self.snapshot.deployment.is_some_and(|replicas| replicas.desired > 1);
        let left = |held| (full as f64 - since(held)).max(0.0);
        self.held.filter(|_| is_above_one).map_or(Clock::Idle(full), |held| Clock::Left(left(held)))
    }

    /// Pods that are ready, that start, and that are wanted and not there.
    pub(super) fn blocks(&self) -> Option<(u32, u32, u32)> {
        let replicas = self.snapshot.deployment?;
        let ready = replicas.ready.min(replicas.desired.max(replicas.current));
        let starting = replicas.current.saturating_sub(ready);
        Some((ready, starting, replicas.desired.saturating_sub(ready + starting)))
    }
}
