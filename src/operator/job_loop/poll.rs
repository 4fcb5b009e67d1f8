//! One poll: read the triggers, let `keda::job` decide, make the Jobs, report it, delete those that are kept no longer.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use keda::api::{ConditionStatus, ScaledJob, TriggerActivityStatus};
use keda::conditions;
use keda::decision::Reading;
use keda::event::Event;
use keda::job::{self, Decision, Input};
use kube::api::PropagationPolicy;

use super::JobLoop;
use crate::error::brief;
use crate::sources::age;
use crate::stop::unless_stopped;

/// How old `lastActiveTime` may become before it is written again while activity goes on; system time.
const ACTIVE_EVERY: Duration = Duration::from_mins(1);

impl JobLoop {
    pub(super) async fn poll_once(&mut self, object: &ScaledJob) {
        let stop = self.stop.clone();
        // Nothing follows from what is read after a shutdown began.
        let decision = match unless_stopped(&stop, self.decision(object)).await {
            None => return,
            Some(Ok(decision)) => decision,
            Some(Err(error)) => {
                // How many there are is not known, so none is made.
                tracing::warn!(scaled_job = %self.key, error = %brief(&error), "the Jobs cannot be read; none is made");
                self.context.telemetry.object_failed(&self.reference());
                return;
            }
        };
        for error in decision.readings.iter().filter_map(Reading::error) {
            self.publish(object, Event::scaler_failed(error)).await;
        }
        // Said before it is done: a reader of the log sees the cause before its effects.
        self.report(&decision);
        self.create(object, &decision).await;
        self.conclude(object, &decision).await;
        self.trim(object).await;
        self.decided = Some(decision);
    }

    /// What follows from the triggers and the Jobs that are known. If that is to make some: from the Jobs that are there now and from
    /// the triggers after that. A Job that ends between the two looks is then one too few, which the next poll makes; the other way
    /// around its message would be counted without it, and a Job be made for nothing.
    async fn decision(&self, object: &ScaledJob) -> kube::Result<Decision> {
        let readings = self.readings(object, age::idle(object.spec.polling())).await;
        let known = self.context.caches.jobs.of(&self.key);
        // The fewer are pending, the more may be made.
        let count = job::Count { pending: 0, ..job::count(&known, &[], &[]) };
        let decision = job::decide(&Input { spec: &object.spec, readings: &readings, count });
        if decision.create == 0 {
            return Ok(decision);
        }
        let count = self.count(object).await?;
        let readings = self.readings(object, Duration::ZERO).await;
        Ok(job::decide(&Input { spec: &object.spec, readings: &readings, count }))
    }

    /// What each trigger says, at most `age` ago.
    async fn readings(&self, object: &ScaledJob, age: Duration) -> Vec<Reading> {
        self.context.sources.of(&self.context, object).read(&self.context, object, age).await
    }

    async fn create(&self, object: &ScaledJob, decision: &Decision) {
        let mut created = 0;
        for _ in 0..decision.create {
            if self.stop.is_cancelled() {
                break;
            }
            let Err(error) = self.make(object).await else {
                created += 1;
                continue;
            };
            let why = brief(&error);
            tracing::warn!(scaled_job = %self.key, error = why, "failed to make a Job");
            self.context.telemetry.object_failed(&self.reference());
            self.publish(object, Event::job_create_failed(&format!("{}-", self.key.name), &why)).await;
            // All of one poll are alike: what is refused for what it is will be refused for each.
            if matches!(&error, kube::Error::Api(status) if matches!(status.code, 400 | 403 | 404 | 422)) {
                break;
            }
        }
        if created > 0 {
            self.publish(object, Event::jobs_created(created)).await;
        }
    }

    /// Logs a decision that says something new.
    fn report(&self, decision: &Decision) {
        if self.decided.as_ref().is_some_and(|before| !decision.differs(before)) {
            return;
        }
        let whole = serde_json::to_string(decision).unwrap_or_default();
        tracing::info!(
            target: "operator::job_decision",
            namespace = self.key.namespace.as_str(),
            name = self.key.name.as_str(),
            create = decision.create,
            running = decision.count.running,
            pending = decision.count.pending,
            reason = decision.reason(),
            decision = whole,
            "decided"
        );
    }

    async fn conclude(&mut self, object: &ScaledJob, decision: &Decision) {
        // The spec in force may be an earlier one; the status is that of the object as it is.
        let Some(object) = self.latest().filter(|latest| latest.metadata.uid == object.metadata.uid) else { return };
        let mut status = object.status.clone().unwrap_or_default();
        let before = status.conditions.clone();
        let is_in_error = self.is_in_error();
        for condition in &decision.conditions {
            // Readable triggers do not mend what the check found.
            if condition.type_ != conditions::READY || !is_in_error {
                conditions::set(&mut status.conditions, condition.clone());
            }
        }
        for Reading { metric, .. } in &decision.readings {
            let is_active = decision.readings.iter().any(|reading| reading.metric == *metric && reading.is_active());
            status.triggers_activity.insert(metric.clone(), TriggerActivityStatus { is_active });
        }
        let clock = &self.context.clock;
        let written = status.last_active_time.as_ref();
        let is_old = written.is_none_or(|written| clock.since(written.0) >= ACTIVE_EVERY);
        if decision.demand.is_active && (is_old || decision.create > 0) {
            status.last_active_time = Some(MicroTime(clock.now()));
        }
        if let Err(error) = self.write(&object, &status).await {
            self.publish(&object, error.event()).await;
            self.context.telemetry.object_failed(&self.reference());
            return;
        }
        let (was, is) =
            [&before, &status.conditions].map(|conditions| conditions::status(conditions, conditions::ACTIVE)).into();
        if was != is {
            self.publish(&object, Event::job_active(is == ConditionStatus::True)).await;
        }
        let is_ready = |conditions| conditions::status(conditions, conditions::READY) == ConditionStatus::True;
        if !is_ready(&before) && is_ready(&status.conditions) {
            self.publish(&object, Event::job_ready()).await;
        }
    }

    /// Deletes the Jobs that ended first, beyond those that are kept.
    async fn trim(&self, object: &ScaledJob) {
        let known = self.context.caches.jobs.of(&self.key);
        for job in job::surplus(&object.spec, &known) {
            if self.stop.is_cancelled() {
                return;
            }
            let name = job.metadata.name.as_deref().unwrap_or_default();
            match self.delete(job, PropagationPolicy::Background).await {
                Ok(()) => tracing::debug!(scaled_job = %self.key, job = name, "deleted from the history"),
                Err(error) => {
                    tracing::warn!(scaled_job = %self.key, job = name, error = %brief(&error), "failed to delete from the history");
                    return;
                }
            }
        }
    }
}
