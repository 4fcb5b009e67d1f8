//! Two commands at once on one stack: what changes it works alone, what needs it to stay keeps it there, and who is refused
//! is reported before anything is made.

use std::time::Duration;

use crate::workspace::{COMMAND_LIMIT, Running, Workspace, wait_until};

const DONE: i32 = 0;
const PREFLIGHT: i32 = 6;
const INTERRUPTED: i32 = 130;

/// A `verify` or `demo` that has come to its first step.
#[track_caller]
fn verifying(workspace: &Workspace, words: &str) -> (Running, String) {
    let running = Running::start(workspace, words);
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
    let workspace = Workspace::new();
    workspace.run("up").with(DONE);
    let (verify, holder) = verifying(&workspace, "verify");
    for words in ["down", "up", "demo", "local stop", "verify"] {
        workspace.run(words).with(PREFLIGHT).says(&["is in use: ", &holder, " since 2"]);
    }
    for words in ["plan", "drift", "graph", "status", "outputs", "env", "kubeconfig", "explain", "local start"] {
        workspace.run(words).with(DONE);
    }
    workspace.run("send 1").with(DONE);
    workspace.run("watch --seconds 1").with(DONE);
    ends_interrupted(verify);
    workspace.run("down").with(DONE);
    workspace.nothing_is_left();
}

#[test]
fn a_demo_has_the_stack_to_itself_from_its_first_step_to_its_last() {
    let workspace = Workspace::new();
    let (demo, holder) = verifying(&workspace, "demo");
    for words in ["down", "up", "demo", "local stop", "verify", "send 1", "plan"] {
        workspace.run(words).with(PREFLIGHT).says(&["state.json is in use: ", &holder]);
    }
    workspace.run("watch --seconds 1").with(DONE);
    ends_interrupted(demo);
    workspace.nothing_is_left();
}

#[test]
fn of_two_demos_begun_at_once_one_runs_and_the_other_is_refused() {
    let workspace = Workspace::new();
    let (first, second) = (workspace.sluice("demo --output json"), workspace.sluice("demo --output json"));
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
    crate::workspace::signal(other.id(), "-INT");
    let code = wait_until("the other one ends", COMMAND_LIMIT, || other.try_wait().unwrap()).unwrap().code();
    assert_eq!(code, Some(INTERRUPTED));
    workspace.nothing_is_left();
}

#[test]
fn a_watch_ends_with_the_stack_and_says_so() {
    let workspace = Workspace::new();
    workspace.run("up").with(DONE);
    let watch = Running::start(&workspace, "watch");
    watch.until("an observation", |event| event["type"] == "observation");
    workspace.run("down").with(DONE);
    let (code, events) = watch.ends();
    assert_eq!(code, Some(PREFLIGHT), "{events:#?}");
    let last = events.last().unwrap();
    assert!(last["summary"].as_str().is_some_and(|text| text.contains("was taken down")), "{last}");
    workspace.nothing_is_left();
}

#[test]
fn a_look_at_nothing_leaves_nothing() {
    let workspace = Workspace::new();
    for words in ["plan", "graph", "audit"] {
        workspace.run(words).with(DONE);
        assert!(workspace.files().is_empty(), "{words}: {:?}", workspace.files());
    }
    workspace.run("drift").with(PREFLIGHT);
    workspace.run("verify").with(PREFLIGHT);
    workspace.run("local stop").with(DONE);
    assert!(workspace.files().is_empty(), "{:?}", workspace.files());
    workspace.nothing_runs();
}
