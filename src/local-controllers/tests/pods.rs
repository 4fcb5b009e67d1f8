//! Scenarios of single pods: sidecars, gates, hooks, deadlines, last words.

use serde_json::{Value, json};

use super::{PODS, Plane, pod_spec, scenario};
use crate::object::{condition, items, text};

async fn make(plane: &Plane, name: &str, spec: Value) {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec});
    plane.create(PODS, pod).await;
}

/// The pod when it has ended.
async fn end_of(plane: &Plane, name: &str) -> Value {
    plane
        .until(&format!("{PODS}/{name}"), |pod| {
            let pod = pod?;
            ["Succeeded", "Failed"].contains(&text(&pod, "/status/phase")).then_some(pod)
        })
        .await
}

async fn messages(plane: &Plane, reason: &str) -> Vec<String> {
    let events = plane.client.list("/api/v1/namespaces/default/events").await.unwrap();
    let those = items(&events, "/items").iter().filter(|event| text(event, "/reason") == reason);
    those.map(|event| text(event, "/message").to_owned()).collect()
}

fn once(script: &str) -> Value {
    let mut spec = pod_spec(script);
    spec["restartPolicy"] = "Never".into();
    spec
}

#[test]
fn a_sidecar_runs_beside_the_others_and_does_not_keep_the_pod_from_its_end() {
    scenario(|plane| async move {
        let mut spec = once("test -e $(DATA)/up");
        let mount = json!([{"name": "data", "mountPath": "/data"}]);
        spec["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
        let variables = json!([{"name": "DATA", "value": "/data"}]);
        let side = "trap 'echo stopped > $(DATA)/last; exit 0' TERM; echo > $(DATA)/up; while :; do sleep 0.05; done";
        spec["initContainers"] = json!([{
            "name": "side", "image": "sh", "restartPolicy": "Always", "args": ["-c", side], "volumeMounts": mount,
            "env": variables, "startupProbe": {"exec": {"command": ["/bin/sh", "-c", "test -e $DATA/up"]},
                "periodSeconds": 1, "failureThreshold": 1000}}]);
        spec["containers"][0]["volumeMounts"] = mount;
        spec["containers"][0]["env"] = variables;
        spec["terminationGracePeriodSeconds"] = 600.into();
        make(&plane, "p", spec).await;
        let pod = end_of(&plane, "p").await;
        assert_eq!(text(&pod, "/status/phase"), "Succeeded", "{:#}", pod["status"]);
        let side = &pod["status"]["initContainerStatuses"][0]["state"]["terminated"];
        assert_eq!(side["exitCode"], 0, "it was asked to end: {side}");
        plane.end().await;
    });
}

#[test]
fn a_pod_with_a_gate_waits_until_it_is_taken_away() {
    scenario(|plane| async move {
        let mut spec = once("true");
        spec["schedulingGates"] = json!([{"name": "example.com/wait"}]);
        make(&plane, "p", spec).await;
        let path = format!("{PODS}/p");
        let reason =
            plane.until(&path, |pod| condition(&pod?, "PodScheduled").map(|one| text(one, "/reason").to_owned())).await;
        assert_eq!(reason, "SchedulingGated");
        let ungated = json!({"spec": {"schedulingGates": null}});
        plane.client.patch(&path, local_apiserver::PatchType::Merge, &ungated).await.unwrap();
        assert_eq!(text(&end_of(&plane, "p").await, "/status/phase"), "Succeeded");
        plane.end().await;
    });
}

#[test]
fn what_fargate_does_not_run_stays_pending_with_its_words() {
    scenario(|plane| async move {
        let mut spec = once("true");
        spec["containers"][0]["securityContext"] = json!({"privileged": true});
        make(&plane, "p", spec).await;
        let message = plane
            .until(&format!("{PODS}/p"), |pod| {
                condition(&pod?, "PodScheduled").map(|one| text(one, "/message").to_owned())
            })
            .await;
        assert_eq!(message, "Pod not supported on Fargate: invalid SecurityContext fields: Privileged");
        plane
            .until("/api/v1/namespaces/default/events", |events| {
                let events = events?;
                let mut all = items(&events, "/items").iter();
                all.any(|event| text(event, "/reason") == "FailedScheduling" && text(event, "/message") == message)
                    .then_some(())
            })
            .await;
        plane.end().await;
    });
}

#[test]
fn a_hook_runs_after_the_start_and_one_that_fails_ends_the_container() {
    scenario(|plane| async move {
        let hook = |script: &str| json!({"postStart": {"exec": {"command": ["/bin/sh", "-c", script]}}});
        let mut spec = once("until test -e \"$HOME/ran\"; do sleep 0.02; done");
        spec["containers"][0]["lifecycle"] = hook("echo > \"$HOME/ran\"");
        make(&plane, "good", spec).await;
        assert_eq!(text(&end_of(&plane, "good").await, "/status/phase"), "Succeeded");
        let mut spec = once("exec sleep 600");
        spec["containers"][0]["lifecycle"] = hook("echo no luck; exit 3");
        make(&plane, "bad", spec).await;
        assert_eq!(text(&end_of(&plane, "bad").await, "/status/phase"), "Failed");
        assert_eq!(messages(&plane, "FailedPostStartHook").await, ["PostStartHook failed: no luck"]);
        plane.end().await;
    });
}

#[test]
fn last_words_come_from_the_log_where_they_may() {
    scenario(|plane| async move {
        let mut spec = once("echo limit=$LIMIT; echo out of luck; exit 3");
        spec["containers"][0]["terminationMessagePolicy"] = "FallbackToLogsOnError".into();
        spec["containers"][0]["env"] =
            json!([{"name": "LIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}}]);
        make(&plane, "p", spec).await;
        let pod = end_of(&plane, "p").await;
        let message = text(&pod, "/status/containerStatuses/0/state/terminated/message");
        // 0.5 GB is the smallest size of Fargate.
        assert_eq!(message, "limit=536870912\nout of luck\n");
        plane.end().await;
    });
}

#[test]
fn a_pod_that_is_active_for_too_long_fails() {
    scenario(|plane| async move {
        let mut spec = once("exec sleep 600");
        spec["activeDeadlineSeconds"] = 20.into();
        make(&plane, "p", spec).await;
        let pod = end_of(&plane, "p").await;
        assert_eq!(text(&pod, "/status/reason"), "DeadlineExceeded");
        plane.end().await;
    });
}
