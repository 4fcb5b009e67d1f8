//! `up` and `down` again and again: what fails once in a hundred times fails here.

use crate::workspace::{Workspace, moment};

const ROUNDS: usize = 100;

/// `cargo test --test e2e rounds -- --ignored --nocapture`, with every core busy at something else for a harder test.
#[test]
#[ignore = "takes a quarter of an hour"]
fn a_hundred_times_up_and_down_leave_nothing() {
    let mut failed = Vec::new();
    for round in 1..=ROUNDS {
        let (workspace, begun) = (Workspace::new(), moment());
        let outcomes = ["up", "down"].map(|words| (words, workspace.run(words)));
        let seconds = begun.elapsed().as_secs_f64();
        let good = outcomes.iter().all(|(_, ended)| ended.code == Some(0))
            && outcomes[1].1.stdout.contains("nothing of this stack is left");
        println!("round {round} of {ROUNDS}: {} in {seconds:.1} s", if good { "good" } else { "FAILED" });
        if good {
            workspace.nothing_is_left();
            continue;
        }
        for (words, ended) in outcomes {
            println!("--- {words}: {:?}\n{}\n{}", ended.code, ended.stdout, ended.stderr);
        }
        let log = std::fs::read_to_string(workspace.stack_file("local.log")).unwrap_or_default();
        println!("--- the local cloud\n{log}");
        failed.push(round);
    }
    assert!(failed.is_empty(), "{} of {ROUNDS} failed: {failed:?}", failed.len());
}
