//! Each check seen passing on the good run and failing on one that was spoiled for it.

use super::*;
use crate::evidence::Header;
use crate::fixture::{
    ACTIVE, EMPTY, END, Run, SENT, STEP_DOWN, ZERO, at, deployment, hpa, pods, queue, receipt, scaled_object, step,
};
use crate::observation::{Denial, Observation, Record, Source, StepState};
use crate::settings::Thresholds;

#[track_caller]
fn verdict(run: Run, name: &str) -> Verdict {
    let verdicts = evaluate(&run.evidence());
    verdicts.into_iter().find(|verdict| verdict.name == name).unwrap()
}

#[track_caller]
fn assert_fails(run: Run, name: &str, says: &str) {
    let verdict = verdict(run, name);
    assert_eq!(verdict.outcome, Outcome::Fail, "{verdict:?}");
    assert!(verdict.saw.contains(says), "{}", verdict.saw);
}

fn is_from(source: Source) -> impl Fn(&Record) -> bool {
    move |record| record.source == source
}

#[test]
fn a_good_run_passes_every_check() {
    let verdicts = evaluate(&Run::good().evidence());
    let bad: Vec<_> = verdicts.iter().filter(|verdict| verdict.outcome != Outcome::Pass).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(overall(&verdicts), Outcome::Pass);
}

#[test]
fn a_run_that_saw_nothing_passes_no_check() {
    let verdicts = evaluate(&Run::good().without(|_| true).evidence());
    assert!(verdicts.iter().all(|verdict| verdict.outcome != Outcome::Pass), "{verdicts:#?}");
    assert_eq!(overall(&verdicts), Outcome::Fail);
    assert_eq!(overall(&[]), Outcome::Fail);
}

#[test]
fn a_run_without_one_observer_does_not_pass() {
    let observers = [
        Source::Queue,
        Source::Deployment,
        Source::Hpa,
        Source::ScaledObject,
        Source::Pods,
        Source::OperatorPods,
        Source::WorkerLog,
        Source::OperatorLog,
        Source::Scenario,
    ];
    for source in observers {
        let verdicts = evaluate(&Run::good().without(is_from(source)).evidence());
        assert_ne!(overall(&verdicts), Outcome::Pass, "{source:?}");
    }
}

#[test]
fn failed_reads_are_no_zeros() {
    let failure = Observation::Failure { what: "queue".into(), error: "timed out".into() };
    assert_fails(Run::good().replacing(Source::Queue, 0.0, SENT, &failure), "starts-at-zero", "read only 0 times");
    assert_fails(
        Run::good().replacing(Source::Queue, EMPTY, END + 1.0, &failure),
        "queue-ends-empty",
        "shows 3 messages",
    );
    assert_fails(
        Run::good().replacing(Source::Deployment, ZERO + 6.0, END - 6.0, &failure),
        "stays-at-zero",
        "longest gap",
    );
}

#[test]
fn starts_at_zero_fails_on_a_replica_a_pod_or_a_message() {
    let one = ["myapp-0".to_owned()];
    for (source, observation) in
        [(Source::Deployment, deployment(1)), (Source::Pods, pods(&one, 0)), (Source::Queue, queue(1, 0))]
    {
        assert_fails(Run::good().replacing(source, 14.0, SENT, &observation), "starts-at-zero", "1 ");
    }
}

#[test]
fn messages_sent_fails_on_missing_or_double_ids_and_an_always_empty_queue() {
    let ids = Observation::Sent { message_ids: vec!["m1".into(), "m1".into()] };
    assert_fails(
        Run::good().replacing(Source::Scenario, SENT, SENT + 0.05, &ids),
        "messages-sent",
        "1 of them different",
    );
    assert_fails(Run::good().replacing(Source::Queue, SENT, END, &queue(0, 0)), "messages-sent", "always seen empty");
}

#[test]
fn activation_fails_when_late_or_unexplained() {
    let late = Run::good().replacing(Source::Deployment, SENT, 120.0, &deployment(0));
    assert_fails(late, "activated-by-operator", "a replica 101 s after sending");
    assert_fails(Run::good().without(is_from(Source::OperatorLog)), "activated-by-operator", "none of 0 decisions");
    let never = Run::good().replacing(Source::Deployment, 0.0, END + 1.0, &deployment(0));
    assert_fails(never, "activated-by-operator", "never left 0");
}

#[test]
fn the_metric_and_the_maximum_fail_when_the_hpa_does_not_show_them() {
    let blind = Run::good().replacing(Source::Hpa, 0.0, END + 1.0, &hpa(1, None));
    assert_fails(blind, "external-metric-served", "no value in");
    let small = Run::good().replacing(Source::Hpa, 0.0, END + 1.0, &hpa(2, Some("3")));
    assert_fails(small, "reaches-maximum", "wanted at most 2");
    let unready = Run::good().replacing(Source::Deployment, ACTIVE, ZERO, &deployment(2));
    assert_fails(unready, "reaches-maximum", "at most 2 ready");
}

#[test]
fn exceeding_the_maximum_fails() {
    assert_fails(Run::good().with(60.0, Source::Deployment, deployment(4)), "never-exceeds-maximum", "4 replicas");
    let four: Vec<_> = (0..4).map(|index| format!("myapp-{index}")).collect();
    assert_fails(Run::good().with(60.0, Source::Pods, pods(&four, 0)), "never-exceeds-maximum", "4 live pods");
}

#[test]
fn lost_and_double_messages_fail_and_a_line_read_twice_does_not() {
    let is_first =
        |record: &Record| matches!(&record.observation, Observation::Receipt(receipt) if receipt.message_id == "m1");
    assert_fails(Run::good().without(is_first), "every-message-deleted-once", "without receipt: m1");
    let double = Run::good().with(150.0, Source::WorkerLog, receipt(1, 130.0, "deleted"));
    assert_fails(double, "every-message-deleted-once", "deleted more than once: m1");
    let repeated = Run::good().records.into_iter().find(is_first).unwrap().observation;
    let read_twice = Run::good().with(200.0, Source::WorkerLog, repeated);
    assert_eq!(verdict(read_twice, "every-message-deleted-once").outcome, Outcome::Pass);
}

#[test]
fn a_queue_that_is_not_empty_at_the_end_or_not_for_long_fails() {
    assert_fails(
        Run::good().replacing(Source::Queue, END - 6.0, END + 1.0, &queue(1, 0)),
        "queue-ends-empty",
        "shows 1 messages",
    );
    let early = Run::good().without(|record| record.time > at(EMPTY + 30.0));
    assert_fails(early, "queue-ends-empty", "after the last activity");
}

#[test]
fn scaling_in_before_window_or_cooldown_fails() {
    let early_step = Run::good().replacing(Source::Deployment, 200.0, STEP_DOWN, &deployment(2));
    assert_fails(early_step, "window-respected", "3 -> 2");
    let early_zero = Run::good().replacing(Source::Deployment, 250.0, END + 1.0, &deployment(0));
    assert_fails(early_zero, "cooldown-respected", "s after the queue was last seen with a message");
}

#[test]
fn what_comes_too_early_on_a_machine_that_stood_still_is_no_verdict() {
    let early = |silence: f64| {
        let run = Run::good().replacing(Source::Deployment, 300.0, STEP_DOWN, &deployment(2));
        run.without(move |record| record.time > at(300.0 - silence) && record.time < at(300.0))
    };
    let called = verdict(early(0.0), "window-respected");
    assert_eq!(called.outcome, Outcome::Fail, "{called:?}");
    let stood_still = verdict(early(150.0), "window-respected");
    assert_eq!(stood_still.outcome, Outcome::Inconclusive, "{stood_still:?}");
    assert!(stood_still.saw.contains("this could not be judged: the reads lay up to 15"), "{}", stood_still.saw);
    // A step that is earlier than any stall explains stays a failure.
    let far = Run::good().replacing(Source::Deployment, 100.0, STEP_DOWN, &deployment(2));
    let far = verdict(far.without(|record| record.time > at(70.0) && record.time < at(100.0)), "window-respected");
    assert_eq!(far.outcome, Outcome::Fail, "{far:?}");
}

#[test]
fn a_period_too_short_for_the_time_scale_names_one_that_is_not() {
    // Reads of 5 s and ten times real speed: 15 s, besides the HPA's 15 s or the polling interval of 30 s.
    for (name, period) in [("window-respected", 28), ("cooldown-respected", 43)] {
        let short = verdict(Run::good().with_periods(period, period), name);
        assert_eq!(short.outcome, Outcome::Inconclusive, "{short:?}");
        assert!(short.saw.contains("`sluice down`, then begin again with --time-scale 7"), "{}", short.saw);
        let slower = |header: &mut Header| {
            header.time_scale = 7.0;
            header.thresholds = Thresholds::new(7.0, 5.0, 30);
        };
        let evaluated = verdict(Run::good().with_periods(period, period).heading(slower), name);
        assert!(matches!(evaluated.outcome, Outcome::Pass | Outcome::Fail), "{evaluated:?}");
    }
}

#[test]
fn a_period_that_no_time_scale_could_show_is_no_verdict_and_no_failure() {
    for period in [0, 20] {
        let verdicts = evaluate(&Run::good().with_periods(period, period).evidence());
        for name in ["window-respected", "cooldown-respected"] {
            let verdict = verdicts.iter().find(|verdict| verdict.name == name).unwrap();
            assert_eq!(verdict.outcome, Outcome::NotApplicable, "{verdict:?}");
        }
    }
}

#[test]
fn another_program_is_evaluated_by_its_queue() {
    let verdicts = evaluate(&Run::good().of_an_own_consumer().evidence());
    let outcome = |name: &str| verdicts.iter().find(|verdict| verdict.name == name).unwrap();
    assert_eq!(outcome("every-message-deleted-once").outcome, Outcome::NotApplicable);
    let account = outcome("every-message-accounted-for");
    assert!(account.outcome == Outcome::Pass && account.saw.contains("9 sent, 9 deleted"), "{account:?}");
    assert_eq!(outcome("identity-accepted").outcome, Outcome::Pass);
    assert_eq!(overall(&verdicts), Outcome::Pass, "{verdicts:#?}");
    // The sample is evaluated by what it says.
    assert!(evaluate(&Run::good().evidence()).iter().all(|verdict| verdict.name != "every-message-accounted-for"));
}

#[test]
fn what_the_queue_does_not_show_is_not_accounted_for() {
    const NAME: &str = "every-message-accounted-for";
    let own = || Run::good().of_an_own_consumer();
    assert_fails(own().with(END + 1.0, Source::Queue, queue(1, 0)), NAME, "1 messages are still in the queue");
    assert_fails(own().replacing(Source::Queue, 500.0, END + 1.0, &queue(0, 2)), NAME, "2 messages are still");
    assert_fails(
        own().without(|record| record.source == Source::Queue && record.time > at(EMPTY + 30.0)),
        NAME,
        "s only",
    );
    let failure = Observation::Failure { what: "queue".into(), error: "timed out".into() };
    assert_fails(own().with(END - 10.0, Source::Queue, failure.clone()), NAME, "reads in a row over");
    assert_fails(own().with(END + 1.0, Source::Queue, failure), NAME, "never read empty after its last failed read");
    assert_fails(own().heading(|header| header.retention_seconds = Some(60)), NAME, "may have expired");
    let unknown = verdict(own().heading(|header| header.retention_seconds = None), NAME);
    assert_eq!(unknown.outcome, Outcome::Inconclusive);
    let dead = || own().heading(|header| header.has_dead_letter_queue = true);
    assert_fails(dead(), NAME, "dead-letter queue was not read");
    let seen = |after: u64| {
        dead().with(5.0, Source::DeadLetterQueue, queue(4, 0)).with(END, Source::DeadLetterQueue, queue(after, 0))
    };
    assert_eq!(verdict(seen(4), NAME).outcome, Outcome::Pass);
    assert_fails(seen(6), NAME, "7 deleted by the queue's account, 0 still in the queue");
    let nothing = own().replacing(Source::Queue, 0.0, END + 1.0, &queue(0, 0));
    assert_fails(nothing, NAME, "never seen with a message");
}

#[test]
fn decisions_about_another_workload_explain_nothing() {
    let mut other = Run::decision(0, 1, "9 messages are more than 0");
    if let Observation::Decision(decision) = &mut other {
        decision.name = "mails".to_owned();
    }
    let run = Run::good()
        .without(|record| matches!(&record.observation, Observation::Decision(decision) if decision.to == Some(1)));
    assert_fails(run.with(ACTIVE - 0.5, Source::OperatorLog, other), "activated-by-operator", "says why");
}

#[test]
fn coming_back_too_late_never_or_growing_again_fails() {
    let late = Run::good().replacing(Source::Deployment, STEP_DOWN, 900.0, &deployment(1)).with(
        910.0,
        Source::Deployment,
        deployment(0),
    );
    assert_fails(late, "back-to-zero-in-time", "0 on ");
    let never = Run::good().replacing(Source::Deployment, ZERO, END + 1.0, &deployment(1));
    assert_fails(never, "back-to-zero-in-time", "never came back to 0; last seen at 1");
    assert_fails(Run::good().with(END - 20.0, Source::Deployment, deployment(1)), "stays-at-zero", "back at 1");
}

#[test]
fn a_hold_that_was_cut_short_is_inconclusive() {
    let cut = Run::good().without(|record| record.time > at(ZERO + 40.0));
    assert_eq!(verdict(cut, "stays-at-zero").outcome, Outcome::Inconclusive);
}

#[test]
fn conditions_fail_when_not_ready_or_never_active() {
    let unready = Run::good().with(60.0, Source::ScaledObject, scaled_object("False", "True", "triggers fail"));
    assert_fails(unready, "scaled-object-conditions", "triggers fail");
    let idle = Run::good().replacing(Source::ScaledObject, 0.0, END + 1.0, &scaled_object("True", "False", ""));
    assert_fails(idle, "scaled-object-conditions", "Active: False");
}

#[test]
fn restarts_and_panics_fail() {
    let one = ["myapp-0".to_owned()];
    assert_fails(Run::good().with(60.0, Source::Pods, pods(&one, 1)), "no-restarts", "1 restarts");
    let ended = |terminating| {
        let Observation::Pods { mut pods } = pods(&one, 0) else { unreachable!() };
        pods[0].phase = "Failed".to_owned();
        pods[0].terminating = terminating;
        Run::good().with(60.0, Source::Pods, Observation::Pods { pods })
    };
    assert_fails(ended(false), "no-restarts", "myapp-0 Failed");
    assert_eq!(verdict(ended(true), "no-restarts").outcome, Outcome::Pass);
    let panic = Observation::Trouble { pod: "keda-operator-0".into(), message: "thread 'main' panicked at x".into() };
    assert_fails(Run::good().with(60.0, Source::OperatorLog, panic), "no-restarts", "panicked");
}

#[test]
fn a_missed_step_fails_the_scenario_with_its_detail() {
    let missed = Run::good().with(END + 1.0, Source::Scenario, step("hold", StepState::Missed));
    assert_fails(missed, "scenario-completed", "step hold missed");
    let cut = Run::good().without(|record| record.source == Source::Scenario && record.time > at(ZERO));
    assert_fails(cut, "scenario-completed", "hold was never begun");
}

#[test]
fn a_refused_identity_is_named_with_statement_role_and_principal() {
    let denial = Observation::Denial(Denial {
        principal: "system:serviceaccount:keda:keda-operator".into(),
        action: "sts:AssumeRoleWithWebIdentity".into(),
        resource: "arn:aws:iam::111122223333:role/demo-keda-operator".into(),
        reason: "trust policy, statement 0: condition StringEquals sub differs".into(),
    });
    let refused = || {
        let event =
            Run::warning("KEDAScalerFailed", "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity");
        Run::good()
            .replacing(Source::ScaledObject, SENT, END + 1.0, &scaled_object("False", "False", "triggers fail"))
            .with(30.0, Source::Denials, denial.clone())
            .with(31.0, Source::Events, event)
    };
    for part in [
        "statement 0",
        "role/demo-keda-operator",
        "system:serviceaccount:keda:keda-operator",
        "also: Event KEDAScalerFailed",
    ] {
        assert_fails(refused(), "identity-accepted", part);
    }
    // Whatever else is said, and however it sorts: another statement that refused is not crowded out.
    let another = Observation::Denial(Denial {
        principal: "system:serviceaccount:keda:keda-operator".into(),
        action: "sts:AssumeRoleWithWebIdentity".into(),
        resource: "arn:aws:iam::111122223333:role/demo-sqs-scaler".into(),
        reason: "trust policy, statement 7: no principal".into(),
    });
    let crowd = (1..9).fold(refused().with(29.0, Source::Denials, another), |run, number| {
        run.with(31.0, Source::Events, Run::warning("Failed", &format!("{number} AccessDenied")))
    });
    assert_fails(crowd, "identity-accepted", "statement 7");
    let recovered = Run::good().with(30.0, Source::Denials, denial.clone());
    assert!(verdict(recovered, "identity-accepted").saw.contains("recovered"));
}

#[test]
fn an_operator_that_rbac_refuses_is_named_though_its_scaled_object_still_looks_ready() {
    let words =
        "scaledobjects.keda.sh is forbidden: User \"system:serviceaccount:keda:keda-operator\" cannot list resource";
    let trouble = || Observation::Trouble { pod: "keda-operator-0".into(), message: words.into() };
    let refused = Run::good().with(END - 10.0, Source::OperatorLog, trouble());
    assert_fails(refused, "identity-accepted", words);
    // Before its first decision it may have met a binding that was not there yet.
    let recovered = Run::good().with(1.0, Source::OperatorLog, trouble());
    assert_eq!(verdict(recovered, "identity-accepted").outcome, Outcome::Pass);
}

/// One way to spoil the good run for each check. A new check does not get in without one.
#[test]
fn no_check_is_there_that_was_not_seen_failing() {
    let (one, end) = (["myapp-0".to_owned()], END + 1.0);
    let first =
        |record: &Record| matches!(&record.observation, Observation::Receipt(receipt) if receipt.message_id == "m1");
    let denied = Run::warning("KEDAScalerFailed", "AccessDenied: Not authorized to perform sts:AssumeRole");
    let spoiled = [
        ("identity-accepted", Run::good().with(end, Source::Events, denied)),
        ("scenario-completed", Run::good().with(end, Source::Scenario, step("hold", StepState::Missed))),
        ("starts-at-zero", Run::good().replacing(Source::Pods, 14.0, SENT, &pods(&one, 0))),
        ("messages-sent", Run::good().replacing(Source::Queue, SENT, END, &queue(0, 0))),
        ("activated-by-operator", Run::good().replacing(Source::Deployment, 0.0, end, &deployment(0))),
        ("external-metric-served", Run::good().replacing(Source::Hpa, 0.0, end, &hpa(1, None))),
        ("reaches-maximum", Run::good().replacing(Source::Hpa, 0.0, end, &hpa(2, Some("3")))),
        ("never-exceeds-maximum", Run::good().with(60.0, Source::Deployment, deployment(4))),
        ("every-message-deleted-once", Run::good().without(first)),
        ("queue-ends-empty", Run::good().replacing(Source::Queue, END - 6.0, end, &queue(1, 0))),
        ("window-respected", Run::good().replacing(Source::Deployment, 200.0, STEP_DOWN, &deployment(2))),
        ("cooldown-respected", Run::good().replacing(Source::Deployment, 250.0, end, &deployment(0))),
        ("back-to-zero-in-time", Run::good().replacing(Source::Deployment, ZERO, end, &deployment(1))),
        ("stays-at-zero", Run::good().with(END - 20.0, Source::Deployment, deployment(1))),
        (
            "scaled-object-conditions",
            Run::good().with(60.0, Source::ScaledObject, scaled_object("False", "True", "no")),
        ),
        ("no-restarts", Run::good().with(60.0, Source::Pods, pods(&one, 1))),
    ];
    // That one is seen failing where it is evaluated, without receipts.
    let names: Vec<_> = CHECKS.iter().map(|(name, ..)| *name).filter(|name| *name != ACCOUNTED_FOR).collect();
    assert_eq!(spoiled.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    for (name, run) in spoiled {
        assert_fails(run, name, "");
    }
}
