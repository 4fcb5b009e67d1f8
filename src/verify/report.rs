//! An evaluated run, and the report of all runs of one command in its forms: terminal lines, JSON, JUnit, and the context of
//! the HTML template.

mod chart;
mod html;
mod junit;
mod moments;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::check;
use crate::error::Result;
use crate::evidence::Evidence;
pub use crate::report::moments::Moments;
use crate::settings::Consumer;
use crate::timeline::Timeline;
use crate::verdict::{Outcome, Verdict};

/// The version of report.json.
pub(crate) const VERSION: u32 = 1;

/// An evaluated run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// [`VERSION`].
    pub version: u32,
    /// Version of the program that made the evidence.
    pub product: String,
    /// The run's id.
    pub run: String,
    /// The scenario's name.
    #[serde(rename = "story")]
    pub scenario: String,
    /// The stack's name.
    pub stack: String,
    /// The workload, as `namespace/name`.
    pub workload: String,
    /// Whose program worked on the messages.
    pub consumer: Consumer,
    /// How many messages were to be sent.
    pub messages: usize,
    /// The verdict on everything.
    pub outcome: Outcome,
    /// The step in which the run was interrupted; such a run was evaluated on what it saw until then.
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
    /// The seal of the evidence's last line, by which its file is known as the one that was evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
    /// When the replicas came and went.
    pub moments: Moments,
    /// The causal timeline.
    pub timeline: Timeline,
    #[serde(skip)]
    evidence: Evidence,
}

impl Report {
    /// Evaluates evidence.
    pub fn of(evidence: &Evidence) -> Self {
        let header = evidence.header.clone();
        let verdicts = check::evaluate(evidence);
        let passed = verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Pass);
        Self {
            version: VERSION,
            product: header.product,
            run: header.run,
            scenario: header.scenario,
            stack: header.stack,
            workload: header.workload,
            consumer: header.consumer,
            messages: header.messages,
            outcome: check::overall(&verdicts),
            interrupted_in: evidence.interrupted_in().map(str::to_owned),
            started: header.started,
            finished: evidence.end(),
            time_scale: header.time_scale,
            seed: header.seed,
            environment: header.environment,
            proved: passed.map(|verdict| format!("{}: {}", verdict.name, verdict.expected)).collect(),
            limits: header.limits,
            seal: evidence.seal.clone(),
            moments: Moments::of(evidence),
            timeline: crate::explain(evidence),
            verdicts,
            evidence: evidence.clone(),
        }
    }

    /// Whether every check passed.
    pub fn is_pass(&self) -> bool {
        self.outcome == Outcome::Pass
    }

    /// The verdict for a terminal: one line a check, under those that did not pass what was expected and,
    /// where it was looked into, the cause and the next step; and a summary.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for verdict in &self.verdicts {
            lines.push(format!("{:<12} {:<28} {}", word(verdict.outcome), verdict.name, verdict.saw));
            if !matches!(verdict.outcome, Outcome::Pass | Outcome::NotApplicable) {
                lines.push(format!("{:<41} expected: {}", "", verdict.expected));
            }
            lines.extend(verdict.evidence.iter().map(|line| format!("{:<13}{line}", "")));
            lines.extend(verdict.next.iter().map(|next| format!("{:<13}→ {next}", "")));
        }
        lines.push(self.summary());
        lines
    }

    /// The verdict in a few short lines: what passed, when the replicas came and went, and which checks did not pass.
    pub fn conclusion(&self) -> Vec<String> {
        let (passed, evaluated) = self.passed();
        let head = format!("scenario {} of {}: {}", self.scenario, self.workload, word(self.outcome));
        let mut lines = vec![
            format!("{head}, {passed} of {evaluated} checks passed"),
            self.moments.words(
                self.evidence.header.scaling.max_replicas,
                if self.evidence.header.jobs.is_some() { "Jobs" } else { "replicas" },
            ),
        ];
        let not = |verdict: &&Verdict| matches!(verdict.outcome, Outcome::Fail | Outcome::Inconclusive);
        lines.extend(self.verdicts.iter().filter(not).map(|it| format!("{}: {}", word(it.outcome), it.name)));
        lines
    }

    /// Checks that passed, of those that apply.
    pub fn passed(&self) -> (usize, usize) {
        let count = |outcome| self.verdicts.iter().filter(|verdict| verdict.outcome == outcome).count();
        (count(Outcome::Pass), self.verdicts.len() - count(Outcome::NotApplicable))
    }

    /// One sentence on the whole run.
    pub fn summary(&self) -> String {
        let count = |outcome| self.verdicts.iter().filter(|verdict| verdict.outcome == outcome).count();
        let (passed, skipped) = (count(Outcome::Pass), count(Outcome::NotApplicable));
        let not = if skipped > 0 { format!(", {skipped} not applicable") } else { String::new() };
        let real = self.finished.duration_since(self.started).as_secs_f64();
        let interrupted = self.interrupted_in.as_ref().map(|step| format!("; interrupted in step {step}"));
        format!(
            "scenario {}: {}, {passed} of {} checks passed{not}, {:.0} s of system time in {real:.1} s; workload {}{}",
            self.scenario,
            word(self.outcome),
            self.verdicts.len() - skipped,
            real * self.time_scale,
            self.workload,
            interrupted.unwrap_or_default()
        )
    }
}

/// All runs of one command: a workload and a scenario each. Never empty.
#[derive(Debug, Clone)]
pub struct Reports(Vec<Report>);

impl Reports {
    /// The runs, in the order in which they were made; nothing if there are none.
    pub fn of(runs: Vec<Report>) -> Option<Self> {
        (!runs.is_empty()).then_some(Self(runs))
    }

    /// The verdict on all runs: the worst of them.
    pub fn outcome(&self) -> Outcome {
        let has = |outcome| self.0.iter().any(|run| run.outcome == outcome);
        [Outcome::Fail, Outcome::Inconclusive].into_iter().find(|outcome| has(*outcome)).unwrap_or(Outcome::Pass)
    }

    /// Whether every check of every run passed, of those that apply.
    pub fn is_pass(&self) -> bool {
        self.outcome() == Outcome::Pass
    }

    /// report.json: what the first run is called by, the verdicts of all with their workload, and each run by itself.
    ///
    /// # Errors
    ///
    /// [`Error::Report`](crate::Error::Report) if a run cannot be written as JSON.
    pub fn json(&self) -> Result<String> {
        let failed = |error: serde_json::Error| crate::Error::Report { what: "report.json", reason: error.to_string() };
        let mut runs: Vec<Value> = self.0.iter().map(serde_json::to_value).collect::<Result<_, _>>().map_err(failed)?;
        let all = |key: &str| -> Vec<Value> {
            self.0.iter().zip(&runs).flat_map(|(report, run)| marked(report, run[key].as_array())).collect()
        };
        let (verdicts, proved) = (all("verdicts"), all("proved"));
        let mut whole = runs[0].clone();
        whole["outcome"] = serde_json::to_value(self.outcome()).map_err(failed)?;
        whole["finished"] = serde_json::to_value(self.finished()).map_err(failed)?;
        whole["verdicts"] = verdicts.into();
        whole["proved"] = proved.into();
        if let [only] = runs.as_mut_slice() {
            // The rest of it stands above.
            let said =
                ["run", "story", "workload", "consumer", "messages", "outcome", "started", "finished", "seed", "seal"];
            *only = said.into_iter().map(|key| (key.to_owned(), only[key].take())).collect();
        } else if let Some(whole) = whole.as_object_mut() {
            whole.remove("timeline");
        }
        whole["runs"] = runs.into();
        Ok(serde_json::to_string_pretty(&whole).map_err(failed)? + "\n")
    }

    /// JUnit XML: one suite a run, one test case a check.
    ///
    /// # Errors
    ///
    /// [`Error::Report`](crate::Error::Report) if a run cannot be written as XML.
    pub fn junit(&self) -> Result<String> {
        junit::render(&self.0)
    }

    /// The context for `templates/report.html`.
    ///
    /// # Errors
    ///
    /// [`Error::Report`](crate::Error::Report) if a chart cannot be drawn.
    pub fn html_context(&self) -> Result<Value> {
        let charts = self.0.iter().map(|run| chart::draw(&run.evidence)).collect::<Result<Vec<_>>>()?;
        Ok(html::context(self, &charts))
    }

    fn first(&self) -> &Report {
        &self.0[0]
    }

    fn finished(&self) -> Timestamp {
        self.0.iter().map(|run| run.finished).max().unwrap_or(self.first().finished)
    }
}

/// Verdicts with the run that they are on.
fn marked(report: &Report, list: Option<&Vec<Value>>) -> Vec<Value> {
    let mark = |value: &Value| {
        let mut value = value.clone();
        if let Some(verdict) = value.as_object_mut() {
            verdict.insert("story".to_owned(), report.scenario.clone().into());
            verdict.insert("workload".to_owned(), report.workload.clone().into());
        }
        value
    };
    list.into_iter().flatten().map(mark).collect()
}

/// The word for an outcome.
fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "FAIL",
        Outcome::Inconclusive => "inconclusive",
        Outcome::NotApplicable => "n/a",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{END, Run, deployment};
    use crate::observation::{Observation, Source, Step, StepState};

    #[test]
    fn every_form_reports_a_failure() {
        let report = Report::of(&Run::good().with(END, Source::Deployment, deployment(9)).evidence());
        assert!(!report.is_pass());
        assert!(report.lines().iter().any(|line| line.starts_with("FAIL") && line.contains("9 replicas")));
        let reports = Reports::of(vec![report.clone()]).unwrap();
        let json: Value = serde_json::from_str(&reports.json().unwrap()).unwrap();
        assert_eq!((&json["outcome"], &json["workload"]), (&"fail".into(), &"myproject/myapp".into()));
        assert_eq!((json["runs"].as_array().unwrap().len(), &json["runs"][0]["outcome"]), (1, &"fail".into()));
        let junit = reports.junit().unwrap();
        assert!(junit.contains("<failure") && junit.contains("never-exceeds-maximum"), "{junit}");
        assert_eq!(junit.matches("<testcase").count(), report.verdicts.len());
        let context = reports.html_context().unwrap();
        assert_eq!(context["outcome"], "FAIL");
    }

    #[test]
    fn every_form_names_the_workloads_and_the_worst_of_them_counts() {
        let named = |name: &str, run: Run| {
            let mut run = run.heading(|header| header.workload = format!("myproject/{name}"));
            for record in &mut run.records {
                if let Observation::Decision(decision) = &mut record.observation {
                    decision.name = name.to_owned();
                }
            }
            Report::of(&run.evidence())
        };
        let own = named("orders", Run::good().of_an_own_consumer());
        let bad = named("mails", Run::good().with(END, Source::Deployment, deployment(9)));
        let reports = Reports::of(vec![own, bad]).unwrap();
        assert_eq!(reports.outcome(), Outcome::Fail);
        let json: Value = serde_json::from_str(&reports.json().unwrap()).unwrap();
        let failed: Vec<_> = json["verdicts"].as_array().unwrap().iter().filter(|it| it["outcome"] == "fail").collect();
        assert!(!failed.is_empty() && failed.iter().all(|it| it["workload"] == "myproject/mails"), "{failed:#?}");
        let runs: Vec<_> = json["runs"].as_array().unwrap().iter().map(|run| &run["consumer"]).collect();
        assert_eq!(runs, ["own", "sample"]);
        let junit = reports.junit().unwrap();
        for part in ["name=\"sluice.tutorial.orders\"", "classname=\"sluice.tutorial.mails\"", "<skipped"] {
            assert!(junit.contains(part), "{part}: {junit}");
        }
        let context = reports.html_context().unwrap();
        assert_eq!(
            (&context["runs"][0]["workload"], &context["outcome"]),
            (&"myproject/orders".into(), &"FAIL".into())
        );
        assert!(Reports::of(Vec::new()).is_none());
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
            Report::of(&Run::good().with(END, Source::Scenario, Observation::Step(step)).evidence())
        };
        let interrupted = stopped(Step::INTERRUPTED);
        assert_eq!(interrupted.interrupted_in.as_deref(), Some("zero"));
        assert!(interrupted.summary().ends_with("; interrupted in step zero"), "{}", interrupted.summary());
        assert_eq!(stopped("refused for good: AccessDenied").interrupted_in, None);
    }

    #[test]
    fn a_recorded_run_is_evaluated_alike_from_its_file() {
        let evidence = Run::good().evidence();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evidence.jsonl");
        std::fs::write(&path, evidence.text()).unwrap();
        let report = crate::evaluate(&path).unwrap();
        assert!(report.is_pass());
        let evidence = Evidence { seal: report.seal.clone(), ..evidence };
        let json = |report: Report| Reports::of(vec![report]).unwrap().json().unwrap();
        assert_eq!(json(report), json(Report::of(&evidence)));
    }
}
