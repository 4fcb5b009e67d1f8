//! Lines of pod logs to observations: worker receipts, operator decisions, and whatever is a warning.

use jiff::Timestamp;
use serde_json::Value;

use crate::observation::{Decision, Observation, Receipt};

/// The tracing targets under which the operator logs its decisions, about replicas and about Jobs.
const DECISION_TARGETS: [&str; 2] = ["operator::decision", "operator::job_decision"];

/// Splits `<RFC 3339> <line>`, as a log read with timestamps has it.
pub(crate) fn split_time(line: &str) -> (Option<Timestamp>, &str) {
    match line.split_once(' ') {
        Some((time, rest)) => time.parse().map_or((None, line), |time| (Some(time), rest)),
        None => (None, line),
    }
}

/// The observation in a line; none if no check uses it.
pub(crate) fn observation(pod: &str, line: &str) -> Option<Observation> {
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(line.trim()) else {
        return is_refusal_text(line)
            .then(|| Observation::Trouble { pod: pod.to_owned(), message: line.trim().to_owned() });
    };
    if object.contains_key("receipt") {
        return match serde_json::from_value::<Receipt>(Value::Object(object)) {
            Ok(receipt) => Some(Observation::Receipt(receipt)),
            Err(error) => {
                Some(Observation::Failure { what: format!("receipt in the log of {pod}"), error: error.to_string() })
            }
        };
    }
    let value = Value::Object(object);
    let fields = value.get("fields").unwrap_or(&value);
    if value.get("target").and_then(Value::as_str).is_some_and(|target| DECISION_TARGETS.contains(&target)) {
        return Some(Observation::Decision(decision(fields)));
    }
    let level = value.get("level").and_then(Value::as_str).unwrap_or_default();
    matches!(level, "WARN" | "ERROR").then(|| Observation::Trouble { pod: pod.to_owned(), message: message(fields) })
}

fn is_refusal_text(line: &str) -> bool {
    line.contains("AccessDenied") || line.contains("panicked at")
}

fn decision(fields: &Value) -> Decision {
    let text = |key: &str| match fields.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(other) if !other.is_null() => other.to_string(),
        _ => String::new(),
    };
    // A tracing field is a number where it was recorded as one, and a text where it was displayed.
    let number = |key: &str| text(key).parse().ok();
    let whole = match fields.get("decision") {
        Some(Value::String(json)) => serde_json::from_str(json).unwrap_or_else(|_| Value::String(json.clone())),
        other => other.cloned().unwrap_or_default(),
    };
    // Of Jobs the log says how many run, and how many are made besides.
    let (running, create): (Option<i64>, Option<i64>) = (number("running"), number("create"));
    let more = running.zip(create).map(|(running, create)| running + create);
    Decision {
        namespace: text("namespace"),
        name: text("name"),
        from: number("from").or(running),
        to: number("to").or(more),
        reason: text("reason"),
        decision: whole,
    }
}

/// The message and the other fields, as `message key=value …`.
fn message(fields: &Value) -> String {
    let mut parts = vec![fields.get("message").and_then(Value::as_str).unwrap_or_default().to_owned()];
    let others = fields.as_object().into_iter().flatten();
    let others = others.filter(|(key, _)| !matches!(key.as_str(), "message" | "level" | "timestamp" | "target"));
    parts.extend(others.map(|(key, value)| match value.as_str() {
        Some(text) => format!("{key}={text}"),
        None => format!("{key}={value}"),
    }));
    parts.join(" ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_read_with_its_times() {
        let line = r#"{"receipt":1,"outcome":"deleted","message_id":"m1","receive_count":1,"started_at":"2026-11-24T04:00:00Z","finished_at":"2026-11-24T04:00:20.5Z","pod":"myapp-1"}"#;
        let Some(Observation::Receipt(receipt)) = observation("myapp-1", line) else { panic!("no receipt") };
        assert_eq!((receipt.message_id.as_str(), receipt.outcome.as_str()), ("m1", "deleted"));
    }

    #[test]
    fn a_broken_receipt_is_a_failed_observation() {
        assert!(matches!(
            observation("myapp-1", r#"{"receipt":1,"outcome":"deleted"}"#),
            Some(Observation::Failure { .. })
        ));
    }

    #[test]
    fn a_decision_is_read_nested_or_flat_with_numbers_or_texts() {
        let nested = r#"{"level":"INFO","target":"operator::decision","fields":{"message":"m","namespace":"n","name":"myapp","from":0,"to":1,"reason":"active","decision":"{\"a\":1}"}}"#;
        let flat = r#"{"level":"INFO","target":"operator::decision","namespace":"n","name":"myapp","from":"0","to":"1","reason":"active","decision":{"a":1}}"#;
        for line in [nested, flat] {
            let Some(Observation::Decision(decision)) = observation("keda", line) else { panic!("no decision") };
            assert_eq!((decision.from, decision.to, decision.decision["a"].as_u64()), (Some(0), Some(1), Some(1)));
        }
    }

    #[test]
    fn a_decision_about_jobs_is_one_from_those_that_run_to_those_that_will() {
        let line = r#"{"level":"INFO","target":"operator::job_decision","fields":{"namespace":"n","name":"orders","create":2,"running":1,"pending":0,"reason":"default: 3 - 1 running; 2 Jobs are made","decision":"{\"create\":2}"}}"#;
        let Some(Observation::Decision(decision)) = observation("keda", line) else { panic!("no decision") };
        assert_eq!((decision.from, decision.to, decision.jobs()), (Some(1), Some(3), Some(2)));
    }

    #[test]
    fn warnings_are_kept_and_chatter_is_not() {
        let warning = r#"{"level":"WARN","target":"operator::poll","fields":{"message":"poll failed","error":"AccessDenied: no"}}"#;
        assert_eq!(
            observation("p", warning),
            Some(Observation::Trouble { pod: "p".into(), message: "poll failed error=AccessDenied: no".into() })
        );
        assert_eq!(observation("p", r#"{"level":"INFO","fields":{"message":"hello"}}"#), None);
        assert_eq!(observation("p", "plain text"), None);
    }

    #[test]
    fn the_time_in_front_of_a_line_is_split_off() {
        let (time, rest) = split_time("2026-11-24T04:00:00.123456789Z {\"a\": 1}");
        assert_eq!((time.map(Timestamp::subsec_nanosecond), rest), (Some(123_456_789), "{\"a\": 1}"));
        assert_eq!(split_time("no time here"), (None, "no time here"));
    }
}
