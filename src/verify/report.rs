//! The report of a judged run, in its four forms: terminal lines, JSON, JUnit, and the context of the HTML template.

mod html;
mod junit;
mod picture;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::check::{self, Outcome, Verdict};
use crate::error::Result;
use crate::evidence::Evidence;
use crate::timeline::Timeline;

/// The version of report.json.
pub(crate) const VERSION: u32 = 1;

/// A judged run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// [`VERSION`].
    pub version: u32,
    /// Version of the program that made the evidence.
    pub product: String,
    /// The run's id.
    pub run: String,
    /// The story's name.
    pub story: String,
    /// The stack's name.
    pub stack: String,
    /// The verdict on everything.
    pub outcome: Outcome,
    /// The step in which the run was interrupted; such a run was judged on what it saw until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted_in: Option<String>,
    /// When the run began, real time.
    pub started: Timestamp,
    /// When it ended, real time.
    pub finished: Timestamp,
    /// System seconds per real second.
    pub time_scale: f64,
    /// Seed of the fault plan, if there was one.
    pub seed: Option<u64>,
    /// Target, region and the like.
    pub environment: IndexMap<String, String>,
    /// One verdict a check.
    pub verdicts: Vec<Verdict>,
    /// What this run proved: what the passed checks expected.
    pub proved: Vec<String>,
    /// What a run in this environment cannot prove.
    pub limits: Vec<String>,
    /// The causal timeline.
    pub timeline: Timeline,
    #[serde(skip)]
    evidence: Evidence,
}

impl Report {
    /// Judges evidence.
    pub fn of(evidence: &Evidence) -> Self {
        let header = evidence.header.clone();
        let verdicts = check::judge(evidence);
        let passed = verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Pass);
        Self {
            version: VERSION,
            product: header.product,
            run: header.run,
            story: header.story,
            stack: header.stack,
            outcome: check::overall(&verdicts),
            interrupted_in: evidence.interrupted_in().map(str::to_owned),
            started: header.started,
            finished: evidence.end(),
            time_scale: header.time_scale,
            seed: header.seed,
            environment: header.environment,
            proved: passed.map(|verdict| format!("{}: {}", verdict.name, verdict.expected)).collect(),
            limits: header.limits,
            timeline: crate::explain(evidence),
            verdicts,
            evidence: evidence.clone(),
        }
    }

    /// Whether every check passed.
    pub fn is_pass(&self) -> bool {
        self.outcome == Outcome::Pass
    }

    /// The verdict for a terminal: one line a check, what was expected under those that did not pass, and a summary.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for verdict in &self.verdicts {
            lines.push(format!("{:<12} {:<28} {}", word(verdict.outcome), verdict.name, verdict.saw));
            if verdict.outcome != Outcome::Pass {
                lines.push(format!("{:<41} expected: {}", "", verdict.expected));
            }
        }
        lines.push(self.summary());
        lines
    }

    /// One sentence on the whole run.
    pub fn summary(&self) -> String {
        let passed = self.verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Pass).count();
        let real = self.finished.duration_since(self.started).as_secs_f64();
        let interrupted = self.interrupted_in.as_ref().map(|step| format!("; interrupted in step {step}"));
        format!(
            "story {}: {}, {passed} of {} checks passed, {:.0} s of system time in {real:.1} s{}",
            self.story,
            word(self.outcome),
            self.verdicts.len(),
            real * self.time_scale,
            interrupted.unwrap_or_default()
        )
    }

    /// report.json.
    pub fn json(&self) -> Result<String> {
        let failed = |error: serde_json::Error| crate::Error::Report { what: "report.json", reason: error.to_string() };
        Ok(serde_json::to_string_pretty(self).map_err(failed)? + "\n")
    }

    /// JUnit XML: one test case a check.
    pub fn junit(&self) -> Result<String> {
        junit::render(self)
    }

    /// The context for `templates/report.html`.
    pub fn html_context(&self) -> Result<Value> {
        Ok(html::context(self, &picture::draw(&self.evidence)?))
    }
}

/// The word for an outcome.
fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "FAIL",
        Outcome::Inconclusive => "inconclusive",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{Fact, Source, Step, StepState};
    use crate::fixture::{END, Run, deployment};

    #[test]
    fn every_form_tells_a_failure() {
        let report = Report::of(&Run::good().with(END, Source::Deployment, deployment(9)).evidence());
        assert!(!report.is_pass());
        assert!(report.lines().iter().any(|line| line.starts_with("FAIL") && line.contains("9 replicas")));
        assert!(report.json().unwrap().contains("\"outcome\": \"fail\""));
        let junit = report.junit().unwrap();
        assert!(junit.contains("<failure") && junit.contains("never-exceeds-maximum"), "{junit}");
        assert_eq!(junit.matches("<testcase").count(), report.verdicts.len());
        let context = report.html_context().unwrap();
        assert_eq!(context["outcome"], "FAIL");
    }

    #[test]
    fn an_interrupted_run_is_called_so_and_a_missed_step_is_not() {
        let stopped = |detail: &str| {
            let step = Step {
                name: "zero".into(),
                state: StepState::Stopped,
                detail: detail.to_owned(),
                deadline_seconds: 1.0,
            };
            Report::of(&Run::good().with(END, Source::Story, Fact::Step(step)).evidence())
        };
        let interrupted = stopped(Step::INTERRUPTED);
        assert_eq!(interrupted.interrupted_in.as_deref(), Some("zero"));
        assert!(interrupted.summary().ends_with("; interrupted in step zero"), "{}", interrupted.summary());
        assert_eq!(stopped("refused for good: AccessDenied").interrupted_in, None);
    }

    #[test]
    fn a_recorded_run_is_judged_alike_from_its_file() {
        let evidence = Run::good().evidence();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evidence.jsonl");
        let records = evidence.records.iter().map(|record| serde_json::to_string(record).unwrap());
        let lines: Vec<_> = std::iter::once(serde_json::to_string(&evidence.header).unwrap()).chain(records).collect();
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        let report = crate::judge(&path).unwrap();
        assert!(report.is_pass());
        assert_eq!(report.json().unwrap(), Report::of(&evidence).json().unwrap());
    }
}
