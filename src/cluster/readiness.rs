//! When an object can be used, distinguished from the object itself; and why a Deployment's pods are not up yet.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition};
use kube::api::{Api, ListParams, ObjectMeta};
use serde_json::Value;

use crate::address::text;
use crate::connection::Session;
use crate::generated::SCALED_JOB_LABEL;
use crate::redact::redact;

/// Whether an object is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    /// Why not.
    Waiting(String),
}

/// The readiness of a live object; kinds without a notion of it are ready.
pub(crate) fn readiness(live: &Value) -> Readiness {
    match text(live, "/kind").unwrap_or_default() {
        "Deployment" => deployment(live),
        "CustomResourceDefinition" => condition(live, "Established"),
        "APIService" => condition(live, "Available"),
        "Namespace" if text(live, "/status/phase") == Some("Terminating") => {
            Readiness::Waiting("the namespace is terminating".to_owned())
        }
        _ => Readiness::Ready,
    }
}

fn deployment(live: &Value) -> Readiness {
    let number = |pointer: &str| live.pointer(pointer).and_then(Value::as_i64);
    let wanted = number("/spec/replicas").unwrap_or(1);
    let (updated, available) =
        (number("/status/updatedReplicas").unwrap_or(0), number("/status/availableReplicas").unwrap_or(0));
    let observed = number("/status/observedGeneration").unwrap_or(0) >= number("/metadata/generation").unwrap_or(1);
    if observed && updated >= wanted && available >= wanted {
        return Readiness::Ready;
    }
    let mut why = format!("{available} of {wanted} pods available");
    if !observed {
        "not yet seen by the Deployment controller".clone_into(&mut why);
    }
    for kind in ["ReplicaFailure", "Progressing"] {
        if let Some(found) = find_condition(live, kind)
            && (kind == "ReplicaFailure" || text(found, "/status") == Some("False"))
        {
            why = format!("{why}; {}", text(found, "/message").unwrap_or(kind));
        }
    }
    Readiness::Waiting(why)
}

pub(crate) fn find_condition<'a>(live: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = live.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|condition| text(condition, "/type") == Some(kind))
}

fn condition(live: &Value, kind: &str) -> Readiness {
    match find_condition(live, kind) {
        Some(found) if text(found, "/status") == Some("True") => Readiness::Ready,
        Some(found) => {
            let (reason, message) = (text(found, "/reason").unwrap_or_default(), text(found, "/message"));
            Readiness::Waiting(format!("not {kind}: {reason} {}", message.unwrap_or_default()).trim_end().to_owned())
        }
        None => Readiness::Waiting(format!("not {kind} yet")),
    }
}

/// Why pods do not run, for people: scheduling, waiting and crash reasons.
pub(crate) fn pod_trouble(pods: &[Pod]) -> Vec<String> {
    let mut trouble: Vec<String> = pods.iter().filter_map(waiting_reason).collect();
    trouble.sort();
    trouble.dedup();
    trouble
}

/// The Deployment's selector as a label query.
pub(crate) fn selector(deployment: &Value) -> String {
    let labels = deployment.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let label = |(key, value): (&String, &Value)| Some(format!("{key}={}", value.as_str()?));
    labels.into_iter().flatten().filter_map(label).collect::<Vec<_>>().join(",")
}

/// The pods that the Deployment's selector matches.
pub(crate) async fn pods_of(session: &Session, deployment: &Value) -> kube::Result<Vec<Pod>> {
    let Some(namespace) = text(deployment, "/metadata/namespace") else { return Ok(Vec::new()) };
    let api: Api<Pod> = Api::namespaced(session.client.clone(), namespace);
    let list = api.list(&ListParams::default().labels(&selector(deployment))).await?;
    Ok(list.items)
}

/// What is left of a ScaledJob that is gone: the Jobs that it made, and their pods, as `Job NAME` and `Pod NAME`.
pub(crate) async fn jobs_of(session: &Session, scaled_job: &Value) -> kube::Result<Vec<String>> {
    let (Some(namespace), Some(name)) = (text(scaled_job, "/metadata/namespace"), text(scaled_job, "/metadata/name"))
    else {
        return Ok(Vec::new());
    };
    let own = ListParams::default().labels(&format!("{SCALED_JOB_LABEL}={name}"));
    let jobs: Api<Job> = Api::namespaced(session.client.clone(), namespace);
    let pods: Api<Pod> = Api::namespaced(session.client.clone(), namespace);
    let of = |kind: &str, metadata: ObjectMeta| format!("{kind} {}", metadata.name.unwrap_or_default());
    let mut left: Vec<_> = jobs.list(&own).await?.items.into_iter().map(|job| of("Job", job.metadata)).collect();
    left.extend(pods.list(&own).await?.items.into_iter().map(|pod| of("Pod", pod.metadata)));
    Ok(left)
}

/// The states of all containers, those that come first before the others.
pub(crate) fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.iter();
    status.flat_map(|status| status.init_container_statuses.iter().chain(&status.container_statuses).flatten())
}

/// Why the pod does not run, or how it ended before. Credentials are taken out.
pub(crate) fn trouble(pod: &Pod) -> Option<String> {
    waiting_reason(pod).or_else(|| {
        let name = pod.metadata.name.as_deref().unwrap_or("a pod");
        statuses(pod).find_map(|status| {
            let state = status.state.as_ref().and_then(|state| state.terminated.as_ref());
            let last = || status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
            let ended = state.filter(|ended| ended.exit_code != 0).or_else(last)?;
            let reason = ended.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
            let (code, restarts) = (ended.exit_code, status.restart_count);
            let text =
                format!("{name}: container {} ended with exit code {code}{reason}, {restarts} restarts", status.name);
            Some(redact(&text))
        })
    })
}

/// Why the pod does not run, if it does not. Credentials are taken out.
pub(crate) fn waiting_reason(pod: &Pod) -> Option<String> {
    waiting_words(pod).map(|words| redact(&words))
}

/// What a scheduler said last of a pod that has no node. Of one that has, the condition may be a moment behind.
pub(crate) fn unscheduled(pod: &Pod) -> Option<&PodCondition> {
    if pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()) {
        return None;
    }
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")
}

fn waiting_words(pod: &Pod) -> Option<String> {
    let name = pod.metadata.name.as_deref().unwrap_or("a pod");
    if let Some(condition) = unscheduled(pod) {
        let message = condition.message.as_deref().or(condition.reason.as_deref()).unwrap_or("not scheduled");
        return Some(format!("{name}: {message}"));
    }
    for container in statuses(pod) {
        let Some(waiting) = container.state.as_ref().and_then(|state| state.waiting.as_ref()) else { continue };
        let reason = waiting.reason.as_deref().unwrap_or("waiting");
        let message = waiting.message.as_ref().map_or_else(String::new, |message| format!(": {message}"));
        let ended = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
        let ended = ended.map_or_else(String::new, |ended| {
            format!(" (exit code {} last, {} restarts)", ended.exit_code, container.restart_count)
        });
        return Some(format!("{name}: {reason}{message}{ended}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deployment_is_ready_when_the_newest_pods_are_available() {
        let mut live = json!({"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 2},
            "status": {"observedGeneration": 2, "updatedReplicas": 2, "availableReplicas": 2}});
        assert_eq!(readiness(&live), Readiness::Ready);
        live["status"]["availableReplicas"] = 1.into();
        assert_eq!(readiness(&live), Readiness::Waiting("1 of 2 pods available".to_owned()));
        live["status"]["observedGeneration"] = 1.into();
        assert!(matches!(readiness(&live), Readiness::Waiting(why) if why.contains("not yet seen")));
    }

    #[test]
    fn zero_wanted_pods_are_available_at_once_but_not_before_the_controller_has_looked() {
        let mut live = json!({"kind": "Deployment", "metadata": {"generation": 1}, "spec": {"replicas": 0}});
        assert!(matches!(readiness(&live), Readiness::Waiting(_)));
        live["status"] = json!({"observedGeneration": 1});
        assert_eq!(readiness(&live), Readiness::Ready);
    }

    #[test]
    fn conditions_decide_for_crds_and_api_services() {
        let crd = json!({"kind": "CustomResourceDefinition", "status": {"conditions": [{"type": "Established", "status": "True"}]}});
        assert_eq!(readiness(&crd), Readiness::Ready);
        let service = json!({"kind": "APIService", "status": {"conditions":
            [{"type": "Available", "status": "False", "reason": "MissingEndpoints", "message": "no endpoints"}]}});
        assert_eq!(readiness(&service), Readiness::Waiting("not Available: MissingEndpoints no endpoints".to_owned()));
    }

    #[test]
    fn a_pods_waiting_reason_names_pod_reason_and_message() {
        let pod: Pod = serde_json::from_value(json!({"metadata": {"name": "p"}, "status": {"containerStatuses": [{
            "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]}}))
        .unwrap();
        assert_eq!(waiting_reason(&pod).unwrap(), "p: ImagePullBackOff: no such image");
    }
}
