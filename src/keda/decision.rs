//! One poll's outcome: what the triggers said becomes one [`Decision`], with its reasons; somebody else applies it.
//!
//! The division of work is KEDA's: 0 to 1 and back to 0 (or to the idle count) is decided here, everything between
//! belongs to the HPA. Rules: `docs/rules.md#keda-the-executor`, with the later repairs (fallback never scales from here,
//! a trigger in fallback counts as active, pauses in one direction). A failed reading never scales anything in.

mod direct;
mod explain;
mod model;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
pub use model::{Action, Decision, Outcome, Reading, Sample, Why};

use crate::api::{Condition, ConditionStatus, Fallback, ScaledObjectSpec, ScaledObjectStatus};
use crate::modifiers::{self, Composite, Modifiers};
use crate::pause::{self, Pause};
use crate::{conditions, fallback, naming};

/// What is known at the moment of a poll.
#[derive(Debug, Clone)]
pub struct Input<'a> {
    /// The object's spec.
    pub spec: &'a ScaledObjectSpec,
    /// The object's annotations, for pauses and forced activation.
    pub annotations: &'a BTreeMap<String, String>,
    /// The object's status, with the health of its metrics counted up to and including this poll.
    pub status: &'a ScaledObjectStatus,
    /// The target as Events name it: `apps/v1.Deployment shop/orders`.
    pub target: &'a str,
    /// The target's `spec.replicas` now.
    pub current: i32,
    /// One reading per external metric, in the order of the triggers.
    pub readings: &'a [Reading],
    /// The wall clock, to be written as `lastActiveTime`.
    pub now: Timestamp,
    /// System time since the object was created.
    pub since_created: Duration,
    /// System time since `status.lastActiveTime`, if that is set.
    pub since_active: Option<Duration>,
}

/// The decision for one poll.
pub fn decide(input: &Input<'_>) -> Decision {
    let poll = Poll::new(input);
    match pause::requested(input.annotations) {
        Err(error) => poll.held(Action::None, conditions::check_failed("Paused replicas", &error.to_string())),
        Ok(Some(pause)) => poll.paused(pause),
        Ok(None) => poll.decided(),
    }
}

/// What the object's formula makes of the readings, if it has one.
fn composite(input: &Input<'_>) -> Option<Composite> {
    let (wanted, health) = (input.spec.fallback.as_ref(), &input.status.health);
    match Modifiers::of(input.spec) {
        Ok(modifiers) => modifiers.map(|modifiers| modifiers.composite(wanted, health, input.readings)),
        Err(error) => Some(Composite::Failed(error.to_string())),
    }
}

/// What the readings amount to.
struct Poll<'a> {
    input: &'a Input<'a>,
    /// What a formula makes of them, where there is one.
    composite: Option<Composite>,
    /// What the HPA reads of them.
    held: Vec<Reading>,
    /// A trigger is active, or in fallback, or the annotation says so.
    active: bool,
    forced: bool,
    falling_back: bool,
    errors: Vec<String>,
}

impl<'a> Poll<'a> {
    fn new(input: &'a Input<'a>) -> Self {
        let forced = pause::force_activation(input.annotations);
        let in_fallback = |reading: &Reading| {
            let engaged = |fallback| fallback::engaged(fallback, &input.status.health, &reading.metric);
            reading.error().is_some() && input.spec.fallback.as_ref().is_some_and(engaged)
        };
        let falling_back = input.readings.iter().any(in_fallback);
        let composite = composite(input);
        let held = composite.as_ref().map_or_else(|| input.readings.to_vec(), |one| vec![one.reading()]);
        // The formula alone says what such a fallback comes to.
        let wants_some = |fallback: &Fallback| {
            fallback.behavior.as_deref() != Some(modifiers::BEHAVIOR) && fallback::replicas(fallback, input.current) > 0
        };
        let held_up = falling_back && input.spec.fallback.as_ref().is_some_and(wants_some);
        // Objects with cpu and memory triggers alone have no external reading and never go to zero.
        let resources_only =
            !input.spec.triggers.is_empty() && input.spec.triggers.iter().all(crate::api::ScaleTriggers::is_resource);
        let active = forced || held_up || resources_only || held.iter().any(Reading::is_active);
        let mut errors: Vec<_> = input.readings.iter().filter_map(Reading::error).map(str::to_owned).collect();
        if let (Some(Composite::Failed(cause)), true) = (&composite, errors.is_empty()) {
            errors.push(format!("{}: {cause}", naming::COMPOSITE_METRIC));
        }
        Self { input, composite, held, active, forced, falling_back, errors }
    }

    fn decided(&self) -> Decision {
        let action = if self.active { self.when_active() } else { self.when_inactive() };
        let mut decision = self.decision(action);
        self.conclude(&mut decision);
        decision
    }

    fn when_active(&self) -> Action {
        let (spec, current) = (self.input.spec, self.input.current);
        let below_min = spec.idle_replica_count.is_some() && current < spec.min_replicas();
        if !below_min && current != 0 {
            return Action::None;
        }
        if pause::scale_out(self.input.annotations) {
            return Action::HoldPaused { at: None };
        }
        Action::Activate {
            from: current,
            to: direct::count(self.input, &self.held).unwrap_or_else(|| spec.hpa_min_replicas()),
        }
    }

    fn when_inactive(&self) -> Action {
        let (spec, current) = (self.input.spec, self.input.current);
        if !self.errors.is_empty() && !self.wants_zero_on_failure() && !self.is_left_to_formula() {
            return Action::HoldOnError;
        }
        let above_idle = spec.idle_replica_count.is_some_and(|idle| current > idle);
        if above_idle || (current > 0 && spec.min_replicas() == 0) {
            return self.deactivation();
        }
        if current < spec.min_replicas() && spec.idle_replica_count.is_none() {
            return Action::RaiseToMin { from: current, to: spec.min_replicas() };
        }
        Action::None
    }

    /// A fallback to 0 replicas that is in force is a person's word that failing means none.
    fn wants_zero_on_failure(&self) -> bool {
        let wants_none = |fallback| fallback::replicas(fallback, self.input.current) == 0;
        self.falling_back && self.input.spec.fallback.as_ref().is_some_and(wants_none)
    }

    /// Each failure is borne by the formula, which has a value all the same.
    fn is_left_to_formula(&self) -> bool {
        matches!(self.composite, Some(Composite::Sample(_)))
    }

    fn deactivation(&self) -> Action {
        if pause::scale_in(self.input.annotations) {
            return Action::HoldPaused { at: None };
        }
        let spec = self.input.spec;
        let (passed, window) = match self.input.since_active {
            Some(passed) => (passed, spec.cooldown()),
            None => (self.input.since_created, spec.initial_cooldown()),
        };
        if passed < window || (passed == window && !window.is_zero()) {
            return Action::KeepDuringCooldown { remaining: window.saturating_sub(passed) };
        }
        Action::Deactivate { from: self.input.current, to: spec.idle_or_min() }
    }

    /// Conditions and `lastActiveTime` that go with the action.
    fn conclude(&self, decision: &mut Decision) {
        let found = &self.input.status.conditions;
        let cause = self.errors.join("; ");
        let activates = matches!(decision.action, Action::Activate { .. });
        if self.errors.is_empty() {
            if conditions::status(found, conditions::READY) != ConditionStatus::True {
                decision.conditions.push(conditions::ready());
            }
        } else if self.active {
            if !activates {
                decision.conditions.push(conditions::partial_trigger_error(&cause));
            }
        } else if self.input.spec.fallback.is_none() {
            decision.conditions.push(conditions::trigger_error(&cause));
        } else {
            // A fallback keeps the object working; that a trigger fails is said all the same.
            decision.conditions.push(conditions::partial_trigger_error(&cause));
        }
        // KEDA does not count activity while another trigger fails, except when it activates.
        if self.active && (self.errors.is_empty() || activates) {
            decision.last_active_time = Some(self.input.now);
        }
        decision.conditions.extend(self.activity(&decision.action));
        let fallback = conditions::status(found, conditions::FALLBACK);
        let known = if self.falling_back { ConditionStatus::True } else { ConditionStatus::False };
        if fallback != known {
            decision.conditions.push(conditions::fallback(self.falling_back));
        }
        decision.conditions.retain(|wanted| conditions::find(found, &wanted.type_) != Some(wanted));
    }

    fn activity(&self, action: &Action) -> Option<Condition> {
        if self.active {
            return Some(conditions::active(self.forced));
        }
        match action {
            Action::KeepDuringCooldown { .. } => Some(conditions::cooldown()),
            // A failed reading is no proof of inactivity.
            Action::HoldOnError => None,
            _ => Some(conditions::inactive()),
        }
    }

    fn paused(&self, pause: Pause) -> Decision {
        let at = match pause {
            Pause::AsIs => None,
            Pause::At(count) => Some(count),
        };
        self.held(Action::HoldPaused { at }, conditions::paused())
    }

    fn held(&self, action: Action, condition: Condition) -> Decision {
        let mut decision = self.decision(action);
        if conditions::find(&self.input.status.conditions, &condition.type_) != Some(&condition) {
            decision.conditions.push(condition);
        }
        decision
    }

    fn decision(&self, action: Action) -> Decision {
        let reasons = explain::reasons(self, &action);
        Decision {
            target: self.input.target.to_owned(),
            current: self.input.current,
            active: self.active,
            falling_back: self.falling_back,
            readings: self.input.readings.to_vec(),
            composite: self.composite.as_ref().map(Composite::reading),
            wanted_by_hpa: explain::wanted_by_hpa(self.input, &self.held),
            triggered_by: self.triggered_by(),
            reasons,
            conditions: Vec::new(),
            last_active_time: None,
            action,
        }
    }

    fn triggered_by(&self) -> String {
        let active = self.held.iter().filter(|reading| reading.is_active());
        let names: Vec<_> = active.map(|reading| reading.metric.as_str()).collect();
        match names.is_empty() {
            true if self.forced => naming::FORCE_ACTIVATION.to_owned(),
            true if self.falling_back => "fallback".to_owned(),
            _ => names.join(";"),
        }
    }
}
