//! Credentials are taken out of every text of others before it becomes evidence: logs, Events, conditions, errors. What is
//! evaluated, shown and reported comes from evidence, so none of it holds what a pod has let slip.

use cluster::redact;
use serde_json::Value;

use super::{Condition, Observation};

impl Observation {
    /// The same without what looks like a credential.
    pub(crate) fn redacted(mut self) -> Self {
        match &mut self {
            Self::Pods { pods } => pods.iter_mut().filter_map(|pod| pod.waiting.as_mut()).for_each(hide),
            Self::Hpa(hpa) => hide_in(&mut hpa.conditions),
            Self::ScaledObject(object) => hide_in(&mut object.conditions),
            Self::Event(event) => hide(&mut event.message),
            Self::Decision(decision) => {
                hide(&mut decision.reason);
                hide_all(&mut decision.decision);
            }
            Self::Trouble { message, .. } => hide(message),
            Self::Denial(denial) => hide(&mut denial.reason),
            Self::Diagnosis(found) => {
                found.hopeless.iter_mut().for_each(hide);
                found.evidence = cluster::redact_lines(&found.evidence);
            }
            Self::Failure { error, .. } => hide(error),
            Self::Fault(fault) => hide(&mut fault.detail),
            Self::Step(step) => hide(&mut step.detail),
            // Numbers, and names that a person chose.
            Self::Sent { .. }
            | Self::Poison { .. }
            | Self::Queue(_)
            | Self::Jobs { .. }
            | Self::Deployment(_)
            | Self::Receipt(_)
            | Self::LogEnded { .. }
            | Self::Absent { .. } => {}
        }
        self
    }
}

fn hide(text: &mut String) {
    *text = redact(text);
}

fn hide_in(conditions: &mut [Condition]) {
    for condition in conditions {
        hide(&mut condition.message);
    }
}

fn hide_all(value: &mut Value) {
    match value {
        Value::String(text) => hide(text),
        Value::Array(items) => items.iter_mut().for_each(hide_all),
        Value::Object(map) => map.values_mut().for_each(hide_all),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_text_of_others_brings_a_credential_into_evidence() {
        const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let slip = format!("AWS_SECRET_ACCESS_KEY={SECRET}");
        let condition = json!({ "type": "Ready", "status": "False", "reason": "R", "message": slip });
        let observations = [
            json!({ "kind": "pods", "payload": { "pods": [{ "name": "p", "phase": "Pending", "ready": false,
                "restarts": 0, "terminating": false, "waiting": slip }] } }),
            json!({ "kind": "hpa", "payload": { "desired": 1, "current": 1, "min": 1, "max": 1, "metrics": {},
                "conditions": [condition] } }),
            json!({ "kind": "scaled-object", "payload": { "conditions": [condition], "last_active": null, "metric_names": [] } }),
            json!({ "kind": "event", "payload": { "type": "Warning", "reason": "R", "message": slip, "object": "Pod/p", "count": 1 } }),
            json!({ "kind": "decision", "payload": { "namespace": "n", "name": "a", "from": 0, "to": 1, "reason": slip,
                "decision": { "sample": [{ "error": slip }] } } }),
            json!({ "kind": "trouble", "payload": { "pod": "p", "message": slip } }),
            json!({ "kind": "denial", "payload": { "principal": "p", "action": "a", "resource": "r", "reason": slip } }),
            json!({ "kind": "diagnosis", "payload": { "about": "Deployment n/a", "hopeless": slip, "evidence": [slip] } }),
            json!({ "kind": "failure", "payload": { "what": "w", "error": slip } }),
            json!({ "kind": "step", "payload": { "name": "s", "state": "missed", "detail": slip, "deadline_seconds": 1.0 } }),
        ];
        for observation in observations {
            let before: Observation =
                serde_json::from_value(observation.clone()).unwrap_or_else(|error| panic!("{observation}: {error}"));
            let after = serde_json::to_string(&before.redacted()).unwrap();
            assert!(!after.contains("wJalr") && after.contains("(hidden)"), "{after}");
        }
    }
}
