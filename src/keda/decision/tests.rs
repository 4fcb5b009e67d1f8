//! The decision table of one poll, row by row, and what must hold for any input.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::api::{Fallback, ScaleTriggers};
use crate::metric::Target;
use crate::naming;

/// A poll that a test can bend.
#[derive(Debug)]
struct Case {
    spec: ScaledObjectSpec,
    annotations: BTreeMap<String, String>,
    status: ScaledObjectStatus,
    current: i32,
    readings: Vec<Reading>,
    since_active: Option<u64>,
    since_created: u64,
}

fn sample(value: f64) -> Outcome {
    let target = Target::AverageValue(3.0);
    Outcome::Sample(Sample {
        value,
        target,
        active: value > 0.0,
        activation: 0.0,
        parts: vec![("visible".into(), value)],
    })
}

fn failed() -> Outcome {
    Outcome::Failed("AccessDenied".into())
}

fn case(current: i32, outcomes: Vec<Outcome>) -> Case {
    let trigger = ScaleTriggers { type_: "aws-sqs-queue".into(), ..Default::default() };
    let reading =
        |(index, outcome)| Reading { trigger: "aws-sqs-queue".into(), metric: format!("s{index}-m"), outcome };
    Case {
        spec: ScaledObjectSpec {
            triggers: vec![trigger; outcomes.len()],
            max_replica_count: Some(3),
            ..Default::default()
        },
        annotations: BTreeMap::new(),
        status: ScaledObjectStatus { conditions: conditions::initial(), ..Default::default() },
        current,
        readings: outcomes.into_iter().enumerate().map(reading).collect(),
        since_active: None,
        since_created: 1000,
    }
}

impl Case {
    fn spec(mut self, change: impl FnOnce(&mut ScaledObjectSpec)) -> Self {
        change(&mut self.spec);
        self
    }

    fn active_before(mut self, seconds: u64) -> Self {
        self.since_active = Some(seconds);
        self
    }

    fn annotated(mut self, name: &str, value: &str) -> Self {
        self.annotations.insert(name.into(), value.into());
        self
    }

    fn failures(mut self, count: i32) -> Self {
        for _ in 0..count {
            fallback::record(&mut self.status.health, "s0-m", false);
        }
        self
    }

    fn decide(&self) -> Decision {
        decide(&Input {
            spec: &self.spec,
            annotations: &self.annotations,
            status: &self.status,
            target: "apps/v1.Deployment shop/orders",
            current: self.current,
            readings: &self.readings,
            now: Timestamp::UNIX_EPOCH,
            since_created: Duration::from_secs(self.since_created),
            since_active: self.since_active.map(Duration::from_secs),
        })
    }

    fn action(&self) -> Action {
        self.decide().action
    }
}

fn reasons_set(decision: &Decision) -> Vec<&str> {
    decision.conditions.iter().map(|condition| condition.reason.as_str()).collect()
}

#[test]
fn from_zero_an_active_trigger_activates_to_one_or_the_minimum() {
    assert_eq!(case(0, vec![sample(9.0)]).action(), Action::Activate { from: 0, to: 1 });
    let min = case(0, vec![sample(9.0)]).spec(|spec| spec.min_replica_count = Some(2));
    assert_eq!(min.action(), Action::Activate { from: 0, to: 2 });
    let decision = case(0, vec![sample(9.0)]).decide();
    assert_eq!(decision.last_active_time, Some(Timestamp::UNIX_EPOCH));
    assert_eq!(reasons_set(&decision), ["ScaledObjectReady", "ScalerActive", "NoFallbackFound"]);
    assert_eq!(
        decision.event(None).unwrap().message,
        "Scaled apps/v1.Deployment shop/orders from 0 to 1, triggered by s0-m"
    );
    assert_eq!(decision.event(Some("conflict")).unwrap().reason, "KEDAScaleTargetActivationFailed");
}

#[test]
fn between_one_and_the_maximum_the_hpa_owns_the_count() {
    let decision = case(2, vec![sample(9.0)]).decide();
    assert_eq!(decision.action, Action::None);
    assert_eq!(decision.wanted_by_hpa, Some(3));
    assert!(decision.last_active_time.is_some());
    assert_eq!(decision.event(None), None);
}

#[test]
fn an_idle_object_at_zero_stays() {
    let decision = case(0, vec![sample(0.0)]).decide();
    assert_eq!(decision.action, Action::None);
    assert_eq!(decision.last_active_time, None);
    assert_eq!(reasons_set(&decision), ["ScaledObjectReady", "ScalerNotActive", "NoFallbackFound"]);
}

#[test]
fn the_cooldown_runs_from_the_last_activity() {
    let wait = |seconds| Action::KeepDuringCooldown { remaining: Duration::from_secs(seconds) };
    assert_eq!(case(3, vec![sample(0.0)]).active_before(299).action(), wait(1));
    assert_eq!(case(3, vec![sample(0.0)]).active_before(300).action(), wait(0));
    assert_eq!(case(3, vec![sample(0.0)]).active_before(301).action(), Action::Deactivate { from: 3, to: 0 });
    assert_eq!(reasons_set(&case(3, vec![sample(0.0)]).active_before(1).decide())[1], "ScalerCooldown");
    let short = case(3, vec![sample(0.0)]).active_before(11).spec(|spec| spec.cooldown_period = Some(10));
    assert_eq!(short.action(), Action::Deactivate { from: 3, to: 0 });
}

#[test]
fn without_any_activity_the_initial_cooldown_runs_from_creation() {
    assert_eq!(case(3, vec![sample(0.0)]).action(), Action::Deactivate { from: 3, to: 0 });
    let initial = case(3, vec![sample(0.0)]).spec(|spec| spec.initial_cooldown_period = Some(1060));
    assert_eq!(initial.action(), Action::KeepDuringCooldown { remaining: Duration::from_mins(1) });
}

#[test]
fn the_idle_count_stands_below_the_minimum() {
    let idle = |current, value| {
        case(current, vec![sample(value)]).active_before(400).spec(|spec| {
            spec.min_replica_count = Some(2);
            spec.idle_replica_count = Some(0);
        })
    };
    assert_eq!(idle(2, 0.0).action(), Action::Deactivate { from: 2, to: 0 });
    assert_eq!(idle(0, 0.0).action(), Action::None);
    assert_eq!(idle(0, 1.0).action(), Action::Activate { from: 0, to: 2 });
    assert_eq!(idle(1, 1.0).action(), Action::Activate { from: 1, to: 2 });
}

#[test]
fn a_target_below_its_minimum_is_raised_without_an_event() {
    let below = case(0, vec![sample(0.0)]).spec(|spec| spec.min_replica_count = Some(2));
    let decision = below.decide();
    assert_eq!(decision.action, Action::RaiseToMin { from: 0, to: 2 });
    assert_eq!((decision.scale_to(), decision.event(None)), (Some(2), None));
}

#[test]
fn a_failed_reading_holds_the_target_and_says_so() {
    let decision = case(3, vec![failed()]).active_before(10_000).decide();
    assert_eq!(decision.action, Action::HoldOnError);
    assert_eq!(decision.wanted_by_hpa, None);
    assert_eq!(reasons_set(&decision), ["TriggerError", "NoFallbackFound"]);
    assert!(decision.conditions[0].message.contains("AccessDenied"));
    assert_eq!(case(0, vec![failed()]).action(), Action::HoldOnError);
}

#[test]
fn a_partial_error_neither_refreshes_activity_nor_stops_activation() {
    let decision = case(2, vec![failed(), sample(5.0)]).decide();
    assert_eq!((decision.action.clone(), decision.last_active_time), (Action::None, None));
    assert_eq!(reasons_set(&decision)[0], "PartialTriggerError");
    let decision = case(0, vec![failed(), sample(5.0)]).decide();
    assert_eq!(decision.action, Action::Activate { from: 0, to: 1 });
    assert!(decision.last_active_time.is_some());
    assert_eq!(case(2, vec![failed(), sample(0.0)]).active_before(9999).action(), Action::HoldOnError);
}

#[test]
fn a_fallback_in_force_counts_as_active() {
    let fallback = |failures, replicas| {
        case(0, vec![failed()])
            .failures(failures)
            .spec(|spec| spec.fallback = Some(Fallback { failure_threshold: 3, replicas, ..Fallback::default() }))
    };
    assert_eq!(fallback(3, 2).action(), Action::HoldOnError);
    let decision = fallback(4, 2).decide();
    assert_eq!(decision.action, Action::Activate { from: 0, to: 1 });
    assert!(reasons_set(&decision).contains(&"FallbackExists"));
    let mut zero = fallback(4, 0).active_before(400);
    zero.current = 2;
    assert_eq!(zero.action(), Action::Deactivate { from: 2, to: 0 });
    let mut early = fallback(3, 0).active_before(400);
    early.current = 2;
    assert_eq!(early.action(), Action::HoldOnError);
}

#[test]
fn annotations_override_the_triggers() {
    let at = case(0, vec![sample(9.0)]).annotated(naming::PAUSED_REPLICAS, "2").decide();
    assert_eq!((at.action.clone(), at.scale_to()), (Action::HoldPaused { at: Some(2) }, Some(2)));
    assert_eq!(reasons_set(&at), ["ScaledObjectPaused"]);
    let as_is = case(3, vec![sample(0.0)]).annotated(naming::PAUSED, "true");
    assert_eq!((as_is.action(), as_is.decide().scale_to()), (Action::HoldPaused { at: None }, None));
    let senseless = case(0, vec![sample(9.0)]).annotated(naming::PAUSED_REPLICAS, "two").decide();
    assert_eq!((senseless.action.clone(), reasons_set(&senseless)), (Action::None, vec!["ScaledObjectCheckFailed"]));
    let scale_in = case(3, vec![sample(0.0)]).active_before(400).annotated(naming::PAUSED_SCALE_IN, "true");
    assert_eq!(scale_in.action(), Action::HoldPaused { at: None });
    let scale_out = case(0, vec![sample(9.0)]).annotated(naming::PAUSED_SCALE_OUT, "true");
    assert_eq!(scale_out.action(), Action::HoldPaused { at: None });
    let forced = case(0, vec![sample(0.0)]).annotated(naming::FORCE_ACTIVATION, "true");
    assert_eq!(forced.action(), Action::Activate { from: 0, to: 1 });
}

#[test]
fn a_settled_status_is_not_written_again() {
    let mut settled = case(0, vec![sample(0.0)]);
    for condition in settled.decide().conditions {
        conditions::set(&mut settled.status.conditions, condition);
    }
    assert_eq!(settled.decide().conditions, []);
}

#[test]
fn the_reasons_lead_from_the_sample_to_the_action() {
    let decision = case(0, vec![sample(20.0)]).decide();
    assert_eq!(
        decision.reason(),
        "s0-m = 20 (visible 20), above the activation threshold 0; the HPA's desired count is ceil(20 / 3) = 7; \
         limited to maxReplicaCount 3; activate: 0 -> 1 replicas"
    );
    let value = serde_json::to_value(&decision).unwrap();
    assert_eq!(value["action"], json!({ "kind": "activate", "from": 0, "to": 1 }));
    assert_eq!(value["readings"][0]["sample"]["value"], 20.0);
    assert_eq!(value["reasons"][2], json!({ "kind": "limit", "text": "limited to maxReplicaCount 3" }));
    assert_eq!(value["wantedByHpa"], 3);
}

prop_compose! {
    fn any_case()(
        current in 0..12i32, min in prop::option::of(0..5i32), idle in prop::option::of(0..5i32), max in 1..10i32,
        values in prop::collection::vec(prop::option::of(0..50u32), 0..4), since_active in prop::option::of(0..900u64),
        fallback in prop::option::of((0..3i32, 0..12i32)), failures in 0..6i32,
    ) -> Case {
        let outcome = |value: Option<u32>| value.map_or_else(failed, |value| sample(f64::from(value)));
        let mut case = case(current, values.into_iter().map(outcome).collect()).failures(failures);
        case.since_active = since_active;
        case.spec.min_replica_count = min;
        case.spec.idle_replica_count = idle;
        case.spec.max_replica_count = Some(max);
        case.spec.fallback = fallback.map(|(failure_threshold, replicas)| Fallback { failure_threshold, replicas, ..Fallback::default() });
        case
    }
}

proptest! {
    #[test]
    fn no_decision_leaves_the_bounds(case in any_case()) {
        prop_assume!(crate::validate::replica_bounds(&case.spec).is_ok());
        let decision = case.decide();
        if let Some(to) = decision.scale_to() {
            let low = case.spec.idle_or_min().min(case.spec.min_replicas());
            prop_assert!(low <= to && to <= case.spec.max_replicas(), "{decision:?}");
        }
        if let Some(wanted) = decision.wanted_by_hpa {
            prop_assert!(wanted <= case.spec.max_replicas());
        }
    }

    #[test]
    fn a_failed_reading_never_scales_in_unless_a_fallback_to_zero_is_in_force(case in any_case()) {
        let decision = case.decide();
        let failing = case.readings.iter().any(|reading| reading.error().is_some());
        let zero_wanted = decision.falling_back && case.spec.fallback.as_ref().is_some_and(|f| f.replicas == 0);
        if failing && !zero_wanted {
            let scales_in = matches!(decision.action, Action::Deactivate { .. });
            prop_assert!(!scales_in, "{decision:?}");
        }
    }

    #[test]
    fn an_active_object_is_never_deactivated(case in any_case()) {
        let decision = case.decide();
        let deactivates = matches!(decision.action, Action::Deactivate { .. } | Action::KeepDuringCooldown { .. });
        prop_assert!(!(decision.active && deactivates), "{decision:?}");
    }
}

/// The count to which an object wakes up that has `value` of a target of 3, at most 10 replicas and these scale-up rules.
fn wakes_up_at(value: f64, direct: bool, scale_up: &serde_json::Value) -> i32 {
    let mut case = case(0, vec![sample(value)]);
    case.spec.max_replica_count = Some(10);
    if !scale_up.is_null() {
        let advanced = json!({ "horizontalPodAutoscalerConfig": { "behavior": { "scaleUp": scale_up } } });
        case.spec.advanced = Some(serde_json::from_value(advanced).unwrap());
    }
    if direct {
        case.annotations.insert(naming::DIRECT_ACTIVATION.to_owned(), "true".to_owned());
    }
    match case.decide().action {
        Action::Activate { from: 0, to } => to,
        other => panic!("{other:?}"),
    }
}

#[test]
fn direct_activation_begins_where_the_hpa_would_come_to() {
    let none = json!(null);
    assert_eq!(wakes_up_at(9.0, false, &none), 1);
    assert_eq!(wakes_up_at(9.0, true, &none), 3);
    assert_eq!(wakes_up_at(1.0, true, &none), 1);
    // The HPA's defaults allow four more pods at first.
    assert_eq!(wakes_up_at(300.0, true, &none), 5);
    let pods = |count: i32| json!({ "policies": [{ "type": "Pods", "value": count, "periodSeconds": 15 }] });
    assert_eq!(wakes_up_at(300.0, true, &pods(1)), 2);
    assert_eq!(wakes_up_at(300.0, true, &pods(50)), 10);
    assert_eq!(wakes_up_at(300.0, true, &json!({ "selectPolicy": "Disabled" })), 1);
    assert_eq!(wakes_up_at(300.0, true, &json!({ "stabilizationWindowSeconds": 60 })), 1);
    let least = json!({ "selectPolicy": "Min", "policies": [
        { "type": "Pods", "value": 7, "periodSeconds": 15 }, { "type": "Percent", "value": 200, "periodSeconds": 15 },
    ] });
    assert_eq!(wakes_up_at(300.0, true, &least), 3);
}

#[test]
fn direct_activation_is_explained_and_begins_as_without_it_where_the_count_is_not_known() {
    let mut case = case(0, vec![sample(300.0), failed()]);
    case.spec.max_replica_count = Some(10);
    case.annotations.insert(naming::DIRECT_ACTIVATION.to_owned(), "true".to_owned());
    let decision = case.decide();
    assert_eq!(decision.scale_to(), Some(1));
    assert!(decision.reason().contains("the HPA's count is not known"), "{}", decision.reason());
    case.annotations.insert(naming::DIRECT_ACTIVATION.to_owned(), "yes".to_owned());
    assert!(case.decide().reason().contains("\"yes\" is neither true nor false"), "{}", case.decide().reason());
    case.annotations.insert(naming::DIRECT_ACTIVATION.to_owned(), "True".to_owned());
    case.readings.truncate(1);
    let decision = case.decide();
    assert_eq!(decision.scale_to(), Some(5));
    assert!(decision.reason().contains("the HPA would come to 10"), "{}", decision.reason());
    assert!(decision.reason().contains("policies allow 5 at first"), "{}", decision.reason());
}

/// An object with the triggers `a` and `b` and a formula over them.
fn with_formula(current: i32, formula: &str, outcomes: Vec<Outcome>) -> Case {
    case(current, outcomes).spec(|spec| {
        for (trigger, name) in spec.triggers.iter_mut().zip(["a", "b"]) {
            trigger.name = Some(name.to_owned());
        }
        let modifiers = json!({ "formula": formula, "target": "2", "activationTarget": "4" });
        spec.advanced = serde_json::from_value(json!({ "scalingModifiers": modifiers })).unwrap();
    })
}

#[test]
fn a_formula_alone_decides_what_is_active() {
    let decision = with_formula(0, "a + b", vec![sample(3.0), sample(2.0)]).decide();
    assert_eq!(decision.action, Action::Activate { from: 0, to: 1 });
    assert_eq!((decision.triggered_by.as_str(), decision.wanted_by_hpa), ("composite-metric", Some(3)));
    let text = decision.reason();
    for part in ["s0-m = 3 (visible 3); ", "composite-metric is a + b; composite-metric = 5, above", "ceil(5 / 2) = 3"]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    // Each trigger is above its own threshold, and the formula is not.
    let quiet = with_formula(1, "a + b", vec![sample(3.0), sample(1.0)]).decide();
    assert_eq!((quiet.active, quiet.action), (false, Action::Deactivate { from: 1, to: 0 }));
}

#[test]
fn a_formula_without_a_value_holds_the_target() {
    for (formula, outcomes) in [("a + b", vec![sample(9.0), failed()]), ("a / b", vec![sample(9.0), sample(0.0)])] {
        let decision = with_formula(2, formula, outcomes.clone()).decide();
        assert_eq!((decision.active, decision.action, decision.wanted_by_hpa), (false, Action::HoldOnError, None));
        let decision = with_formula(0, formula, outcomes).decide();
        assert_eq!(decision.action, Action::HoldOnError);
        assert!(reasons_set(&decision).contains(&"TriggerError"), "{:?}", decision.conditions);
    }
}

#[test]
fn a_fallback_stands_for_the_formula_or_is_left_to_it() {
    let failing = |formula: &str, behavior: Option<&str>, current: i32| {
        let fallback = Fallback { failure_threshold: 3, replicas: 2, behavior: behavior.map(str::to_owned) };
        with_formula(current, formula, vec![failed(), sample(3.0)])
            .spec(|spec| spec.fallback = Some(fallback))
            .failures(4)
            .decide()
    };
    let decision = failing("a + b", None, 0);
    assert_eq!((decision.active, decision.falling_back), (true, true));
    assert_eq!(decision.action, Action::Activate { from: 0, to: 1 });
    let decision = failing("(a ?? 5) + b", Some("scalingModifiers"), 0);
    assert_eq!((decision.action, decision.wanted_by_hpa), (Action::Activate { from: 0, to: 1 }, Some(3)));
    // The formula bears the failure and says that there is nothing to do.
    let decision = failing("(a ?? 0) + b", Some("scalingModifiers"), 1);
    assert_eq!(decision.action, Action::Deactivate { from: 1, to: 0 });
    let decision = failing("a + b", Some("scalingModifiers"), 1);
    assert_eq!(decision.action, Action::HoldOnError);
}
