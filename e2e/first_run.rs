//! What the first person with an account relies on: a recording that holds every request and nothing of theirs, and a demo that
//! takes down what it put up, whatever happens.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::own_service::json;
use crate::workspace::{Running, Workspace};

const DONE: i32 = 0;
const FAILED: i32 = 1;
const INTERRUPTED: i32 = 130;

/// The lines of the only recording in a folder.
#[track_caller]
fn recorded(folder: &Path) -> Vec<Value> {
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [file] = files.as_slice() else { panic!("one file was expected: {files:?}") };
    std::fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What must not be handed on: the account and the keys of the local cloud, as its files have them.
fn secrets(workspace: &Workspace) -> Vec<String> {
    let text = std::fs::read_to_string(workspace.stack_file("credentials")).unwrap();
    let mut secrets: Vec<String> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| name.trim().starts_with("aws_"))
        .map(|(_, value)| value.trim().to_owned())
        .collect();
    assert!(secrets.len() >= 2, "{text}");
    secrets.push(json(workspace, "local.json")["account_id"].as_str().unwrap().to_owned());
    secrets
}

#[track_caller]
fn holds_none(folder: &Path, secrets: &[String]) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for secret in secrets {
            assert!(!text.contains(secret.as_str()), "{secret} is in the recording");
        }
        // Of signatures and keys of any kind, also of those that the cloud itself gave out.
        for line in text.lines() {
            let kinds = ["AKIA", "ASIA"].iter().flat_map(|kind| line.match_indices(kind));
            for (at, kind) in kinds {
                assert!(line[at + kind.len()..].starts_with("00000000"), "{line}");
            }
            for (at, name) in line.match_indices("Signature=") {
                assert!(line[at + name.len()..].starts_with("REDACTED"), "{line}");
            }
            assert!(!line.contains("eyJ") && !line.contains("k8s-aws-v1.aHR"), "{line}");
        }
    }
}

#[test]
fn a_recording_has_every_request_with_times_and_neither_keys_nor_the_account() {
    let workspace = Workspace::new();
    workspace.run("local start --trail-path trail.jsonl").with(DONE);
    let secrets = secrets(&workspace);
    workspace.run("demo --record handed-on --max-hours 1").with(DONE);
    let folder = workspace.path().join("handed-on");
    holds_none(&folder, &secrets);
    let lines = recorded(&folder);
    let (header, exchanges) = lines.split_first().unwrap();
    assert_eq!((&header["format"], &header["version"]), (&"sluice-recording".into(), &1.into()), "{header}");
    // Everything that the command asked for is in it: the cloud counted as well, before it was asked who calls.
    let trail = std::fs::read_to_string(workspace.path().join("trail.jsonl")).unwrap();
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for record in trail.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        if record["userAgent"].as_str().is_some_and(|agent| agent.ends_with("(cli)")) {
            *counts.entry(record["eventSource"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    for exchange in exchanges {
        let service = exchange["service"].as_str().unwrap_or_else(|| panic!("no service: {exchange}"));
        *counts.entry(format!("{service}.amazonaws.com")).or_default() -= 1;
        assert!(exchange["at_seconds"].is_f64() && exchange["took_seconds"].is_f64(), "{exchange}");
        assert!(exchange["request"]["path"].as_str().unwrap().starts_with('/'), "{exchange}");
        assert!(exchange["answer"]["status"].is_u64() || exchange["failure"].is_string(), "{exchange}");
    }
    assert!(
        counts.values().all(|count| *count == 0) && counts.len() >= 4,
        "requests that only one side saw: {counts:?}"
    );
    // A value has one stand-in, so that what belongs together still does.
    let body = |path: &str| {
        let found = exchanges.iter().find(|it| it["request"]["path"] == path && it["request"]["method"] == "POST");
        found.unwrap_or_else(|| panic!("no {path}"))["request"]["body"].as_str().unwrap().to_owned()
    };
    assert!(body("/clusters").contains("arn:aws:iam::000000000001:role/e2e-"), "{}", body("/clusters"));
    workspace.run("down").with(DONE);
    std::fs::remove_dir_all(folder).unwrap();
    std::fs::remove_file(workspace.path().join("trail.jsonl")).unwrap();
    workspace.nothing_is_left();
}

#[test]
fn a_folder_that_cannot_be_written_is_said_before_anything_is_made() {
    let workspace = Workspace::new();
    workspace.write("taken", "a file");
    let demo = workspace.run("demo --record taken/folder").with(6);
    assert!(demo.stderr.contains("requests cannot be recorded in taken/folder"), "{}", demo.stderr);
    assert!(demo.stderr.contains("--record"), "{}", demo.stderr);
    workspace.nothing_runs();
}

#[test]
fn a_demo_whose_hours_are_over_takes_down_what_it_put_up_and_has_failed() {
    let workspace = Workspace::new();
    // Nine seconds: the stack is on its way up.
    let demo = Running::start(&workspace, "demo --max-hours 0.0025");
    let (code, events) = demo.ends();
    assert_eq!(code, Some(FAILED), "{events:#?}");
    let said = events.iter().filter(|it| it["severity"] == "warning").filter_map(|it| it["summary"].as_str());
    assert!(said.into_iter().any(|text| text.contains("--max-hours")), "{events:#?}");
    let last = events.last().unwrap();
    assert_eq!((&last["type"], &last["teardown"]), (&"conclusion".into(), &"removed".into()), "{last}");
    workspace.nothing_is_left();
}

#[test]
fn a_terminal_that_goes_away_and_says_so_twice_does_not_keep_a_demo_from_taking_down() {
    let workspace = Workspace::new();
    let demo = Running::start(&workspace, "demo");
    demo.until("the first step", |event| {
        event["type"] == "observation" && event["record"]["payload"]["name"] == "idle"
    });
    // The shell passes it on, and the kernel says it again when the shell has ended.
    demo.signal("-HUP");
    demo.until("the end of the proof", |event| event["type"] == "interrupted");
    demo.signal("-HUP");
    let (code, events) = demo.ends();
    assert_eq!(code, Some(INTERRUPTED), "{events:#?}");
    assert_eq!(events.last().unwrap()["teardown"], "removed", "{events:#?}");
    workspace.nothing_is_left();
}
