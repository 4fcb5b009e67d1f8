//! The examples that need nothing else: each runs as its README says. `own_service` runs the one in Python, `scenario_file` the scenarios.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::workspace::Workspace;

/// Slower than the default: here the examples are evaluated, not how fast this machine is.
const SCALE: u32 = 10;
/// The whole of up, verify and down, whatever the load of this machine.
const LIMIT: Duration = Duration::from_mins(8);

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// Runs `demo` with an example's stack file, and returns what it printed.
fn demo(workspace: &Workspace, name: &str) -> String {
    std::fs::copy(examples().join(name).join("stack.yaml"), workspace.path().join("stack.yaml")).unwrap();
    let ended = workspace.run_within(&format!("demo --time-scale {SCALE}"), LIMIT).with(0);
    workspace.nothing_runs();
    ended.stdout
}

#[test]
fn the_sqs_demo_scales_from_0_to_3_to_0() {
    let stdout = demo(&Workspace::new(), "sqs-demo");
    assert!(stdout.contains("16 of 16 checks passed"), "{stdout}");
}

#[test]
fn two_workloads_are_read_by_different_identities() {
    let workspace = Workspace::new();
    let stdout = demo(&workspace, "two-identities");
    for workload in ["shop/orders", "post/mails"] {
        assert!(stdout.lines().any(|line| line.contains("checks passed") && line.contains(workload)), "{stdout}");
    }
    let log = workspace.files().into_iter().find(|file| file.ends_with("-demo.log")).unwrap();
    let log = std::fs::read_to_string(workspace.path().join(log)).unwrap();
    for owner in ["keda", "workload"] {
        let line = format!("identityOwner: \"{owner}\"");
        assert!(log.contains(&line), "the plan lacks {line}:\n{log}");
    }
}

#[test]
fn every_example_is_run_by_a_test_and_says_what_it_is() {
    let folders = std::fs::read_dir(examples()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let found: BTreeSet<String> = folders.collect();
    assert_eq!(
        found,
        ["own-service", "scenarios", "sqs-demo", "two-identities"].map(str::to_owned).into(),
        "add it to a test here"
    );
    for name in found {
        for file in ["README.md", "stack.yaml"] {
            assert!(examples().join(&name).join(file).is_file(), "{name} lacks {file}");
        }
    }
}
