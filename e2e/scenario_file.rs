//! Scenario files: the examples are played on the local target, each as it is and with one bound broken on purpose.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::own_service::json as file;
use crate::removal::Cluster;
use crate::workspace::Workspace;

/// Much slower than the default: a busy machine takes real time for what it does, which bounds in system time count so many times.
const SCALE: u32 = 3;
/// One command with its deadlines, whatever the load of this machine.
const LIMIT: Duration = Duration::from_mins(9);
const USAGE: i32 = 2;
const NOT_PROVED: i32 = 4;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scenarios")
}

fn example(name: &str) -> String {
    std::fs::read_to_string(examples().join(name)).unwrap()
}

/// A workspace with the examples' stack up.
fn raised() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", &example("stack.yaml"));
    workspace.run_within(&format!("up --time-scale {SCALE}"), LIMIT).with(0);
    workspace
}

#[track_caller]
fn goes_down(workspace: &Workspace) {
    workspace.run_within("down", LIMIT).with(0);
    workspace.nothing_runs();
}

/// Verdicts of the last report that did not pass, with their workload and what was seen.
fn not_passed(workspace: &Workspace) -> Vec<(String, String, String)> {
    let report = file(workspace, "report/report.json");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let verdicts = report["verdicts"].as_array().unwrap().iter().filter(|verdict| verdict["outcome"] != "pass");
    verdicts.map(|verdict| (text(&verdict["name"]), text(&verdict["workload"]), text(&verdict["saw"]))).collect()
}

/// Plays the example, and again with one bound that cannot hold: that one alone is named, with what was seen.
#[track_caller]
fn holds_and_breaks(name: &str, (from, to): (&str, &str), bound: &str, workload: &str) {
    let workspace = raised();
    let text = example(name);
    workspace.write(name, &text);
    let verified = workspace.run_within(&format!("verify {name}"), LIMIT).with(0);
    let title = name.trim_end_matches(".yaml");
    assert!(verified.stdout.contains(&format!("scenario {title}: pass")), "{}", verified.stdout);
    let broken = text.replacen(from, to, 1);
    assert_ne!(broken, text, "{from:?} is not in {name}");
    workspace.write("broken.yaml", &broken);
    let verified = workspace.run_within("verify broken.yaml", LIMIT).with(NOT_PROVED);
    let bad = not_passed(&workspace);
    assert!(matches!(bad.as_slice(), [(name, of, _)] if name == bound && of.ends_with(workload)), "{bad:#?}");
    let line = verified.stdout.lines().find(|line| line.starts_with(&format!("FAIL         {bound}")));
    assert!(line.is_some_and(|line| line.contains(&bad[0].2)), "{bound}: {}", verified.stdout);
    let junit = std::fs::read_to_string(workspace.stack_file("report/junit.xml")).unwrap();
    assert!(junit.contains(&format!("name=\"{bound}\"")), "{junit}");
    goes_down(&workspace);
}

#[test]
fn a_ramp_holds_its_bounds_and_one_replica_is_too_few_for_it() {
    holds_and_breaks("ramp.yaml", ("neverAbove: 3", "neverAbove: 1"), "neverAbove", "/orders");
}

#[test]
fn two_workloads_are_loaded_at_once_and_each_has_its_own_bounds() {
    let broken = ("neverAbove: 2, settlesWithin: 900", "neverAbove: 2, settlesWithin: 5");
    holds_and_breaks("two-workloads.yaml", broken, "settlesWithin", "/mails");
}

#[test]
fn work_that_fails_twice_is_done_in_the_end() {
    holds_and_breaks("poison.yaml", ("replicas: 1, within: 600", "replicas: 1, within: 1"), "reaches", "/orders");
}

#[test]
fn slow_pods_come_all_the_same_but_not_before_they_can() {
    // The containers are late by a minute.
    holds_and_breaks("slow-pods.yaml", ("within: 900", "within: 50"), "reaches", "/orders");
}

#[test]
fn workers_that_sts_denies_a_role_try_again() {
    // Until STS gives out roles, nobody works.
    holds_and_breaks("sts-denied.yaml", ("settlesWithin: 1200", "settlesWithin: 60"), "settlesWithin", "/orders");
}

#[test]
fn scale_in_under_work_loses_nothing_unless_the_pods_have_no_grace() {
    let workspace = raised();
    workspace.write("scale-in-under-work.yaml", &example("scale-in-under-work.yaml"));
    let verified = workspace.run_within("verify scale-in-under-work.yaml", LIMIT).with(0);
    assert!(verified.stdout.contains("taken away at their work"), "{}", verified.stdout);
    let grace = json!({ "op": "replace", "path": "/spec/template/spec/terminationGracePeriodSeconds", "value": 0 });
    Cluster::of(&workspace).patch_json("myproject", "orders", json!([grace]));
    workspace.run_within("verify scale-in-under-work.yaml", LIMIT).with(NOT_PROVED);
    let bad = not_passed(&workspace);
    let lost = bad.iter().find(|(name, _, _)| name == "gracefulScaleIn");
    assert!(lost.is_some_and(|(_, _, saw)| saw.contains("a worker was ended at its work")), "{bad:#?}");
    goes_down(&workspace);
}

#[test]
fn faults_are_played_on_a_stack_that_a_demo_brings_up() {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", &example("stack.yaml"));
    workspace.write(
        "all.yaml",
        "workloads:\n\
         - name: orders\n\
         \x20 load: [{ shape: burst, messages: 9 }]\n\
         \x20 bounds: { settlesWithin: 1800 }\n\
         faults:\n\
         - { fault: workers-die, after: 20, workload: orders }\n\
         - { fault: operator-dies, after: 40 }\n\
         - { fault: sqs-throttles, after: 60, seconds: 60 }\n\
         - { fault: counts-stale, after: 130, seconds: 60 }\n",
    );
    let demo = workspace.run_within(&format!("demo all.yaml --time-scale {SCALE}"), LIMIT).with(0);
    assert!(demo.stdout.contains("scenario all of myproject/orders: pass"), "{}", demo.stdout);
    workspace.nothing_runs();
    // The run can be evaluated again without its file.
    std::fs::remove_file(workspace.path().join("all.yaml")).unwrap();
    let evidence = workspace
        .files()
        .into_iter()
        .find(|name| Path::new(name).extension().is_some_and(|kind| kind == "jsonl"))
        .unwrap();
    let again = workspace.run(&format!("verify --evidence {evidence}")).with(0);
    for part in ["faults-struck", "workers-die: deleted without grace: orders-", "counts-stale: struck"] {
        assert!(again.stdout.contains(part), "{part}: {}", again.stdout);
    }
}

#[test]
fn what_is_wrong_or_cannot_be_played_is_named_before_anything_is_sent() {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", &example("stack.yaml"));
    let refused = |text: &str, words: &str, parts: &[&str]| {
        workspace.write("mine.yaml", text);
        let ended = workspace.run(&format!("demo mine.yaml {words}")).with(USAGE);
        for part in parts {
            assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
        }
    };
    let ramp = example("ramp.yaml");
    refused(
        &ramp.replace("neverAbove", "neverOver"),
        "",
        &["mine.yaml:8:", "workloads[0].bounds.neverOver: unknown key", "neverAbove"],
    );
    refused(
        &ramp.replace("name: orders", "name: order"),
        "",
        &["mine.yaml:4:", "workloads[0].name: the stack has no workload order", "did you mean orders?"],
    );
    refused(&ramp, "--messages 3", &["--messages has no effect"]);
    refused(&ramp, "--workload orders", &["--workload has no effect"]);
    let slow = example("slow-pods.yaml");
    let at = "mine.yaml:12:";
    refused(
        &slow,
        "--target aws --yes",
        &[at, "faults[0].fault: this target cannot play pods-slow", "it plays workers-die, operator-dies"],
    );
    refused(
        &example("sts-denied.yaml"),
        "--target localstack",
        &["this target cannot play sts-denies: only Sluice's local cloud does"],
    );
    workspace.run("demo ./nowhere.yaml").with(USAGE).says(&["failed to read the scenario file ./nowhere.yaml"]);
    workspace.run("demo rampe").with(USAGE).says(&["there is no scenario rampe", "./rampe.yaml"]);
    assert!(!workspace.path().join(".sluice").exists(), "{:?}", workspace.files());
}
