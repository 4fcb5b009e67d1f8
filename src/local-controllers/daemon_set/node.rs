//! Which nodes take a DaemonSet's pod, and how a pod is bound to its node. Pure.

use serde_json::{Value, json};

use crate::object::{flag, items, labels, name, strings, text};

/// Taints that every pod of a DaemonSet tolerates: a node's troubles are no reason to leave it.
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];
const REQUIRED: &str = "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";

/// Whether a node is to have a pod of this set.
pub(super) fn takes(node: &Value, set: &Value) -> bool {
    let spec = &set["spec"]["template"]["spec"];
    let labels = labels(node);
    let selected = strings(spec, "/nodeSelector").iter().all(|(key, value)| labels.get(key) == Some(value));
    let named = spec["nodeName"].as_str().is_none_or(|wanted| wanted.is_empty() || wanted == name(node));
    let terms = items(spec, REQUIRED);
    let fits = terms.is_empty() || terms.iter().any(|term| matches(term, node));
    selected && named && fits && items(node, "/spec/taints").iter().all(|taint| is_tolerated(taint, spec))
}

fn matches(term: &Value, node: &Value) -> bool {
    let labels = labels(node);
    let by_label = items(term, "/matchExpressions")
        .iter()
        .all(|rule| holds(rule, labels.get(text(rule, "/key")).map(String::as_str)));
    by_label && items(term, "/matchFields").iter().all(|rule| holds(rule, Some(name(node))))
}

fn holds(rule: &Value, found: Option<&str>) -> bool {
    let listed = || found.is_some_and(|found| items(rule, "/values").iter().any(|value| value == found));
    let number = |value: Option<&str>| value.and_then(|value| value.parse::<i64>().ok());
    let bound = || number(items(rule, "/values").first().and_then(Value::as_str));
    match text(rule, "/operator") {
        "In" => listed(),
        "NotIn" => !listed(),
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        "Gt" => number(found) > bound() && bound().is_some(),
        "Lt" => number(found).is_some() && number(found) < bound(),
        _ => false,
    }
}

fn is_tolerated(taint: &Value, spec: &Value) -> bool {
    let (key, effect) = (text(taint, "/key"), text(taint, "/effect"));
    let always = flag(spec, "/hostNetwork") && key == "node.kubernetes.io/network-unavailable";
    let own = |toleration: &Value| {
        let any = |field: &str, found: &str| text(toleration, field).is_empty() || text(toleration, field) == found;
        let exists = text(toleration, "/operator") == "Exists";
        let same = text(toleration, "/key") == key || (exists && text(toleration, "/key").is_empty());
        same && any("/effect", effect) && (exists || text(toleration, "/value") == text(taint, "/value"))
    };
    effect == "PreferNoSchedule"
        || always
        || TOLERATED.contains(&(key, effect))
        || items(spec, "/tolerations").iter().any(own)
}

/// The node that a pod is on, or is for.
pub(super) fn of_pod(pod: &Value) -> &str {
    if !text(pod, "/spec/nodeName").is_empty() {
        return text(pod, "/spec/nodeName");
    }
    let terms = pod.pointer(&format!("/spec{REQUIRED}"));
    terms.map_or("", |terms| text(terms, "/0/matchFields/0/values/0"))
}

/// Binds a pod to its node: by affinity, so that the scheduler still decides whether it fits.
pub(super) fn bind(pod: &mut Value, node: &str) {
    let by_name = json!([{"key": "metadata.name", "operator": "In", "values": [node]}]);
    let affinity = &mut pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    *affinity = json!({"nodeSelectorTerms": [{"matchFields": by_name}]});
    let mut tolerations = items(pod, "/spec/tolerations").to_vec();
    let more = TOLERATED.iter().map(|(key, effect)| json!({"key": key, "operator": "Exists", "effect": effect}));
    tolerations.extend(more.filter(|one| !items(pod, "/spec/tolerations").contains(one)));
    pod["spec"]["tolerations"] = tolerations.into();
}

/// `maxUnavailable` of a rolling update: a number or a percentage of all, rounded up; 1 if it is not given.
pub(super) fn max_unavailable(set: &Value, all: usize) -> usize {
    let value = set.pointer("/spec/updateStrategy/rollingUpdate/maxUnavailable");
    let share = |text: &str| text.strip_suffix('%')?.parse::<usize>().ok().map(|share| (all * share).div_ceil(100));
    value.and_then(|value| value.as_u64().map(|number| number as usize).or_else(|| share(value.as_str()?))).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_of_fargate_takes_only_what_tolerates_its_taint() {
        let node = json!({
            "metadata": {"name": "fargate-ip-1", "labels": {"eks.amazonaws.com/compute-type": "fargate"}},
            "spec": {"taints": [{"key": "eks.amazonaws.com/compute-type", "value": "fargate", "effect": "NoSchedule"}]},
        });
        let set = |spec: Value| json!({"spec": {"template": {"spec": spec}}});
        assert!(!takes(&node, &set(json!({}))));
        assert!(takes(&node, &set(json!({"tolerations": [{"operator": "Exists"}]}))));
        let elsewhere = json!({"nodeSelectorTerms": [{"matchExpressions": [
            {"key": "eks.amazonaws.com/compute-type", "operator": "NotIn", "values": ["fargate"]}]}]});
        let affinity = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": elsewhere}});
        assert!(!takes(&node, &set(json!({"tolerations": [{"operator": "Exists"}], "affinity": affinity}))));
        let mut plain = node.clone();
        plain["spec"] = json!({});
        assert!(takes(&plain, &set(json!({}))));
        assert!(!takes(&plain, &set(json!({"nodeSelector": {"disk": "ssd"}}))));
    }

    #[test]
    fn a_pod_is_for_one_node() {
        let mut pod = json!({"spec": {}});
        bind(&mut pod, "n");
        assert_eq!(of_pod(&pod), "n");
        assert_eq!(items(&pod, "/spec/tolerations").len(), TOLERATED.len());
    }
}
