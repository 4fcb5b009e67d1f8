//! The last block of a demo: the verdict, the numbers, what became of the stack, and where the report is.

use std::path::Path;

use serde_json::{Value, json};

use crate::commands::demo::Proof;
use crate::diagnostic::Outcome;
use crate::exit::Exit;
use crate::view::{Tone, View, Weight};

/// Lines of all runs' verdicts: a stack may have any number of workloads.
const LINES_MAX: usize = 6;

/// The exit code of a demo. A teardown that failed outweighs everything, since what is left may cost money; after that a proof
/// that failed; leftovers outweigh a pass and an interruption.
fn exit(proved: Exit, removed: &Outcome) -> Exit {
    match (proved, removed) {
        (_, Err(wrong)) => wrong.first().map_or(Exit::Failed, |first| first.exit),
        (Exit::Done | Exit::Interrupted, Ok(removed)) if *removed != Exit::Done => *removed,
        (proved, Ok(_)) => proved,
    }
}

/// Says how the demo ended.
pub(super) fn print(proved: &Outcome<Proof>, removed: &Outcome, failure: Option<&Path>, view: &View) -> Exit {
    let of_proof = match proved {
        Ok(proof) => proof.exit(),
        Err(wrong) => wrong.first().map_or(Exit::Failed, |first| first.exit),
    };
    let exit = exit(of_proof, removed);
    view.event("conclusion", event(proved, removed, exit));
    view.say(Weight::Last, Tone::Strong, "\nVerdict");
    let tone = if of_proof == Exit::Done { Tone::Good } else { Tone::Bad };
    let mut lines = verdict(proved);
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    for line in lines {
        view.say(Weight::Last, tone, line);
    }
    if more > 0 {
        view.say(Weight::Last, Tone::Dim, format!("… and {more} more lines, in the report"));
    }
    let (tone, text) = teardown(removed);
    view.say(Weight::Last, tone, text);
    let last = |text: String| view.say(Weight::Last, Tone::Plain, text);
    if let Ok(Proof::Evaluated(verified)) = proved {
        last(format!("Report   {}", verified.report.display()));
    }
    if let Some(failure) = failure {
        last(format!("Failure  {}", failure.display()));
    }
    view.say_log(Weight::Last);
    last(format!("Next     {}", next(proved, removed)));
    exit
}

/// What a person does after it.
fn next(proved: &Outcome<Proof>, removed: &Outcome) -> &'static str {
    match (proved, removed) {
        (_, Err(_)) => "`sluice down` removes what is left",
        (Ok(Proof::Evaluated(_)), Ok(_)) => "`sluice explain` says why it scaled; `sluice up` brings it up to stay",
        (_, Ok(_)) => "`sluice up` brings it up to stay",
    }
}

fn verdict(proved: &Outcome<Proof>) -> Vec<String> {
    match proved {
        Ok(Proof::Evaluated(verified)) => verified.reports.iter().flat_map(verify::Report::conclusion).collect(),
        Ok(Proof::Declined(_)) => vec!["no verdict: nothing was proved".to_owned()],
        Err(wrong) => {
            let word = if of_interruption(proved) { "interrupted" } else { "failed" };
            let why = wrong.first().map_or_else(String::new, |first| format!(": {}", first.summary));
            vec![format!("no verdict: {word}{why}")]
        }
    }
}

fn of_interruption(proved: &Outcome<Proof>) -> bool {
    proved.as_ref().is_err_and(|wrong| wrong.first().is_some_and(|first| first.exit == Exit::Interrupted))
}

fn teardown(removed: &Outcome) -> (Tone, String) {
    match removed {
        Ok(Exit::Done) => (Tone::Good, "taken down: nothing of this stack is left".to_owned()),
        Ok(Exit::Leftovers) => (Tone::Bad, "taken down, but things of this stack are left (listed above)".to_owned()),
        Ok(_) => (Tone::Bad, "not taken down → run `sluice down`".to_owned()),
        Err(wrong) => {
            let why = wrong.first().map_or_else(String::new, |first| format!(": {}", first.summary));
            (Tone::Bad, format!("NOT taken down{why}\n  → run `sluice down`"))
        }
    }
}

fn event(proved: &Outcome<Proof>, removed: &Outcome, exit: Exit) -> Value {
    let (runs, report) = match proved {
        Ok(Proof::Evaluated(verified)) => (verified.reports.iter().map(run).collect(), Some(&verified.report)),
        _ => (Vec::new(), None),
    };
    let passed = runs.iter().all(|run: &Value| run["outcome"] == "pass");
    let outcome = match (runs.is_empty(), passed) {
        (true, _) if of_interruption(proved) => "interrupted",
        (true, _) => "failed",
        (false, true) => "pass",
        (false, false) => "fail",
    };
    let removed = match removed {
        Ok(Exit::Done) => "removed",
        Ok(Exit::Leftovers) => "leftovers",
        _ => "failed",
    };
    json!({ "outcome": outcome, "runs": runs, "teardown": removed, "report": report, "exit_code": exit as u8 })
}

fn run(report: &verify::Report) -> Value {
    let (passed, evaluated) = report.passed();
    json!({ "story": report.scenario, "workload": report.workload, "outcome": report.outcome, "passed": passed, "checks": evaluated,
            "moments": report.moments })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Diagnostic;

    #[test]
    fn the_worse_of_proof_and_teardown_is_the_code() {
        let failed = || Err(vec![Diagnostic::error("no")]);
        for (proved, removed, code) in [
            (Exit::Done, Ok(Exit::Done), Exit::Done),
            (Exit::Done, Ok(Exit::Leftovers), Exit::Leftovers),
            (Exit::Interrupted, Ok(Exit::Done), Exit::Interrupted),
            (Exit::Interrupted, Ok(Exit::Leftovers), Exit::Leftovers),
            (Exit::VerificationFailed, Ok(Exit::Leftovers), Exit::VerificationFailed),
            (Exit::VerificationFailed, failed(), Exit::Failed),
            (Exit::Done, failed(), Exit::Failed),
        ] {
            assert_eq!(exit(proved, &removed), code, "{proved:?} {removed:?}");
        }
    }

    #[test]
    fn an_interruption_and_a_failed_teardown_are_both_said() {
        let proved = Err(vec![Diagnostic::interrupted("scenario tutorial ended in step idle")]);
        let removed = Err(vec![Diagnostic::error("the cluster cannot be deleted")]);
        assert_eq!(verdict(&proved), ["no verdict: interrupted: scenario tutorial ended in step idle"]);
        let (_, text) = teardown(&removed);
        assert!(
            text.contains("NOT taken down: the cluster cannot be deleted") && text.contains("sluice down"),
            "{text}"
        );
        let event = event(&proved, &removed, Exit::Failed);
        assert_eq!((event["outcome"].as_str(), event["teardown"].as_str()), (Some("interrupted"), Some("failed")));
    }
}
