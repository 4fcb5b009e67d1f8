//! One poll: read the triggers and the target, let `keda::decision` decide, carry it out, report it.

use keda::api::{ConditionStatus, ScaledObject, ScaledObjectStatus, TriggerActivityStatus};
use keda::decision::{Action, Decision, Input, Outcome, Reading, decide};
use keda::event::Event;
use keda::pause::Pause;
use keda::{conditions, fallback, hpa, pause};

use super::{ScaleLoop, is_paused};
use crate::sources::{age, composite_series};
use crate::stop::unless_stopped;
use crate::target::{Target, TargetError};

impl ScaleLoop {
    pub(super) async fn poll_once(&mut self, object: &ScaledObject) {
        if self.rests(object) {
            return;
        }
        self.activity.resume(object, &self.life.context.clock);
        let stop = self.stop.clone();
        // Nothing follows from what is read after a shutdown began.
        let Some((readings, seen)) = unless_stopped(&stop, self.look(object)).await else { return };
        let mut status = object.status.clone().unwrap_or_default();
        if object.spec.fallback.is_some() {
            status.health = self.context.failures.take(&self.key, &status.health);
            for reading in &readings {
                fallback::record(&mut status.health, &reading.metric, reading.error().is_none());
            }
        }
        for reading in &readings {
            if let Some(error) = reading.error() {
                let is_source = object.spec.scaling_modifiers().is_some();
                let event = if is_source { Event::metric_source_failed } else { Event::scaler_failed };
                self.publish(object, event(error)).await;
            }
        }
        let decided = match seen {
            Ok((target, current, is_remembered)) => {
                let decision = self.decision(object, &status, &target.title(), current, &readings);
                self.confirmed(object, &status, target, decision, is_remembered, &readings).await
            }
            Err(error) => Err(error),
        };
        let (target, decision) = match decided {
            Ok(decided) => decided,
            Err(error) => return self.unreadable(object, status, &error).await,
        };
        if let Some(Outcome::Sample(sample)) = decision.composite.as_ref().map(|composite| &composite.outcome) {
            let reference = self.reference();
            self.context.telemetry.composed(&composite_series(&reference), sample.value, sample.active);
        }
        // Said before it is done: a reader of the log sees the cause before its effects.
        self.report(&decision);
        for Reading { metric, .. } in &readings {
            let is_active = readings.iter().any(|reading| reading.metric == *metric && reading.is_active());
            status.triggers_activity.insert(metric.clone(), TriggerActivityStatus { is_active });
        }
        let failure = self.carry_out(object, &target, &decision).await;
        self.conclude(object, status, &decision, failure.is_some()).await;
        self.decided = Some(decision);
    }

    /// Whether it is paused as it is, and that has been reported: nothing is held, so nothing is looked at.
    fn rests(&self, object: &ScaledObject) -> bool {
        let annotations = object.metadata.annotations.clone().unwrap_or_default();
        matches!(pause::requested(&annotations), Ok(Some(Pause::AsIs)))
            && self.decided.as_ref().is_some_and(|decided| decided.action == Action::HoldPaused { at: None })
    }

    /// What the triggers say, and the target with its replicas.
    async fn look(&mut self, object: &ScaledObject) -> (Vec<Reading>, Result<(Target, i32, bool), TargetError>) {
        let readings = self.readings(object).await;
        let target = async {
            let target = Target::resolve(&self.context.client, object).await?;
            let (current, is_remembered) = self.replicas(&target).await?;
            Ok((target, current, is_remembered))
        };
        (readings, target.await)
    }

    /// The decision as it is carried out: before a count is written, it is decided by the count of now.
    async fn confirmed(
        &mut self,
        object: &ScaledObject,
        status: &ScaledObjectStatus,
        target: Target,
        decision: Decision,
        is_remembered: bool,
        readings: &[Reading],
    ) -> Result<(Target, Decision), TargetError> {
        if decision.scale_to().is_none() {
            return Ok((target, decision));
        }
        self.forget_replicas();
        if !is_remembered {
            return Ok((target, decision));
        }
        let current = target.replicas().await?;
        let decision = self.decision(object, status, &target.title(), current, readings);
        Ok((target, decision))
    }

    /// What every metric says now; nothing is read while the object is paused.
    async fn readings(&mut self, object: &ScaledObject) -> Vec<Reading> {
        let annotations = object.metadata.annotations.clone().unwrap_or_default();
        if !matches!(pause::requested(&annotations), Ok(None)) {
            return Vec::new();
        }
        let triggers = self.context.sources.of(&self.context, object);
        let is_active = self.decided.as_ref().is_some_and(|decision| decision.active);
        let age = if is_active { age::shared } else { age::idle };
        let readings = triggers.read(&self.context, object, age(object.spec.polling())).await;
        self.pushes.follow(&triggers);
        readings
    }

    fn decision(
        &self,
        object: &ScaledObject,
        status: &ScaledObjectStatus,
        target: &str,
        current: i32,
        readings: &[Reading],
    ) -> Decision {
        let clock = &self.context.clock;
        let created = object.metadata.creation_timestamp.as_ref();
        decide(&Input {
            spec: &object.spec,
            annotations: &object.metadata.annotations.clone().unwrap_or_default(),
            status,
            target,
            current,
            readings,
            now: clock.now(),
            since_created: created.map(|time| clock.since(time.0)).unwrap_or_default(),
            since_active: self.activity.last(status).map(|time| clock.since(time)),
        })
    }

    /// Scales if the decision says so. The reason, if that failed; the next poll decides anew.
    async fn carry_out(&self, object: &ScaledObject, target: &Target, decision: &Decision) -> Option<TargetError> {
        let replicas = decision.scale_to()?;
        let failure = target.scale(replicas).await.err();
        if let Some(error) = &failure {
            self.context.telemetry.object_failed(&self.reference());
            tracing::warn!(scaled_object = %self.key, replicas, error = %error, "failed to scale");
        }
        if failure.is_none() && matches!(decision.action, Action::Activate { .. }) {
            self.context.sources.of(&self.context, object).wake_up(self.context.clock.moment());
        }
        if let Some(event) = decision.event(failure.as_ref().map(ToString::to_string).as_deref()) {
            self.publish(object, event).await;
        }
        failure
    }

    /// Logs a decision that says something new. The target of this line is what `verify` looks for.
    fn report(&self, decision: &Decision) {
        if self.decided.as_ref().is_some_and(|before| !decision.differs(before)) {
            return;
        }
        let whole = serde_json::to_string(decision).unwrap_or_default();
        tracing::info!(
            target: "operator::decision",
            namespace = self.key.namespace.as_str(),
            name = self.key.name.as_str(),
            from = decision.current,
            to = decision.scale_to().unwrap_or(decision.current),
            reason = decision.reason(),
            decision = whole,
            "decided"
        );
    }

    async fn conclude(
        &mut self,
        object: &ScaledObject,
        mut status: ScaledObjectStatus,
        decision: &Decision,
        has_failed: bool,
    ) {
        for condition in &decision.conditions {
            // Readable triggers do not mend what the reconcile found.
            if condition.type_ != conditions::READY || !self.is_in_error() {
                conditions::set(&mut status.conditions, condition.clone());
            }
        }
        if !has_failed {
            self.activity.note(object, &mut status, decision, &self.life.context.clock);
            if let Action::HoldPaused { at: Some(at) } = decision.action {
                status.paused_replica_count = Some(at);
            }
        }
        let before = object.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default();
        if hpa::idle(&object.spec, &before) != hpa::idle(&object.spec, &status.conditions) {
            // The HPA's minimum goes with it.
            self.checked = None;
        }
        let is = |conditions: &[_], type_| conditions::status(conditions, type_) == ConditionStatus::True;
        let events = [
            (conditions::READY, true, Event::ready()),
            (conditions::FALLBACK, true, Event::fallback(true)),
            (conditions::FALLBACK, false, Event::fallback(false)),
        ];
        for (type_, now, event) in events {
            if is(&before, type_) != now && is(&status.conditions, type_) == now {
                self.publish(object, event).await;
            }
        }
        self.write(object, &status).await;
    }

    /// The target cannot be read, so nothing is decided.
    async fn unreadable(&mut self, object: &ScaledObject, mut status: ScaledObjectStatus, error: &TargetError) {
        tracing::warn!(scaled_object = %self.key, error = %error, "the target cannot be read; nothing is scaled");
        self.context.telemetry.object_failed(&self.reference());
        if is_paused(object) {
            return;
        }
        conditions::set(&mut status.conditions, conditions::no_current_replicas(&error.to_string()));
        self.write(object, &status).await;
    }
}
