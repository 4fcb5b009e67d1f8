//! The triggers of each object that has some, for the loop that polls it and for the external metrics API.
//!
//! Each trigger is built when it is used first, and again when the object's generation or an authentication that it was built
//! from is another than then, or after a failure, so that a rotated credential is picked up by the next reading. One that
//! fails does not touch the others. Each replica finds that out by itself when it uses them, whether it leads or not.

mod accepted;
pub(crate) mod age;
mod build;
mod error;
mod rest;
mod trigger;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clock::{Clock, Moment};
use futures::future::join_all;
use futures::stream::BoxStream;
use jiff::Timestamp;
use keda::decision::Reading;
use keda::metric::Spec;
use keda::naming::COMPOSITE_METRIC;
use tokio::sync::broadcast::error::RecvError;

use self::accepted::Accepted;
use self::build::Common;
pub(crate) use self::error::{TriggerError, TriggersError};
use self::trigger::{Attempt, Trigger};
use crate::caches::Change;
use crate::context::Context;
use crate::key::Reference;
use crate::owner::{self, Owner, Revision, SCALED_JOB, SCALED_OBJECT};
use crate::telemetry::Series;

/// The triggers by object.
#[derive(Default)]
pub(crate) struct Sources {
    triggers: Mutex<HashMap<Reference, Arc<Triggers>>>,
    /// The specs that were in order last.
    pub(crate) accepted: Accepted,
}

/// The triggers of one object at one generation.
pub(crate) struct Triggers {
    owner: Reference,
    of: Revision,
    all: Box<[Trigger]>,
    /// A formula makes one metric of all of them.
    has_formula: bool,
    /// When the target was woken up last. What was read before is not for the HPA, which begins to count then.
    woken: Mutex<Option<Moment>>,
}

impl Sources {
    /// The triggers of `owner` at its generation.
    pub(crate) fn of(&self, context: &Context, owner: &dyn Owner) -> Arc<Triggers> {
        let (reference, of) = (owner::reference(owner), owner::revision(owner));
        let mut held = self.lock();
        let before = held.get(&reference);
        if let Some(before) = before.filter(|before| before.of == of) {
            return Arc::clone(before);
        }
        let same = before.filter(|before| before.of.0 == of.0);
        let triggers = owner.triggers().iter().enumerate();
        // cpu and memory are the HPA's own to read.
        let external = triggers.filter(|(_, trigger)| !trigger.is_resource());
        let all = external.map(|(index, trigger)| {
            let before = same.and_then(|before| before.all.iter().find(|one| one.index == index));
            Trigger::new(trigger, index, &reference, before)
        });
        let made = Arc::new(Triggers {
            owner: reference.clone(),
            of,
            all: all.collect(),
            has_formula: owner.has_formula(),
            woken: Mutex::default(),
        });
        if let Some(before) = held.insert(reference, Arc::clone(&made)) {
            before.retire(context, &made);
        }
        made
    }

    /// Drops everything about the object, its numbers in the telemetry included.
    pub(crate) fn forget(&self, context: &Context, reference: &Reference) {
        if reference.kind == SCALED_OBJECT {
            self.accepted.forget(&reference.key);
            context.failures.forget(&reference.key);
        }
        context.caches.inputs.forget(reference);
        self.lock().remove(reference);
        context.telemetry.forget(reference);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Reference, Arc<Triggers>>> {
        // The map is consistent between any two of its operations, so a panic elsewhere does not spoil it.
        self.triggers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops what was built for objects that are gone. Each replica does it, since each answers for metrics; it never ends.
pub(crate) async fn sweep(context: Arc<Context>) {
    let mut changes = context.caches.subscribe();
    loop {
        match changes.recv().await {
            Ok(Change::ScaledObject(key)) => drop_if_gone(&context, &Reference { kind: SCALED_OBJECT, key }),
            Ok(Change::ScaledJob(key)) => drop_if_gone(&context, &Reference { kind: SCALED_JOB, key }),
            Ok(
                Change::Autoscaler(_)
                | Change::Health(_)
                | Change::Inputs { .. }
                | Change::Credentials(_)
                | Change::Consumers(_),
            ) => {}
            Err(RecvError::Lagged(_)) => {
                let held: Vec<_> = context.sources.lock().keys().cloned().collect();
                for reference in held {
                    drop_if_gone(&context, &reference);
                }
            }
            Err(RecvError::Closed) => return,
        }
    }
}

fn drop_if_gone(context: &Context, reference: &Reference) {
    if !context.caches.has_owner(reference) {
        context.sources.forget(context, reference);
    }
}

impl Triggers {
    /// The external metrics of all triggers in their order, and which triggers cannot be built, with the reasons. What is not built is
    /// built now, whenever it failed before. The metrics of one that cannot be built are those that it is known to have, else one that
    /// nobody can read, so that the HPA scales nothing in by the others alone.
    pub(crate) async fn specs(&self, context: &Context, owner: &dyn Owner) -> (Vec<Spec>, Option<TriggersError>) {
        let common = Common::new(context, owner);
        let each = self.all.iter().map(|trigger| trigger.specs(&common, Attempt::Now));
        let (mut specs, mut errors) = (Vec::new(), Vec::new());
        for (trigger, found) in self.all.iter().zip(join_all(each).await) {
            match found {
                Ok(found) => specs.extend(found),
                Err(error) => {
                    specs.extend(trigger.wanted());
                    errors.push((trigger.index, trigger.label.clone(), error));
                }
            }
        }
        (specs, (!errors.is_empty()).then_some(TriggersError(errors)))
    }

    /// The types of the triggers whose scalers are built.
    pub(crate) async fn built(&self) -> Vec<&str> {
        let are_built = join_all(self.all.iter().map(Trigger::is_built)).await;
        self.all
            .iter()
            .zip(are_built)
            .filter(|(_, is_built)| *is_built)
            .map(|(trigger, _)| trigger.kind.as_str())
            .collect()
    }

    /// Reads every metric, all at the same time. What was read at most `age` ago will do. A failure makes the next call build
    /// the trigger again.
    pub(crate) async fn read(&self, context: &Context, owner: &dyn Owner, age: Duration) -> Vec<Reading> {
        let common = Common::new(context, owner);
        let read = join_all(self.all.iter().map(|trigger| trigger.read(&common, &self.owner, age))).await;
        read.into_iter().flat_map(|read| read.readings).collect()
    }

    /// One metric for the HPA of an object that is polled each `polling`, and when it was read: for a trigger with
    /// `useCachedMetrics` what was read last, by a poll or for another request, if that is not older than `polling`; without,
    /// what was read a moment ago ([`age::shared`]); else now. `None` if no trigger gives a metric of that name.
    pub(crate) async fn metric(
        &self,
        context: &Context,
        owner: &dyn Owner,
        name: &str,
        polling: Duration,
    ) -> Option<(Spec, Timestamp, Reading)> {
        let common = Common::new(context, owner);
        for trigger in &self.all {
            if trigger.known().is_empty() {
                let _ = trigger.specs(&common, Attempt::WhenDue).await;
            }
        }
        let (trigger, spec) = self.all.iter().find_map(|trigger| {
            let spec = trigger.known().iter().find(|spec| spec.name.eq_ignore_ascii_case(name))?.clone();
            Some((trigger, spec))
        })?;
        let read = trigger.read(&common, &self.owner, self.age(trigger, context, polling)).await;
        let reading = read.readings.into_iter().find(|reading| reading.metric == spec.name)?;
        Some((spec, read.at, reading))
    }

    /// All metrics for the HPA's request of what a formula makes of them, and when the oldest was read. The ages are those of
    /// [`Self::metric`].
    pub(crate) async fn metrics(
        &self,
        context: &Context,
        owner: &dyn Owner,
        polling: Duration,
    ) -> (Vec<Reading>, Timestamp) {
        let common = Common::new(context, owner);
        let each =
            self.all.iter().map(|trigger| trigger.read(&common, &self.owner, self.age(trigger, context, polling)));
        let all = join_all(each).await;
        let oldest = all.iter().map(|read| read.at).min().unwrap_or_else(|| context.clock.now());
        (all.into_iter().flat_map(|read| read.readings).collect(), oldest)
    }

    /// How old the value of a trigger may be for the HPA of an object that is polled each `polling`.
    fn age(&self, trigger: &Trigger, context: &Context, polling: Duration) -> Duration {
        match trigger.use_cached_metrics {
            Some(true) => polling,
            Some(false) => Duration::ZERO,
            None => age::shared(polling).min(self.since_woken(&context.clock)),
        }
    }

    /// The target was woken up.
    pub(crate) fn wake_up(&self, now: Moment) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    fn since_woken(&self, clock: &Clock) -> Duration {
        let woken = *self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        // What was read in that very moment led to it, and is of before.
        woken.map_or(Duration::MAX, |woken| clock.elapsed(woken).saturating_sub(Duration::from_millis(1)))
    }

    /// What triggers that were built since the last call say by themselves, by their index: whether they are active. A new one
    /// takes the place of the one before it.
    pub(crate) fn new_changes(&self) -> Vec<(usize, BoxStream<'static, bool>)> {
        let each = self.all.iter().filter_map(|trigger| Some((trigger.index, trigger.take_changes()?)));
        each.collect()
    }

    /// The trigger at `index` says that it is active, or not. The next reading takes that into account.
    pub(crate) fn set_active(&self, index: usize, is_active: bool) {
        if let Some(trigger) = self.all.iter().find(|trigger| trigger.index == index) {
            trigger.set_active(is_active);
        }
    }

    /// Removes the numbers of these triggers from the telemetry, those apart that their `successors` have too.
    fn retire(&self, context: &Context, successors: &Self) {
        if self.has_formula && !successors.has_formula {
            context.telemetry.retire(&composite_series(&self.owner));
        }
        for trigger in &self.all {
            let same = successors.all.iter().find(|one| one.index == trigger.index);
            let same = same.filter(|one| one.series_label() == trigger.series_label());
            let kept = same.map(Trigger::metrics).unwrap_or_default();
            for metric in trigger.metrics().iter().filter(|metric| !kept.contains(metric)) {
                context.telemetry.retire(&trigger.series(&self.owner, metric));
            }
        }
    }
}

/// The numbers of the metric that a formula makes, as KEDA names them.
pub(crate) fn composite_series(owner: &Reference) -> Series<'_> {
    Series { object: owner, metric: COMPOSITE_METRIC, scaler: COMPOSITE_METRIC, index: 0 }
}

#[cfg(test)]
mod tests;
