//! JUnit XML, for CI systems.

use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use crate::error::{Error, Result};
use crate::report::Report;
use crate::verdict::{Outcome, Verdict};

/// One suite for each run, one case a check. An inconclusive check is an error: it did not evaluate.
pub(super) fn render(runs: &[Report]) -> Result<String> {
    let mut junit = quick_junit::Report::new("sluice verify");
    let mut whole = Duration::ZERO;
    for run in runs {
        let time = Duration::try_from(run.finished.duration_since(run.started)).unwrap_or_default();
        whole += time;
        let mut suite = TestSuite::new(class(run));
        suite.set_time(time);
        suite.add_property(("workload", run.workload.as_str()));
        for (key, value) in &run.environment {
            suite.add_property((key.as_str(), value.as_str()));
        }
        suite.add_test_cases(run.verdicts.iter().map(|verdict| case(run, verdict)));
        junit.add_test_suite(suite);
    }
    junit.set_time(whole);
    junit.to_string().map_err(|error| Error::Report { what: "JUnit XML", reason: error.to_string() })
}

/// `sluice.SCENARIO.WORKLOAD`; names of workloads are unique in a stack.
fn class(run: &Report) -> String {
    let name = run.workload.rsplit('/').next().unwrap_or(&run.workload);
    format!("sluice.{}.{name}", run.scenario)
}

fn case(report: &Report, verdict: &Verdict) -> TestCase {
    let mut status = match verdict.outcome {
        Outcome::Pass => TestCaseStatus::success(),
        Outcome::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Outcome::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Error),
        Outcome::NotApplicable => TestCaseStatus::skipped(),
    };
    if verdict.outcome != Outcome::Pass {
        status.set_message(verdict.saw.as_str());
        let mut lines = vec![format!("saw: {}", verdict.saw), format!("expected: {}", verdict.expected)];
        lines.extend(verdict.evidence.iter().cloned());
        lines.extend(verdict.next.iter().map(|next| format!("next: {next}")));
        status.set_description(lines.join("\n"));
    }
    let mut case = TestCase::new(verdict.name.as_str(), status);
    case.set_classname(class(report));
    case.set_system_out(verdict.saw.as_str());
    case
}
