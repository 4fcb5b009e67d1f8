//! One trigger: what was built for it, what it is known to give, what it said last.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock::Moment;
use futures::stream::BoxStream;
use jiff::Timestamp;
use keda::api::ScaleTriggers;
use keda::decision::{Outcome, Reading};
use keda::metric::{Spec, Target};
use scalers::{Samples, Scaler};
use tokio::sync::Mutex as AsyncMutex;

use super::build::{self, Common};
use super::error::TriggerError;
use super::rest::Rest;
use crate::backoff::Backoff;
use crate::context::Context;
use crate::key::Reference;
use crate::telemetry::Series;

/// Whether a trigger that could not be built is tried again before its pause is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    Now,
    WhenDue,
}

pub(super) struct Trigger {
    pub(super) index: usize,
    /// The trigger's name if it has one, else its type.
    pub(super) label: String,
    pub(super) kind: String,
    pub(super) use_cached_metrics: Option<bool>,
    /// Of the trigger as it is written.
    definition: u64,
    /// Held by who builds.
    built: AsyncMutex<Built>,
    /// Its external metrics: those of its scaler as it gave them last, else what its metadata alone say. Empty if nothing is
    /// known.
    known: Mutex<Arc<[Spec]>>,
    /// Held by who reads.
    last: AsyncMutex<Option<Kept>>,
    /// What its scaler says by itself, until somebody listens.
    changes: Mutex<Option<BoxStream<'static, bool>>>,
    /// What it has said by itself.
    is_active: AtomicBool,
}

#[derive(Default)]
struct Built {
    scaler: Option<Result<Arc<dyn Scaler>, Arc<TriggerError>>>,
    /// What it was built from besides the trigger itself, as it was before.
    rests_on: Rest,
    /// When what it was built from is no longer of use, if that is known.
    until: Option<Moment>,
    /// A reading has failed since.
    is_stale: bool,
    backoff: Backoff,
}

/// What came of a read.
#[derive(Clone)]
pub(super) struct Read {
    pub(super) at: Timestamp,
    pub(super) readings: Vec<Reading>,
}

struct Kept {
    began: Moment,
    ended: Moment,
    read: Read,
}

impl Trigger {
    /// The trigger at `index` of its owner. `before`: the trigger of the same index before the owner changed.
    pub(super) fn new(trigger: &ScaleTriggers, index: usize, owner: &Reference, before: Option<&Self>) -> Self {
        let mut hasher = DefaultHasher::new();
        serde_json::to_string(trigger).unwrap_or_default().hash(&mut hasher);
        let definition = hasher.finish();
        let same = before.filter(|before| before.definition == definition).map(Self::known);
        let known = same.filter(|known| !known.is_empty());
        let named = trigger.name.as_deref().filter(|name| !name.is_empty());
        Self {
            index,
            label: named.unwrap_or(&trigger.type_).to_owned(),
            kind: trigger.type_.clone(),
            use_cached_metrics: trigger.use_cached_metrics,
            definition,
            built: AsyncMutex::default(),
            known: Mutex::new(known.unwrap_or_else(|| scalers::specs(trigger, index, &owner.key.namespace).into())),
            last: AsyncMutex::default(),
            changes: Mutex::default(),
            is_active: AtomicBool::new(false),
        }
    }

    /// The metrics that it is known to have.
    pub(super) fn known(&self) -> Arc<[Spec]> {
        Arc::clone(&lock(&self.known))
    }

    /// Its external metrics. If its source does not say what they are, those of the last time.
    pub(super) async fn specs(&self, common: &Common<'_>, attempt: Attempt) -> Result<Vec<Spec>, Arc<TriggerError>> {
        let scaler = self.scaler(common, attempt).await?;
        match scaler.specs().await {
            Ok(specs) => {
                *lock(&self.known) = specs.clone().into();
                Ok(specs)
            }
            Err(error) if self.known().is_empty() => Err(Arc::new(TriggerError::Specs(Box::new(error)))),
            Err(error) => {
                tracing::warn!(trigger = self.label, error = %error, "the source does not say its metrics; those of before stay");
                Ok(self.known().to_vec())
            }
        }
    }

    /// Its scaler, built if there is none, or if it is not fresh. Only one at a time builds it.
    pub(super) async fn scaler(
        &self,
        common: &Common<'_>,
        attempt: Attempt,
    ) -> Result<Arc<dyn Scaler>, Arc<TriggerError>> {
        let mut built = self.built.lock().await;
        let clock = &common.context.clock;
        let is_over = built.until.is_some_and(|until| clock.moment() >= until);
        let is_paused = built.backoff.until().is_some_and(|until| clock.moment() < until);
        if built.rests_on.is_as_it_was(&common.context.caches, &common.user) {
            match &built.scaler {
                Some(Ok(scaler)) if !is_over && (!built.is_stale || is_paused) => return Ok(Arc::clone(scaler)),
                Some(Err(error)) if attempt == Attempt::WhenDue && is_paused => return Err(Arc::clone(error)),
                _ => {}
            }
        }
        let Some(trigger) = common.owner.triggers().get(self.index) else { return Err(Arc::new(TriggerError::Gone)) };
        // Before it is read: a change in between is noticed by the next use.
        built.rests_on = Rest::of(trigger, common);
        let made = build::scaler(common, trigger, self.index).await;
        if built.is_stale || made.is_err() {
            built.backoff.fail(clock.moment());
        }
        built.is_stale = false;
        let made = made.map(|(scaler, until)| {
            built.until = until;
            scaler
        });
        if let Ok(scaler) = &made {
            self.is_active.store(false, Ordering::Release);
            *lock(&self.changes) = scaler.changes();
        }
        built.scaler.insert(made).clone()
    }

    /// Whether it has a scaler.
    pub(super) async fn is_built(&self) -> bool {
        matches!(self.built.lock().await.scaler, Some(Ok(_)))
    }

    /// One reading a metric. Only one at a time reads; who asks meanwhile shares what comes of it.
    pub(super) async fn read(&self, common: &Common<'_>, owner: &Reference, age: Duration) -> Read {
        let clock = &common.context.clock;
        let wanted_at = clock.moment();
        let mut last = self.last.lock().await;
        if let Some(kept) = &*last {
            let is_young =
                self.use_cached_metrics == Some(true) && wanted_at.since(kept.began) <= age && !age.is_zero();
            if kept.ended > wanted_at || is_young {
                return kept.read.clone();
            }
        }
        let began = clock.moment();
        let read = self.read_now(common, age).await;
        let seconds = clock.to_real(clock.elapsed(began)).as_secs_f64();
        self.report(common.context, owner, &read, seconds);
        last.insert(Kept { began, ended: clock.moment(), read }).read.clone()
    }

    async fn read_now(&self, common: &Common<'_>, age: Duration) -> Read {
        let samples = match self.scaler(common, Attempt::WhenDue).await {
            Ok(scaler) => {
                if self.known().is_empty() {
                    // A source that did not say its metrics when it was built may do so now.
                    let _ = self.specs(common, Attempt::WhenDue).await;
                }
                let samples = scaler.read(age).await.map_err(|error| error.to_string());
                self.note(samples.as_ref().is_ok_and(|samples| samples.by_metric.iter().all(|(_, one)| one.is_ok())))
                    .await;
                samples
            }
            Err(error) => Err(error.to_string()),
        };
        let at = samples.as_ref().map_or_else(|_| common.context.clock.now(), |samples| samples.at);
        Read { at, readings: self.readings(samples) }
    }

    /// What a reading says of the scaler: a failed one is built again at its next use, unless that was just done.
    async fn note(&self, is_well: bool) {
        let mut built = self.built.lock().await;
        if is_well {
            built.backoff.reset();
        }
        built.is_stale = !is_well;
    }

    /// One reading for each metric that is known, or else for each that came.
    fn readings(&self, samples: Result<Samples, String>) -> Vec<Reading> {
        let mut outcomes: HashMap<String, Outcome> = HashMap::new();
        let failure = match samples {
            Ok(samples) => {
                for (metric, sample) in samples.by_metric {
                    outcomes.insert(metric, self.outcome(sample));
                }
                "the source gave no value for it".to_owned()
            }
            Err(failure) => failure,
        };
        let each = self.metrics().into_iter().map(|metric| {
            let outcome = outcomes.remove(&metric).unwrap_or_else(|| Outcome::Failed(failure.clone()));
            Reading { trigger: self.label.clone(), metric, outcome }
        });
        each.collect()
    }

    fn outcome(&self, sample: scalers::Result<keda::decision::Sample>) -> Outcome {
        match sample {
            Ok(mut sample) => {
                sample.active |= self.is_active.load(Ordering::Acquire);
                Outcome::Sample(sample)
            }
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }

    fn report(&self, context: &Context, owner: &Reference, read: &Read, seconds: f64) {
        for reading in &read.readings {
            let series = self.series(owner, &reading.metric);
            match &reading.outcome {
                Outcome::Sample(sample) => context.telemetry.read(&series, sample.value, sample.active, seconds),
                Outcome::Failed(_) => context.telemetry.failed(&series),
            }
        }
    }

    /// The metrics that it is known to have. Where nothing is known of them, one that the index alone distinguishes.
    pub(super) fn wanted(&self) -> Vec<Spec> {
        let known = self.known();
        if known.is_empty() {
            return vec![Spec { name: format!("s{}", self.index), target: Target::AverageValue(1.0) }];
        }
        known.to_vec()
    }

    /// Their names.
    pub(super) fn metrics(&self) -> Vec<String> {
        self.wanted().into_iter().map(|spec| spec.name).collect()
    }

    /// What its scaler says by itself, if nobody listens to it yet.
    pub(super) fn take_changes(&self) -> Option<BoxStream<'static, bool>> {
        lock(&self.changes).take()
    }

    pub(super) fn set_active(&self, is_active: bool) {
        self.is_active.store(is_active, Ordering::Release);
    }

    /// The trigger's name if it has one, else what KEDA calls its scaler.
    pub(super) fn series_label(&self) -> &str {
        if self.label == self.kind { scalers::label(&self.kind) } else { &self.label }
    }

    pub(super) fn series<'a>(&'a self, owner: &'a Reference, metric: &'a str) -> Series<'a> {
        Series { object: owner, metric, scaler: self.series_label(), index: self.index }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each is replaced as a whole, so a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
