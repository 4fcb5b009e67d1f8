//! The context of the HTML report: plain values, so that the template only places them.

use serde_json::{Value, json};

use crate::report::{Report, Reports, word};
use crate::settings::Consumer;
use crate::verdict::Outcome;

/// `charts`, one a run, are markup of our own making and are placed unescaped; everything else is text.
pub(super) fn context(reports: &Reports, charts: &[String]) -> Value {
    let first = reports.first();
    let real = reports.finished().duration_since(first.started).as_secs_f64();
    let environment: Vec<_> =
        first.environment.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    let mut scenarios: Vec<&str> = reports.0.iter().map(|run| run.scenario.as_str()).collect();
    scenarios.dedup();
    json!({
        "stack": first.stack,
        "scenario": scenarios.join(", "),
        "product": first.product,
        "outcome": word(reports.outcome()),
        "class": class(reports.outcome()),
        "started": first.started.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        "real_seconds": format!("{real:.1}"),
        "system_seconds": format!("{:.0}", real * first.time_scale),
        "time_scale": first.time_scale.to_string(),
        "environment": environment,
        "limits": first.limits,
        "runs": reports.0.iter().zip(charts).map(|(run, chart)| self::run(run, chart)).collect::<Vec<_>>(),
    })
}

fn run(report: &Report, chart: &str) -> Value {
    let verdicts: Vec<_> = report
        .verdicts
        .iter()
        .map(|verdict| {
            json!({ "name": verdict.name, "outcome": word(verdict.outcome), "class": class(verdict.outcome),
                    "saw": verdict.saw, "expected": verdict.expected, "evidence": verdict.evidence.join("\n"),
                    "next": verdict.next })
        })
        .collect();
    let timeline: Vec<_> = report
        .timeline
        .entries
        .iter()
        .map(|entry| {
            json!({ "time": entry.time.strftime("%H:%M:%S%.3f").to_string(), "offset": format!("{:+.0} s", entry.offset_seconds),
                    "actor": entry.actor, "text": entry.text, "because": report.timeline.because(entry) })
        })
        .collect();
    let consumer = match report.consumer {
        Consumer::Sample => "Sluice's own sample",
        Consumer::Own => "a program of the user's, evaluated by its queue",
    };
    json!({
        "scenario": report.scenario,
        "workload": report.workload,
        "consumer": consumer,
        "messages": report.messages,
        "run": report.run,
        "class": class(report.outcome),
        "outcome": word(report.outcome),
        "summary": report.summary(),
        "seed": report.seed.map_or_else(|| "none".to_owned(), |seed| seed.to_string()),
        "chart": chart,
        "verdicts": verdicts,
        "proved": report.proved,
        "timeline": timeline,
    })
}

fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Inconclusive => "open",
        Outcome::NotApplicable => "soft",
    }
}
