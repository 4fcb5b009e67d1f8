//! The object's check: finalizer and label, rules, target, pause, triggers, HPA, status. Order of KEDA
//! (`docs/rules.md#keda-order-of-a-reconcile`).

use keda::api::{Condition, ConditionStatus, ScaledObject, ScaledObjectStatus};
use keda::event::Event;
use keda::pause::{self, Pause};
use keda::{Error, FINALIZER, conditions, naming, validate};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::{Facts, ScaleLoop, autoscaler};
use crate::context::Context;
use crate::error::brief;
use crate::target::Target;

/// Which step failed, in KEDA's words, and why.
struct Problem {
    what: &'static str,
    cause: String,
}

impl Problem {
    fn of<E: ToString>(what: &'static str) -> impl Fn(E) -> Self {
        move |cause| Self { what, cause: cause.to_string() }
    }
}

impl ScaleLoop {
    /// One check of the object, with its outcome written into its status.
    pub(super) async fn reconcile(&mut self, object: &ScaledObject) {
        let context = std::sync::Arc::clone(&self.context);
        let Ok(_permit) = context.reconciles.acquire().await else { return };
        let object = match adopted(&context, object).await {
            Ok(object) => object,
            Err(error) => {
                let message = format!("finalizer and label of {} cannot be written: {}", self.key, brief(&error));
                self.publish(object, Event::update_failed(message)).await;
                return self.failed();
            }
        };
        let mut status = object.status.clone().unwrap_or_default();
        if !conditions::complete(&status.conditions) {
            status.conditions = conditions::initial();
        }
        let was_ready = conditions::status(&status.conditions, conditions::READY) == ConditionStatus::True;
        let outcome = check(&context, &object, &mut status).await;
        let wanted = judged(&outcome, &status);
        for condition in wanted {
            conditions::set(&mut status.conditions, condition);
        }
        let is_written = self.write(&object, &status).await;
        self.context.telemetry.paused(&self.key, matches!(outcome, Ok(Some(_))));
        match outcome {
            Ok(_) if is_written => {
                self.problem = None;
                self.failures = 0;
                self.retry = None;
                self.reconciled = Some(Facts::of(&object));
                self.begin(&object, was_ready).await;
            }
            Ok(_) => self.failed(),
            Err(Problem { what, cause }) => {
                self.context.telemetry.object_failed(&self.key);
                self.problem = Some(format!("{what}: {cause}"));
                self.publish(&object, Event::check_failed(format!("{what}: {cause}"))).await;
                self.failed();
            }
        }
    }

    /// Starts polling, or lets a change take effect at once.
    async fn begin(&mut self, object: &ScaledObject, was_ready: bool) {
        if !self.is_polling {
            self.is_polling = true;
            self.publish(object, Event::watch_started()).await;
            for kind in self.context.sources.of(&self.context, object).await.kinds() {
                self.publish(object, Event::scaler_built(kind)).await;
            }
        }
        if !was_ready {
            self.publish(object, Event::ready()).await;
        }
        self.polled = None;
    }
}

/// The object with our finalizer and label; written only if they are missing.
async fn adopted(context: &Context, object: &ScaledObject) -> kube::Result<ScaledObject> {
    let metadata = &object.metadata;
    let name = metadata.name.clone().unwrap_or_default();
    let mut finalizers = metadata.finalizers.clone().unwrap_or_default();
    let labelled = metadata.labels.as_ref().and_then(|labels| labels.get(naming::SCALED_OBJECT_LABEL)) == Some(&name);
    if labelled && finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
        return Ok(object.clone());
    }
    if !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
        finalizers.push(FINALIZER.to_owned());
    }
    // With the resource version, because a list of finalizers is written whole.
    let patch = json!({ "metadata": {
        "resourceVersion": metadata.resource_version,
        "finalizers": finalizers,
        "labels": { naming::SCALED_OBJECT_LABEL: name },
    } });
    let api: Api<ScaledObject> =
        Api::namespaced(context.client.clone(), metadata.namespace.as_deref().unwrap_or_default());
    api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await
}

/// Every step up to the HPA; what is found goes into `status`. The pause, if the object is paused.
async fn check(
    context: &Context,
    object: &ScaledObject,
    status: &mut ScaledObjectStatus,
) -> Result<Option<Pause>, Problem> {
    validate::scaled_object(&object.spec).map_err(|error| Problem { what: step(&error), cause: error.to_string() })?;
    let annotations = object.metadata.annotations.clone().unwrap_or_default();
    let pause =
        pause::requested(&annotations).map_err(Problem::of("ScaledObject doesn't have correct pause annotations"))?;
    let told = Problem::of("ScaledObject doesn't have correct scaleTargetRef specification");
    let target = Target::resolve(&context.client, object).await.map_err(&told)?;
    let replicas = target.replicas().await.map_err(&told)?;
    status.scale_target_kind = Some(target.resource.scale_target_kind());
    status.scale_target_gvkr = Some(target.resource.clone());
    status.original_replica_count.get_or_insert(replicas);
    if let Some(pause) = pause {
        let name = status.hpa_name.clone().unwrap_or_else(|| naming::hpa(object));
        let removed = autoscaler::remove(context, object, &name).await;
        removed.map_err(Problem::of("failed to pause ScaledObject"))?;
        status.hpa_name = None;
        return Ok(Some(pause));
    }
    status.paused_replica_count = None;
    let told = Problem::of("failed to ensure HPA is correctly created for ScaledObject");
    let metrics = context.sources.of(context, object).await.specs().map_err(&told)?;
    status.hpa_name = Some(autoscaler::ensure(context, object, &target.resource, &metrics).await.map_err(&told)?);
    status.external_metric_names = metrics.into_iter().map(|metric| metric.name).collect();
    let names = &status.external_metric_names;
    status.health.retain(|metric, _| names.contains(metric));
    Ok(None)
}

fn step(error: &Error) -> &'static str {
    match error {
        Error::NoTarget => "ScaledObject doesn't have correct scaleTargetRef specification",
        Error::MinAboveMax { .. } | Error::IdleNotBelowMin { .. } => {
            "ScaledObject doesn't have correct Idle/Min/Max Replica Counts specification"
        }
        _ => "ScaledObject doesn't have correct triggers specification",
    }
}

/// The conditions that follow from a check.
fn judged(outcome: &Result<Option<Pause>, Problem>, status: &ScaledObjectStatus) -> Vec<Condition> {
    match outcome {
        Ok(Some(_)) => vec![conditions::ready_paused(), conditions::paused()],
        Ok(None) => {
            let found = |type_| conditions::find(&status.conditions, type_);
            let was_paused = found(conditions::PAUSED).is_some_and(|found| found.status == ConditionStatus::True);
            // Whether triggers can be read is the polls' to say.
            let is_troubled = found(conditions::READY)
                .is_some_and(|found| matches!(found.reason.as_str(), "TriggerError" | "PartialTriggerError"));
            let ready = (!is_troubled).then(conditions::ready);
            ready.into_iter().chain(was_paused.then(conditions::unpaused)).collect()
        }
        Err(Problem { what, cause }) => {
            vec![conditions::check_failed(what, cause), conditions::activity_unknown()]
        }
    }
}
