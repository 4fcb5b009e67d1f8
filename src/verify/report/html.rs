//! The context of the HTML report: plain values, so that the template only places them.

use serde_json::{Value, json};

use crate::check::Outcome;
use crate::report::{Report, word};

/// `picture` is markup of our own making and is placed unescaped; everything else is text.
pub(super) fn context(report: &Report, picture: &str) -> Value {
    let real = report.finished.duration_since(report.started).as_secs_f64();
    let verdicts: Vec<_> = report
        .verdicts
        .iter()
        .map(|verdict| {
            json!({ "name": verdict.name, "outcome": word(verdict.outcome), "class": class(verdict.outcome),
                    "saw": verdict.saw, "expected": verdict.expected })
        })
        .collect();
    let timeline: Vec<_> = report
        .timeline
        .entries
        .iter()
        .map(|entry| {
            json!({ "time": entry.time.strftime("%H:%M:%S%.3f").to_string(), "offset": format!("{:+.0} s", entry.offset_seconds),
                    "actor": entry.actor, "text": entry.text })
        })
        .collect();
    let environment: Vec<_> =
        report.environment.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    json!({
        "stack": report.stack,
        "story": report.story,
        "run": report.run,
        "product": report.product,
        "outcome": word(report.outcome),
        "class": class(report.outcome),
        "summary": report.summary(),
        "started": report.started.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        "real_seconds": format!("{real:.1}"),
        "system_seconds": format!("{:.0}", real * report.time_scale),
        "time_scale": report.time_scale.to_string(),
        "seed": report.seed.map_or_else(|| "none".to_owned(), |seed| seed.to_string()),
        "environment": environment,
        "picture": picture,
        "verdicts": verdicts,
        "proved": report.proved,
        "limits": report.limits,
        "timeline": timeline,
    })
}

fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Inconclusive => "open",
    }
}
