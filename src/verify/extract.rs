//! Kubernetes objects, as JSON, to observations. A field that is missing is absent, except where the API defines its absence as zero.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::observation::{Condition, Hpa, Job, JobState, KubernetesEvent, Observation, Pod, Replicas, ScaledObject};

fn number(value: &Value, pointer: &str) -> Option<u32> {
    value.pointer(pointer)?.as_u64().and_then(|number| u32::try_from(number).ok())
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn conditions(value: &Value) -> Vec<Condition> {
    list(value, "/status/conditions").iter().filter_map(|item| serde_json::from_value(item.clone()).ok()).collect()
}

/// A Deployment. `spec.replicas` is always set by the API server; counts in its status are omitted when zero.
pub(crate) fn deployment(value: &Value) -> Observation {
    match number(value, "/spec/replicas") {
        Some(desired) => Observation::Deployment(Replicas {
            desired,
            current: number(value, "/status/replicas").unwrap_or(0),
            ready: number(value, "/status/readyReplicas").unwrap_or(0),
        }),
        None => {
            Observation::Failure { what: "Deployment".to_owned(), error: "the object has no spec.replicas".to_owned() }
        }
    }
}

pub(crate) fn hpa(value: &Value) -> Observation {
    let metrics: BTreeMap<_, _> = list(value, "/status/currentMetrics")
        .iter()
        .filter_map(|metric| {
            let external = metric.get("external")?;
            let current = external.get("current")?;
            let served = ["averageValue", "value"].iter().find_map(|key| current.get(*key)?.as_str())?;
            Some((text(external, "/metric/name"), served.to_owned()))
        })
        .collect();
    Observation::Hpa(Hpa {
        desired: number(value, "/status/desiredReplicas"),
        current: number(value, "/status/currentReplicas"),
        min: number(value, "/spec/minReplicas"),
        max: number(value, "/spec/maxReplicas"),
        metrics,
        conditions: conditions(value),
    })
}

pub(crate) fn scaled_object(value: &Value) -> Observation {
    Observation::ScaledObject(ScaledObject {
        conditions: conditions(value),
        last_active: value.pointer("/status/lastActiveTime").and_then(Value::as_str).and_then(|time| time.parse().ok()),
        metric_names: list(value, "/status/externalMetricNames")
            .iter()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
    })
}

/// A Job has ended where a condition says so; until then it runs.
pub(crate) fn job(value: &Value) -> Job {
    let conditions = conditions(value);
    let is = |kind: &str| conditions.iter().any(|condition| condition.kind == kind && condition.status == "True");
    let state = match () {
        () if is("Complete") => JobState::Complete,
        () if is("Failed") => JobState::Failed,
        () => JobState::Running,
    };
    Job { name: text(value, "/metadata/name"), state }
}

pub(crate) fn pod(value: &Value) -> Pod {
    let containers = list(value, "/status/containerStatuses");
    Pod {
        name: text(value, "/metadata/name"),
        phase: text(value, "/status/phase"),
        ready: conditions(value).iter().any(|condition| condition.kind == "Ready" && condition.status == "True"),
        restarts: containers.iter().filter_map(|status| number(status, "/restartCount")).sum(),
        terminating: value.pointer("/metadata/deletionTimestamp").is_some_and(|time| !time.is_null()),
        waiting: unscheduled(value).or_else(|| {
            let containers = list(value, "/status/initContainerStatuses").iter().chain(containers);
            containers.into_iter().find_map(waiting)
        }),
    }
}

/// Why no node takes the pod, or what keeps it from being given to one.
fn unscheduled(pod: &Value) -> Option<String> {
    let conditions = conditions(pod);
    let why = conditions.into_iter().find(|it| it.kind == "PodScheduled" && it.status == "False")?;
    Some(format!("{}: {}", why.reason, why.message))
}

/// Why a container waits, and how it ended before.
fn waiting(status: &Value) -> Option<String> {
    let waiting = status.pointer("/state/waiting")?;
    let ended = status.pointer("/lastState/terminated/exitCode").and_then(Value::as_i64);
    let ended = ended.map_or_else(String::new, |code| format!(" (exit code {code} before)"));
    Some(format!("{}: {}{ended}", text(waiting, "/reason"), text(waiting, "/message")))
}

pub(crate) fn event(value: &Value) -> KubernetesEvent {
    let count = value.get("count").and_then(Value::as_u64).or_else(|| value.pointer("/series/count")?.as_u64());
    KubernetesEvent {
        kind: text(value, "/type"),
        reason: text(value, "/reason"),
        message: text(value, "/message"),
        object: format!("{}/{}", text(value, "/involvedObject/kind"), text(value, "/involvedObject/name")),
        count: count.unwrap_or(1),
        at: event_time(value),
    }
}

/// When an Event last happened, by its own account.
///
/// Most controllers write whole seconds. Their recorder (client-go `tools/record`, and ours) names an Event by its object
/// and the nanosecond in hexadecimal at which it first happened, so what happened once is known as exactly as that.
pub(crate) fn event_time(value: &Value) -> Option<Timestamp> {
    let time = |pointer: &str| value.pointer(pointer)?.as_str()?.parse::<Timestamp>().ok();
    let own =
        ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/firstTimestamp"].into_iter().find_map(time);
    let known = own.or_else(|| time("/metadata/creationTimestamp"))?;
    let exact = [time("/eventTime"), named_time(value)];
    let same_second = |exact: &Timestamp| known.subsec_nanosecond() == 0 && exact.as_second() == known.as_second();
    Some(exact.into_iter().flatten().find(same_second).unwrap_or(known))
}

fn named_time(value: &Value) -> Option<Timestamp> {
    let (_, end) = value.pointer("/metadata/name")?.as_str()?.rsplit_once('.')?;
    Timestamp::from_nanosecond(i128::from(u64::from_str_radix(end, 16).ok()?)).ok()
}

/// Whether a container of a Deployment, or of a ScaledJob's Jobs, runs Sluice's own consumer, which is this program as `worker`.
pub(crate) fn runs_the_sample(object: &Value) -> bool {
    let templates = ["/spec/template", "/spec/jobTargetRef/template"];
    let mut containers = templates.iter().flat_map(|at| list(object, &format!("{at}/spec/containers")));
    containers.any(|one| list(one, "/command").is_empty() && text(one, "/args/0") == "worker")
}

/// A label selector for the pods of a Deployment, in the form of a query.
pub(crate) fn selector(deployment: &Value) -> Option<String> {
    let labels = deployment.pointer("/spec/selector/matchLabels")?.as_object()?;
    let terms: Vec<_> = labels.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect();
    (!terms.is_empty()).then(|| terms.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn omitted_status_counts_of_a_deployment_are_zero_and_a_missing_spec_is_a_failure() {
        let observation = deployment(&json!({"spec": {"replicas": 2}, "status": {"replicas": 1}}));
        assert_eq!(observation, Observation::Deployment(Replicas { desired: 2, current: 1, ready: 0 }));
        assert!(matches!(deployment(&json!({})), Observation::Failure { .. }));
    }

    #[test]
    fn the_sample_is_what_the_deployment_runs_as_worker() {
        let deployment = |container: Value| json!({"spec": {"template": {"spec": {"containers": [container]}}}});
        assert!(runs_the_sample(&deployment(json!({"image": "sluice", "args": ["worker", "--work-seconds=20"]}))));
        assert!(!runs_the_sample(&deployment(
            json!({"image": "amazon/aws-cli", "command": ["/bin/sh"], "args": ["worker"]})
        )));
        assert!(!runs_the_sample(&deployment(json!({"image": "mycorp/consumer"}))) && !runs_the_sample(&json!({})));
        let pods = json!({"spec": {"containers": [{"image": "sluice", "args": ["worker"]}]}});
        assert!(runs_the_sample(&json!({"spec": {"jobTargetRef": {"template": pods}}})));
    }

    #[test]
    fn an_hpa_without_status_has_no_numbers() {
        let Observation::Hpa(bare) = hpa(&json!({"spec": {"maxReplicas": 3}})) else { panic!("no HPA") };
        assert_eq!((bare.desired, bare.max, bare.metrics.len()), (None, Some(3), 0));
        let metric =
            json!({"type": "External", "external": {"metric": {"name": "s0-q"}, "current": {"averageValue": "3"}}});
        let Observation::Hpa(served) = hpa(&json!({"status": {"desiredReplicas": 3, "currentMetrics": [metric]}}))
        else {
            panic!("no HPA")
        };
        assert_eq!((served.desired, served.metrics["s0-q"].as_str()), (Some(3), "3"));
    }

    #[test]
    fn what_an_event_says_in_seconds_its_name_says_in_nanoseconds() {
        let seconds = "2026-11-27T01:37:41Z";
        let exact: Timestamp = "2026-11-27T01:37:41.171000123Z".parse().unwrap();
        let named = format!("myapp.{:x}", exact.as_nanosecond());
        let event = |name: &str, last: &str| json!({"metadata": {"name": name}, "firstTimestamp": seconds, "lastTimestamp": last});
        assert_eq!(event_time(&event(&named, seconds)), Some(exact));
        // It happened again: of the last time only the second is known. Other names are no times.
        for (name, last) in [(named.as_str(), "2026-11-27T01:38:00Z"), ("myapp.a1b2", seconds), ("myapp", seconds)] {
            assert_eq!(event_time(&event(name, last)), Some(last.parse().unwrap()), "{name}");
        }
        let newer = json!({"metadata": {"name": "a.b"}, "eventTime": "2026-11-27T01:37:41.5Z", "lastTimestamp": null});
        assert_eq!(event_time(&newer), Some("2026-11-27T01:37:41.5Z".parse().unwrap()));
    }

    #[test]
    fn a_pod_that_does_not_run_says_why_wherever_it_is_stuck() {
        let why = |status: Value| pod(&json!({"metadata": {"name": "a"}, "status": status})).waiting;
        let gated = json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "gates"}]});
        assert_eq!(why(gated).as_deref(), Some("SchedulingGated: gates"));
        let waits = json!({"state": {"waiting": {"reason": "CrashLoopBackOff", "message": "m"}}, "lastState": {"terminated": {"exitCode": 3}}});
        let both = json!({"containerStatuses": [{"state": {"waiting": {"reason": "PodInitializing"}}}], "initContainerStatuses": [waits]});
        assert_eq!(why(both).as_deref(), Some("CrashLoopBackOff: m (exit code 3 before)"));
        assert_eq!(why(json!({"phase": "Running"})), None);
    }

    #[test]
    fn a_job_runs_until_a_condition_says_how_it_ended() {
        let state = |kind: &str, status: &str| {
            job(&json!({"metadata": {"name": "a"}, "status": {"conditions": [{"type": kind, "status": status}]}})).state
        };
        assert_eq!(job(&json!({"metadata": {"name": "a"}})).state, JobState::Running);
        assert_eq!([state("Complete", "True"), state("Failed", "True")], [JobState::Complete, JobState::Failed]);
        assert_eq!([state("Complete", "False"), state("Suspended", "True")], [JobState::Running; 2]);
    }

    #[test]
    fn pods_that_end_are_not_live() {
        let pod = pod(
            &json!({"metadata": {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {"phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{"restartCount": 2}]}}),
        );
        assert!(!pod.is_live() && pod.ready);
        assert_eq!(pod.restarts, 2);
    }
}
