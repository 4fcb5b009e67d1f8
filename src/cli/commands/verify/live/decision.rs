//! Decisions in a line: the operator's with its formula, the HPA's as its status shows it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use verify::{Decision as Operators, Hpa, Observation, Record};

/// Columns for a line after its time, so that both fit 80.
pub(super) const WIDTH: usize = 68;

/// A decision about the workload's replicas.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Decision {
    /// `operator` or `hpa`.
    by: &'static str,
    /// When, in real time.
    time: Timestamp,
    /// Replicas before, if they are known.
    from: Option<i64>,
    /// Replicas after; as before if none are added or taken away.
    to: Option<i64>,
    /// Why: formula, limit, what is waited for.
    why: Vec<String>,
    /// All that the decider says.
    whole: Value,
}

/// Remembers what was last said, so that each decision is said once.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    hpa: Option<(Option<u32>, Vec<String>)>,
}

impl Decisions {
    /// The decision in a record, if it is a new one.
    pub(super) fn of(&mut self, record: &Record) -> Option<Decision> {
        if let Observation::Decision(decision) = &record.observation {
            return Some(of_operator(record.time, decision));
        }
        let Observation::Hpa(hpa) = &record.observation else { return None };
        let reasons = reasons(hpa);
        let before = self.hpa.replace((hpa.desired, reasons.clone()));
        if before.as_ref() == self.hpa.as_ref() {
            return None;
        }
        let from = before_it(before.and_then(|(desired, _)| desired), hpa).map(i64::from);
        let metrics = hpa.metrics.values().map(|value| format!("metric {value}"));
        Some(Decision {
            by: "hpa",
            time: record.time,
            from,
            to: hpa.desired.map(i64::from),
            why: metrics.chain(reasons).collect(),
            whole: serde_json::to_value(hpa).unwrap_or_default(),
        })
    }
}

/// From how many replicas the HPA goes. Between none and one the operator scales; the HPA is disabled there and only follows
/// (`docs/rules.md`), so what it then shows is no change of its own.
fn before_it(before: Option<u32>, hpa: &Hpa) -> Option<u32> {
    let some = |count: &u32| *count > 0;
    if hpa.desired == Some(0) {
        return hpa.desired;
    }
    before.filter(some).or(hpa.current.filter(some)).or(hpa.desired)
}

fn of_operator(time: Timestamp, decision: &Operators) -> Decision {
    let reasons = decision.decision.get("reasons").and_then(Value::as_array);
    let why: Vec<String> = match reasons {
        Some(reasons) => {
            let remaining = decision.decision["action"]["remaining"].as_f64();
            reasons.iter().filter_map(|reason| words(reason, decision.from != decision.to, remaining)).collect()
        }
        None => vec![decision.reason.clone()],
    };
    let (from, to) = (decision.from, decision.to);
    Decision { by: "operator", time, from, to, why, whole: decision.decision.clone() }
}

/// A reason as short as it can be said beside the numbers of a decision.
fn words(reason: &Value, changes: bool, remaining: Option<f64>) -> Option<String> {
    let text = reason["text"].as_str()?;
    match reason["kind"].as_str()? {
        // The formula holds the sample, and the numbers say what is done.
        "sample" => None,
        "action" if changes => None,
        "formula" => Some(text.trim_start_matches("the HPA's desired count is ").to_owned()),
        "wait" => Some(remaining.map_or(text.to_owned(), |seconds| format!("cooldown, {:.0} s left", seconds.ceil()))),
        _ => Some(text.trim_start_matches("nothing to do here: ").to_owned()),
    }
}

/// The words of the HPA's conditions that say more than that all is well.
fn reasons(hpa: &Hpa) -> Vec<String> {
    let usual = ["SucceededGetScale", "ReadyForNewScale", "ValidMetricFound", "DesiredWithinRange"];
    let change = hpa.conditions.iter().filter(|it| !usual.contains(&it.reason.as_str()) && !it.reason.is_empty());
    change.map(|condition| condition.reason.clone()).collect()
}

impl Decision {
    /// All reasons: the operator's in its own words, the HPA's as its conditions say them.
    pub(super) fn reasons(&self) -> Vec<String> {
        let texts = |list: &Value, key: &str| -> Vec<String> {
            let texts = list.as_array().into_iter().flatten().filter_map(|one| one[key].as_str());
            texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
        };
        let own = [texts(&self.whole["reasons"], "text"), texts(&self.whole["conditions"], "message")].concat();
        if own.is_empty() { self.why.clone() } else { own }
    }

    /// One line of at most `room` columns. What does not fit is left out from the middle, and the last reason is cut off.
    pub(super) fn line(&self, room: usize) -> String {
        let number = |value: Option<i64>| value.map_or("?".to_owned(), |value| value.to_string());
        let what = match (self.from, self.to) {
            (Some(from), Some(to)) if from == to => format!("keeps {to}"),
            (None, to) => format!("wants {}", number(to)),
            (from, to) => format!("{} -> {}", number(from), number(to)),
        };
        let mut why: Vec<&str> = self.why.iter().map(String::as_str).collect();
        let render = |why: &[&str]| {
            let because = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
            format!("{} {what}{because}", self.by)
        };
        while render(&why).chars().count() > room && why.len() > 2 {
            why.remove(why.len() / 2);
        }
        let line = render(&why);
        if line.chars().count() <= room {
            return line;
        }
        line.chars().take(room.saturating_sub(1)).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;
    use verify::{Condition, Source};

    use super::*;

    fn record(observation: Observation) -> Record {
        Record { time: Timestamp::UNIX_EPOCH, source: Source::OperatorLog, observation }
    }

    fn operator(from: i64, to: i64, reasons: &[(&str, &str)]) -> Record {
        let reasons: Vec<_> = reasons.iter().map(|(kind, text)| json!({ "kind": kind, "text": text })).collect();
        record(Observation::Decision(Operators {
            namespace: "n".to_owned(),
            name: "myapp".to_owned(),
            from: Some(from),
            to: Some(to),
            reason: "in words".to_owned(),
            decision: json!({ "reasons": reasons, "action": { "remaining": 290.4 } }),
        }))
    }

    fn line(record: &Record) -> String {
        let line = Decisions::default().of(record).unwrap().line(WIDTH);
        assert!(line.chars().count() <= WIDTH, "{line}");
        line
    }

    const SAMPLE: (&str, &str) =
        ("sample", "s0-aws-sqs-sluice-demo-myapp = 9 (visible 9), above the activation threshold 0");
    const FORMULA: (&str, &str) = ("formula", "the HPA's desired count is ceil(9 / 3) = 3");

    #[test]
    fn the_operator_s_decision_has_its_formula_and_what_it_waits_for_in_eighty_columns() {
        let up = operator(0, 1, &[SAMPLE, FORMULA, ("action", "activate: 0 -> 1 replicas")]);
        assert_eq!(line(&up), "operator 0 -> 1: ceil(9 / 3) = 3");
        let wait = ("wait", "no trigger is active; cooldown holds 3 replicas for another 291 s");
        let held = operator(3, 3, &[SAMPLE, FORMULA, ("limit", "the HPA does not go below 1"), wait]);
        assert_eq!(line(&held), "operator keeps 3: ceil(9 / 3) = 3; cooldown, 291 s left");
        let failed = operator(3, 3, &[("failure", &"s0 could not be read: ".repeat(9))]);
        assert!(line(&failed).ends_with('…'));
    }

    #[test]
    fn the_hpa_s_decision_is_said_once() {
        let hpa = |desired, reason: &str| {
            let condition = |reason: &str| Condition {
                kind: "AbleToScale".to_owned(),
                status: "True".to_owned(),
                reason: reason.to_owned(),
                message: "a sentence".to_owned(),
            };
            record(Observation::Hpa(Hpa {
                desired: Some(desired),
                current: Some(1),
                min: Some(1),
                max: Some(3),
                metrics: BTreeMap::from([("s0".to_owned(), "9".to_owned())]),
                conditions: vec![condition(reason), condition("DesiredWithinRange")],
            }))
        };
        let mut decisions = Decisions::default();
        let mut said = |record: &Record| decisions.of(record).map(|decision| decision.line(WIDTH));
        assert_eq!(said(&hpa(1, "ReadyForNewScale")).as_deref(), Some("hpa keeps 1: metric 9"));
        assert_eq!(said(&hpa(1, "ReadyForNewScale")), None);
        let grown = said(&hpa(3, "SucceededRescale"));
        assert_eq!(grown.as_deref(), Some("hpa 1 -> 3: metric 9; SucceededRescale"));
        let held = said(&hpa(3, "ScaleDownStabilized"));
        assert_eq!(held.as_deref(), Some("hpa keeps 3: metric 9; ScaleDownStabilized"));
        assert_eq!(said(&hpa(3, "ScaleDownStabilized")), None);
    }

    #[test]
    fn what_the_operator_scaled_is_no_change_of_the_hpa() {
        let hpa = |desired, current| Hpa {
            desired: Some(desired),
            current: Some(current),
            min: Some(1),
            max: Some(3),
            metrics: BTreeMap::new(),
            conditions: Vec::new(),
        };
        let mut decisions = Decisions::default();
        let mut said = |desired, current| {
            let decision = decisions.of(&record(Observation::Hpa(hpa(desired, current))));
            decision.map(|decision| decision.line(WIDTH))
        };
        assert_eq!(said(0, 0).as_deref(), Some("hpa keeps 0"));
        assert_eq!(said(1, 0).as_deref(), Some("hpa keeps 1"), "the operator went from 0 to 1");
        assert_eq!(said(3, 1).as_deref(), Some("hpa 1 -> 3"));
        assert_eq!(said(1, 3).as_deref(), Some("hpa 3 -> 1"));
        assert_eq!(said(0, 0).as_deref(), Some("hpa keeps 0"), "the operator went from 1 to 0");
        assert_eq!(said(3, 1).as_deref(), Some("hpa 1 -> 3"), "the HPA's own part of the way");
    }
}
