//! The cluster's own objects: namespaces, nodes, quotas, servers, leases, events.

use jiff::Timestamp;
use serde_json::Value;

use super::cell::{created, name, text_or};
use crate::table::age::age;

pub(crate) fn namespace(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), object["status"]["phase"].clone(), created(object, now)]
}

pub(crate) fn lease(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), object["spec"]["holderIdentity"].clone(), created(object, now)]
}

pub(crate) fn node(object: &Value, now: Timestamp) -> Vec<Value> {
    let (status, info) = (&object["status"], &object["status"]["nodeInfo"]);
    let ready = status["conditions"].as_array().into_iter().flatten().find(|held| held["type"] == "Ready");
    let mut state = match ready.and_then(|held| held["status"].as_str()) {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if object["spec"]["unschedulable"] == true {
        state.push_str(",SchedulingDisabled");
    }
    let address = |kind: &str| {
        let all = status["addresses"].as_array().into_iter().flatten();
        all.filter(|held| held["type"] == kind).find_map(|held| held["address"].as_str()).unwrap_or("<none>").to_owned()
    };
    let roles: Vec<&str> = object["metadata"]["labels"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/"))
        .collect();
    let roles = if roles.is_empty() { "<none>".to_owned() } else { roles.join(",") };
    vec![
        name(object),
        state.into(),
        roles.into(),
        created(object, now),
        info["kubeletVersion"].clone(),
        address("InternalIP").into(),
        address("ExternalIP").into(),
        text_or(&info["osImage"], "<unknown>").into(),
        text_or(&info["kernelVersion"], "<unknown>").into(),
        text_or(&info["containerRuntimeVersion"], "<unknown>").into(),
    ]
}

/// What is used of each limit; limits of limits stand apart.
pub(crate) fn quota(object: &Value, now: Timestamp) -> Vec<Value> {
    let status = &object["status"];
    let hard = status["hard"].as_object().into_iter().flatten();
    let shown = |(name, most): (&String, &Value)| {
        format!("{name}: {}/{}", text_or(&status["used"][name], "0"), text_or(most, "0"))
    };
    let (limits, requests): (Vec<_>, Vec<_>) = hard.partition(|(name, _)| name.starts_with("limits."));
    let joined = |parts: Vec<_>| Value::from(parts.into_iter().map(shown).collect::<Vec<_>>().join(", "));
    vec![name(object), joined(requests), joined(limits), created(object, now)]
}

pub(crate) fn event(object: &Value, now: Timestamp) -> Vec<Value> {
    let first = [&object["firstTimestamp"], &object["eventTime"]];
    let last = [&object["series"]["lastObservedTime"], &object["lastTimestamp"], first[0], first[1]];
    let pick = |times: &[&Value]| {
        times.iter().find(|time| time.is_string()).map_or("<unknown>".to_owned(), |time| age(time, now))
    };
    let involved = &object["involvedObject"];
    let on = format!("{}/{}", text_or(&involved["kind"], "").to_lowercase(), text_or(&involved["name"], ""));
    let source = text_or(&object["source"]["component"], &text_or(&object["reportingComponent"], ""));
    let host = object["source"]["host"].as_str().map(|host| format!("{source}, {host}"));
    let count = object["series"]["count"].as_i64().or(object["count"].as_i64()).unwrap_or(1);
    vec![
        pick(&last).into(),
        object["type"].clone(),
        object["reason"].clone(),
        on.into(),
        text_or(&involved["fieldPath"], "").into(),
        host.unwrap_or(source).into(),
        text_or(&object["message"], "").trim().into(),
        pick(&first).into(),
        count.into(),
        name(object),
    ]
}

pub(crate) fn api_service(object: &Value, now: Timestamp) -> Vec<Value> {
    let service = &object["spec"]["service"];
    let target = match service["name"].as_str() {
        Some(name) => format!("{}/{name}", text_or(&service["namespace"], "")),
        None => "Local".to_owned(),
    };
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let mut available =
        conditions.filter(|held| held["type"] == "Available").map(|held| match held["status"].as_str() {
            Some("True") => "True".to_owned(),
            other => format!("{} ({})", other.unwrap_or("Unknown"), text_or(&held["reason"], "")),
        });
    let available = available.next_back().unwrap_or_else(|| "Unknown".to_owned());
    vec![name(object), target.into(), available.into(), created(object, now)]
}
