//! A pod's status as the kubelet reports it, computed from how its containers stand. Pure.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::state::{Container, Standing, State, Terminated};
use crate::object::{condition, items, second, text};

/// Conditions that this agent owns; all others are somebody else's and stay.
const OWN: [&str; 5] = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];

/// The status fields to merge into the pod.
pub(super) fn report(pod: &Value, state: &State, address: &str, now: Timestamp) -> Value {
    let phase = phase(state);
    let init: Vec<Value> = state.init().map(container_status).collect();
    let main: Vec<Value> = state.main().map(container_status).collect();
    let mut status = json!({
        "phase": phase,
        "conditions": conditions(pod, state, phase, now),
        "hostIP": address, "hostIPs": [{"ip": address}],
        "startTime": second(state.start_time),
        "containerStatuses": main,
        "qosClass": if text(pod, "/status/qosClass").is_empty() { qos(pod) } else { text(pod, "/status/qosClass") },
        "observedGeneration": crate::object::generation(pod),
    });
    if state.sandbox {
        status["podIP"] = address.into();
        status["podIPs"] = json!([{"ip": address}]);
    }
    if !init.is_empty() {
        status["initContainerStatuses"] = init.into();
    }
    if let Some((reason, message)) = state.failure {
        status["reason"] = reason.into();
        status["message"] = message.into();
    }
    status
}

pub(super) fn phase(state: &State) -> &'static str {
    let main_ended = state.main().all(Container::ended);
    if state.failure.is_some() {
        return "Failed";
    }
    if state.finished {
        let clean = state.initialised() && main_ended && state.main().all(Container::succeeded);
        return if clean { "Succeeded" } else { "Failed" };
    }
    let pending = !state.initialised() || state.main().any(|one| !one.has_run());
    if pending { "Pending" } else { "Running" }
}

fn conditions(pod: &Value, state: &State, phase: &str, now: Timestamp) -> Vec<Value> {
    let names =
        |containers: Vec<&Container>| containers.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(" ");
    let uninitialised: Vec<&Container> = state.init().filter(|one| !state.past_init && !one.initialised()).collect();
    let unready: Vec<&Container> = state.lasting().filter(|one| !one.ready).collect();
    let (init_ok, ready_ok) = (uninitialised.is_empty(), unready.is_empty() && uninitialised.is_empty());
    let unready_reason = match phase {
        "Succeeded" => ("PodCompleted", String::new()),
        "Failed" => ("PodFailed", String::new()),
        _ => ("ContainersNotReady", format!("containers with unready status: [{}]", names(unready))),
    };
    let uninitialised_reason =
        ("ContainersNotInitialized", format!("containers with incomplete status: [{}]", names(uninitialised)));
    let gates = items(pod, "/spec/readinessGates").iter().map(|gate| text(gate, "/conditionType"));
    let gates_ok = gates.into_iter().all(|gate| crate::object::condition_is_true(pod, gate));
    let none = || ("", String::new());
    let ready_reason = || {
        if ready_ok {
            ("ReadinessGatesNotReady", "not all readiness gates are true".to_owned())
        } else {
            unready_reason.clone()
        }
    };
    let initialised_reason = match (init_ok, phase) {
        (false, _) => uninitialised_reason,
        (true, "Succeeded") => ("PodCompleted", String::new()),
        (true, _) => none(),
    };
    let own = [
        ("PodReadyToStartContainers", state.sandbox && !state.finished, none()),
        ("Initialized", init_ok, initialised_reason),
        ("Ready", ready_ok && gates_ok, if ready_ok && gates_ok { none() } else { ready_reason() }),
        ("ContainersReady", ready_ok, if ready_ok { none() } else { unready_reason.clone() }),
        ("PodScheduled", true, none()),
    ];
    let others = items(pod, "/status/conditions").iter().filter(|one| !OWN.contains(&text(one, "/type"))).cloned();
    own.into_iter().map(|(kind, holds, why)| made(pod, kind, holds, why, now)).chain(others).collect()
}

fn made(pod: &Value, kind: &str, holds: bool, (reason, message): (&str, String), now: Timestamp) -> Value {
    let status = if holds { "True" } else { "False" };
    let old = condition(pod, kind).filter(|old| text(old, "/status") == status);
    let since = old.map(|old| text(old, "/lastTransitionTime")).filter(|time| !time.is_empty());
    let mut made = json!({
        "type": kind, "status": status, "lastProbeTime": null,
        "lastTransitionTime": since.map_or_else(|| second(now), str::to_owned),
    });
    if !reason.is_empty() {
        made["reason"] = reason.into();
    }
    if !message.is_empty() {
        made["message"] = message.into();
    }
    made
}

fn container_status(container: &Container) -> Value {
    let state = match &container.standing {
        Standing::Waiting { reason, message } if message.is_empty() => json!({"waiting": {"reason": reason}}),
        Standing::Waiting { reason, message } => json!({"waiting": {"reason": reason, "message": message}}),
        Standing::Running { since } => json!({"running": {"startedAt": second(*since)}}),
        Standing::Terminated(end) => json!({"terminated": terminated(end)}),
    };
    let last = container.last.as_ref().map_or(json!({}), |end| json!({"terminated": terminated(end)}));
    json!({
        "name": container.name, "image": container.image, "imageID": container.image,
        "containerID": container.id, "restartCount": container.restarts,
        "ready": container.ready, "started": container.started, "state": state, "lastState": last,
    })
}

fn terminated(end: &Terminated) -> Value {
    let mut made = json!({
        "exitCode": end.code, "reason": end.reason, "containerID": end.id,
        "startedAt": second(end.started), "finishedAt": second(end.finished),
    });
    if !end.message.is_empty() {
        made["message"] = end.message.as_str().into();
    }
    made
}

/// Guaranteed, Burstable or BestEffort, by requests and limits.
fn qos(pod: &Value) -> &'static str {
    let all: Vec<&Value> = items(pod, "/spec/containers").iter().chain(items(pod, "/spec/initContainers")).collect();
    let empty = |one: &&Value, kind: &str| crate::object::strings(one, &format!("/resources/{kind}")).is_empty();
    if all.iter().all(|one| empty(one, "requests") && empty(one, "limits")) {
        return "BestEffort";
    }
    let guaranteed = |one: &&Value| {
        ["cpu", "memory"].iter().all(|resource| {
            let limit = text(one, &format!("/resources/limits/{resource}"));
            let request = text(one, &format!("/resources/requests/{resource}"));
            !limit.is_empty() && (request.is_empty() || request == limit)
        })
    };
    if all.iter().all(guaranteed) { "Guaranteed" } else { "Burstable" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(init: usize) -> Value {
        let init: Vec<Value> = (0..init).map(|n| json!({"name": format!("i{n}"), "image": "sluice"})).collect();
        json!({"metadata": {"name": "p"}, "spec": {
            "initContainers": init, "containers": [{"name": "c", "image": "sluice"}]}})
    }

    fn ended(code: i32) -> Standing {
        let at = Timestamp::UNIX_EPOCH;
        Standing::Terminated(Terminated {
            code,
            reason: if code == 0 { "Completed" } else { "Error" },
            message: String::new(),
            started: at,
            finished: at,
            id: String::new(),
        })
    }

    fn status(state: &State) -> Value {
        json!({"status": report(&pod(1), state, "127.9.0.2", Timestamp::UNIX_EPOCH)})
    }

    #[test]
    fn a_pod_is_pending_until_its_init_containers_are_done_and_its_containers_have_run() {
        let mut state = State::new(&pod(1), Timestamp::UNIX_EPOCH);
        let waiting = status(&state);
        assert_eq!(text(&waiting, "/status/phase"), "Pending");
        assert_eq!(text(&waiting, "/status/containerStatuses/0/state/waiting/reason"), "PodInitializing");
        assert_eq!(
            text(condition(&waiting, "Initialized").unwrap(), "/message"),
            "containers with incomplete status: [i0]"
        );
        state.containers[0].standing = ended(0);
        assert_eq!(phase(&state), "Pending");
        state.containers[1].standing = Standing::Running { since: Timestamp::UNIX_EPOCH };
        assert_eq!(phase(&state), "Running");
    }

    #[test]
    fn a_sidecar_that_has_started_lets_the_pod_go_on_and_does_not_decide_its_end() {
        let mut pod = pod(1);
        pod["spec"]["initContainers"][0]["restartPolicy"] = "Always".into();
        let mut state = State::new(&pod, Timestamp::UNIX_EPOCH);
        assert!(!state.initialised());
        state.containers[0].standing = Standing::Running { since: Timestamp::UNIX_EPOCH };
        assert!(!state.initialised(), "its startup probe has not succeeded");
        state.containers[0].started = true;
        assert!(state.initialised());
        state.containers[1].standing = Standing::Running { since: Timestamp::UNIX_EPOCH };
        state.containers[1].ready = true;
        let status = json!({"status": report(&pod, &state, "127.9.0.2", Timestamp::UNIX_EPOCH)});
        let ready = condition(&status, "ContainersReady").unwrap();
        assert_eq!(text(ready, "/message"), "containers with unready status: [i0]", "a sidecar's readiness counts");
        state.past_init = true;
        (state.containers[0].standing, state.containers[1].standing) = (ended(143), ended(0));
        state.finished = true;
        assert_eq!(phase(&state), "Succeeded");
    }

    #[test]
    fn a_pod_past_its_deadline_has_failed_and_says_why() {
        let mut state = State::new(&pod(0), Timestamp::UNIX_EPOCH);
        state.containers[0].standing = ended(0);
        state.failure = Some(("DeadlineExceeded", "Pod was active on the node longer than the specified deadline"));
        assert_eq!(phase(&state), "Failed");
        assert_eq!(text(&status(&state), "/status/reason"), "DeadlineExceeded");
    }

    #[test]
    fn readiness_of_all_containers_makes_the_pod_ready() {
        let mut state = State::new(&pod(0), Timestamp::UNIX_EPOCH);
        state.containers[0].standing = Standing::Running { since: Timestamp::UNIX_EPOCH };
        assert_eq!(text(condition(&status(&state), "Ready").unwrap(), "/reason"), "ContainersNotReady");
        state.containers[0].ready = true;
        assert!(crate::object::condition_is_true(&status(&state), "Ready"));
    }

    #[test]
    fn the_last_phase_follows_the_exit_codes() {
        let mut state = State::new(&pod(0), Timestamp::UNIX_EPOCH);
        state.containers[0].standing = ended(0);
        assert_eq!(phase(&state), "Running", "a restart may follow");
        state.finished = true;
        assert_eq!(phase(&state), "Succeeded");
        state.containers[0].standing = ended(143);
        assert_eq!(phase(&state), "Failed");
    }

    #[test]
    fn quality_of_service_follows_requests_and_limits() {
        let with = |resources: Value| json!({"spec": {"containers": [{"resources": resources}]}});
        assert_eq!(qos(&with(json!({}))), "BestEffort");
        assert_eq!(qos(&with(json!({"requests": {"cpu": "1"}}))), "Burstable");
        assert_eq!(qos(&with(json!({"limits": {"cpu": "1", "memory": "1Gi"}}))), "Guaranteed");
    }
}
