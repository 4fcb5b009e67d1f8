//! Two commands at once on one stack: what changes it works alone, what needs it to stay keeps it there, and who is refused
//! is told by whom before anything is made.

use std::time::Duration;

use crate::place::{COMMAND_LIMIT, Place, Running, wait_until};

const DONE: i32 = 0;
const PREFLIGHT: i32 = 6;
const INTERRUPTED: i32 = 130;

/// A `verify` or `demo` that has come to its first step.
#[track_caller]
fn verifying(place: &Place, words: &str) -> (Running, String) {
    let running = Running::start(place, words);
    running.until("the first step", |event| event["type"] == "observation" && event["record"]["kind"] == "step");
    let holder = format!("`{words}` of process {} on ", running.pid());
    (running, holder)
}

#[track_caller]
fn ends_interrupted(running: Running) {
    running.signal("-INT");
    let (code, events) = running.ends();
    assert_eq!(code, Some(INTERRUPTED), "{events:#?}");
}

#[test]
fn a_stack_stays_while_it_is_verified_and_who_only_looks_may_look() {
    let place = Place::new();
    place.run("up").with(DONE);
    let (verify, holder) = verifying(&place, "verify");
    for words in ["down", "up", "demo", "local stop", "verify"] {
        place.run(words).with(PREFLIGHT).says(&["is in use: ", &holder, " since 2"]);
    }
    for words in ["plan", "drift", "graph", "status", "outputs", "env", "kubeconfig", "explain", "local start"] {
        place.run(words).with(DONE);
    }
    place.run("send 1").with(DONE);
    place.run("watch --seconds 1").with(DONE);
    ends_interrupted(verify);
    place.run("down").with(DONE);
    place.nothing_is_left();
}

#[test]
fn a_demo_has_the_stack_to_itself_from_its_first_step_to_its_last() {
    let place = Place::new();
    let (demo, holder) = verifying(&place, "demo");
    for words in ["down", "up", "demo", "local stop", "verify", "send 1", "plan"] {
        place.run(words).with(PREFLIGHT).says(&["state.json is in use: ", &holder]);
    }
    place.run("watch --seconds 1").with(DONE);
    ends_interrupted(demo);
    place.nothing_is_left();
}

#[test]
fn of_two_demos_begun_at_once_one_runs_and_the_other_is_refused() {
    let place = Place::new();
    let (first, second) = (place.sluice("demo --output json"), place.sluice("demo --output json"));
    let mut children: Vec<_> = [first, second]
        .into_iter()
        .map(|mut command| {
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    let refused = wait_until("one is refused", Duration::from_mins(1), || {
        children.iter_mut().position(|child| child.try_wait().unwrap().is_some())
    });
    let mut refused = children.remove(refused.unwrap());
    assert_eq!(refused.wait().unwrap().code(), Some(PREFLIGHT));
    let mut other = children.remove(0);
    assert_eq!(other.try_wait().unwrap(), None, "the other one goes on");
    crate::place::signal(other.id(), "-INT");
    let code = wait_until("the other one ends", COMMAND_LIMIT, || other.try_wait().unwrap()).unwrap().code();
    assert_eq!(code, Some(INTERRUPTED));
    place.nothing_is_left();
}

#[test]
fn a_watch_ends_with_the_stack_and_says_so() {
    let place = Place::new();
    place.run("up").with(DONE);
    let watch = Running::start(&place, "watch");
    watch.until("an observation", |event| event["type"] == "observation");
    place.run("down").with(DONE);
    let (code, events) = watch.ends();
    assert_eq!(code, Some(PREFLIGHT), "{events:#?}");
    let last = events.last().unwrap();
    assert!(last["summary"].as_str().is_some_and(|text| text.contains("was taken down")), "{last}");
    place.nothing_is_left();
}

#[test]
fn a_look_at_nothing_leaves_nothing() {
    let place = Place::new();
    for words in ["plan", "graph", "audit"] {
        place.run(words).with(DONE);
        assert!(place.files().is_empty(), "{words}: {:?}", place.files());
    }
    place.run("drift").with(PREFLIGHT);
    place.run("verify").with(PREFLIGHT);
    place.run("local stop").with(DONE);
    assert!(place.files().is_empty(), "{:?}", place.files());
    place.nothing_runs();
}
