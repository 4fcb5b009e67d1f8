//! Pods that do not run: the wait ends early, and the failure shows the last Warning, the program's own last words and the
//! next command, without the credentials that it has let slip; in every form.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::own_service::{found, json, kubectl, script};
use crate::terminal::Terminal;
use crate::workspace::{Workspace, ended};

/// The bounds of hopeless waits are the system's time, and the machine may be busy.
const PATIENCE: Duration = Duration::from_mins(8);
const FAILED: i32 = 1;
const VERIFICATION_FAILED: i32 = 4;

/// What the program says before it ends, and what must never be seen of it.
const WORDS: &str = "no database at db:5432";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn crashing(workspace: &Workspace) {
    let text = format!("#!/bin/sh\necho 'AWS_SECRET_ACCESS_KEY={SECRET}' >&2\necho '{WORDS}' >&2\nexit 3\n");
    script(workspace, "crash.sh", &text);
}

#[track_caller]
fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "lacks {part:?}:\n{text}");
    }
    assert!(!text.contains("wJalr"), "a credential is shown:\n{text}");
}

/// What the archive of a failure contains, by path; its place is the last thing that a person reads of it.
#[track_caller]
fn kept(workspace: &Workspace, stdout: &str) -> BTreeMap<String, String> {
    let line = stdout
        .lines()
        .rev()
        .find(|line| line.starts_with("Failure "))
        .unwrap_or_else(|| panic!("no archive:\n{stdout}"));
    let path = workspace.path().join(line.split_whitespace().nth(1).unwrap());
    let target = workspace.path().join("opened");
    std::fs::create_dir_all(&target).unwrap();
    ended(Command::new("tar").arg("-xzf").arg(&path).arg("-C").arg(&target).arg("--strip-components=1")).with(0);
    let files = workspace.files().into_iter().filter_map(|file| {
        let inside = file.strip_prefix("opened/")?.to_owned();
        Some((inside, std::fs::read_to_string(workspace.path().join(&file)).unwrap()))
    });
    let files = files.collect();
    std::fs::remove_dir_all(&target).unwrap();
    files
}

/// The archive has the program's last words from its log, and no credential anywhere.
#[track_caller]
fn explains(files: &BTreeMap<String, String>, parts: &[&str]) {
    let names: Vec<&String> = files.keys().collect();
    for part in parts {
        assert!(names.iter().any(|name| name.starts_with(part)), "no {part}: {names:#?}");
    }
    let log = files.iter().find(|(name, text)| name.contains("/logs/") && text.contains(WORDS));
    assert!(log.is_some_and(|(name, _)| name.starts_with("kubernetes/")), "no log with the last words: {names:#?}");
    for (name, text) in files {
        assert!(!text.contains("wJalr") && !text.contains("PRIVATE KEY"), "a credential in {name}:\n{text}");
    }
}

#[test]
fn an_operator_that_crashes_ends_up_early_with_its_last_words() {
    let workspace = Workspace::new();
    crashing(&workspace);
    let options = "--image mycorp/operator:1 --run-image operator=./crash.sh";
    let up = workspace.run_within(&format!("up {options}"), PATIENCE).with(FAILED);
    let seen = [
        "kubernetes_deployment.keda/keda-operator",
        "will not come by waiting",
        "exit code 3",
        "last Warning of Pod keda-operator-",
        "BackOff",
        WORDS,
    ];
    holds(&up.stderr, &seen);
    holds(&up.stderr, &["→ look further with `kubectl -n keda describe pod keda-operator-"]);
    holds(&up.stdout, &[WORDS]);
    explains(
        &kept(&workspace, &up.stdout),
        &["README.txt", "stack.json", "state.json", "local.log", "kubernetes/keda/pods.json"],
    );
    workspace.run_within("down", PATIENCE).with(0);
    // A demo takes down what was to be looked at, and says so.
    let demo = workspace.run_within(&format!("demo {options}"), PATIENCE).with(FAILED);
    holds(&demo.stderr, &[WORDS, "→ bring it up to stay with `sluice up`, then look further with `kubectl -n keda"]);
    workspace.nothing_runs();
    // Kept before it was taken down.
    let files = kept(&workspace, &demo.stdout);
    explains(&files, &["README.txt", "kubernetes/keda/events.json", "kubernetes/keda/deployments.json"]);
    holds(&files["README.txt"], &["sluice demo of ", "kubernetes_deployment.keda/keda-operator", WORDS]);
    holds(&files["output.txt"], &["Plan: ", " to add", WORDS]);
}

#[test]
fn a_workload_that_crashes_fails_its_step_early_and_the_cause_is_in_every_form() {
    let workspace = Workspace::new();
    crashing(&workspace);
    workspace.write(
        "stack.yaml",
        "images: {mycorp/orders: ./crash.sh}\nworkloads:\n- {name: orders, image: 'mycorp/orders:1'}\n",
    );
    // Slow enough that a busy machine makes no step late for a reason of its own.
    workspace.run("up --time-scale 5").with(0);
    let verified = workspace.run_within("verify", PATIENCE).with(VERIFICATION_FAILED);
    let seen = [
        "waiting does not help",
        "exit code 3",
        "last Warning of Pod orders-",
        WORDS,
        "→ look further with `kubectl -n myproject describe pod orders-",
    ];
    holds(&verified.stdout, &seen);
    explains(
        &kept(&workspace, &verified.stdout),
        &["evidence/", "kubernetes/myproject/scaledobjects.json", "kubernetes/myproject/logs/orders-"],
    );
    let report = json(&workspace, "report/report.json");
    let completed =
        report["verdicts"].as_array().unwrap().iter().find(|it| it["name"] == "scenario-completed").unwrap();
    holds(&completed["evidence"].to_string(), &[WORDS]);
    holds(&completed["next"].to_string(), &["kubectl"]);
    let file = |name: &str| std::fs::read_to_string(workspace.stack_file(name)).unwrap();
    holds(&file("report/junit.xml"), &[WORDS, "next: look further"]);
    holds(&file("report/report.html"), &[WORDS, "next: look further"]);
    // The same for a program: one object a line, and nothing else.
    let verified = workspace.run_within("verify --output json", PATIENCE).with(VERIFICATION_FAILED);
    let objects: Vec<Value> = verified.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verdicts = objects.iter().find(|it| it["type"] == "verdicts").unwrap();
    holds(&verdicts.to_string(), &[WORDS]);
    for entry in std::fs::read_dir(workspace.stack_file("evidence")).unwrap().flatten() {
        holds(&std::fs::read_to_string(entry.path()).unwrap(), &[WORDS]);
    }
    workspace.run_within("down", PATIENCE).with(0);
}

#[test]
fn who_watches_sees_every_ten_seconds_that_nothing_changes_also_in_a_pipe() {
    let workspace = Workspace::new();
    workspace.run("up").with(0);
    let watched = workspace.run("watch --seconds 25").with(0).stdout;
    assert!(watched.contains("nothing changes... [1") && watched.contains("s elapsed] queue 0 waiting"), "{watched}");
    let watched = workspace.run("watch --seconds 25 --output json").with(0).stdout;
    let objects: Vec<Value> = watched.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let waiting = objects.iter().find(|it| it["type"] == "waiting").unwrap();
    assert!(waiting["real_seconds"].as_f64().unwrap() >= 10.0 && waiting["what"] == "nothing changes", "{waiting}");
    workspace.run("down").with(0);
}

/// The lines of a step that lasts.
fn still<'a>(text: &'a str, step: &str) -> Vec<&'a str> {
    text.lines().map(str::trim_end).filter(|line| line.starts_with(&format!("{step}... ["))).collect()
}

#[test]
fn a_creation_that_lasts_says_in_a_pipe_and_in_a_terminal_what_it_usually_takes() {
    let workspace = Workspace::new();
    let up = workspace.run_within("up --faults slow", PATIENCE).with(0).stdout;
    let cluster = "aws_eks_cluster.this: Still creating";
    let said = still(&up, cluster);
    assert!(!said.is_empty(), "{up}");
    for line in said {
        holds(line, &["0s elapsed, usually 10m00s to 16m00s on AWS] CREATING (", " done)"]);
    }
    let down = workspace.run_within("down --output json", PATIENCE).with(0).stdout;
    let objects: Vec<Value> = down.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_cluster = |kind: &str| {
        objects.iter().find(|it| it["type"] == kind && it["address"] == "aws_eks_cluster.this").unwrap().clone()
    };
    assert_eq!(of_cluster("progress")["usual"]["shortest_seconds"], 180.0);
    assert_eq!(of_cluster("progress")["usual"]["runs"], Value::Null);
    // The next run knows what the first took, though nothing else is left of it.
    let history = json(&workspace, "durations.json");
    assert_eq!(history["seconds"]["aws_eks_cluster.this delete"][0].as_f64().map(f64::round), {
        of_cluster("complete")["elapsed"].as_f64().map(f64::round)
    });
    let terminal = Terminal::start(workspace.sluice("up --faults slow"));
    let (code, screen) = terminal.ends();
    assert_eq!(code, Some(0), "{screen}");
    let said = still(&screen, cluster);
    assert!(!said.is_empty(), "{screen}");
    for line in said {
        holds(line, &[" the last time] CREATING ("]);
    }
    workspace.run_within("down", PATIENCE).with(0);
}

#[test]
fn what_keeps_pods_from_starting_at_all_fails_the_step_with_its_reason() {
    let Some(_) = found("kubectl", &["version", "--client"]) else { return };
    let workspace = Workspace::new();
    workspace.run("up --time-scale 15").with(0);
    let patch = |text: &str| {
        workspace.write("patch.json", text);
        kubectl(&workspace, "patch deployment myapp -n myproject --type strategic --patch-file patch.json");
    };
    let container =
        |text: &str| format!(r#"{{"spec":{{"template":{{"spec":{{"containers":[{{"name":"myapp",{text}}}]}}}}}}}}"#);
    for (change, reason) in [
        (
            container(r#""env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"database","key":"url"}}}]"#),
            "CreateContainerConfigError",
        ),
        (container(r#""env":null,"image":"mycorp/nowhere:1""#), "mycorp/nowhere:1"),
        (
            r#"{"spec":{"template":{"spec":{"schedulingGates":[{"name":"example.com/gate"}]}}}}"#.to_owned(),
            "scheduling gate",
        ),
    ] {
        patch(&change);
        let verified = workspace.run_within("verify", PATIENCE).with(VERIFICATION_FAILED);
        holds(
            &verified.stdout,
            &["waiting does not help", reason, "→ look further with `kubectl -n myproject describe pod myapp-"],
        );
        // What the run left on the queue is not the next one's to begin with.
        purge(&workspace);
    }
    workspace.run_within("down", PATIENCE).with(0);
}

/// Empties the queue, so that the Deployment goes back to zero.
fn purge(workspace: &Workspace) {
    let queue = workspace.run("outputs queue_url").with(0).stdout.trim().to_owned();
    let purged = crate::workspace::ended(&mut crate::own_service::at(
        workspace,
        &format!("aws sqs purge-queue --queue-url {queue}"),
    ));
    assert_eq!(purged.code, Some(0), "{}", purged.stderr);
}
