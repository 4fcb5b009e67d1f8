//! What a StatefulSet does next. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::identity;
use crate::history;
use crate::object::{deleting, integer, pod_finished, text};

#[derive(Debug, PartialEq)]
pub(super) enum Action<'a> {
    /// Makes the pod of an ordinal, of the newest revision or of the current one.
    Create { ordinal: i64, newest: bool },
    /// Gives an adopted pod the labels that name it.
    Repair(&'a Value),
    /// Removes a pod that has ended; it is made again when it is gone.
    Recreate(&'a Value),
    /// Removes a pod: because there are fewer to be (`condemned`), or to make it anew from the newest revision.
    Remove { pod: &'a Value, condemned: bool },
}

/// What is to be done now. In order (`OrderedReady`) that is one step; in parallel, all that are open.
pub(super) fn next<'a>(
    set: &Value,
    pods: &'a [Arc<Value>],
    newest: &str,
    available: &dyn Fn(&Value) -> bool,
) -> Vec<Action<'a>> {
    let in_order = text(set, "/spec/podManagementPolicy") != "Parallel";
    let by_ordinal: BTreeMap<i64, &'a Value> =
        pods.iter().filter_map(|pod| Some((identity::ordinal(set, pod)?, &**pod))).collect();
    let start = integer(set, "/spec/ordinals/start").unwrap_or(0);
    let wanted = start..start + integer(set, "/spec/replicas").unwrap_or(1).max(0);
    let partition = start + integer(set, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
    let rolling = text(set, "/spec/updateStrategy/type") != "OnDelete";
    let mut actions = Vec::new();
    for ordinal in wanted.clone() {
        let step = match by_ordinal.get(&ordinal) {
            None => Some(Action::Create { ordinal, newest: !rolling || ordinal >= partition }),
            Some(pod) if deleting(pod) => None,
            Some(pod) if pod_finished(pod) => Some(Action::Recreate(pod)),
            Some(pod) if !identity::is_identified(set, pod) => Some(Action::Repair(pod)),
            Some(pod) if available(pod) => continue,
            Some(_) => None,
        };
        actions.extend(step);
        if in_order {
            return actions;
        }
    }
    let condemned: Vec<(&i64, &&Value)> = by_ordinal.iter().filter(|(ordinal, _)| !wanted.contains(ordinal)).collect();
    let first_unhealthy =
        condemned.iter().find(|(_, pod)| deleting(pod) || !available(pod)).map(|(ordinal, _)| **ordinal);
    for (ordinal, pod) in condemned.into_iter().rev() {
        let waits = deleting(pod) || (in_order && !available(pod) && first_unhealthy != Some(*ordinal));
        if !waits {
            actions.push(Action::Remove { pod, condemned: true });
        }
        if in_order {
            return actions;
        }
    }
    if rolling {
        let targets = by_ordinal.range(wanted).filter(|(ordinal, _)| **ordinal >= partition).rev();
        update(set, targets.map(|(_, pod)| *pod), newest, available, &mut actions);
    }
    actions
}

/// From the last pod to the partition: pods of other revisions go, so many at a time as may be unavailable.
fn update<'a>(
    set: &Value,
    targets: impl Iterator<Item = &'a Value>,
    newest: &str,
    available: &dyn Fn(&Value) -> bool,
    actions: &mut Vec<Action<'a>>,
) {
    let most = max_unavailable(set);
    let mut missing = 0;
    for pod in targets {
        if missing >= most {
            return;
        }
        if pod_finished(pod) {
            // Is being made again already.
            missing += 1;
        } else if history::of_pod(pod) != newest && !deleting(pod) {
            actions.push(Action::Remove { pod, condemned: false });
            missing += 1;
        } else if deleting(pod) || !available(pod) {
            missing += 1;
        }
    }
}

fn max_unavailable(set: &Value) -> i64 {
    let value = set.pointer("/spec/updateStrategy/rollingUpdate/maxUnavailable");
    let replicas = integer(set, "/spec/replicas").unwrap_or(1);
    let share = |text: &str| text.strip_suffix('%')?.parse::<i64>().ok().map(|share| (replicas * share + 99) / 100);
    value.and_then(|value| value.as_i64().or_else(|| share(value.as_str()?))).unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(ordinal: i64, revision: &str, state: &str) -> Arc<Value> {
        let name = format!("web-{ordinal}");
        let labels =
            json!({identity::POD_NAME: name, identity::POD_INDEX: ordinal.to_string(), history::HASH_LABEL: revision});
        let mut pod = json!({"metadata": {"name": name, "labels": labels}, "status": {"phase": state}});
        if state == "terminating" {
            pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        }
        Arc::new(pod)
    }

    fn steps(spec: &Value, pods: &[Arc<Value>]) -> Vec<String> {
        let set = json!({"metadata": {"name": "web"}, "spec": spec});
        let available = |pod: &Value| text(pod, "/status/phase") == "Running";
        let steps = next(&set, pods, "new", &available);
        let shown = |action: &Action<'_>| match action {
            Action::Create { ordinal, newest } => format!("create {ordinal} {}", if *newest { "new" } else { "old" }),
            Action::Repair(pod) => format!("repair {}", crate::object::name(pod)),
            Action::Recreate(pod) => format!("recreate {}", crate::object::name(pod)),
            Action::Remove { pod, condemned } => format!("remove {} {condemned}", crate::object::name(pod)),
        };
        steps.iter().map(shown).collect()
    }

    #[test]
    fn pods_come_and_go_one_after_the_other() {
        let spec = json!({"replicas": 3});
        assert_eq!(steps(&spec, &[]), ["create 0 new"]);
        assert!(steps(&spec, &[pod(0, "new", "Pending")]).is_empty());
        assert_eq!(steps(&spec, &[pod(0, "new", "Running")]), ["create 1 new"]);
        assert_eq!(steps(&spec, &[pod(0, "new", "Failed")]), ["recreate web-0"]);
        assert!(steps(&spec, &[pod(0, "new", "terminating"), pod(2, "new", "Running")]).is_empty());
        let three = [pod(0, "new", "Running"), pod(1, "new", "Running"), pod(2, "new", "Running")];
        assert_eq!(steps(&json!({"replicas": 1}), &three), ["remove web-2 true"]);
        assert!(
            steps(
                &json!({"replicas": 1}),
                &[pod(0, "new", "Running"), pod(1, "new", "Running"), pod(2, "new", "terminating")]
            )
            .is_empty()
        );
        assert_eq!(steps(&json!({"replicas": 1, "ordinals": {"start": 2}}), &three[2..]), Vec::<String>::new());
    }

    #[test]
    fn in_parallel_all_come_and_go_at_once() {
        let spec = json!({"replicas": 3, "podManagementPolicy": "Parallel"});
        assert_eq!(steps(&spec, &[pod(1, "new", "Pending")]), ["create 0 new", "create 2 new"]);
        let spec = json!({"replicas": 0, "podManagementPolicy": "Parallel"});
        assert_eq!(
            steps(&spec, &[pod(0, "new", "Pending"), pod(1, "new", "Running")]),
            ["remove web-1 true", "remove web-0 true"]
        );
    }

    #[test]
    fn an_update_goes_from_the_last_pod_down_to_the_partition() {
        let old = [pod(0, "old", "Running"), pod(1, "old", "Running"), pod(2, "old", "Running")];
        assert_eq!(steps(&json!({"replicas": 3}), &old), ["remove web-2 false"]);
        let strategy = |partition: i64| json!({"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}});
        assert!(steps(&strategy(3), &old).is_empty());
        assert_eq!(
            steps(&strategy(1), &[pod(0, "old", "Running"), pod(1, "old", "Running"), pod(2, "new", "Running")]),
            ["remove web-1 false"]
        );
        assert_eq!(steps(&strategy(1), &[]), ["create 0 old"]);
        assert_eq!(steps(&strategy(0), &[]), ["create 0 new"]);
        assert!(steps(&json!({"replicas": 3, "updateStrategy": {"type": "OnDelete"}}), &old).is_empty());
        let two = json!({"replicas": 3, "updateStrategy": {"rollingUpdate": {"maxUnavailable": 2}}});
        assert_eq!(steps(&two, &old), ["remove web-2 false", "remove web-1 false"]);
    }
}
