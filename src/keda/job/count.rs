//! What state the Jobs of a ScaledJob are in.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::Pod;
use serde::Serialize;

/// The labels by which a Job's pods name it, the newer one first.
const JOB_NAME: [&str; 2] = ["batch.kubernetes.io/job-name", "job-name"];

/// How many Jobs there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Count {
    /// Those that have not ended, suspended and pending ones too.
    pub running: i64,
    /// Those among them of which no pod works yet.
    pub pending: i64,
}

/// Counts Jobs; `pods` are those of all of them.
///
/// A Job is pending until one of its pods runs or has succeeded, or, if `conditions` names any, until one pod has all of
/// these conditions.
pub fn count<'a>(jobs: impl IntoIterator<Item = &'a Job>, pods: &[Pod], conditions: &[String]) -> Count {
    let mut count = Count::default();
    for job in jobs.into_iter().filter(|job| !is_finished(job)) {
        count.running += 1;
        let mut own = pods.iter().filter(|pod| is_of(pod, job));
        if !own.any(|pod| works(pod, conditions)) {
            count.pending += 1;
        }
    }
    count
}

/// Whether it has ended, well or not.
pub fn is_finished(job: &Job) -> bool {
    finished(job).is_some()
}

/// When it ended, if it is known; and whether it ended well. `None` if it has not ended.
pub fn finished_at(job: &Job) -> Option<(bool, Option<Timestamp>)> {
    let condition = finished(job)?;
    // A Job that failed has no completion time.
    let completed = job.status.as_ref().and_then(|status| status.completion_time.as_ref());
    let at = completed.or(condition.last_transition_time.as_ref()).map(|time| time.0);
    Some((condition.type_ == "Complete", at))
}

fn finished(job: &Job) -> Option<&JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|one| matches!(one.type_.as_str(), "Complete" | "Failed") && one.status == "True")
}

fn is_of(pod: &Pod, job: &Job) -> bool {
    let labels = pod.metadata.labels.as_ref();
    let named = labels.and_then(|labels| JOB_NAME.iter().find_map(|label| labels.get(*label)));
    named.is_some() && named == job.metadata.name.as_ref()
}

fn works(pod: &Pod, conditions: &[String]) -> bool {
    let Some(status) = &pod.status else { return false };
    if conditions.is_empty() {
        return matches!(status.phase.as_deref(), Some("Running" | "Succeeded"));
    }
    let has = |wanted: &String| {
        let mut found = status.conditions.iter().flatten();
        found.any(|one| one.type_ == *wanted && one.status == "True")
    };
    conditions.iter().all(has)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn job(name: &str, conditions: &Value) -> Job {
        serde_json::from_value(json!({ "metadata": { "name": name }, "status": { "conditions": conditions } })).unwrap()
    }

    fn pod(job: &str, phase: &str, conditions: &[&str]) -> Pod {
        let conditions: Vec<_> = conditions.iter().map(|type_| json!({ "type": type_, "status": "True" })).collect();
        serde_json::from_value(json!({
            "metadata": { "labels": { "job-name": job } }, "status": { "phase": phase, "conditions": conditions },
        }))
        .unwrap()
    }

    #[test]
    fn a_job_runs_until_it_is_complete_or_failed() {
        let condition = |type_: &str, status: &str| json!([{ "type": type_, "status": status }]);
        let jobs = [
            job("a", &json!([])),
            job("b", &condition("Complete", "True")),
            job("c", &condition("Failed", "True")),
            job("d", &condition("Complete", "False")),
            job("e", &condition("Suspended", "True")),
            job("f", &condition("FailureTarget", "True")),
        ];
        assert_eq!(count(&jobs, &[], &[]).running, 4);
    }

    /// The rows of KEDA's own test of pending Jobs, and Jobs of several pods.
    #[test]
    fn a_job_is_pending_until_one_pod_works() {
        let jobs = [job("a", &json!([]))];
        for (phase, pending) in [("Succeeded", 0), ("Running", 0), ("Failed", 1), ("Pending", 1), ("Unknown", 1)] {
            assert_eq!(count(&jobs, &[pod("a", phase, &[])], &[]).pending, pending, "{phase}");
        }
        assert_eq!(count(&jobs, &[pod("other", "Running", &[])], &[]).pending, 1, "a pod of another Job");
        let wanted = ["Ready".to_owned(), "PodScheduled".to_owned()];
        let with = |pods: &[&[&str]]| {
            let pods: Vec<_> = pods.iter().map(|conditions| pod("a", "Running", conditions)).collect();
            count(&jobs, &pods, &wanted).pending
        };
        let both: &[&str] = &["Ready", "PodScheduled"];
        assert_eq!((with(&[]), with(&[&[]]), with(&[&["Ready"]]), with(&[&["PodScheduled"]])), (1, 1, 1, 1));
        assert_eq!((with(&[both]), with(&[both, both]), with(&[both, &["Ready"]])), (0, 0, 0));
        assert_eq!(with(&[&["Ready"], &["PodScheduled"]]), 1, "together is not enough");
        assert_eq!(with(&[&[], &["Ready"], both]), 0);
    }
}
