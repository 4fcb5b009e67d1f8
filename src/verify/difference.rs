//! Two recorded runs beside each other: of two versions, two settings, or two targets.

use serde::Serialize;

use crate::evidence::Evidence;
use crate::report::Report;
use crate::settings::Scaling;
use crate::verdict::{Outcome, Verdict};

/// What one row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// What was asked for and what came of it: alike, if the runs are to show the same.
    Result,
    /// Where and how it ran, and when things happened: shown, and no fault.
    Circumstance,
}

/// One thing of both runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What it is.
    pub what: String,
    /// As the first run has it.
    pub first: String,
    /// As the second has it.
    pub second: String,
    /// Whether a difference counts.
    pub weight: Weight,
}

impl Row {
    /// Whether both runs have the same.
    pub fn is_same(&self) -> bool {
        self.first == self.second
    }
}

/// Two runs, thing by thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// First what they were, then what they showed.
    pub rows: Vec<Row>,
}

impl Difference {
    /// Evaluates both with the checks of this program.
    pub fn of(first: &Evidence, second: &Evidence) -> Self {
        let reports = (Report::of(first), Report::of(second));
        let row = |weight, what: &str, of: &dyn Fn(&Evidence, &Report) -> String| Row {
            what: what.to_owned(),
            first: of(first, &reports.0),
            second: of(second, &reports.1),
            weight,
        };
        let (result, circumstance) = (Weight::Result, Weight::Circumstance);
        let mut rows = vec![
            row(circumstance, "program", &|it, _| it.header.product.clone()),
            row(circumstance, "environment", &|it, _| {
                let pairs: Vec<_> = it.header.environment.iter().map(|(key, value)| format!("{key} {value}")).collect();
                pairs.join(", ")
            }),
            row(circumstance, "time scale", &|it, _| it.header.time_scale.to_string()),
            row(circumstance, "workload", &|it, _| it.header.workload.clone()),
            row(result, "scenario", &|it, _| it.header.scenario.clone()),
            row(result, "messages", &|it, _| it.header.messages.to_string()),
            row(result, "scaling", &|it, _| scaling(it.header.scaling)),
            row(circumstance, "replicas asked for", &|it, _| replicas(it)),
            row(circumstance, "0 -> 1 after", &|_, it| seconds(it.moments.activated_seconds)),
            row(circumstance, "maximum after", &|_, it| seconds(it.moments.maximum_seconds)),
            row(circumstance, "back at 0 after", &|_, it| seconds(it.moments.zero_seconds)),
            row(result, "interrupted", &|_, it| {
                it.interrupted_in.clone().map_or("no".to_owned(), |step| format!("in {step}"))
            }),
        ];
        let mut names: Vec<_> =
            reports.0.verdicts.iter().chain(&reports.1.verdicts).map(|it| it.name.as_str()).collect();
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(*name));
        rows.extend(names.into_iter().map(|name| {
            row(result, &format!("check {name}"), &|_, it| {
                outcome(it.verdicts.iter().find(|verdict| verdict.name == name))
            })
        }));
        Self { rows }
    }

    /// Whether what was asked for and what came of it is the same.
    pub fn is_none(&self) -> bool {
        self.rows.iter().all(|row| row.is_same() || row.weight == Weight::Circumstance)
    }

    /// One line for all that is alike, then two lines for each thing that is not; a `!` marks what counts.
    pub fn lines(&self) -> Vec<String> {
        let (same, other): (Vec<_>, Vec<_>) = self.rows.iter().partition(|row| row.is_same());
        let mut lines: Vec<String> = Vec::new();
        for row in other {
            let mark = if row.weight == Weight::Result { '!' } else { ' ' };
            lines.push(format!("{mark} {:<28} {}", row.what, row.first));
            lines.push(format!("  {:<28} {}", "", row.second));
        }
        let count = self.rows.iter().filter(|row| !row.is_same() && row.weight == Weight::Result).count();
        lines.push(match count {
            0 => format!(
                "The runs show the same: {} of {} things are alike, and no other counts.",
                same.len(),
                self.rows.len()
            ),
            _ => format!(
                "The runs differ in {count} of what was asked for or came of it; {} of {} things are alike.",
                same.len(),
                self.rows.len()
            ),
        });
        lines
    }
}

/// The Deployment's wanted replicas, change by change.
fn replicas(evidence: &Evidence) -> String {
    let mut counts: Vec<u32> = evidence.deployments().map(|(_, it)| it.desired).collect();
    counts.dedup();
    let counts: Vec<_> = counts.iter().map(u32::to_string).collect();
    counts.join(" -> ")
}

fn scaling(scaling: Scaling) -> String {
    let Scaling { polling_seconds, cooldown_seconds, window_seconds, min_replicas, max_replicas, queue_length } =
        scaling;
    format!(
        "{min_replicas} to {max_replicas} replicas, {queue_length} messages each, polling {polling_seconds} s, \
         cooldown {cooldown_seconds} s, window {window_seconds} s"
    )
}

/// System seconds in words.
fn seconds(seconds: Option<f64>) -> String {
    seconds.map_or("never".to_owned(), |seconds| format!("{seconds:.0} s"))
}

fn outcome(verdict: Option<&Verdict>) -> String {
    let word = match verdict.map(|verdict| verdict.outcome) {
        None => "not made",
        Some(Outcome::Pass) => "pass",
        Some(Outcome::Fail) => "fail",
        Some(Outcome::Inconclusive) => "inconclusive",
        Some(Outcome::NotApplicable) => "not applicable",
    };
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{END, Run, deployment};
    use crate::observation::Source;

    fn named(difference: &Difference) -> Vec<&str> {
        difference.rows.iter().filter(|row| !row.is_same()).map(|row| row.what.as_str()).collect()
    }

    #[test]
    fn a_run_is_like_itself_and_a_target_is_a_circumstance() {
        let run = Run::good().evidence();
        let same = Difference::of(&run, &run);
        assert!(same.is_none() && named(&same).is_empty() && same.lines().len() == 1, "{:#?}", same.lines());
        let elsewhere = Run::good().heading(|header| {
            header.environment.insert("target".to_owned(), "aws".to_owned());
        });
        let other = Difference::of(&run, &elsewhere.evidence());
        assert!(other.is_none(), "{:#?}", other.lines());
        assert_eq!(named(&other), ["environment"]);
    }

    #[test]
    fn another_verdict_counts_and_is_named_with_both_sides() {
        let good = Run::good().evidence();
        let bad = Run::good().with(END, Source::Deployment, deployment(9)).evidence();
        let difference = Difference::of(&good, &bad);
        assert!(!difference.is_none());
        let row = difference.rows.iter().find(|row| row.what == "check never-exceeds-maximum").unwrap();
        assert_eq!((row.first.as_str(), row.second.as_str()), ("pass", "fail"));
        let lines = difference.lines();
        assert!(lines.iter().any(|line| line.starts_with("! check never-exceeds-maximum")), "{lines:#?}");
        assert!(lines.last().unwrap().starts_with("The runs differ in "), "{lines:#?}");
        let other =
            Difference::of(&good, &Run::good().heading(|header| header.scaling.cooldown_seconds += 1).evidence());
        assert!(!other.is_none() && named(&other).contains(&"scaling"), "{:?}", named(&other));
    }
}
