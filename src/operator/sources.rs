//! The triggers of each ScaledObject as they were last built, for the scale loop and for the external metrics API.
//!
//! Triggers are built independently: one that cannot be built fails alone. They are built again when the object's
//! generation or an authentication that they were built from is another than then, and after a failure, so that a rotated
//! credential is picked up by the next reading. Each replica finds that out by itself when it uses them, whether it leads
//! or not.

mod error;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clock::Moment;
use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::PodSpec;
use keda::api::{IdentityOwner, PodIdentityProvider, ScaleTriggers, ScaledObject, ScaledObjectSpec};
use keda::decision::{Outcome, Reading};
use keda::metric::Spec;
use scalers::{Scaler, Workload};
use tokio::sync::broadcast::error::RecvError;

pub(crate) use self::error::{TriggerError, TriggersError};
use crate::authentication;
use crate::caches::{Change, Key, Version};
use crate::context::Context;
use crate::environment::Environment;
use crate::target::Target;
use crate::telemetry::Series;
use crate::users::{self, Reference};

/// What was built, by ScaledObject.
#[derive(Default)]
pub(crate) struct Sources(Mutex<Built>);

#[derive(Default)]
struct Built {
    triggers: HashMap<Key, Arc<Triggers>>,
    /// Objects whose triggers were asked for since they were forgotten last.
    wanted: HashSet<Key>,
    /// The spec that was in order last, by ScaledObject.
    accepted: HashMap<Key, Accepted>,
}

/// A spec that was found in order, and of which object and generation it was.
struct Accepted {
    of: (Option<String>, Option<i64>),
    spec: Arc<ScaledObjectSpec>,
}

/// The triggers of one ScaledObject at one generation.
pub(crate) struct Triggers {
    of: (Option<String>, Option<i64>),
    /// The authentications that they were built from, as they were before.
    rests_on: Vec<(Reference, Option<Version>)>,
    stale: AtomicBool,
    all: Vec<Trigger>,
}

struct Trigger {
    index: usize,
    /// The trigger's name if it has one, else its type.
    label: String,
    kind: String,
    is_cached: bool,
    /// Its external metrics: those of its scaler, else what they were when it could be built last, else what its metadata
    /// alone say. Empty if nothing is known.
    specs: Vec<Spec>,
    scaler: Result<Box<dyn Scaler>, Arc<TriggerError>>,
    /// What was read last, and when.
    last: Mutex<HashMap<String, Read>>,
}

/// What came of reading a metric, and when that was.
#[derive(Clone)]
struct Read {
    moment: Moment,
    at: Timestamp,
    outcome: Outcome,
}

impl Sources {
    /// The triggers of `object`, built if they are not there or not fresh.
    pub(crate) async fn of(&self, context: &Context, object: &ScaledObject) -> Arc<Triggers> {
        let key = Key::of(&object.metadata);
        let of = version(object);
        let held = {
            let mut built = self.lock();
            built.wanted.insert(key.clone());
            built.triggers.get(&key).cloned()
        };
        if let Some(held) = held.filter(|held| held.of == of && held.is_fresh(context)) {
            return held;
        }
        let rests_on = users::references(object).into_iter().map(|one| (context.caches.version(&one), one));
        let rests_on = rests_on.map(|(version, one)| (one, version)).collect();
        let before = self.lock().triggers.get(&key).filter(|before| before.of == of).cloned();
        let all = build(context, object, before.as_deref()).await;
        let built = Arc::new(Triggers { of, rests_on, stale: AtomicBool::new(false), all });
        if let Some(before) = self.keep(key.clone(), &built) {
            before.retire(context, &key, Some(&built));
        }
        built
    }

    /// Keeps what was built, unless the object was forgotten meanwhile. Returns what it replaces.
    fn keep(&self, key: Key, built: &Arc<Triggers>) -> Option<Arc<Triggers>> {
        let mut held = self.lock();
        if held.wanted.contains(&key) { held.triggers.insert(key, Arc::clone(built)) } else { None }
    }

    /// The object is in order as it is: its spec is in force until the next one is.
    pub(crate) fn accept(&self, object: &ScaledObject) {
        let spec = Arc::new(object.spec.clone());
        self.lock().accepted.insert(Key::of(&object.metadata), Accepted { of: version(object), spec });
    }

    /// Somebody else scales the object's target: the last spec that was in order is in force no more if it has the same one.
    pub(crate) fn give_way(&self, object: &ScaledObject) {
        let key = Key::of(&object.metadata);
        let mut built = self.lock();
        let target = &object.spec.scale_target_ref;
        if built.accepted.get(&key).is_some_and(|accepted| accepted.spec.scale_target_ref == *target) {
            built.accepted.remove(&key);
        }
    }

    /// The object with the spec that is in force: its own if that is in order, else the last one that was. `None` if none
    /// was since this process looks after the object: then nothing can be decided for it.
    pub(crate) fn in_force(&self, object: &Arc<ScaledObject>) -> Option<Arc<ScaledObject>> {
        let built = self.lock();
        let accepted = built.accepted.get(&Key::of(&object.metadata))?;
        let (uid, generation) = version(object);
        if accepted.of == (uid.clone(), generation) {
            return Some(Arc::clone(object));
        }
        let (accepted_uid, generation) = &accepted.of;
        if *accepted_uid != uid {
            return None;
        }
        let mut in_force = ScaledObject::clone(object);
        in_force.metadata.generation = *generation;
        in_force.spec.clone_from(&accepted.spec);
        Some(Arc::new(in_force))
    }

    /// Drops everything about the object, its numbers in the telemetry included.
    pub(crate) fn forget(&self, context: &Context, key: &Key) {
        let dropped = {
            let mut built = self.lock();
            built.wanted.remove(key);
            built.accepted.remove(key);
            built.triggers.remove(key)
        };
        if let Some(triggers) = dropped {
            triggers.retire(context, key, None);
        }
        context.telemetry.forget(key);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Built> {
        // The maps are consistent between any two of their operations, so a panic elsewhere does not spoil them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn version(object: &ScaledObject) -> (Option<String>, Option<i64>) {
    (object.metadata.uid.clone(), object.metadata.generation)
}

/// Drops what was built for objects that are gone. Each replica does it, since each answers for metrics; it never ends.
pub(crate) async fn sweep(context: &Context) {
    let mut changes = context.caches.subscribe();
    loop {
        match changes.recv().await {
            Ok(Change::ScaledObject(key)) => drop_if_gone(context, &key),
            Ok(Change::Autoscaler(_) | Change::Health(_) | Change::Credentials(_) | Change::Consumers(_)) => {}
            Err(RecvError::Lagged(_)) => {
                let held: Vec<_> = context.sources.lock().wanted.iter().cloned().collect();
                for key in &held {
                    drop_if_gone(context, key);
                }
            }
            Err(RecvError::Closed) => return,
        }
    }
}

fn drop_if_gone(context: &Context, key: &Key) {
    if context.caches.scaled_objects.get(key).is_none() {
        context.sources.forget(context, key);
    }
}

impl Triggers {
    /// Whether nothing has failed since they were built, and what they were built from is as it was.
    fn is_fresh(&self, context: &Context) -> bool {
        let is_as_it_was = |(one, version): &(Reference, Option<Version>)| context.caches.version(one) == *version;
        !self.stale.load(Ordering::Acquire) && self.rests_on.iter().all(is_as_it_was)
    }

    /// The external metrics of all triggers in their order.
    ///
    /// # Errors
    ///
    /// Every trigger that could not be built, with the reason. The next call of [`Sources::of`] builds them again.
    pub(crate) fn specs(&self) -> Result<Vec<Spec>, TriggersError> {
        let mut specs = Vec::new();
        let mut errors = Vec::new();
        for trigger in &self.all {
            match &trigger.scaler {
                Ok(_) => specs.extend(trigger.specs.iter().cloned()),
                Err(error) => errors.push((trigger.index, trigger.label.clone(), Arc::clone(error))),
            }
        }
        if errors.is_empty() {
            return Ok(specs);
        }
        self.stale.store(true, Ordering::Release);
        Err(TriggersError(errors))
    }

    /// The types of the triggers that were built.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &str> {
        self.all.iter().filter(|trigger| trigger.scaler.is_ok()).map(|trigger| trigger.kind.as_str())
    }

    /// Reads every metric once, all at the same time. A failure makes the next call build the triggers again.
    pub(crate) async fn read(&self, context: &Context, key: &Key) -> Vec<Reading> {
        let readings: Vec<_> = join_all(self.all.iter().map(|trigger| trigger.read(context, key))).await;
        let readings: Vec<_> = readings.into_iter().flatten().collect();
        if readings.iter().any(|reading| reading.error().is_some()) {
            self.stale.store(true, Ordering::Release);
        }
        readings
    }

    /// One metric for the HPA, and when it was read: for a trigger with `useCachedMetrics` what was read last, by a poll or
    /// for another request, if that is not older than `age`; else now. `None` if no trigger gives a metric of that name.
    pub(crate) async fn metric(
        &self,
        context: &Context,
        key: &Key,
        name: &str,
        age: Duration,
    ) -> Option<(Spec, Timestamp, Reading)> {
        let (trigger, spec) = self.all.iter().find_map(|trigger| {
            let spec = trigger.specs.iter().find(|spec| spec.name.eq_ignore_ascii_case(name))?;
            Some((trigger, spec.clone()))
        })?;
        let cached = trigger.is_cached.then(|| trigger.last().get(&spec.name).cloned()).flatten();
        if let Some(read) = cached.filter(|read| context.clock.elapsed(read.moment) <= age) {
            let reading = Reading { trigger: trigger.label.clone(), metric: spec.name.clone(), outcome: read.outcome };
            return Some((spec, read.at, reading));
        }
        let reading = trigger.read_one(context, key, &spec.name).await;
        if reading.error().is_some() {
            self.stale.store(true, Ordering::Release);
        }
        Some((spec, context.clock.now(), reading))
    }

    /// Removes the numbers of these triggers from the telemetry, those apart that their `successors` have too.
    fn retire(&self, context: &Context, key: &Key, successors: Option<&Self>) {
        let names = |triggers: &Self| -> HashSet<(usize, String, String)> {
            let each = triggers.all.iter().flat_map(|trigger| {
                trigger.metrics().into_iter().map(|metric| (trigger.index, trigger.series_label().to_owned(), metric))
            });
            each.collect()
        };
        let kept = successors.map(names).unwrap_or_default();
        for (index, label, metric) in names(self).difference(&kept) {
            context.telemetry.retire(&Series { object: key, metric, scaler: label, index: *index });
        }
    }
}

impl Trigger {
    /// The names of its metrics. Where nothing is known of them, the index alone distinguishes it.
    fn metrics(&self) -> Vec<String> {
        if self.specs.is_empty() {
            return vec![format!("s{}", self.index)];
        }
        self.specs.iter().map(|spec| spec.name.clone()).collect()
    }

    async fn read(&self, context: &Context, key: &Key) -> Vec<Reading> {
        let metrics = self.metrics();
        join_all(metrics.iter().map(|metric| self.read_one(context, key, metric))).await
    }

    async fn read_one(&self, context: &Context, key: &Key, metric: &str) -> Reading {
        let started = context.clock.moment();
        let read = match &self.scaler {
            Ok(scaler) => scaler.metrics_and_activity(metric).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let seconds = context.clock.to_real(context.clock.elapsed(started)).as_secs_f64();
        let series = self.series(key, metric);
        let outcome = match read {
            Ok(sample) => {
                context.telemetry.read(&series, sample.value, sample.active, seconds);
                Outcome::Sample(sample)
            }
            Err(error) => {
                context.telemetry.failed(&series);
                Outcome::Failed(error)
            }
        };
        if self.is_cached {
            let read = Read { moment: started, at: context.clock.now(), outcome: outcome.clone() };
            self.last().insert(metric.to_owned(), read);
        }
        Reading { trigger: self.label.clone(), metric: metric.to_owned(), outcome }
    }

    /// The trigger's name if it has one, else what KEDA calls its scaler.
    fn series_label(&self) -> &str {
        if self.label == self.kind { scalers::label(&self.kind) } else { &self.label }
    }

    fn series<'a>(&'a self, object: &'a Key, metric: &'a str) -> Series<'a> {
        Series { object, metric, scaler: self.series_label(), index: self.index }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, HashMap<String, Read>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What all triggers of one object have in common. What cannot be read of it concerns only a trigger that asks for it.
struct Common {
    namespace: String,
    /// The target's pods; `None` where its kind has no template.
    pods: Result<Option<PodSpec>, Arc<TriggerError>>,
    environment: Result<Environment, Arc<TriggerError>>,
}

impl Common {
    fn pods(&self) -> Result<Option<&PodSpec>, Arc<TriggerError>> {
        self.pods.as_ref().map(Option::as_ref).map_err(Arc::clone)
    }
}

async fn build(context: &Context, object: &ScaledObject, before: Option<&Triggers>) -> Vec<Trigger> {
    let common = common(context, object).await;
    // cpu and memory are the HPA's own to read.
    let external = object.spec.triggers.iter().enumerate().filter(|(_, trigger)| !trigger.is_resource());
    let triggers = external.map(async |(index, trigger)| {
        let named = trigger.name.as_deref().filter(|name| !name.is_empty());
        let scaler = scaler(context, &common, trigger, index).await;
        let remembered = before.and_then(|before| before.all.iter().find(|one| one.index == index));
        let remembered = remembered.map(|one| one.specs.clone()).filter(|specs| !specs.is_empty());
        let specs = match &scaler {
            Ok(scaler) => scaler.metric_specs(),
            Err(_) => remembered.unwrap_or_else(|| scalers::specs(trigger, index)),
        };
        Trigger {
            index,
            label: named.unwrap_or(&trigger.type_).to_owned(),
            kind: trigger.type_.clone(),
            is_cached: trigger.use_cached_metrics == Some(true),
            specs,
            scaler,
            last: Mutex::default(),
        }
    });
    join_all(triggers).await
}

async fn common(context: &Context, object: &ScaledObject) -> Common {
    let namespace = object.metadata.namespace.clone().unwrap_or_default();
    let pods = async {
        let target = Target::resolve(&context.client, object).await?;
        Ok(target.pod_template().await?.and_then(|template| template.spec))
    };
    let pods = pods.await.map_err(|error| Arc::new(TriggerError::Target(error)));
    let wanted = object.spec.scale_target_ref.env_source_container_name.as_deref();
    let environment = match pods.as_ref().map(|pods| authentication::container(pods.as_ref(), wanted)) {
        Ok(Ok(Some(container))) => Ok(Environment::resolve(&context.values, &namespace, container).await),
        Ok(Ok(None)) => Ok(Environment::default()),
        Ok(Err(error)) => Err(Arc::new(error)),
        Err(error) => Err(Arc::clone(error)),
    };
    Common { namespace, pods, environment }
}

async fn scaler(
    context: &Context,
    common: &Common,
    trigger: &ScaleTriggers,
    index: usize,
) -> Result<Box<dyn Scaler>, Arc<TriggerError>> {
    let namespace = &common.namespace;
    let empty = Environment::default();
    let environment = match &common.environment {
        Ok(environment) => environment,
        Err(error) if reads_environment(trigger) => return Err(Arc::clone(error)),
        Err(_) => &empty,
    };
    let reference = trigger.authentication_ref.as_ref();
    let found = authentication::resolve(context, namespace, reference, || common.pods()).await?;
    let by_workload = found.pod_identity.as_ref().is_some_and(|identity| {
        let owner = identity.identity_owner.unwrap_or_default();
        let provider = identity.provider;
        provider == PodIdentityProvider::AwsEks
            || (provider == PodIdentityProvider::Aws && owner == IdentityOwner::Workload)
    });
    let workload = if by_workload {
        authentication::workload(context, namespace, common.pods()?).await?
    } else {
        Workload::default()
    };
    let resolved = scalers::Context {
        identities: Arc::clone(&context.identities),
        environment: environment.variables.clone(),
        authentication: found.parameters,
        pod_identity: found.pod_identity,
        workload,
    };
    scalers::build(trigger, index, &resolved).map_err(|error| {
        Arc::new(TriggerError::Scaler {
            error: Box::new(error),
            problems: found.problems.iter().chain(&environment.problems).cloned().collect(),
            is_self_contained: is_self_contained(trigger),
        })
    })
}

/// Whether the trigger names a variable of the target's environment.
fn reads_environment(trigger: &ScaleTriggers) -> bool {
    trigger.metadata.iter().any(|(key, value)| key.ends_with("FromEnv") && !value.trim().is_empty())
}

/// Whether the trigger says all about itself: neither the target's environment nor an authentication adds to it.
fn is_self_contained(trigger: &ScaleTriggers) -> bool {
    let reference = trigger.authentication_ref.as_ref();
    reference.is_none_or(|reference| reference.name.is_empty())
        && !trigger.metadata.keys().any(|key| key.ends_with("FromEnv"))
}

#[cfg(test)]
mod tests;
