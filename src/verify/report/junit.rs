//! JUnit XML, for CI systems.

use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use crate::check::{Outcome, Verdict};
use crate::error::{Error, Result};
use crate::report::Report;

/// One suite for the story, one case a check. An inconclusive check is an error: it did not judge.
pub(super) fn render(report: &Report) -> Result<String> {
    let time = Duration::try_from(report.finished.duration_since(report.started)).unwrap_or_default();
    let mut suite = TestSuite::new(format!("sluice.{}", report.story));
    suite.set_time(time);
    for (key, value) in &report.environment {
        suite.add_property((key.as_str(), value.as_str()));
    }
    suite.add_test_cases(report.verdicts.iter().map(|verdict| case(report, verdict)));
    let mut junit = quick_junit::Report::new("sluice verify");
    junit.set_time(time);
    junit.add_test_suite(suite);
    junit.to_string().map_err(|error| Error::Report { what: "JUnit XML", reason: error.to_string() })
}

fn case(report: &Report, verdict: &Verdict) -> TestCase {
    let mut status = match verdict.outcome {
        Outcome::Pass => TestCaseStatus::success(),
        Outcome::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Outcome::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    if verdict.outcome != Outcome::Pass {
        status.set_message(verdict.saw.as_str());
        status.set_description(format!("saw: {}\nexpected: {}", verdict.saw, verdict.expected));
    }
    let mut case = TestCase::new(verdict.name.as_str(), status);
    case.set_classname(format!("sluice.{}", report.story));
    case.set_system_out(verdict.saw.as_str());
    case
}
