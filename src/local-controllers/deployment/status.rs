//! What a Deployment reports: counts and the conditions Available, Progressing and ReplicaFailure.

use std::time::Duration;

use clock::Clock;
use serde_json::{Map, Value, json};

use super::rollout::{self, Sets, wanted};
use crate::object::{condition, flag, generation, integer, items, name, second, text, timestamp};

pub(super) struct Report {
    pub(super) status: Value,
    /// The pause after which the progress deadline is to be checked.
    pub(super) look_again: Option<Duration>,
}

fn count(set: &Value, field: &str) -> i64 {
    integer(set, &format!("/status/{field}")).unwrap_or(0)
}

fn sum(sets: &Sets, field: &str) -> i64 {
    sets.all().map(|set| count(set, field)).sum()
}

/// All pods are of the newest template, available, and nothing of older ones is left.
pub(super) fn complete(deployment: &Value, sets: &Sets) -> bool {
    let replicas = wanted(deployment);
    let updated = sets.newest.as_ref().map_or(0, |set| count(set, "replicas"));
    sets.newest.is_some()
        && updated == replicas
        && sum(sets, "replicas") == replicas
        && sum(sets, "availableReplicas") == replicas
}

pub(super) fn report(deployment: &Value, sets: &Sets, failure: Option<&str>, clock: &Clock) -> Report {
    let available = sum(sets, "availableReplicas");
    let unavailable = (sets.all().map(wanted).sum::<i64>() - available).max(0);
    let mut status = Map::new();
    status.insert("observedGeneration".into(), generation(deployment).into());
    let counts = [
        ("replicas", sum(sets, "replicas")),
        ("updatedReplicas", sets.newest.as_ref().map_or(0, |set| count(set, "replicas"))),
        ("readyReplicas", sum(sets, "readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", unavailable),
    ];
    // Zeroes are left out, as `omitempty` does.
    status.extend(counts.iter().filter(|(_, count)| *count > 0).map(|(key, count)| ((*key).into(), (*count).into())));
    status.insert("terminatingReplicas".into(), sum(sets, "terminatingReplicas").into());
    if let Some(collisions) = integer(deployment, "/status/collisionCount") {
        status.insert("collisionCount".into(), collisions.into());
    }
    let mut conditions = vec![availability(deployment, available)];
    conditions.extend(progress(deployment, sets, &status, failure, clock));
    let failed = failure.map(str::to_owned).or_else(|| set_failure(sets));
    conditions.extend(failed.map(|message| made("ReplicaFailure", "True", "FailedCreate", &message)));
    let now = second(clock.now());
    let conditions: Vec<Value> = conditions.into_iter().map(|one| dated(deployment, one, &now)).collect();
    let look_again = progress_deadline(deployment).filter(|_| !complete(deployment, sets));
    status.insert("conditions".into(), conditions.into());
    Report { status: status.into(), look_again }
}

fn made(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": message})
}

/// Keeps the times of a condition that has not changed. A Progressing condition is also kept fresh by `progressed`.
fn dated(deployment: &Value, mut new: Value, now: &str) -> Value {
    let old = condition(deployment, text(&new, "/type"));
    let same_status = old.is_some_and(|old| text(old, "/status") == text(&new, "/status"));
    let same_reason = old.is_some_and(|old| text(old, "/reason") == text(&new, "/reason"));
    let fresh = new.as_object_mut().and_then(|one| one.remove("fresh")).is_some();
    let kept = |field: &str| old.map(|old| text(old, field).to_owned()).filter(|time| !time.is_empty());
    let transition = kept("/lastTransitionTime").filter(|_| same_status).unwrap_or_else(|| now.to_owned());
    let unchanged = same_status && same_reason && !fresh;
    let update = kept("/lastUpdateTime").filter(|_| unchanged).unwrap_or_else(|| now.to_owned());
    new["lastTransitionTime"] = transition.into();
    new["lastUpdateTime"] = update.into();
    new
}

fn availability(deployment: &Value, available: i64) -> Value {
    if available >= wanted(deployment) - rollout::max_unavailable(deployment) {
        made("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        made("Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    }
}

fn progress_deadline(deployment: &Value) -> Option<Duration> {
    // 2^31 - 1 seconds means "no deadline".
    let seconds = integer(deployment, "/spec/progressDeadlineSeconds").unwrap_or(600);
    (seconds < i64::from(i32::MAX)).then(|| Duration::from_secs(seconds.max(0) as u64))
}

fn progress(
    deployment: &Value,
    sets: &Sets,
    status: &Map<String, Value>,
    failure: Option<&str>,
    clock: &Clock,
) -> Option<Value> {
    progress_deadline(deployment)?;
    let old = condition(deployment, "Progressing");
    let reason = old.map_or("", |old| text(old, "/reason"));
    if let Some(failure) = failure {
        return Some(made("Progressing", "False", "ReplicaSetCreateError", failure));
    }
    if flag(deployment, "/spec/paused") {
        return Some(made("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused"));
    }
    if reason == "DeploymentPaused" {
        return Some(made("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed"));
    }
    let set = sets.newest.as_ref().map_or("", name);
    let updated = status.get("updatedReplicas").and_then(Value::as_i64).unwrap_or(0);
    let total = status.get("replicas").and_then(Value::as_i64).unwrap_or(0);
    // A finished rollout stays finished: losing a pod later is no new rollout.
    if reason == "NewReplicaSetAvailable" && total == updated && sets.newest.is_some() && names(old, set) {
        return old.cloned();
    }
    if complete(deployment, sets) {
        let message = format!("ReplicaSet \"{set}\" has successfully progressed.");
        return Some(made("Progressing", "True", "NewReplicaSetAvailable", &message));
    }
    Some(underway(deployment, set, status, old, clock))
}

fn names(old: Option<&Value>, set: &str) -> bool {
    old.is_some_and(|old| text(old, "/message").contains(&format!("\"{set}\"")))
}

fn underway(deployment: &Value, set: &str, status: &Map<String, Value>, old: Option<&Value>, clock: &Clock) -> Value {
    let number = |field: &str| status.get(field).and_then(Value::as_i64).unwrap_or(0);
    let before = |field: &str| integer(deployment, &format!("/status/{field}")).unwrap_or(0);
    let old_pods = (before("replicas") - before("updatedReplicas"), number("replicas") - number("updatedReplicas"));
    let moved = number("updatedReplicas") > before("updatedReplicas")
        || old_pods.1 < old_pods.0
        || number("readyReplicas") > before("readyReplicas")
        || number("availableReplicas") > before("availableReplicas");
    let Some(old) = old.filter(|old| text(old, "/reason") != "NewReplicaSetAvailable" || names(Some(old), set)) else {
        let message = format!("Created new replica set \"{set}\"");
        return made("Progressing", "True", "NewReplicaSetCreated", &message);
    };
    if moved {
        let message = format!("ReplicaSet \"{set}\" is progressing.");
        let mut progressing = made("Progressing", "True", "ReplicaSetUpdated", &message);
        progressing["fresh"] = true.into();
        return progressing;
    }
    let since = timestamp(old, "/lastUpdateTime").map_or(Duration::ZERO, |time| clock.since(time));
    if text(old, "/reason") != "NewReplicaSetAvailable"
        && progress_deadline(deployment).is_some_and(|deadline| since >= deadline)
    {
        let message = format!("ReplicaSet \"{set}\" has timed out progressing.");
        return made("Progressing", "False", "ProgressDeadlineExceeded", &message);
    }
    old.clone()
}

fn set_failure(sets: &Sets) -> Option<String> {
    let conditions = sets.newest.as_ref().map_or(&[][..], |set| items(set, "/status/conditions"));
    let failure = conditions.iter().find(|one| text(one, "/type") == "ReplicaFailure")?;
    Some(text(failure, "/message").to_owned())
}
