//! `sluice demo`: the product's main job, as a newcomer runs it.

use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::workspace::{Running, Workspace};

/// Lines of a demo in a pipe.
const LINES_MAX: usize = 80;

#[test]
fn the_demo_goes_from_0_to_3_to_0_proves_it_and_leaves_nothing() {
    let workspace = Workspace::new();
    let demo = workspace.run("demo").with(0);
    let lines: Vec<&str> = demo.stdout.lines().collect();
    assert!(lines.len() <= LINES_MAX, "{} lines:\n{}", lines.len(), demo.stdout);
    // Both decisions are among them, in the order of time.
    let place = |part: &str| lines.iter().position(|line| line.contains(part));
    assert!(place("operator 0 -> 1").is_some() && place("operator 0 -> 1") < place("-> 3: "), "{}", demo.stdout);
    // All the rest is in the log that the first line names.
    let log = std::fs::read_to_string(workspace.path().join(lines[0].trim_start_matches("Log").trim())).unwrap();
    let checks = ["activated-by-operator", "reaches-maximum", "every-message-deleted-once", "stays-at-zero"];
    for part in checks.into_iter().chain([
        "unique_id: (known after apply)",
        "aws_eks_cluster.this: created after ",
        lines[lines.len() - 1],
    ]) {
        assert!(log.contains(part), "the log lacks {part}:\n{log}");
    }
    assert!(demo.stdout.contains("scenario tutorial: pass"), "{}", demo.stdout);
    // The verdict stands where a person looks: at the end.
    let last: Vec<&str> = lines.iter().rev().take(6).copied().collect();
    assert!(last[0].starts_with("Next ") && last[1].starts_with("Log ") && last[1].ends_with("-demo.log"), "{last:#?}");
    assert!(last[2].starts_with("Report ") && last[2].ends_with("report.html"), "{last:#?}");
    assert!(last[3].contains("nothing of this stack is left"), "{last:#?}");
    assert!(last[4].contains("0 -> 1 after ") && last[4].contains("3 replicas after "), "{last:#?}");
    assert!(last[5].starts_with("scenario tutorial of myproject/myapp: pass, "), "{last:#?}");

    let report: Value = serde_json::from_str(&read(&workspace, "report/report.json")).unwrap();
    assert_eq!(report["outcome"], "pass");
    let verdicts = report["verdicts"].as_array().unwrap();
    assert!(verdicts.len() >= 10 && verdicts.iter().all(|verdict| verdict["outcome"] == "pass"), "{verdicts:#?}");
    assert!(read(&workspace, "report/junit.xml").contains("<testcase"));
    let html = read(&workspace, "report/report.html");
    assert!(html.contains("<svg"), "the report has no chart");
    for outside in ["src=\"http", "href=\"http", "<script src"] {
        assert!(!html.contains(outside), "the report is not self-contained: it holds {outside}");
    }
    let evidence: Vec<String> = workspace.files().into_iter().filter(|file| file.contains("/evidence/")).collect();
    assert_eq!(evidence.len(), 1, "{evidence:?}");
    workspace.nothing_is_left();

    // The same evidence gives the same verdict, with nothing up.
    let evaluated = workspace.run(&format!("verify --evidence {}", evidence[0])).with(0);
    assert!(evaluated.stdout.contains("scenario tutorial: pass"), "{}", evaluated.stdout);
}

fn read(workspace: &Workspace, name: &str) -> String {
    let path = workspace.stack_file(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Real time that the slow run may take: its scenario lasts about 100 s.
const SLOW_LIMIT: Duration = Duration::from_mins(8);

/// Tokens, sessions and watches end in real time, however fast the system's time runs.
#[test]
fn what_lasts_longer_than_a_minute_of_real_time_is_seen_to_its_end() {
    let workspace = Workspace::new();
    workspace.run("up --yes --time-scale 5").with(0);
    let watch = Running::start(&workspace, "watch");
    let verified = workspace.run_within("verify", SLOW_LIMIT).with(0);
    let report: Value = serde_json::from_str(&read(&workspace, "report/report.json")).unwrap();
    let verdicts = report["verdicts"].as_array().unwrap();
    assert!(verdicts.len() >= 16, "{verdicts:#?}");
    assert!(verdicts.iter().all(|verdict| verdict["outcome"] == "pass"), "{}", verified.stdout);

    // Nothing that was read could not be read, and reads went on to the end.
    let records: Vec<Value> = watch.said().into_iter().filter(|event| event["type"] == "observation").collect();
    let of = |kind: &'static str| records.iter().filter(move |one| one["record"]["kind"] == kind);
    let failures: Vec<_> = of("failure").collect();
    assert!(failures.is_empty(), "{failures:#?}");
    let times: Vec<Timestamp> =
        of("deployment").map(|one| one["record"]["time"].as_str().unwrap().parse().unwrap()).collect();
    let seen = times[times.len() - 1].duration_since(times[0]);
    assert!(seen > SignedDuration::from_secs(90), "the watch saw {seen:#}");
    watch.kill();

    let log = read(&workspace, "local.log");
    assert!(!log.contains("refused an EKS token"), "{log}");
    workspace.run("down --yes").with(0);
    workspace.nothing_is_left();
}
