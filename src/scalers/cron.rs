//! Trigger `cron`: a count of replicas between two moments of a schedule, in a time zone (`docs/rules.md#keda-cron`).
//!
//! It reads nothing but the clock, and says by itself when its window opens and closes.

mod schedule;

use std::time::Duration;

use clock::Clock;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use keda::api::ScaleTriggers;
use keda::decision::Sample;
use keda::metric::{Spec, Target};
use keda::naming;

use self::schedule::{Schedule, time_zone};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::metadata::Metadata;
use crate::scaler::{Samples, Scaler};

pub(crate) const TYPE: &str = "cron";
/// The longest sleep before the clock is looked at again, real time: it may be set, and a machine may be suspended.
const LOOK_PERIOD: Duration = Duration::from_mins(1);
/// A value of `desiredReplicas` is that many replicas.
const TARGET: Target = Target::AverageValue(1.0);

/// The window of one trigger.
pub(crate) struct CronWindow {
    clock: Clock,
    window: Window,
    desired: f64,
    spec: Spec,
}

#[derive(Clone)]
struct Window {
    start: Schedule,
    end: Schedule,
}

/// The metric of a trigger that names zone and schedules.
pub(crate) fn spec(trigger: &ScaleTriggers, index: usize) -> Option<Spec> {
    let text = |key: &str| trigger.metadata.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
    Some(Spec { name: metric_name(index, text("timezone")?, text("start")?, text("end")?), target: TARGET })
}

fn metric_name(index: usize, zone: &str, start: &str, end: &str) -> String {
    let named = |schedule: &str| {
        let pairs = [(" ", ""), ("*", "x"), ("/", "Sl"), ("?", "Qm"), (",", "Cm")];
        pairs.iter().fold(schedule.to_owned(), |text, (from, to)| text.replace(from, to))
    };
    naming::metric(index, &format!("cron-{zone}-{}-{}", named(start), named(end)))
}

impl CronWindow {
    pub(crate) fn new(trigger: &ScaleTriggers, index: usize, context: &Context) -> Result<Self> {
        let mut metadata = Metadata::new(TYPE, trigger, context);
        let zone = metadata.required("timezone", "an IANA name such as Asia/Tokyo");
        let start = metadata.required("start", "five cron fields such as \"0 8 * * 1-5\"");
        let end = metadata.required("end", "five cron fields such as \"0 18 * * 1-5\"");
        let desired = metadata.required("desiredReplicas", "how many replicas the window has");
        if !start.is_empty() && start == end {
            metadata.problem(format!("start and end are both {start:?}; they must differ"));
        }
        let count = desired.parse::<i64>().ok().filter(|count| *count > 0);
        if !desired.is_empty() && count.is_none() {
            metadata.problem(format!("desiredReplicas={desired:?} must be a whole number greater than 0"));
        }
        if trigger.metric_type.as_deref().is_some_and(|type_| !matches!(type_, "" | "AverageValue")) {
            metadata.problem("metricType must be AverageValue: the value of a cron trigger is a count of replicas");
        }
        let parsed = |key: &str, text: &str| -> Result<Option<Schedule>, String> {
            if zone.is_empty() || text.is_empty() {
                return Ok(None);
            }
            let schedule = Schedule::parse(text, time_zone(zone)?);
            schedule.map(Some).map_err(|problem| format!("{key}={text:?} is no schedule: {problem}"))
        };
        let (first, last) = (parsed("start", start), parsed("end", end));
        let mut problems: Vec<_> = [&first, &last].into_iter().filter_map(|one| one.as_ref().err().cloned()).collect();
        // A zone that is unknown is so for both.
        problems.dedup();
        for problem in problems {
            metadata.problem(problem);
        }
        metadata.finish()?;
        let window = match (first, last) {
            (Ok(Some(start)), Ok(Some(end))) => Window { start, end },
            _ => return Err(Error::Metadata { trigger: TYPE, problems: "start or end is missing".to_owned() }),
        };
        Ok(Self {
            clock: context.services.clock.clone(),
            window,
            desired: count.unwrap_or_default() as f64,
            spec: Spec { name: metric_name(index, zone, start, end), target: TARGET },
        })
    }

    fn sample(&self, now: Timestamp) -> Result<Sample> {
        let active = self.window.is_open(now)?;
        let value = if active { self.desired } else { 0.0 };
        Ok(Sample { value, target: TARGET, active, activation: 0.0, parts: Vec::new() })
    }
}

impl Window {
    /// Whether the next thing to come is the end.
    fn is_open(&self, now: Timestamp) -> Result<bool> {
        Ok(next(&self.start, now)? >= next(&self.end, now)?)
    }

    /// The next moment at which it opens or closes.
    fn next_edge(&self, now: Timestamp) -> Result<Timestamp> {
        Ok(next(&self.start, now)?.min(next(&self.end, now)?))
    }

    /// Waits until the window is no longer `was_open`, and says how it is then.
    async fn turn(&self, clock: &Clock, was_open: bool) -> Option<bool> {
        loop {
            let now = clock.now();
            let is_open = self.is_open(now).ok()?;
            if is_open != was_open {
                return Some(is_open);
            }
            let until = Duration::try_from(self.next_edge(now).ok()?.duration_since(now)).unwrap_or_default();
            clock.sleep(clock.to_system(until.min(LOOK_PERIOD))).await;
        }
    }
}

fn next(schedule: &Schedule, now: Timestamp) -> Result<Timestamp> {
    schedule.next(now).ok_or_else(|| Error::Answer {
        what: format!("the schedule {:?}", schedule.text()),
        problem: "it never comes; correct the trigger's start and end".to_owned(),
    })
}

impl Scaler for CronWindow {
    fn specs(&self) -> BoxFuture<'_, Result<Vec<Spec>>> {
        Box::pin(async { Ok(vec![self.spec.clone()]) })
    }

    fn read(&self, _age: Duration) -> BoxFuture<'_, Result<Samples>> {
        Box::pin(async {
            let now = self.clock.now();
            Ok(Samples::one(now, &self.spec.name, self.sample(now)?))
        })
    }

    fn changes(&self) -> Option<BoxStream<'static, bool>> {
        let (clock, window) = (self.clock.clone(), self.window.clone());
        let is_open = window.is_open(clock.now()).ok()?;
        Some(
            stream::unfold((clock, window, is_open), |(clock, window, was_open)| async move {
                let is_open = window.turn(&clock, was_open).await?;
                Some((is_open, (clock, window, is_open)))
            })
            .boxed(),
        )
    }
}

#[cfg(test)]
mod tests;
