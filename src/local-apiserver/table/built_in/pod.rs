//! Pods as `kubectl get pods` reports them.

use jiff::Timestamp;
use serde_json::Value;

use super::cell::{created, name, number, text_or};
use crate::table::age::age;

pub(crate) fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&pod["spec"], &pod["status"]);
    let sidecars = sidecars(pod);
    let total = spec["containers"].as_array().map_or(0, Vec::len) + sidecars.len();
    let lasting = |held: &&Value| sidecars.contains(&held["name"].as_str().unwrap_or_default());
    let beside = || status["initContainerStatuses"].as_array().into_iter().flatten().filter(lasting);
    let statuses = || status["containerStatuses"].as_array().into_iter().flatten().chain(beside());
    let ready = statuses().filter(|held| held["ready"] == true && held["state"]["running"].is_object()).count();
    let restarts: i64 = statuses().map(|held| number(&held["restartCount"])).sum();
    let last = statuses().filter_map(|held| held["lastState"]["terminated"]["finishedAt"].as_str()).max();
    let restarts = match last {
        Some(last) if restarts > 0 => format!("{restarts} ({} ago)", age(&last.into(), now)),
        _ => restarts.to_string(),
    };
    vec![
        name(pod),
        format!("{ready}/{total}").into(),
        reason(pod).into(),
        restarts.into(),
        created(pod, now),
        text_or(&status["podIP"], "<none>").into(),
        text_or(&spec["nodeName"], "<none>").into(),
        text_or(&status["nominatedNodeName"], "<none>").into(),
        "<none>".into(),
    ]
}

/// Init containers that stay and count with the others.
fn sidecars(pod: &Value) -> Vec<&str> {
    let all = pod["spec"]["initContainers"].as_array().into_iter().flatten();
    all.filter(|one| one["restartPolicy"] == "Always").filter_map(|one| one["name"].as_str()).collect()
}

/// The Status column.
fn reason(pod: &Value) -> String {
    let status = &pod["status"];
    let mut reason = text_or(&status["reason"], &text_or(&status["phase"], "Unknown"));
    if let Some(initialising) = init_reason(pod) {
        reason = initialising;
    } else {
        let mut running = false;
        for held in status["containerStatuses"].as_array().into_iter().flatten().rev() {
            let (waiting, ended) = (&held["state"]["waiting"], &held["state"]["terminated"]);
            if let Some(text) = waiting["reason"].as_str().filter(|text| !text.is_empty()) {
                text.clone_into(&mut reason);
            } else if ended.is_object() {
                reason = terminated(ended);
            } else if held["ready"] == true && held["state"]["running"].is_object() {
                running = true;
            }
        }
        if reason == "Completed" && running {
            let conditions = status["conditions"].as_array().into_iter().flatten();
            let ready = conditions.filter(|held| held["type"] == "Ready").any(|held| held["status"] == "True");
            if ready { "Running" } else { "NotReady" }.clone_into(&mut reason);
        }
    }
    let ended = matches!(status["phase"].as_str(), Some("Succeeded" | "Failed"));
    if !pod["metadata"]["deletionTimestamp"].is_null() && !ended { "Terminating".to_owned() } else { reason }
}

fn terminated(ended: &Value) -> String {
    if let Some(text) = ended["reason"].as_str().filter(|text| !text.is_empty()) {
        return text.to_owned();
    }
    match ended["signal"].as_i64() {
        Some(signal) if signal != 0 => format!("Signal:{signal}"),
        _ => format!("ExitCode:{}", number(&ended["exitCode"])),
    }
}

fn init_reason(pod: &Value) -> Option<String> {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    if conditions.any(|held| held["type"] == "Initialized" && held["status"] == "True") {
        return None;
    }
    let sidecars = sidecars(pod);
    let total = pod["spec"]["initContainers"].as_array().map_or(0, Vec::len);
    for (index, held) in pod["status"]["initContainerStatuses"].as_array().into_iter().flatten().enumerate() {
        let (waiting, ended) = (&held["state"]["waiting"], &held["state"]["terminated"]);
        if held["started"] == true && sidecars.contains(&held["name"].as_str().unwrap_or_default()) {
            continue;
        }
        if ended.is_object() {
            if number(&ended["exitCode"]) == 0 {
                continue;
            }
            return Some(format!("Init:{}", terminated(ended)));
        }
        return match waiting["reason"].as_str() {
            Some(text) if !text.is_empty() && text != "PodInitializing" => Some(format!("Init:{text}")),
            _ => Some(format!("Init:{index}/{total}")),
        };
    }
    None
}
