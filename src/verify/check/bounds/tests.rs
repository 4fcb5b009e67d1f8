//! Each bound seen to hold and to break, on spoiled copies of the good run.

use super::*;
use crate::check;
use crate::course::{Bounds, Fault, FaultKind, Load, Part, Shape, Work};
use crate::fixture::{ACTIVE, END, Run, SENT, STEP_DOWN, ZERO, at, deployment, step};
use crate::observation::{FaultSeen, Observation, Receipt, StepState};
use crate::verdict::Outcome;

/// The good run under a file's bounds, which takes 400 s to settle with 4 changes of the replicas.
fn run(bounds: Bounds, faults: Vec<Fault>) -> Run {
    let load = Load { shape: Shape::Burst { messages: 9 }, after_seconds: 0.0, work: Work::Succeeds, body: None };
    let played = Played { part: Part { workload: None, load: vec![load], bounds }, faults };
    Run::good()
        .heading(move |header| header.course = Some(played.clone()))
        .with(SENT + 0.1, Source::Scenario, step("settle", StepState::Started))
        .with(ZERO + 0.05, Source::Scenario, step("settle", StepState::Reached))
}

/// Outcome and what was seen of one check.
fn of(run: Run, name: &str) -> (Outcome, String) {
    let verdicts = check::evaluate(&run.evidence());
    let found = verdicts.into_iter().find(|verdict| verdict.name == name);
    found.map_or_else(|| panic!("no check is called {name}"), |it| (it.outcome, it.saw))
}

#[track_caller]
fn holds(bounds: Bounds, name: &str) {
    let (outcome, saw) = of(run(bounds, Vec::new()), name);
    assert_eq!(outcome, Outcome::Pass, "{name}: {saw}");
}

#[track_caller]
fn breaks(run: Run, name: &str, part: &str) {
    let verdicts = check::evaluate(&run.evidence());
    let bad: Vec<_> = verdicts.iter().filter(|it| it.outcome != Outcome::Pass).collect();
    let [verdict] = bad.as_slice() else { panic!("{bad:#?}") };
    assert!(verdict.name == name && verdict.saw.contains(part), "{verdict:?}");
}

fn all() -> Bounds {
    Bounds {
        never_above: Some(3),
        changes_at_most: Some(4),
        reaches: Some(Reaches { replicas: 3, within_seconds: 60.0 }),
        settles_within: Some(420.0),
        stays_for: Some(90.0),
        every_message_once: true,
        graceful_scale_in: false,
    }
}

#[test]
fn a_run_within_all_bounds_passes_and_each_bound_is_a_check_of_its_own() {
    let verdicts = check::evaluate(&run(all(), Vec::new()).evidence());
    assert!(verdicts.iter().all(|verdict| verdict.outcome == Outcome::Pass), "{verdicts:#?}");
    for name in ["neverAbove", "changesAtMost", "reaches", "settlesWithin", "staysFor", "everyMessageOnce"] {
        holds(all(), name);
    }
    // Without a bound there is no check of it.
    let verdicts = check::evaluate(&run(Bounds::default(), Vec::new()).evidence());
    let names: Vec<_> = verdicts.iter().map(|verdict| verdict.name.as_str()).collect();
    assert_eq!(names, ["scenario-completed", "messages-sent", "every-message-accounted-for"]);
}

#[test]
fn a_broken_bound_fails_by_its_name_with_what_was_seen() {
    breaks(run(Bounds { never_above: Some(2), ..all() }, Vec::new()), "neverAbove", "3 replicas on");
    breaks(run(Bounds { changes_at_most: Some(3), ..all() }, Vec::new()), "changesAtMost", "4 changes in");
    let soon = Reaches { replicas: 3, within_seconds: 10.0 };
    breaks(run(Bounds { reaches: Some(soon), ..all() }, Vec::new()), "reaches", "s after sending began");
    let more = Reaches { replicas: 4, within_seconds: 900.0 };
    breaks(run(Bounds { reaches: Some(more), ..all() }, Vec::new()), "reaches", "at most 3 ready");
    breaks(
        run(Bounds { settles_within: Some(300.0), ..all() }, Vec::new()),
        "settlesWithin",
        "400 s after the last message",
    );
    breaks(run(Bounds { stays_for: Some(200.0), ..all() }, Vec::new()), "staysFor", "ended too early");
    let back = run(Bounds { changes_at_most: None, ..all() }, Vec::new());
    breaks(back.with(END - 5.0, Source::Deployment, deployment(1)), "staysFor", "back at 1 on");
    let twice = crate::fixture::receipt(9, 70.0, "deleted");
    breaks(
        run(all(), Vec::new()).with(90.0, Source::WorkerLog, twice),
        "everyMessageOnce",
        "deleted more than once: m9",
    );
}

#[test]
fn what_was_not_seen_passes_nothing() {
    let blind = |source: Source| run(all(), Vec::new()).without(move |record| record.source == source);
    for (source, names) in [
        (Source::Deployment, &["neverAbove", "changesAtMost", "reaches", "settlesWithin", "staysFor"][..]),
        (Source::Queue, &["settlesWithin", "staysFor"]),
        (Source::Scenario, &["neverAbove", "settlesWithin", "changesAtMost", "messages-sent", "scenario-completed"]),
        (Source::WorkerLog, &["everyMessageOnce", "every-message-accounted-for"]),
    ] {
        for name in names {
            let (outcome, saw) = of(blind(source), name);
            assert_ne!(outcome, Outcome::Pass, "{name} without {source:?}: {saw}");
        }
    }
    // A hole in which a change may have come and gone.
    let hole = run(all(), Vec::new())
        .without(|record| record.source == Source::Deployment && (at(150.0)..at(300.0)).contains(&record.time));
    assert_eq!(of(hole, "changesAtMost").0, Outcome::Inconclusive);
}

#[test]
fn a_fault_has_to_strike_and_to_be_over() {
    let fault =
        |kind| Fault { kind, after_seconds: 0.0, lasts_seconds: 60.0, late_seconds: 0.0, pods: 1, workload: None };
    let seen = |state, struck| {
        Observation::Fault(FaultSeen { name: "sts-denies".into(), state, detail: "for 60 s".into(), struck })
    };
    let with = |state, struck| {
        run(all(), vec![fault(FaultKind::StsDenies)])
            .with(ACTIVE, Source::Scenario, seen(FaultState::Begun, None))
            .with(ACTIVE + 60.0, Source::Scenario, seen(state, struck))
    };
    assert_eq!(of(with(FaultState::Over, Some(4)), "faults-struck").0, Outcome::Pass);
    breaks(with(FaultState::Over, Some(0)), "faults-struck", "struck nothing");
    breaks(with(FaultState::Failed, None), "faults-struck", "could not be played");
    breaks(with(FaultState::Begun, None), "faults-struck", "not seen to its end");
}

#[test]
fn scale_in_is_graceful_where_a_pod_that_goes_at_its_work_hands_its_message_back() {
    let graceful = Bounds { graceful_scale_in: true, ..Bounds::default() };
    let receipt = |pod: &str, outcome: &str, receive_count, started: f64| {
        Observation::Receipt(Receipt {
            outcome: outcome.into(),
            message_id: "m9".into(),
            receive_count,
            started_at: at(started),
            finished_at: at(started + 20.0),
            pod: pod.into(),
        })
    };
    let idle = of(run(graceful, Vec::new()), "gracefulScaleIn");
    assert!(idle.0 == Outcome::Inconclusive && idle.1.contains("none of them at work"), "{idle:?}");
    // The third pod is gone at the first read after this.
    let at_work = || {
        let first = receipt("myapp-2", "returned", 1, STEP_DOWN - 15.0);
        let without_m9 = run(graceful, Vec::new())
            .without(|record| matches!(&record.observation, Observation::Receipt(it) if it.message_id == "m9"));
        without_m9.with(STEP_DOWN + 5.0, Source::WorkerLog, first)
    };
    let again = receipt("myapp-0", "deleted", 2, STEP_DOWN + 10.0);
    let handed_back = of(at_work().with(STEP_DOWN + 30.0, Source::WorkerLog, again), "gracefulScaleIn");
    assert!(
        handed_back.0 == Outcome::Pass && handed_back.1.contains("myapp-2 returned its message"),
        "{handed_back:?}"
    );
    let thrice = receipt("myapp-0", "deleted", 3, STEP_DOWN + 10.0);
    let lost = of(at_work().with(STEP_DOWN + 30.0, Source::WorkerLog, thrice), "gracefulScaleIn");
    assert!(lost.0 == Outcome::Fail && lost.1.contains("m9 was received 3 times, and handed back 1 times"), "{lost:?}");
}

#[test]
fn poison_messages_are_dead_lettered_and_nothing_else_is() {
    let poison = || Observation::Poison { message_ids: vec!["m9".into()] };
    let dead = |count: u64| crate::fixture::queue(count, 0);
    let with = |count: u64| {
        run(all(), Vec::new())
            .heading(|header| header.has_dead_letter_queue = true)
            .without(|record| matches!(&record.observation, Observation::Receipt(it) if it.message_id == "m9"))
            .with(SENT, Source::Scenario, poison())
            .with(1.0, Source::DeadLetterQueue, dead(0))
            .with(END - 1.0, Source::DeadLetterQueue, dead(count))
    };
    assert_eq!(of(with(1), "everyMessageOnce").0, Outcome::Pass);
    let lost = of(with(0), "every-message-accounted-for");
    assert!(lost.0 == Outcome::Fail && lost.1.contains("1 poison messages sent, 0 dead-lettered"), "{lost:?}");
}
