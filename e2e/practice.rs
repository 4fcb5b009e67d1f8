//! The pages of the workshop, executed as they stand by the product's own walk.

use serde_json::Value;

use crate::workspace::Workspace;

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn events(stdout: &str, kind: &str) -> Vec<Value> {
    let lines = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|event| event["type"] == kind).collect()
}

#[test]
fn page_1_does_what_it_promises() {
    let workspace = Workspace::new();
    // A fresh machine has neither; the steps that need them are left out there, by name, and counted.
    let without: Vec<String> = ["kubectl", "aws"]
        .into_iter()
        .filter(|program| !is_on_path(program))
        .map(|program| format!("--without {program}"))
        .collect();
    let solved = workspace.run(&format!("workshop 1 solve --output json {}", without.join(" "))).with(0);
    let summary = events(&solved.stdout, "workshop_summary").pop().expect("a summary");
    let count = |key: &str| summary[key].as_u64().unwrap();
    assert_eq!(count("done") + count("left_out"), count("steps"), "{summary}");
    assert_eq!(count("left_out") > 0, !without.is_empty(), "{summary}");
    assert!(count("done") >= 6, "{summary}");
    workspace.nothing_is_left();
}

#[test]
fn a_step_that_does_not_show_what_it_promises_fails_and_says_so() {
    let workspace = Workspace::new();
    // Step 3 asks AWS who we are; with nothing up there is nobody to answer as the page promises. Left out where there is
    // no aws, step 2 onwards is not touched at all.
    let step = if is_on_path("aws") { 3 } else { 11 };
    let checked = workspace.run(&format!("workshop 1 check {step}"));
    let checked = checked.with(1);
    assert!(checked.stderr.contains(&format!("step {step} (line ")), "{}", checked.stderr);
    workspace.nothing_is_left();
}

#[test]
fn a_missing_program_is_reported_before_the_first_step() {
    let workspace = Workspace::new();
    let mut command = workspace.sluice("workshop 1 solve");
    command.env("PATH", workspace.path());
    let ended = crate::workspace::ended(&mut command).with(6);
    assert!(ended.stderr.contains("calls kubectl") && ended.stderr.contains("--without kubectl"), "{}", ended.stderr);
    assert!(ended.stdout.is_empty(), "{}", ended.stdout);
    workspace.nothing_is_left();
}

#[test]
fn pages_are_listed_shown_and_hinted_without_anything_up() {
    let workspace = Workspace::new();
    let pages = events(&workspace.run("workshop --output json").with(0).stdout, "workshop_page");
    assert_eq!(pages[0]["number"], 1);
    let page = workspace.run("workshop 1").with(0).stdout;
    assert!(page.contains("# From 0 to 3 and back to 0") && page.contains("Its steps:"), "{page}");
    assert!(workspace.run("workshop 1 hint 1").with(0).stdout.contains("scenario tutorial: pass"));
    workspace.run("workshop 9").with(2);
    workspace.run("workshop 1 check 99").with(2);
    workspace.nothing_is_left();
}
