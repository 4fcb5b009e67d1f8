//! When a container that has ended is started again: by the pod's policy, its own, and its own rules.

use serde_json::Value;

use crate::object::{items, text};

/// What a container is to its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It has to succeed before the next one starts.
    Init,
    /// An init container that stays.
    Sidecar,
    Main,
}

impl Role {
    pub(super) fn of(container: &Value, init: bool) -> Self {
        match text(container, "/restartPolicy") {
            "Always" if init => Self::Sidecar,
            _ if init => Self::Init,
            _ => Self::Main,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    Always,
    OnFailure,
    Never,
}

/// When one container is started again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Restart {
    policy: Policy,
    rules: Vec<Rule>,
}

/// A rule of `restartPolicyRules`: it restarts for these exit codes, or for all others.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    among: bool,
    codes: Vec<i64>,
}

impl Restart {
    /// The container's own policy goes before the pod's; init containers that succeed are done under any policy.
    pub(super) fn of(pod: &Value, container: &Value, role: Role) -> Self {
        let written = match text(container, "/restartPolicy") {
            "" => text(pod, "/spec/restartPolicy"),
            own => own,
        };
        let policy = match (written, role) {
            (_, Role::Sidecar) => Policy::Always,
            ("Never", _) => Policy::Never,
            ("OnFailure", _) | (_, Role::Init) => Policy::OnFailure,
            _ => Policy::Always,
        };
        let rules = items(container, "/restartPolicyRules").iter().filter(|rule| text(rule, "/action") == "Restart");
        let rules = rules.map(|rule| Rule {
            among: text(rule, "/exitCodes/operator") != "NotIn",
            codes: items(rule, "/exitCodes/values").iter().filter_map(Value::as_i64).collect(),
        });
        Self { policy, rules: rules.collect() }
    }

    /// The first rule that holds decides; the policy, where none does.
    pub(super) fn applies(&self, code: i32) -> bool {
        let holds = |rule: &Rule| rule.codes.contains(&i64::from(code)) == rule.among;
        match self.policy {
            _ if self.rules.iter().any(holds) => true,
            Policy::Always => true,
            Policy::OnFailure => code != 0,
            Policy::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn policies_of_pod_container_and_role_decide() {
        let applies = |pod: &str, container: Value, role| {
            let restart = Restart::of(&json!({"spec": {"restartPolicy": pod}}), &container, role);
            (restart.applies(0), restart.applies(1))
        };
        assert_eq!(applies("Always", json!({}), Role::Main), (true, true));
        assert_eq!(applies("Always", json!({}), Role::Init), (false, true));
        assert_eq!(applies("Never", json!({}), Role::Init), (false, false));
        assert_eq!(applies("Never", json!({"restartPolicy": "Always"}), Role::Sidecar), (true, true));
        assert_eq!(applies("Always", json!({"restartPolicy": "Never"}), Role::Main), (false, false));
        assert_eq!(applies("OnFailure", json!({}), Role::Main), (false, true));
    }

    #[test]
    fn rules_for_exit_codes_go_before_the_policy() {
        let rule = |operator: &str| {
            json!({"restartPolicy": "Never", "restartPolicyRules": [
            {"action": "Restart", "exitCodes": {"operator": operator, "values": [42]}}]})
        };
        let of = |operator| Restart::of(&json!({}), &rule(operator), Role::Main);
        assert!(of("In").applies(42) && !of("In").applies(1));
        assert!(!of("NotIn").applies(42) && of("NotIn").applies(1));
    }
}
