//! Why a Job fails: its pod failure policy, backoff limits and failed indexes.

use serde_json::Value;

use crate::object::{Key, integer, items, text};

/// What the first matching rule of `spec.podFailurePolicy` does about a failed pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// The pod's failure counts, as it does without a policy.
    Count,
    /// The failure does not count.
    Ignore,
    /// The pod's index fails and is not tried again.
    FailIndex,
    /// The whole Job fails, with this message.
    FailJob(String),
}

/// The action of the first rule that matches a failed pod; [`Action::Count`] where none does.
pub(super) fn action(job: &Value, pod: &Value) -> Action {
    for (index, rule) in items(job, "/spec/podFailurePolicy/rules").iter().enumerate() {
        let Some(cause) = matching_exit_code(rule, pod).or_else(|| matching_condition(rule, pod)) else { continue };
        return match text(rule, "/action") {
            "Ignore" => Action::Ignore,
            "FailIndex" => Action::FailIndex,
            "FailJob" => Action::FailJob(format!("{cause} matching FailJob rule at index {index}")),
            _ => Action::Count,
        };
    }
    Action::Count
}

fn matching_exit_code(rule: &Value, pod: &Value) -> Option<String> {
    let wanted = rule.get("onExitCodes").filter(|codes| codes.is_object())?;
    let container = text(wanted, "/containerName");
    let statuses = ["/status/containerStatuses", "/status/initContainerStatuses"];
    let statuses = statuses.iter().flat_map(|pointer| items(pod, pointer));
    for status in statuses.filter(|status| container.is_empty() || text(status, "/name") == container) {
        let Some(code) = integer(status, "/state/terminated/exitCode").filter(|code| *code != 0) else { continue };
        let listed = items(wanted, "/values").iter().any(|value| value.as_i64() == Some(code));
        if listed == (text(wanted, "/operator") == "In") {
            let name = text(status, "/name");
            return Some(format!("Container {name} for pod {} failed with exit code {code}", Key::of(pod)));
        }
    }
    None
}

fn matching_condition(rule: &Value, pod: &Value) -> Option<String> {
    for pattern in items(rule, "/onPodConditions") {
        let kind = text(pattern, "/type");
        let status = Some(text(pattern, "/status")).filter(|status| !status.is_empty()).unwrap_or("True");
        let conditions = items(pod, "/status/conditions");
        if conditions.iter().any(|one| text(one, "/type") == kind && text(one, "/status") == status) {
            return Some(format!("Pod {} has condition {kind}", Key::of(pod)));
        }
    }
    None
}

/// Whether pods that restart in place (`restartPolicy: OnFailure`) have used up the backoff limit.
pub(super) fn restarted_too_often<'a>(job: &Value, pods: impl Iterator<Item = &'a Value>) -> bool {
    if text(job, "/spec/template/spec/restartPolicy") != "OnFailure" {
        return false;
    }
    let limit = integer(job, "/spec/backoffLimit").unwrap_or(6);
    let running = pods.filter(|pod| matches!(text(pod, "/status/phase"), "Running" | "Pending"));
    let restarts: i64 = running
        .flat_map(|pod| {
            let statuses = ["/status/containerStatuses", "/status/initContainerStatuses"];
            statuses.into_iter().flat_map(|pointer| items(pod, pointer))
        })
        .filter_map(|status| integer(status, "/restartCount"))
        .sum();
    if limit == 0 { restarts > 0 } else { restarts >= limit }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn failed(code: i64) -> Value {
        json!({"metadata": {"namespace": "n", "name": "p"}, "status": {"phase": "Failed", "containerStatuses": [
            {"name": "main", "state": {"terminated": {"exitCode": code}}},
            {"name": "side", "state": {"terminated": {"exitCode": 0}}},
        ]}})
    }

    fn job(rules: &Value) -> Value {
        json!({"spec": {"podFailurePolicy": {"rules": rules}}})
    }

    #[test]
    fn the_first_matching_rule_decides() {
        let rules = json!([
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
            {"action": "FailJob", "onExitCodes": {"containerName": "main", "operator": "In", "values": [42]}},
            {"action": "FailIndex", "onExitCodes": {"operator": "NotIn", "values": [1]}},
        ]);
        assert_eq!(action(&job(&rules), &failed(1)), Action::Count);
        assert_eq!(action(&job(&rules), &failed(7)), Action::FailIndex);
        let message = "Container main for pod n/p failed with exit code 42 matching FailJob rule at index 1";
        assert_eq!(action(&job(&rules), &failed(42)), Action::FailJob(message.to_owned()));
        let mut evicted = failed(42);
        evicted["status"]["conditions"] = json!([{"type": "DisruptionTarget", "status": "True"}]);
        assert_eq!(action(&job(&rules), &evicted), Action::Ignore);
        assert_eq!(action(&json!({}), &failed(42)), Action::Count);
    }

    #[test]
    fn restarts_in_place_use_up_the_backoff_limit() {
        let pod =
            |restarts: i64| json!({"status": {"phase": "Running", "containerStatuses": [{"restartCount": restarts}]}});
        let job =
            |limit: i64| json!({"spec": {"backoffLimit": limit, "template": {"spec": {"restartPolicy": "OnFailure"}}}});
        assert!(!restarted_too_often(&job(3), [&pod(1), &pod(1)].into_iter()));
        assert!(restarted_too_often(&job(3), [&pod(2), &pod(1)].into_iter()));
        assert!(!restarted_too_often(&job(0), [&pod(0)].into_iter()));
        assert!(restarted_too_often(&job(0), [&pod(1)].into_iter()));
        let never = json!({"spec": {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never"}}}});
        assert!(!restarted_too_often(&never, [&pod(9)].into_iter()));
    }
}
