//! Jobs: pods that run to completion, some at a time, with limits of failures.
//!
//! As in the real controller, a pod that has ended keeps a finalizer until the Job's status has counted it, so that no
//! deletion of a pod changes a count: the pod's uid goes into `uncountedTerminatedPods`, the finalizer goes, the count
//! takes it in.

mod count;
mod failure;
mod indexes;
mod pod;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::adoption::{Claimant, owners};
use crate::cache::{Cache, Change};
use crate::error::Result;
use crate::event::Recorder;
use crate::object::{
    Key, condition, condition_is_true, controlled_by, controller_name, deleting, flag, integer, items, namespace,
    pod_finished, second, text, timestamp, uid,
};
use crate::pod_control;
use crate::work::Controller;
use count::Count;
use verdict::Verdict;

const JOBS: &str = "jobs.batch";
/// First pause after a failed pod; doubles up to [`BACKOFF_MAX`].
const BACKOFF: Duration = Duration::from_secs(10);
const BACKOFF_MAX: Duration = Duration::from_mins(10);
/// The value of `spec.managedBy` that names this controller.
const MANAGER: &str = "kubernetes.io/job-controller";

pub(crate) struct JobController {
    cache: Arc<Cache>,
    events: Recorder,
}

impl Controller for JobController {
    type Key = Key;
    const NAME: &'static str = "job";

    fn concerns(&self, change: &Change) -> Vec<(Key, Duration)> {
        let Some(object) = change.object() else { return vec![] };
        match change.id.as_str() {
            JOBS => vec![(Key::of(object), Duration::ZERO)],
            "pods" => owners(&self.cache, JOBS, "Job", object).into_iter().map(|key| (key, Duration::ZERO)).collect(),
            _ => vec![],
        }
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>> {
        if !self.cache.synced("pods") || !self.cache.synced(JOBS) {
            return Ok(Some(Duration::from_millis(100)));
        }
        let job = self.cache.get(JOBS, &key.namespace, &key.name);
        self.release_orphans(key, job.as_deref()).await?;
        let Some(job) = job.filter(|job| !deleting(job)) else { return Ok(None) };
        if condition_is_true(&job, "Complete") || condition_is_true(&job, "Failed") {
            return self.expire(&job).await;
        }
        let manager = text(&job, "/spec/managedBy");
        if !manager.is_empty() && manager != MANAGER {
            return Ok(None);
        }
        self.claim(&job).await?;
        if self.settle(&job).await? {
            // The write of the status makes the key due again.
            return Ok(None);
        }
        self.sync(&job).await
    }
}

impl JobController {
    pub(crate) fn new(cache: &Arc<Cache>) -> Self {
        Self { cache: Arc::clone(cache), events: Recorder::new(cache, "job-controller") }
    }

    fn pods(&self, job: &Value) -> Vec<Arc<Value>> {
        let pods = self.cache.list("pods", Some(namespace(job)));
        pods.into_iter().filter(|pod| controlled_by(pod, uid(job))).collect()
    }

    /// Takes over pods that the Job's selector selects and nobody controls, and lets go of its own that it does not select.
    async fn claim(&self, job: &Value) -> Result<()> {
        let claimant = Claimant {
            cache: &self.cache,
            owner: job,
            id: JOBS,
            api_version: "batch/v1",
            kind: "Job",
            finalizer: Some(pod::TRACKING),
        };
        claimant.claim("pods", |_| true).await.map(drop)
    }

    /// Lets go of pods whose Job is gone, is being deleted or is over: nobody will count them.
    async fn release_orphans(&self, key: &Key, job: Option<&Value>) -> Result<()> {
        let counting = job
            .filter(|job| !deleting(job) && !condition_is_true(job, "Complete") && !condition_is_true(job, "Failed"));
        for one in self.cache.list("pods", Some(&key.namespace)) {
            let of_this_name = controller_name(&one, "Job") == Some(key.name.as_str());
            let counted = counting.is_some_and(|job| controlled_by(&one, uid(job)));
            if of_this_name && !counted && pod::is_tracked(&one) {
                self.release(&one).await?;
            }
        }
        Ok(())
    }

    /// Takes the tracking finalizer off a pod.
    async fn release(&self, pod: &Value) -> Result<()> {
        let kept: Vec<&Value> = items(pod, "/metadata/finalizers").iter().filter(|one| *one != pod::TRACKING).collect();
        let version = text(pod, "/metadata/resourceVersion");
        let patch = json!({"metadata": {"uid": uid(pod), "resourceVersion": version, "finalizers": kept}});
        match self.cache.merge("pods", &Key::of(pod), "", &patch).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// Moves pods that have been let go from `uncountedTerminatedPods` into the counts. Whether there were any.
    async fn settle(&self, job: &Value) -> Result<bool> {
        let pods = self.pods(job);
        let waits = |id: &Value| pods.iter().any(|one| id == uid(one) && pod::is_tracked(one));
        let mut status = job["status"].clone();
        let mut settled = false;
        for kind in ["succeeded", "failed"] {
            let uncounted = items(job, &format!("/status/uncountedTerminatedPods/{kind}"));
            let (waiting, free): (Vec<&Value>, Vec<&Value>) = uncounted.iter().partition(|id| waits(id));
            if !free.is_empty() {
                settled = true;
                status[kind] = (integer(&status, &format!("/{kind}")).unwrap_or(0) + free.len() as i64).into();
                status["uncountedTerminatedPods"][kind] = json!(waiting);
            }
        }
        if settled {
            tidy_uncounted(&mut status);
            self.cache.update_status(JOBS, job, status).await?;
        }
        Ok(settled)
    }

    async fn sync(&self, job: &Value) -> Result<Option<Duration>> {
        let count = Count::of(job, &self.pods(job));
        let running_for =
            timestamp(job, "/status/startTime").map_or(Duration::ZERO, |time| self.cache.clock.since(time));
        let suspended = flag(job, "/spec/suspend");
        let mut again = integer(job, "/spec/activeDeadlineSeconds")
            .filter(|_| !suspended && timestamp(job, "/status/startTime").is_some())
            .map(|limit| Duration::from_secs(limit.max(0) as u64).saturating_sub(running_for));
        let verdict = verdict::verdict(job, &count, running_for);
        let mut failure = None;
        if verdict.is_some() {
            for pod in &count.active {
                pod_control::delete(&self.cache, &self.events, job, pod).await?;
            }
            again = None;
        } else if suspended {
            self.give_up(job, &count.active).await?;
        } else {
            let changes = verdict::changes(job, &count);
            self.give_up(job, &changes.stop).await?;
            match self.start(job, &count, changes.start).await {
                Ok(pause) => again = [again, pause].into_iter().flatten().min(),
                Err(error) => failure = Some(error),
            }
        }
        self.write_status(job, &count, verdict.as_ref()).await?;
        for pod in &count.tracked {
            self.release(pod).await?;
        }
        failure.map_or(Ok(again), Err)
    }

    /// Starts what is missing; gives the rest of the pause that failures impose on what has to wait.
    async fn start(&self, job: &Value, count: &Count, starts: Vec<Option<usize>>) -> Result<Option<Duration>> {
        let per_index = integer(job, "/spec/backoffLimitPerIndex").is_some();
        let pods = self.pods(job);
        let whole = if per_index { Duration::ZERO } else { self.backoff(&pods, None) };
        let mut longest: Option<Duration> = None;
        for index in starts {
            let pause = if per_index { self.backoff(&pods, index) } else { whole };
            if !pause.is_zero() {
                longest = Some(longest.map_or(pause, |known| known.min(pause)));
                continue;
            }
            let failures =
                index.filter(|_| per_index).map(|index| count.failures.get(&index).copied().unwrap_or_default());
            let pod = pod::build(job, index, failures);
            pod_control::create(&self.cache, &self.events, job, &pod).await?;
        }
        Ok(longest)
    }

    /// The rest of the pause after the failures since the last success, of all pods or of one index.
    fn backoff(&self, pods: &[Arc<Value>], index: Option<usize>) -> Duration {
        let of_index = |pod: &&Arc<Value>| index.is_none() || pod::index(pod) == index;
        let ended = |pod: &Arc<Value>| {
            let statuses = items(pod, "/status/containerStatuses").iter();
            let finished = statuses.filter_map(|status| timestamp(status, "/state/terminated/finishedAt")).max();
            finished.or_else(|| timestamp(pod, "/metadata/deletionTimestamp"))
        };
        let ends = |wanted: fn(&Value) -> bool| {
            let pods = pods.iter().filter(of_index).filter(move |pod| wanted(pod));
            pods.filter_map(ended).collect::<Vec<_>>()
        };
        let last_success = ends(pod::succeeded).into_iter().max();
        let failures = ends(|pod| text(pod, "/status/phase") == "Failed");
        let failures: Vec<_> = failures.into_iter().filter(|end| last_success.is_none_or(|last| *end > last)).collect();
        let Some(last) = failures.iter().max() else { return Duration::ZERO };
        let pause = BACKOFF.saturating_mul(1 << (failures.len() - 1).min(10)).min(BACKOFF_MAX);
        pause.saturating_sub(self.cache.clock.since(*last))
    }

    /// Stops pods that the Job no longer wants; they do not count as failed.
    async fn give_up(&self, job: &Value, pods: &[Arc<Value>]) -> Result<()> {
        for pod in pods {
            if pod::is_tracked(pod) {
                self.release(pod).await?;
            }
            pod_control::delete(&self.cache, &self.events, job, pod).await?;
        }
        Ok(())
    }

    async fn write_status(&self, job: &Value, before: &Count, verdict: Option<&Verdict>) -> Result<()> {
        let pods = self.pods(job);
        let now = second(self.cache.clock.now());
        let mut status = job.get("status").filter(|status| status.is_object()).cloned().unwrap_or_else(|| json!({}));
        self.note_suspension(job, &mut status, &now).await;
        let after = Count::of(job, &pods);
        status["active"] = if after.active.is_empty() { Value::Null } else { after.active.len().into() };
        status["ready"] = after.ready.into();
        status["terminating"] = after.terminating.len().into();
        for (kind, new) in [("succeeded", &before.new_succeeded), ("failed", &before.new_failed)] {
            let known = items(job, &format!("/status/uncountedTerminatedPods/{kind}")).iter().cloned();
            let all: Vec<Value> = known.chain(new.iter().map(|uid| uid.as_str().into())).collect();
            status["uncountedTerminatedPods"][kind] = all.into();
        }
        tidy_uncounted(&mut status);
        if is_indexed(job) {
            let completed = indexes::render(&before.completed);
            status["completedIndexes"] = if completed.is_empty() { Value::Null } else { completed.into() };
            status["succeeded"] = if before.succeeded > 0 { before.succeeded.into() } else { Value::Null };
            if integer(job, "/spec/backoffLimitPerIndex").is_some() {
                status["failedIndexes"] = indexes::render(&before.failed_indexes).into();
            }
        }
        if let Some(verdict) = verdict {
            let unfinished = pods.iter().any(|pod| !pod_finished(pod));
            let uncounted = before.new_succeeded.len() + before.new_failed.len();
            let over = !unfinished && uncounted == 0 && before.tracked.is_empty();
            self.note_verdict(job, &mut status, verdict, over, &now).await;
        }
        if let Some(map) = status.as_object_mut() {
            map.retain(|_, value| !value.is_null());
        }
        self.cache.update_status(JOBS, job, status).await
    }

    /// The real controller announces the verdict first, and states it when all pods have ended.
    async fn note_verdict(&self, job: &Value, status: &mut Value, verdict: &Verdict, over: bool, now: &str) {
        let (announced, stated) = verdict.conditions();
        let is_announced = condition(job, announced).is_some();
        let mut conditions = items(status, "/conditions").to_vec();
        let mut add = |kind: &str| {
            conditions.push(json!({
                "type": kind, "status": "True", "reason": verdict.reason, "message": verdict.message,
                "lastProbeTime": now, "lastTransitionTime": now,
            }));
        };
        if !is_announced {
            add(announced);
        }
        if over {
            add(stated);
        }
        status["conditions"] = conditions.into();
        if over && verdict.complete {
            status["completionTime"] = now.into();
            self.events.normal(job, "Completed", "Job completed").await;
        } else if over {
            self.events.warning(job, &verdict.reason, &verdict.message).await;
        }
    }

    /// `startTime`, and the condition `Suspended` where the Job is or was suspended.
    async fn note_suspension(&self, job: &Value, status: &mut Value, now: &str) {
        let suspended = flag(job, "/spec/suspend");
        let known = condition(job, "Suspended").map(|condition| text(condition, "/status") == "True");
        let resumed = !suspended && known == Some(true);
        if !suspended && (resumed || text(status, "/startTime").is_empty()) {
            status["startTime"] = now.into();
        }
        if suspended == (known == Some(true)) {
            return;
        }
        let (value, reason, message) =
            if suspended { ("True", "JobSuspended", "Job suspended") } else { ("False", "JobResumed", "Job resumed") };
        let mut conditions = items(status, "/conditions").to_vec();
        conditions.retain(|condition| text(condition, "/type") != "Suspended");
        conditions.push(json!({
            "type": "Suspended", "status": value, "reason": reason, "message": message,
            "lastProbeTime": now, "lastTransitionTime": now,
        }));
        status["conditions"] = conditions.into();
        self.events.normal(job, if suspended { "Suspended" } else { "Resumed" }, message).await;
    }

    /// `ttlSecondsAfterFinished`.
    async fn expire(&self, job: &Value) -> Result<Option<Duration>> {
        let Some(ttl) = integer(job, "/spec/ttlSecondsAfterFinished") else { return Ok(None) };
        let ends = items(job, "/status/conditions").iter().filter_map(|one| timestamp(one, "/lastTransitionTime"));
        let passed = ends.max().map_or(Duration::ZERO, |end| self.cache.clock.since(end));
        let left = Duration::from_secs(ttl.max(0) as u64).saturating_sub(passed);
        if left.is_zero() {
            self.cache.delete(JOBS, job, &json!({"propagationPolicy": "Foreground"})).await?;
            return Ok(None);
        }
        Ok(Some(left))
    }
}

fn is_indexed(job: &Value) -> bool {
    text(job, "/spec/completionMode") == "Indexed"
}

/// `podReplacementPolicy: Failed`, which a pod failure policy implies: a pod is replaced only once it has ended.
fn replaces_only_ended(job: &Value) -> bool {
    text(job, "/spec/podReplacementPolicy") == "Failed"
        || job.pointer("/spec/podFailurePolicy").is_some_and(Value::is_object)
}

/// Empty lists are left out, as the real controller writes them.
fn tidy_uncounted(status: &mut Value) {
    if let Some(uncounted) = status["uncountedTerminatedPods"].as_object_mut() {
        uncounted.retain(|_, list| list.as_array().is_some_and(|list| !list.is_empty()));
    }
}
