//! When a trigger was last active, exactly, while the status has it roughly: it is written once in a while and when activity ends, not
//! at every poll.

use std::time::Duration;

use clock::Clock;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use keda::api::{ConditionStatus, ScaledObject, ScaledObjectStatus};
use keda::conditions;
use keda::decision::{Action, Decision};

/// How much of a cooldown may pass before the time is written again.
const PART: u32 = 4;
/// The same where there is no cooldown; system time.
const INTERVAL: Duration = Duration::from_mins(1);

/// The exact time, as far as this loop has seen it.
#[derive(Debug, Default)]
pub(super) struct Activity {
    seen: Option<Timestamp>,
}

impl Activity {
    /// When a trigger was last active.
    pub(super) fn last(&self, status: &ScaledObjectStatus) -> Option<Timestamp> {
        let written = status.last_active_time.as_ref().map(|time| time.0);
        written.max(self.seen)
    }

    /// Takes in what a poll decided, and puts the time into the status where that is to be written.
    pub(super) fn note(
        &mut self,
        object: &ScaledObject,
        status: &mut ScaledObjectStatus,
        decision: &Decision,
        clock: &Clock,
    ) {
        self.seen = decision.last_active_time.max(self.seen);
        let Some(last) = self.last(status) else { return };
        let has_ended = decision.last_active_time.is_none();
        let is_old = status.last_active_time.as_ref().is_none_or(|written| clock.since(written.0) >= interval(object));
        if has_ended || is_old || matches!(decision.action, Action::Activate { .. }) {
            status.last_active_time = Some(MicroTime(last));
        }
    }

    /// Takes in what the loop before this one left. If it ended in the midst of activity, that may have gone on for as long as the
    /// status may be behind.
    pub(super) fn resume(&mut self, object: &ScaledObject, clock: &Clock) {
        let Some(status) = &object.status else { return };
        let was_active = conditions::status(&status.conditions, conditions::ACTIVE) == ConditionStatus::True;
        if let Some(written) = status.last_active_time.as_ref().filter(|_| was_active && self.seen.is_none()) {
            let behind = clock.to_real(interval(object));
            let latest = written.0.checked_add(behind).unwrap_or(written.0);
            self.seen = Some(latest.min(clock.now()));
        }
    }
}

fn interval(object: &ScaledObject) -> Duration {
    let part = object.spec.cooldown() / PART;
    if part.is_zero() { INTERVAL } else { part }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(status: &serde_json::Value) -> ScaledObject {
        serde_json::from_value(json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": { "name": "orders" },
            "spec": { "scaleTargetRef": { "name": "orders" }, "cooldownPeriod": 40, "triggers": [] }, "status": status,
        }))
        .unwrap()
    }

    fn decided(active_at: Option<Timestamp>) -> Decision {
        let object = object(&json!({}));
        let mut decision = keda::decision::decide(&keda::decision::Input {
            spec: &object.spec,
            annotations: &std::collections::BTreeMap::new(),
            status: &ScaledObjectStatus::default(),
            target: "t",
            current: 1,
            readings: &[],
            now: Timestamp::UNIX_EPOCH,
            since_created: Duration::ZERO,
            since_active: None,
        });
        decision.last_active_time = active_at;
        decision
    }

    #[test]
    fn the_time_is_written_once_in_a_quarter_of_the_cooldown_and_exactly_at_the_end() {
        let (clock, time) = Clock::manual(Timestamp::UNIX_EPOCH);
        let (object, mut status, mut activity) =
            (object(&json!({})), ScaledObjectStatus::default(), Activity::default());
        let mut writes = 0;
        let mut poll = |is_active: bool, status: &mut ScaledObjectStatus| {
            let before = status.last_active_time.clone();
            activity.note(&object, status, &decided(is_active.then(|| clock.now())), &clock);
            writes += i32::from(status.last_active_time != before);
            (writes, clock.now().duration_since(activity.last(status).unwrap()).as_secs())
        };
        for _ in 0..25 {
            assert_eq!(poll(true, &mut status).1, 0, "the loop knows it exactly");
            time.advance(Duration::from_secs(1));
        }
        assert_eq!(poll(false, &mut status), (4, 1), "at 0, 10 and 20 s, and at the end");
        assert_eq!(clock.now().duration_since(status.last_active_time.clone().unwrap().0).as_secs(), 1);
        time.advance(Duration::from_secs(5));
        assert_eq!(poll(false, &mut status), (4, 6));
    }

    #[test]
    fn a_cooldown_does_not_end_early_after_a_restart_in_the_midst_of_activity() {
        let (clock, time) = Clock::manual(Timestamp::UNIX_EPOCH);
        let active = |status: &str| {
            object(&json!({
                "lastActiveTime": "1970-01-01T00:00:00.000000Z", "conditions": [{ "type": "Active", "status": status }],
            }))
        };
        time.advance(Duration::from_secs(30));
        let resumed = |object: &ScaledObject| {
            let mut activity = Activity::default();
            activity.resume(object, &clock);
            activity.last(object.status.as_ref().unwrap()).unwrap().as_second()
        };
        assert_eq!(resumed(&active("True")), 10);
        assert_eq!(resumed(&active("False")), 0);
    }
}
