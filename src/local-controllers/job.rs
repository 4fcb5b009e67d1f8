//! Jobs: pods that run to completion, some at a time, with a limit of failures.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::error::Result;
use crate::event::Recorder;
use crate::object::{
    Key, condition_is_true, controlled_by, controller_name, deleting, flag, integer, items, name, namespace,
    owner_reference, pod_finished, pod_ready, second, text, timestamp, uid,
};
use crate::work::Controller;
use crate::world::{Change, World};

const JOBS: &str = "jobs.batch";
/// First pause after a failed pod; doubles up to [`BACKOFF_MAX`].
const BACKOFF: Duration = Duration::from_secs(10);
const BACKOFF_MAX: Duration = Duration::from_mins(10);

pub(crate) struct JobController {
    world: Arc<World>,
    events: Recorder,
}

/// How a job's pods stand.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    active: usize,
    ready: usize,
    succeeded: usize,
    failed: usize,
    terminating: usize,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Wait,
    Start(usize),
    Stop(usize),
    Complete,
    Fail { reason: &'static str, message: &'static str },
}

impl Controller for JobController {
    type Key = Key;
    const NAME: &'static str = "job";

    fn concerns(&self, change: &Change) -> Vec<(Key, Duration)> {
        let Some(object) = change.object() else { return vec![] };
        match change.id.as_str() {
            JOBS => vec![(Key::of(object), Duration::ZERO)],
            "pods" => controller_name(object, "Job")
                .map(|owner| (Key::new(namespace(object), owner), Duration::ZERO))
                .into_iter()
                .collect(),
            _ => vec![],
        }
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>> {
        let Some(job) = self.world.get(JOBS, &key.namespace, &key.name) else { return Ok(None) };
        if !self.world.synced("pods") {
            return Ok(Some(Duration::from_millis(100)));
        }
        if deleting(&job) {
            return Ok(None);
        }
        if condition_is_true(&job, "Complete") || condition_is_true(&job, "Failed") {
            return self.expire(&job).await;
        }
        self.sync(&job).await
    }
}

impl JobController {
    pub(crate) fn new(world: &Arc<World>) -> Self {
        Self { world: Arc::clone(world), events: Recorder::new(world, "job-controller") }
    }

    fn pods(&self, job: &Value) -> Vec<Arc<Value>> {
        let pods = self.world.list("pods", Some(namespace(job)));
        pods.into_iter().filter(|pod| controlled_by(pod, uid(job))).collect()
    }

    async fn sync(&self, job: &Value) -> Result<Option<Duration>> {
        let tally = tally(&self.pods(job));
        let running_for =
            timestamp(job, "/status/startTime").map_or(Duration::ZERO, |time| self.world.clock.since(time));
        let mut again = integer(job, "/spec/activeDeadlineSeconds")
            .map(|limit| Duration::from_secs(limit.max(0) as u64).saturating_sub(running_for));
        let step = next_step(job, &tally, running_for);
        let mut ended = None;
        match &step {
            Step::Wait => {}
            Step::Start(count) => {
                let pause = self.backoff(job, &tally);
                if pause.is_zero() {
                    for _ in 0..*count {
                        self.start_pod(job).await?;
                    }
                } else {
                    again = Some(again.map_or(pause, |again| again.min(pause)));
                }
            }
            Step::Stop(count) => self.stop_pods(job, *count).await?,
            Step::Complete => {
                self.events.normal(job, "Completed", "Job completed").await;
                ended = Some(("Complete", "CompletionsReached", "Reached expected number of succeeded pods"));
            }
            Step::Fail { reason, message } => {
                self.stop_pods(job, usize::MAX).await?;
                self.events.warning(job, reason, message).await;
                ended = Some(("Failed", *reason, *message));
            }
        }
        self.write_status(job, ended).await?;
        Ok(again)
    }

    /// The rest of the pause that failures impose before the next pod.
    fn backoff(&self, job: &Value, tally: &Tally) -> Duration {
        if tally.failed == 0 {
            return Duration::ZERO;
        }
        let pause = BACKOFF.saturating_mul(1 << (tally.failed - 1).min(10)).min(BACKOFF_MAX);
        let ended = |pod: &Arc<Value>| {
            let statuses = items(pod, "/status/containerStatuses").iter();
            statuses.filter_map(|status| timestamp(status, "/state/terminated/finishedAt")).max()
        };
        let last = self.pods(job).iter().filter(|pod| text(pod, "/status/phase") == "Failed").filter_map(ended).max();
        last.map_or(Duration::ZERO, |last| pause.saturating_sub(self.world.clock.since(last)))
    }

    async fn start_pod(&self, job: &Value) -> Result<()> {
        let mut metadata = job["spec"]["template"]["metadata"].clone();
        if !metadata.is_object() {
            metadata = json!({});
        }
        metadata["generateName"] = format!("{}-", name(job)).into();
        metadata["namespace"] = namespace(job).into();
        metadata["ownerReferences"] = json!([owner_reference(job, "batch/v1", "Job")]);
        for key in ["controller-uid", "batch.kubernetes.io/controller-uid"] {
            metadata["labels"][key] = uid(job).into();
        }
        for key in ["job-name", "batch.kubernetes.io/job-name"] {
            metadata["labels"][key] = name(job).into();
        }
        let spec = &job["spec"]["template"]["spec"];
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
        let made = self.world.create("pods", &pod).await?;
        self.events.normal(job, "SuccessfulCreate", &format!("Created pod: {}", name(&made))).await;
        Ok(())
    }

    async fn stop_pods(&self, job: &Value, count: usize) -> Result<()> {
        let pods = self.pods(job);
        let active = pods.iter().filter(|pod| !pod_finished(pod) && !deleting(pod));
        for pod in active.take(count) {
            self.world.delete("pods", pod, &json!({})).await?;
            self.events.normal(job, "SuccessfulDelete", &format!("Deleted pod: {}", name(pod))).await;
        }
        Ok(())
    }

    async fn write_status(&self, job: &Value, ended: Option<(&str, &str, &str)>) -> Result<()> {
        let tally = tally(&self.pods(job));
        let now = second(self.world.clock.now());
        let mut status = job.get("status").filter(|status| status.is_object()).cloned().unwrap_or_else(|| json!({}));
        if text(&status, "/startTime").is_empty() && !flag(job, "/spec/suspend") {
            status["startTime"] = now.as_str().into();
        }
        for (field, count) in [("active", tally.active), ("succeeded", tally.succeeded), ("failed", tally.failed)] {
            status[field] = if count > 0 { count.into() } else { Value::Null };
        }
        if let Some(map) = status.as_object_mut() {
            map.retain(|_, value| !value.is_null());
        }
        status["ready"] = tally.ready.into();
        status["terminating"] = tally.terminating.into();
        status["uncountedTerminatedPods"] = json!({});
        if let Some((kind, reason, message)) = ended {
            let condition = json!({
                "type": kind, "status": "True", "reason": reason, "message": message,
                "lastProbeTime": now, "lastTransitionTime": now,
            });
            // The real controller announces the verdict first, and again when all pods have ended.
            let mut announced = condition.clone();
            announced["type"] = if kind == "Complete" { "SuccessCriteriaMet" } else { "FailureTarget" }.into();
            status["conditions"] = json!([announced, condition]);
            if kind == "Complete" {
                status["completionTime"] = now.into();
            }
        }
        if job.get("status") != Some(&status) {
            let mut changed = job.clone();
            changed["status"] = status;
            self.world.update(JOBS, &changed, "status").await?;
        }
        Ok(())
    }

    /// `ttlSecondsAfterFinished`.
    async fn expire(&self, job: &Value) -> Result<Option<Duration>> {
        let Some(ttl) = integer(job, "/spec/ttlSecondsAfterFinished") else { return Ok(None) };
        let ends = items(job, "/status/conditions").iter().filter_map(|one| timestamp(one, "/lastTransitionTime"));
        let passed = ends.max().map_or(Duration::ZERO, |end| self.world.clock.since(end));
        let left = Duration::from_secs(ttl.max(0) as u64).saturating_sub(passed);
        if left.is_zero() {
            self.world.delete(JOBS, job, &json!({"propagationPolicy": "Background"})).await?;
            return Ok(None);
        }
        Ok(Some(left))
    }
}

fn tally(pods: &[Arc<Value>]) -> Tally {
    let mut tally = Tally::default();
    for pod in pods {
        match text(pod, "/status/phase") {
            "Succeeded" => tally.succeeded += 1,
            "Failed" => tally.failed += 1,
            _ if deleting(pod) => tally.terminating += 1,
            _ => {
                tally.active += 1;
                tally.ready += usize::from(pod_ready(pod));
            }
        }
    }
    tally
}

fn next_step(job: &Value, tally: &Tally, running_for: Duration) -> Step {
    let number = |field: &str| integer(job, &format!("/spec/{field}")).map(|n| n.max(0) as usize);
    if tally.failed > number("backoffLimit").unwrap_or(6) {
        let message = "Job has reached the specified backoff limit";
        return Step::Fail { reason: "BackoffLimitExceeded", message };
    }
    if number("activeDeadlineSeconds").is_some_and(|limit| running_for >= Duration::from_secs(limit as u64)) {
        let message = "Job was active longer than specified deadline";
        return Step::Fail { reason: "DeadlineExceeded", message };
    }
    if flag(job, "/spec/suspend") {
        return if tally.active > 0 { Step::Stop(tally.active) } else { Step::Wait };
    }
    let parallelism = number("parallelism").unwrap_or(1);
    // Without completions, any success means that the work is done and the others wind down.
    let (complete, open) = match number("completions") {
        Some(completions) => (tally.succeeded >= completions, completions.saturating_sub(tally.succeeded)),
        None if tally.succeeded > 0 => (tally.active == 0, tally.active),
        None => (false, usize::MAX),
    };
    if complete {
        return Step::Complete;
    }
    let wanted = parallelism.min(open);
    match tally.active.cmp(&wanted) {
        std::cmp::Ordering::Less => Step::Start(wanted - tally.active),
        std::cmp::Ordering::Equal => Step::Wait,
        std::cmp::Ordering::Greater => Step::Stop(tally.active - wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(spec: &Value, active: usize, succeeded: usize, failed: usize) -> Step {
        let tally = Tally { active, succeeded, failed, ..Tally::default() };
        next_step(&json!({ "spec": spec }), &tally, Duration::from_secs(5))
    }

    #[test]
    fn a_job_starts_what_is_missing_and_ends_when_all_is_done() {
        let spec = json!({"completions": 5, "parallelism": 2});
        assert_eq!(step(&spec, 0, 0, 0), Step::Start(2));
        assert_eq!(step(&spec, 2, 1, 0), Step::Wait);
        assert_eq!(step(&spec, 0, 4, 0), Step::Start(1));
        assert_eq!(step(&spec, 0, 5, 0), Step::Complete);
    }

    #[test]
    fn a_job_fails_beyond_its_backoff_limit_and_deadline() {
        assert!(matches!(
            step(&json!({"backoffLimit": 1}), 0, 0, 2),
            Step::Fail { reason: "BackoffLimitExceeded", .. }
        ));
        assert_eq!(step(&json!({"backoffLimit": 1, "completions": 1}), 0, 0, 1), Step::Start(1));
        let late = step(&json!({"activeDeadlineSeconds": 5}), 1, 0, 0);
        assert!(matches!(late, Step::Fail { reason: "DeadlineExceeded", .. }));
    }

    #[test]
    fn suspension_and_less_parallelism_stop_pods() {
        assert_eq!(step(&json!({"suspend": true}), 2, 0, 0), Step::Stop(2));
        assert_eq!(step(&json!({"completions": 9, "parallelism": 1}), 3, 0, 0), Step::Stop(2));
    }
}
