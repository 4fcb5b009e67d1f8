//! The triggers of each ScaledObject as they were last built, for the scale loop and for the external metrics API.
//!
//! Triggers are built independently: one that cannot be built fails alone. They are built again when the object's
//! generation changes, when something that they were built from has changed, and after a failure, so that a rotated
//! credential is picked up by the next reading.

mod error;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::PodSpec;
use keda::api::{IdentityOwner, PodIdentityProvider, ScaleTriggers, ScaledObject, ScaledObjectSpec};
use keda::decision::{Outcome, Reading};
use keda::metric::Spec;
use scalers::{Scaler, Workload};

pub(crate) use self::error::{TriggerError, TriggersError};
use crate::authentication;
use crate::caches::Key;
use crate::context::Context;
use crate::environment::Environment;
use crate::target::Target;
use crate::telemetry::Series;

/// What was built, by ScaledObject.
#[derive(Default)]
pub(crate) struct Sources(Mutex<Built>);

#[derive(Default)]
struct Built {
    triggers: HashMap<Key, Arc<Triggers>>,
    /// Counts, per object, what has made its triggers out of date: what is built meanwhile rests on what was before.
    changes: HashMap<Key, u64>,
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
    stale: AtomicBool,
    all: Vec<Trigger>,
}

struct Trigger {
    index: usize,
    /// The trigger's name if it has one, else its type.
    label: String,
    kind: String,
    is_cached: bool,
    scaler: Result<Box<dyn Scaler>, Arc<TriggerError>>,
    last: Mutex<HashMap<String, (Timestamp, Outcome)>>,
}

impl Sources {
    /// The triggers of `object`, built if they are not there or not fresh.
    pub(crate) async fn of(&self, context: &Context, object: &ScaledObject) -> Arc<Triggers> {
        let key = Key::of(&object.metadata);
        let of = version(object);
        let (held, before) = {
            let mut built = self.lock();
            (built.triggers.get(&key).cloned(), *built.changes.entry(key.clone()).or_default())
        };
        if let Some(held) = held.filter(|held| held.of == of && !held.stale.load(Ordering::Acquire)) {
            return held;
        }
        let built = Arc::new(Triggers { of, stale: AtomicBool::new(false), all: build(context, object).await });
        self.keep(key, before, &built);
        built
    }

    /// Keeps what was built since `before`. What it rests on may have changed meanwhile: then it serves once.
    fn keep(&self, key: Key, before: u64, built: &Arc<Triggers>) {
        let mut held = self.lock();
        match held.changes.get(&key) {
            // The object was forgotten.
            None => return,
            Some(now) if *now != before => built.stale.store(true, Ordering::Release),
            Some(_) => {}
        }
        held.triggers.insert(key, Arc::clone(built));
    }

    /// What was built for the object, or is being built, is not used any more.
    pub(crate) fn invalidate(&self, key: &Key) {
        let mut built = self.lock();
        if let Some(changes) = built.changes.get_mut(key) {
            *changes += 1;
        }
        if let Some(held) = built.triggers.get(key) {
            held.stale.store(true, Ordering::Release);
        }
    }

    /// The object is in order as it is: its spec is in force until the next one is.
    pub(crate) fn accept(&self, object: &ScaledObject) {
        let spec = Arc::new(object.spec.clone());
        self.lock().accepted.insert(Key::of(&object.metadata), Accepted { of: version(object), spec });
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

    /// Drops what was built for the object.
    pub(crate) fn forget(&self, key: &Key) -> Option<Arc<Triggers>> {
        let mut built = self.lock();
        built.changes.remove(key);
        built.accepted.remove(key);
        built.triggers.remove(key)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Built> {
        // The maps are consistent between any two of their operations, so a panic elsewhere does not spoil them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn version(object: &ScaledObject) -> (Option<String>, Option<i64>) {
    (object.metadata.uid.clone(), object.metadata.generation)
}

impl Triggers {
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
                Ok(scaler) => specs.extend(scaler.metric_specs()),
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

    /// One metric for the HPA, and when it was read: from the last poll for a trigger with `useCachedMetrics`, else now.
    /// `None` if no trigger gives a metric of that name.
    pub(crate) async fn metric(&self, context: &Context, key: &Key, name: &str) -> Option<(Spec, Timestamp, Reading)> {
        let (trigger, spec) = self.all.iter().find_map(|trigger| {
            let specs = trigger.scaler.as_ref().ok()?.metric_specs();
            Some((trigger, specs.into_iter().find(|spec| spec.name.eq_ignore_ascii_case(name))?))
        })?;
        let cached = trigger.is_cached.then(|| trigger.last().get(&spec.name).cloned()).flatten();
        if let Some((at, outcome)) = cached {
            let reading = Reading { trigger: trigger.label.clone(), metric: spec.name.clone(), outcome };
            return Some((spec, at, reading));
        }
        let reading = trigger.read_one(context, key, &spec.name).await;
        if reading.error().is_some() {
            self.stale.store(true, Ordering::Release);
        }
        Some((spec, context.clock.now(), reading))
    }

    /// Removes the numbers of these triggers from the telemetry.
    pub(crate) fn retire(&self, context: &Context, key: &Key) {
        let specs: Vec<_> = self
            .all
            .iter()
            .flat_map(|trigger| {
                let specs = trigger.scaler.as_ref().map(|scaler| scaler.metric_specs()).unwrap_or_default();
                specs.into_iter().map(move |spec| (trigger, spec.name))
            })
            .collect();
        let series: Vec<_> = specs.iter().map(|(trigger, metric)| trigger.series(key, metric)).collect();
        context.telemetry.forget(key, &series);
    }
}

impl Trigger {
    async fn read(&self, context: &Context, key: &Key) -> Vec<Reading> {
        match &self.scaler {
            Ok(scaler) => {
                let specs = scaler.metric_specs();
                join_all(specs.iter().map(|spec| self.read_one(context, key, &spec.name))).await
            }
            Err(error) => {
                // Its metric has no name yet; the index alone distinguishes it.
                let metric = format!("s{}", self.index);
                context.telemetry.failed(&self.series(key, &metric));
                vec![Reading { trigger: self.label.clone(), metric, outcome: Outcome::Failed(error.to_string()) }]
            }
        }
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
            self.last().insert(metric.to_owned(), (context.clock.now(), outcome.clone()));
        }
        Reading { trigger: self.label.clone(), metric: metric.to_owned(), outcome }
    }

    fn series<'a>(&'a self, object: &'a Key, metric: &'a str) -> Series<'a> {
        Series { object, metric, scaler: &self.label, index: self.index }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Timestamp, Outcome)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What all triggers of one object have in common.
struct Common {
    namespace: String,
    pods: Option<PodSpec>,
    environment: Environment,
}

async fn build(context: &Context, object: &ScaledObject) -> Vec<Trigger> {
    let common = common(context, object).await.map_err(Arc::new);
    let triggers = object.spec.triggers.iter().enumerate().map(async |(index, trigger)| {
        let scaler = match &common {
            Ok(common) => scaler(context, common, trigger, index).await.map_err(Arc::new),
            Err(error) => Err(Arc::clone(error)),
        };
        let named = trigger.name.as_deref().filter(|name| !name.is_empty());
        Trigger {
            index,
            label: named.unwrap_or(&trigger.type_).to_owned(),
            kind: trigger.type_.clone(),
            is_cached: trigger.use_cached_metrics == Some(true),
            scaler,
            last: Mutex::default(),
        }
    });
    join_all(triggers).await
}

async fn common(context: &Context, object: &ScaledObject) -> Result<Common, TriggerError> {
    let namespace = object.metadata.namespace.clone().unwrap_or_default();
    let target = Target::resolve(&context.client, object).await.map_err(TriggerError::Target)?;
    let pods = target.pod_template().await.map_err(TriggerError::Target)?.and_then(|template| template.spec);
    let wanted = object.spec.scale_target_ref.env_source_container_name.as_deref();
    let environment = match authentication::container(pods.as_ref(), wanted)? {
        Some(container) => Environment::resolve(&context.client, &namespace, container).await,
        None => Environment::default(),
    };
    Ok(Common { namespace, pods, environment })
}

async fn scaler(
    context: &Context,
    common: &Common,
    trigger: &ScaleTriggers,
    index: usize,
) -> Result<Box<dyn Scaler>, TriggerError> {
    let Common { namespace, pods, environment } = common;
    let reference = trigger.authentication_ref.as_ref();
    let found = authentication::resolve(context, namespace, reference, pods.as_ref()).await?;
    let by_workload = found.pod_identity.as_ref().is_some_and(|identity| {
        let owner = identity.identity_owner.unwrap_or_default();
        let provider = identity.provider;
        provider == PodIdentityProvider::AwsEks
            || (provider == PodIdentityProvider::Aws && owner == IdentityOwner::Workload)
    });
    let workload = if by_workload {
        authentication::workload(context, namespace, pods.as_ref()).await?
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
    scalers::build(trigger, index, &resolved).map_err(|error| TriggerError::Scaler {
        error: Box::new(error),
        problems: found.problems.iter().chain(&environment.problems).cloned().collect(),
        is_self_contained: is_self_contained(trigger),
    })
}

/// Whether the trigger says all about itself: neither the target's environment nor an authentication adds to it.
fn is_self_contained(trigger: &ScaleTriggers) -> bool {
    let reference = trigger.authentication_ref.as_ref();
    reference.is_none_or(|reference| reference.name.is_empty())
        && !trigger.metadata.keys().any(|key| key.ends_with("FromEnv"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(sources: &Sources, key: &Key) -> u64 {
        *sources.lock().changes.entry(key.clone()).or_default()
    }

    fn built() -> Arc<Triggers> {
        Arc::new(Triggers { of: (None, Some(1)), stale: AtomicBool::new(false), all: Vec::new() })
    }

    #[test]
    fn what_is_built_while_its_sources_change_serves_once() {
        let (sources, key) = (Sources::default(), Key::new("n", "so"));
        let before = begin(&sources, &key);
        // A Secret changes between the read of its old form and the end of the building.
        sources.invalidate(&key);
        let made = built();
        sources.keep(key.clone(), before, &made);
        assert!(made.stale.load(Ordering::Acquire));
        let (before, made) = (begin(&sources, &key), built());
        sources.keep(key, before, &made);
        assert!(!made.stale.load(Ordering::Acquire));
    }

    #[test]
    fn what_is_built_for_an_object_that_was_forgotten_is_not_kept() {
        let (sources, key) = (Sources::default(), Key::new("n", "so"));
        let before = begin(&sources, &key);
        assert!(sources.forget(&key).is_none());
        sources.keep(key.clone(), before, &built());
        assert!(sources.forget(&key).is_none());
    }
}
