//! Whether waiting for the pods of a Deployment still helps. Pure.
//!
//! What nobody but a person can change ends a wait at once; what often passes (an image that is being pushed, a quota that
//! is being freed, a node that is being made) has a bound of its own, shorter than the whole wait.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clock::{Clock, Moment};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use serde_json::Value;

use crate::address::text;
use crate::readiness::{find_condition, statuses, unscheduled};
use crate::redact::redact;

/// How long an image may be missing: a push from elsewhere may be under way.
const IMAGE: Duration = Duration::from_mins(2);
/// How long what a container refers to (a Secret, a ConfigMap) may be missing.
const CONFIGURATION: Duration = Duration::from_mins(2);
/// How long nothing may fit a pod: the Cluster Autoscaler and Karpenter bring nodes within some minutes.
const PLACEMENT: Duration = Duration::from_mins(5);
/// How long the API server may refuse to make pods.
const ADMISSION: Duration = Duration::from_mins(1);
/// Restarts after which the same end counts as the program's answer. With the kubelet's back-off (10 s, doubled each
/// time) this is reached two and a half minutes after the start; a new IAM role takes at most two to work everywhere.
const RESTARTS: i32 = 4;

/// Something that keeps pods from running.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trouble {
    /// What stays the same while the words change.
    sort: &'static str,
    text: String,
    /// How long it may last.
    bound: Duration,
}

/// What a wait has seen so far.
#[derive(Debug, Default)]
pub(crate) struct Hope {
    since: BTreeMap<&'static str, Moment>,
    /// Exit codes by container.
    ends: BTreeMap<String, BTreeSet<i32>>,
}

impl Hope {
    /// Looks at the Deployment and its newest pods: why waiting does not help any more, if that is so.
    pub(crate) fn lost(&mut self, deployment: &Value, pods: &[Pod], clock: &Clock) -> Option<String> {
        let mut found: Vec<Trouble> = refused(deployment).into_iter().collect();
        for pod in pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
            found.extend(unplaced(pod));
            found.extend(statuses(pod).filter_map(stuck));
            found.extend(self.crashing(pod));
        }
        self.since.retain(|sort, _| found.iter().any(|trouble| trouble.sort == *sort));
        found.into_iter().find_map(|trouble| {
            let since = *self.since.entry(trouble.sort).or_insert_with(|| clock.moment());
            (clock.elapsed(since) >= trouble.bound).then(|| redact(&trouble.text))
        })
    }

    /// A container that has ended the same way again and again.
    fn crashing(&mut self, pod: &Pod) -> Option<Trouble> {
        statuses(pod).find_map(|status| {
            let ended = status.last_state.as_ref()?.terminated.as_ref()?;
            let container = format!("{}/{}", pod.metadata.uid.as_deref().unwrap_or_default(), status.name);
            let codes = self.ends.entry(container).or_default();
            codes.insert(ended.exit_code);
            let waits = waiting(status).is_some_and(|(reason, _)| reason == "CrashLoopBackOff");
            (waits && status.restart_count >= RESTARTS && codes.len() == 1).then(|| Trouble {
                sort: "crash",
                text: format!(
                    "{}: container {} ends with exit code {} each time, {} times so far",
                    name(pod),
                    status.name,
                    ended.exit_code,
                    status.restart_count
                ),
                bound: Duration::ZERO,
            })
        })
    }
}

fn name(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or("a pod")
}

fn waiting(status: &ContainerStatus) -> Option<(&str, &str)> {
    let waiting = status.state.as_ref()?.waiting.as_ref()?;
    Some((waiting.reason.as_deref()?, waiting.message.as_deref().unwrap_or_default()))
}

fn stuck(status: &ContainerStatus) -> Option<Trouble> {
    let (reason, message) = waiting(status)?;
    let (sort, bound) = match reason {
        "InvalidImageName" | "ErrImageNeverPull" => ("image-name", Duration::ZERO),
        // A registry that is busy, or a network that is not there yet, is no answer about the image.
        "ErrImagePull" | "ImagePullBackOff" if !is_of_the_way(message) => ("image", IMAGE),
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => ("configuration", CONFIGURATION),
        _ => return None,
    };
    let explained = if message.is_empty() { String::new() } else { format!(": {message}") };
    Some(Trouble { sort, text: format!("container {}: {reason}{explained}", status.name), bound })
}

fn is_of_the_way(message: &str) -> bool {
    const PASSING: [&str; 8] = [
        "429",
        "toomanyrequests",
        "timeout",
        "deadline exceeded",
        "connection refused",
        "connection reset",
        "no such host",
        "502 bad gateway",
    ];
    let message = message.to_ascii_lowercase();
    PASSING.iter().any(|passing| message.contains(passing))
}

fn unplaced(pod: &Pod) -> Option<Trouble> {
    let condition = unscheduled(pod)?;
    let message = condition.message.as_deref().or(condition.reason.as_deref()).unwrap_or("not scheduled");
    // Fargate says this of what it never runs (https://docs.aws.amazon.com/eks/latest/userguide/fargate-pod-configuration.html);
    // and a pod is given to a profile only when it is made.
    // Fargate looks for capacity again by itself ("Pod provisioning timed out (will retry)", "Capacity is unavailable").
    let lower = message.to_ascii_lowercase();
    if ["will retry", "capacity is unavailable", "try again later"].iter().any(|passing| lower.contains(passing)) {
        return None;
    }
    let is_final =
        message.contains("not supported on Fargate") || message.contains("no active Fargate profile matches");
    let bound = if is_final { Duration::ZERO } else { PLACEMENT };
    Some(Trouble {
        sort: if is_final { "fargate" } else { "placement" },
        text: format!("{}: {message}", name(pod)),
        bound,
    })
}

/// What the Deployment itself says.
fn refused(deployment: &Value) -> Option<Trouble> {
    let says = |kind: &str, status: &str| {
        find_condition(deployment, kind).filter(|found| text(found, "/status") == Some(status))
    };
    let explained = |found: &Value| text(found, "/message").unwrap_or("it gives no reason").to_owned();
    if let Some(found) = says("ReplicaFailure", "True") {
        let text = explained(found);
        // A webhook that does not answer may come back.
        let may_pass = text.contains("failed calling webhook") || is_of_the_way(&text);
        return (!may_pass).then(|| Trouble {
            sort: "admission",
            text: format!("its pods are refused: {text}"),
            bound: ADMISSION,
        });
    }
    let found = says("Progressing", "False")?;
    (text(found, "/reason") == Some("ProgressDeadlineExceeded")).then(|| Trouble {
        sort: "deadline",
        text: explained(found),
        bound: Duration::ZERO,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: &Value) -> Pod {
        serde_json::from_value(json!({ "metadata": { "name": "p", "uid": "u" }, "status": status })).unwrap()
    }

    fn container(status: &Value) -> Pod {
        let mut whole = json!({ "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0 });
        whole.as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
        pod(&json!({ "containerStatuses": [whole] }))
    }

    fn waits(reason: &str, message: &str) -> Pod {
        container(&json!({ "state": { "waiting": { "reason": reason, "message": message } } }))
    }

    /// After how many minutes of nothing but this hope is lost; `None` if never within twenty.
    fn minutes(deployment: &Value, pod: &Pod) -> Option<u64> {
        let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let mut hope = Hope::default();
        (0..20).find(|_| {
            let lost = hope.lost(deployment, std::slice::from_ref(pod), &clock).is_some();
            handle.advance(Duration::from_mins(1));
            lost
        })
    }

    #[test]
    fn what_only_a_person_can_change_is_not_waited_for() {
        let none = json!({});
        assert_eq!(minutes(&none, &waits("InvalidImageName", "couldn't parse image name \"A:B:C\"")), Some(0));
        assert_eq!(minutes(&none, &waits("ErrImageNeverPull", "not present")), Some(0));
        let unfit = |message: &str| {
            pod(&json!({ "conditions": [{ "type": "PodScheduled", "status": "False", "message": message }] }))
        };
        assert_eq!(minutes(&none, &unfit("Pod not supported on Fargate: volumes not supported: x")), Some(0));
        assert_eq!(minutes(&none, &unfit("0/2 nodes are available: 2 Insufficient cpu.")), Some(5));
        let mut placed = unfit("no active Fargate profile matches namespace \"keda\"");
        assert_eq!(minutes(&none, &placed), Some(0));
        placed.spec.get_or_insert_default().node_name = Some("fargate-1".to_owned());
        assert_eq!(minutes(&none, &placed), None, "what was said before it had a node is over");
        assert_eq!(minutes(&none, &unfit("Pod provisioning timed out (will retry) for pod: myproject/myapp-1")), None);
        let stalled = json!({ "status": { "conditions": [{ "type": "Progressing", "status": "False",
            "reason": "ProgressDeadlineExceeded", "message": "ReplicaSet \"x\" has timed out progressing." }] } });
        assert_eq!(minutes(&stalled, &pod(&json!({}))), Some(0));
    }

    #[test]
    fn what_may_pass_has_a_bound_and_what_is_busy_has_none_of_its_own() {
        let none = json!({});
        assert_eq!(minutes(&none, &waits("ImagePullBackOff", "manifest unknown")), Some(2));
        assert_eq!(minutes(&none, &waits("ImagePullBackOff", "429 Too Many Requests: toomanyrequests")), None);
        assert_eq!(minutes(&none, &waits("ErrImagePull", "dial tcp: i/o timeout")), None);
        assert_eq!(minutes(&none, &waits("CreateContainerConfigError", "secret \"x\" not found")), Some(2));
        assert_eq!(minutes(&none, &waits("ContainerCreating", "")), None);
        let refused = |message: &str| {
            json!({ "status": { "conditions": [{ "type": "ReplicaFailure", "status": "True",
            "reason": "FailedCreate", "message": message }] } })
        };
        assert_eq!(minutes(&refused("pods \"x\" is forbidden: exceeded quota: q"), &pod(&json!({}))), Some(1));
        assert_eq!(minutes(&refused("failed calling webhook \"w\": connect: refused"), &pod(&json!({}))), None);
    }

    #[test]
    fn the_same_end_again_and_again_is_an_answer_and_different_ends_are_none() {
        let crash = |restarts: i32, code: i32| {
            container(&json!({ "restartCount": restarts, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
                "lastState": { "terminated": { "exitCode": code } } }))
        };
        let (clock, none) = (Clock::real(), json!({}));
        let mut hope = Hope::default();
        for restarts in 1..4 {
            assert_eq!(hope.lost(&none, &[crash(restarts, 2)], &clock), None);
        }
        let lost = hope.lost(&none, &[crash(4, 2)], &clock).unwrap();
        assert!(lost.contains("exit code 2") && lost.contains("4 times"), "{lost}");
        let mut hope = Hope::default();
        assert_eq!(hope.lost(&none, &[crash(3, 1)], &clock), None);
        assert_eq!(hope.lost(&none, &[crash(4, 2)], &clock), None);
    }

    #[test]
    fn trouble_that_has_passed_begins_anew() {
        let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let (mut hope, none) = (Hope::default(), json!({}));
        let missing = waits("ImagePullBackOff", "manifest unknown");
        assert_eq!(hope.lost(&none, std::slice::from_ref(&missing), &clock), None);
        handle.advance(Duration::from_secs(90));
        assert_eq!(hope.lost(&none, &[waits("ContainerCreating", "")], &clock), None);
        assert_eq!(hope.lost(&none, std::slice::from_ref(&missing), &clock), None);
        handle.advance(Duration::from_secs(90));
        assert_eq!(hope.lost(&none, std::slice::from_ref(&missing), &clock), None);
        handle.advance(Duration::from_mins(1));
        assert!(hope.lost(&none, &[missing], &clock).is_some());
    }
}
