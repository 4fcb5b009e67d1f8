//! The pods of a Job: how one is built, and what its labels and annotations say of it.

use serde_json::{Value, json};

use crate::object::{annotation, deleting, items, labels, name, pod_finished, text, uid};
use crate::template;

/// A Job counts a pod before it may go: the pod keeps this finalizer until it has been counted.
pub(super) const TRACKING: &str = "batch.kubernetes.io/job-tracking";
const COMPLETION_INDEX: &str = "batch.kubernetes.io/job-completion-index";
const INDEX_FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
const INDEX_IGNORED_FAILURES: &str = "batch.kubernetes.io/job-index-ignored-failure-count";
/// The longest name that `generateName` and an index may begin with.
const GENERATE_NAME_MAX: usize = 57;

/// How often an index has failed so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct IndexFailures {
    /// Failures that count.
    pub(super) counted: u64,
    /// Failures that the pod failure policy ignores.
    pub(super) ignored: u64,
}

/// A new pod of `job`; `index` is the completion index of an Indexed Job's pod.
pub(super) fn build(job: &Value, index: Option<usize>, failures: Option<IndexFailures>) -> Value {
    let mut pod = template::pod(&job["spec"]["template"], job, "batch/v1", "Job");
    let metadata = &mut pod["metadata"];
    metadata["generateName"] = format!("{}-", name(job)).into();
    let mut finalizers = items(metadata, "/finalizers").to_vec();
    finalizers.push(TRACKING.into());
    metadata["finalizers"] = finalizers.into();
    if job.pointer("/spec/manualSelector") != Some(&true.into()) {
        for key in ["controller-uid", "batch.kubernetes.io/controller-uid"] {
            metadata["labels"][key] = uid(job).into();
        }
        for key in ["job-name", "batch.kubernetes.io/job-name"] {
            metadata["labels"][key] = name(job).into();
        }
    }
    if let Some(index) = index {
        let index = index.to_string();
        let mut base = format!("{}-{index}", name(job));
        if base.len() > GENERATE_NAME_MAX {
            base = format!("{}-{index}", &name(job)[..GENERATE_NAME_MAX - index.len() - 1]);
        }
        metadata["generateName"] = format!("{base}-").into();
        metadata["labels"][COMPLETION_INDEX] = index.as_str().into();
        metadata["annotations"][COMPLETION_INDEX] = index.as_str().into();
        if let Some(failures) = failures {
            metadata["annotations"][INDEX_FAILURES] = failures.counted.to_string().into();
            if failures.ignored > 0 {
                metadata["annotations"][INDEX_IGNORED_FAILURES] = failures.ignored.to_string().into();
            }
        }
        pod["spec"]["hostname"] = format!("{}-{index}", name(job)).into();
        name_the_index(&mut pod["spec"]);
    }
    pod
}

/// Gives every container the variable `JOB_COMPLETION_INDEX`, unless it sets one of that name.
fn name_the_index(spec: &mut Value) {
    let variable = json!({"name": "JOB_COMPLETION_INDEX", "valueFrom": {
        "fieldRef": {"apiVersion": "v1", "fieldPath": format!("metadata.labels['{COMPLETION_INDEX}']")},
    }});
    for field in ["initContainers", "containers"] {
        for container in spec.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten() {
            if items(container, "/env").iter().all(|one| text(one, "/name") != "JOB_COMPLETION_INDEX") {
                let mut variables = items(container, "/env").to_vec();
                variables.push(variable.clone());
                container["env"] = variables.into();
            }
        }
    }
}

/// The completion index of an Indexed Job's pod.
pub(super) fn index(pod: &Value) -> Option<usize> {
    labels(pod).get(COMPLETION_INDEX).map(String::as_str).or_else(|| annotation(pod, COMPLETION_INDEX))?.parse().ok()
}

/// The failures of the pod's index before this pod.
pub(super) fn failures_before(pod: &Value) -> IndexFailures {
    let count = |key: &str| annotation(pod, key).and_then(|count| count.parse().ok()).unwrap_or(0);
    IndexFailures { counted: count(INDEX_FAILURES), ignored: count(INDEX_IGNORED_FAILURES) }
}

/// Whether the Job has still to count the pod.
pub(super) fn is_tracked(pod: &Value) -> bool {
    items(pod, "/metadata/finalizers").iter().any(|one| one == TRACKING)
}

pub(super) fn succeeded(pod: &Value) -> bool {
    text(pod, "/status/phase") == "Succeeded"
}

/// Whether the pod counts as failed. A pod that is being deleted does, unless the Job replaces only pods that have ended.
pub(super) fn failed(pod: &Value, only_ended: bool) -> bool {
    text(pod, "/status/phase") == "Failed" || (!only_ended && deleting(pod) && !succeeded(pod))
}

/// Neither ended nor being deleted.
pub(super) fn active(pod: &Value) -> bool {
    !pod_finished(pod) && !deleting(pod)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_of_an_indexed_job_knows_its_index() {
        let job = json!({"metadata": {"name": "j", "namespace": "n", "uid": "u"}, "spec": {"template": {"spec": {
            "containers": [{"name": "a"}, {"name": "b", "env": [{"name": "JOB_COMPLETION_INDEX", "value": "x"}]}],
        }}}});
        let pod = build(&job, Some(3), Some(IndexFailures { counted: 2, ignored: 0 }));
        assert_eq!(index(&pod), Some(3));
        assert_eq!(failures_before(&pod), IndexFailures { counted: 2, ignored: 0 });
        assert_eq!(text(&pod, "/metadata/generateName"), "j-3-");
        assert_eq!(text(&pod, "/spec/hostname"), "j-3");
        let path = "/spec/containers/0/env/0/valueFrom/fieldRef/fieldPath";
        assert_eq!(text(&pod, path), "metadata.labels['batch.kubernetes.io/job-completion-index']");
        assert_eq!(text(&pod, "/spec/containers/1/env/0/value"), "x");
        assert!(is_tracked(&pod) && pod.pointer("/spec/initContainers").is_none());
    }

    #[test]
    fn a_pod_being_deleted_counts_as_failed_unless_only_ended_ones_are_replaced() {
        let pod = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {"phase": "Running"}});
        assert!(failed(&pod, false) && !failed(&pod, true) && !active(&pod));
    }
}
