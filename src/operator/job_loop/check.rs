//! One check of a ScaledJob, in KEDA's order: finalizer, pause, spec, Jobs of an earlier spec, triggers, status.

use std::sync::Arc;

use keda::api::{ConditionStatus, ScaleTriggers, ScaledJob, ScaledJobStatus};
use keda::event::Event;
use keda::{conditions, job, validate};
use kube::Api;
use kube::api::{Patch, PatchParams, PropagationPolicy};

use super::error::JobError;
use super::{JobLoop, is_paused};
use crate::caches::Text;
use crate::error::is_conflict;
use crate::finalizers;
use crate::phase::Phase;

/// What a check found.
#[derive(Default)]
struct Found {
    /// Jobs may be made from this spec.
    is_accepted: bool,
    /// Names of the external metrics.
    metrics: Option<Vec<String>>,
}

impl JobLoop {
    /// Checks the object, with the outcome written into its status.
    pub(super) async fn check_object(&mut self, object: &Arc<ScaledJob>) {
        let object = match self.adopt(object).await {
            Ok(object) => object,
            // Somebody else has written it meanwhile. That is no fault of the object, and the newer one is on its way.
            Err(JobError::Adopt(error)) if is_conflict(&error) => {
                self.checked = None;
                self.back_off();
                return;
            }
            Err(error) => return self.fail(object, &[error]).await,
        };
        let mut found = Found::default();
        let failed = self.found(&object, &mut found).await.err();
        let wanted = status_after(&object, &found, failed.as_ref());
        let written = self.write(&object, &wanted).await;
        self.report_changes(&object, &wanted).await;
        if found.is_accepted {
            self.accepted = Some(Text::of(&object));
        }
        let errors: Vec<_> = failed.into_iter().chain(written.err()).collect();
        if errors.is_empty() {
            self.backoff.reset();
            self.checked = Some(self.check_of(&object, false));
        } else {
            self.fail(&object, &errors).await;
        }
        if is_paused(&object) {
            // No Job is made or deleted any more either.
            self.phase = Phase::Checking;
            self.stop_watching(&object).await;
        } else if found.is_accepted && (errors.is_empty() || !matches!(self.phase, Phase::Polling { .. })) {
            // What is tried again and again is polled at its interval all the same.
            self.begin(&object).await;
        }
    }

    /// The steps after the finalizer. A failed one ends them.
    async fn found(&self, object: &ScaledJob, found: &mut Found) -> Result<(), JobError> {
        if is_paused(object) {
            return Ok(());
        }
        validate::scaled_job(&self.key.name, &object.spec).map_err(JobError::Spec)?;
        self.roll_out(object).await?;
        let triggers = self.context.sources.of(&self.context, object);
        let (specs, broken) = triggers.specs(&self.context, object).await;
        found.metrics = Some(specs.into_iter().map(|spec| spec.name).collect());
        // The others are read; what is wrong is reported all the same.
        found.is_accepted = true;
        broken.map_or(Ok(()), |broken| Err(JobError::Triggers(broken)))
    }

    async fn adopt(&self, object: &Arc<ScaledJob>) -> Result<Arc<ScaledJob>, JobError> {
        if finalizers::is_held(&object.metadata) {
            return Ok(Arc::clone(object));
        }
        let api: Api<ScaledJob> = Api::namespaced(self.context.client.clone(), &self.key.namespace);
        let patch = Patch::Merge(finalizers::added(&object.metadata));
        api.patch(&self.key.name, &PatchParams::default(), &patch).await.map(Arc::new).map_err(JobError::adopt)
    }

    /// Deletes the Jobs of an earlier spec that have not ended, unless they are to end by themselves.
    async fn roll_out(&self, object: &ScaledJob) -> Result<(), JobError> {
        if object.spec.is_gradual() {
            return Ok(());
        }
        let jobs = self.jobs().await.map_err(JobError::list)?;
        let outdated = job::outdated(&object.metadata, &jobs);
        if outdated.is_empty() {
            return Ok(());
        }
        self.publish(object, Event::rollout_started(outdated.len())).await;
        for job in &outdated {
            let propagation =
                if object.spec.is_foreground() { PropagationPolicy::Foreground } else { PropagationPolicy::Background };
            if let Err(error) = self.delete(job, propagation).await {
                let error = JobError::rollout(job.metadata.name.clone().unwrap_or_default(), error);
                self.publish(object, Event::rollout_failed(error.cause())).await;
                return Err(error);
            }
        }
        self.publish(object, Event::rollout_completed(outdated.len())).await;
        Ok(())
    }

    /// Starts polling, or lets a change take effect at once.
    async fn begin(&mut self, object: &ScaledJob) {
        self.phase = Phase::Polling { last: None };
        if std::mem::replace(&mut self.is_watching, true) {
            return;
        }
        self.publish(object, Event::watch_started()).await;
        for kind in self.context.sources.of(&self.context, object).built().await {
            self.publish(object, Event::scaler_built(kind)).await;
        }
    }

    async fn report_changes(&self, object: &ScaledJob, wanted: &ScaledJobStatus) {
        let before = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let is = |conditions: &[_], type_| conditions::status(conditions, type_) == ConditionStatus::True;
        let change = |type_| {
            let now = is(&wanted.conditions, type_);
            (is(before, type_) != now).then_some(now)
        };
        if let Some(is_paused) = change(conditions::PAUSED) {
            self.publish(object, Event::job_paused(is_paused)).await;
        }
        if change(conditions::READY) == Some(true) {
            self.publish(object, Event::job_ready()).await;
        }
    }

    async fn fail(&mut self, object: &ScaledJob, errors: &[JobError]) {
        self.checked = Some(self.check_of(object, true));
        let next = if errors.iter().any(JobError::may_heal_unseen) {
            let pause = self.back_off();
            format!("in {} s, or after a change", pause.as_secs())
        } else {
            self.backoff.reset();
            "after a change".to_owned()
        };
        for error in errors {
            tracing::info!(scaled_job = %self.key, error = %error, next_attempt = next, "check failed");
            self.context.telemetry.object_failed(&self.reference());
            self.publish(object, error.event()).await;
        }
    }
}

/// The status of `object` after a check that found `found` and `failed` with an error, if with any.
fn status_after(object: &ScaledJob, found: &Found, failed: Option<&JobError>) -> ScaledJobStatus {
    let mut status = object.status.clone().unwrap_or_default();
    if !conditions::complete(&status.conditions) {
        status.conditions = conditions::initial();
    }
    let named = |names: String| Some(names).filter(|names| !names.is_empty());
    status.triggers_types = named(ScaleTriggers::types(&object.spec.triggers));
    status.authentications_types = named(ScaleTriggers::authentications(&object.spec.triggers));
    if let Some(metrics) = &found.metrics {
        status.triggers_activity.retain(|metric, _| metrics.contains(metric));
        status.external_metric_names.clone_from(metrics);
    }
    let was_paused = conditions::status(&status.conditions, conditions::PAUSED) == ConditionStatus::True;
    let ready = conditions::find(&status.conditions, conditions::READY);
    // Whether triggers can be read is the polls' to say.
    let is_troubled = ready.is_some_and(|one| matches!(one.reason.as_str(), "TriggerError" | "PartialTriggerError"));
    let mut new = Vec::new();
    if is_paused(object) {
        new.extend([conditions::job::paused(true), conditions::job::ready_paused()]);
    } else if was_paused {
        new.push(conditions::job::paused(false));
    }
    match failed {
        Some(error) => {
            new.push(conditions::job::check_failed(error.step(), &error.cause()));
            // What is polled all the same knows its activity.
            if !found.is_accepted {
                new.push(conditions::job::activity_unknown());
            }
        }
        None if !is_paused(object) && !is_troubled => new.push(conditions::job::ready()),
        None => {}
    }
    for condition in new {
        conditions::set(&mut status.conditions, condition);
    }
    status
}
