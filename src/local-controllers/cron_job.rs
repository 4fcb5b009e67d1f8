//! CronJobs: a Job at each moment of a schedule.
//!
//! A schedule speaks of the wall clock, so a time scale does not make it denser: `* * * * *` is due once a real minute.

mod history;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use local_apiserver::Schedule;
use serde_json::{Value, json};

use crate::cache::{Cache, Change};
use crate::error::Result;
use crate::event::Recorder;
use crate::object::{
    Key, controlled_by, controller_name, deleting, flag, integer, items, name, namespace, owner_reference, second,
    text, timestamp, uid,
};
use crate::work::Controller;

const CRON_JOBS: &str = "cronjobs.batch";
const JOBS: &str = "jobs.batch";
/// The moment that a Job stands for.
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";
/// More missed moments than this are reported, since something was wrong for long.
const MISSED_MAX: usize = 100;

pub(crate) struct CronJobController {
    cache: Arc<Cache>,
    events: Recorder,
}

impl Controller for CronJobController {
    type Key = Key;
    const NAME: &'static str = "cronjob";

    fn concerns(&self, change: &Change) -> Vec<(Key, Duration)> {
        let Some(object) = change.object() else { return vec![] };
        match change.id.as_str() {
            CRON_JOBS => vec![(Key::of(object), Duration::ZERO)],
            JOBS => controller_name(object, "CronJob")
                .map(|owner| (Key::new(namespace(object), owner), Duration::ZERO))
                .into_iter()
                .collect(),
            _ => vec![],
        }
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>> {
        let Some(cron) = self.cache.get(CRON_JOBS, &key.namespace, &key.name) else { return Ok(None) };
        if !self.cache.synced(JOBS) {
            return Ok(Some(Duration::from_millis(100)));
        }
        if deleting(&cron) {
            return Ok(None);
        }
        let mut status = cron.get("status").filter(|status| status.is_object()).cloned().unwrap_or_else(|| json!({}));
        let jobs = self.jobs(&cron);
        self.note_ended(&cron, &jobs, &mut status).await;
        self.prune(&cron, &jobs).await?;
        let again = self.schedule(&cron, &jobs, &mut status).await?;
        self.write_status(&cron, status).await?;
        Ok(again)
    }
}

impl CronJobController {
    pub(crate) fn new(cache: &Arc<Cache>) -> Self {
        Self { cache: Arc::clone(cache), events: Recorder::new(cache, "cronjob-controller") }
    }

    fn jobs(&self, cron: &Value) -> Vec<Arc<Value>> {
        let jobs = self.cache.list(JOBS, Some(namespace(cron)));
        jobs.into_iter().filter(|job| controlled_by(job, uid(cron))).collect()
    }

    /// Takes Jobs that have ended or gone off the list of active ones.
    async fn note_ended(&self, cron: &Value, jobs: &[Arc<Value>], status: &mut Value) {
        let mut active = items(status, "/active").to_vec();
        for reference in items(cron, "/status/active") {
            let gone = |one: &Value| text(one, "/uid") == text(reference, "/uid");
            match jobs.iter().find(|job| uid(job) == text(reference, "/uid")) {
                None => {
                    active.retain(|one| !gone(one));
                    let message = format!("Active job went missing: {}", text(reference, "/name"));
                    self.events.normal(cron, "MissingJob", &message).await;
                }
                Some(job) => {
                    let Some(ending) = history::ending(job) else { continue };
                    active.retain(|one| !gone(one));
                    let message = format!("Saw completed job: {}, condition: {ending}", name(job));
                    self.events.normal(cron, "SawCompletedJob", &message).await;
                    let completed = text(job, "/status/completionTime");
                    if ending == "Complete" && completed > text(status, "/lastSuccessfulTime") {
                        status["lastSuccessfulTime"] = completed.into();
                    }
                }
            }
        }
        status["active"] = active.into();
    }

    /// Removes the oldest ended Jobs beyond the history limits.
    async fn prune(&self, cron: &Value, jobs: &[Arc<Value>]) -> Result<()> {
        for job in history::surplus(cron, jobs) {
            self.cache.delete(JOBS, &job, &json!({"propagationPolicy": "Background"})).await?;
            self.events.normal(cron, "SuccessfulDelete", &format!("Deleted job {}", name(&job))).await;
        }
        Ok(())
    }

    /// Starts the Job of the latest moment that is due; gives the pause until the next one.
    async fn schedule(&self, cron: &Value, jobs: &[Arc<Value>], status: &mut Value) -> Result<Option<Duration>> {
        let schedule = match Schedule::parse(text(cron, "/spec/schedule"), text(cron, "/spec/timeZone")) {
            Ok(schedule) => schedule,
            Err(error) => {
                let message = format!("unparseable schedule: {}: {error}", text(cron, "/spec/schedule"));
                self.events.warning(cron, "UnparseableSchedule", &message).await;
                return Ok(None);
            }
        };
        let now = self.cache.clock.now();
        let again = schedule.next(now).map(|next| self.until(next, now));
        if flag(cron, "/spec/suspend") {
            return Ok(None);
        }
        let (latest, missed) = due(cron, &schedule, now);
        let Some(latest) = latest else { return Ok(again) };
        if missed > MISSED_MAX {
            let message = format!(
                "too many missed start times: {missed}. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            );
            self.events.warning(cron, "TooManyMissedTimes", &message).await;
        }
        let deadline = integer(cron, "/spec/startingDeadlineSeconds");
        let late = now.duration_since(latest).as_secs();
        if deadline.is_some_and(|deadline| late > deadline) {
            let message = format!("Missed scheduled time to start a job: {latest}");
            self.events.warning(cron, "MissSchedule", &message).await;
            return Ok(again);
        }
        let active: Vec<&Arc<Value>> = jobs.iter().filter(|job| history::ending(job).is_none()).collect();
        match text(cron, "/spec/concurrencyPolicy") {
            "Forbid" if !active.is_empty() => {
                let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
                self.events.normal(cron, "JobAlreadyActive", message).await;
                return Ok(again);
            }
            "Replace" => {
                for job in active {
                    self.cache.delete(JOBS, job, &json!({"propagationPolicy": "Background"})).await?;
                    self.events.normal(cron, "SuccessfulDelete", &format!("Deleted job {}", name(job))).await;
                }
                status["active"] = json!([]);
            }
            _ => {}
        }
        self.start(cron, latest, status).await?;
        Ok(again)
    }

    async fn start(&self, cron: &Value, moment: Timestamp, status: &mut Value) -> Result<()> {
        let job = build(cron, moment);
        match self.cache.create(JOBS, &job).await {
            Ok(made) => {
                self.events.normal(cron, "SuccessfulCreate", &format!("Created job {}", name(&made))).await;
                let mut active = items(status, "/active").to_vec();
                active.push(json!({
                    "apiVersion": "batch/v1", "kind": "Job", "name": name(&made), "namespace": namespace(&made),
                    "uid": uid(&made), "resourceVersion": text(&made, "/metadata/resourceVersion"),
                }));
                status["active"] = active.into();
            }
            // The Job of this moment was made before the status could be written.
            Err(error) if error.is_already_exists() => {}
            Err(error) => {
                self.events.warning(cron, "FailedCreate", &format!("Error creating job: {error}")).await;
                return Err(error);
            }
        }
        status["lastScheduleTime"] = second(moment).into();
        Ok(())
    }

    /// System time until a moment of the wall clock.
    fn until(&self, moment: Timestamp, now: Timestamp) -> Duration {
        let real = Duration::try_from(moment.duration_since(now)).unwrap_or_default();
        self.cache.clock.to_system(real.saturating_add(Duration::from_millis(100)))
    }

    async fn write_status(&self, cron: &Value, mut status: Value) -> Result<()> {
        if items(&status, "/active").is_empty()
            && let Some(status) = status.as_object_mut()
        {
            status.remove("active");
        }
        self.cache.update_status(CRON_JOBS, cron, status).await
    }
}

/// The latest moment that is due and has no Job yet, and how many moments are due, counted up to [`MISSED_MAX`] and one.
fn due(cron: &Value, schedule: &Schedule, now: Timestamp) -> (Option<Timestamp>, usize) {
    let since = timestamp(cron, "/status/lastScheduleTime").or_else(|| timestamp(cron, "/metadata/creationTimestamp"));
    let mut earliest = since.unwrap_or(now);
    if let Some(deadline) = integer(cron, "/spec/startingDeadlineSeconds")
        && let Ok(limit) = now.checked_sub(jiff::SignedDuration::from_secs(deadline))
    {
        earliest = earliest.max(limit);
    }
    let mut missed = 0;
    let mut moment = earliest;
    while let Some(next) = schedule.next(moment).filter(|next| *next <= now && missed <= MISSED_MAX) {
        moment = next;
        missed += 1;
    }
    (schedule.latest(earliest, now), missed)
}

fn build(cron: &Value, moment: Timestamp) -> Value {
    let template = &cron["spec"]["jobTemplate"];
    let mut metadata = json!({
        "name": format!("{}-{}", name(cron), moment.as_second() / 60), "namespace": namespace(cron),
        "labels": template["metadata"]["labels"], "annotations": template["metadata"]["annotations"],
        "ownerReferences": [owner_reference(cron, "batch/v1", "CronJob")],
    });
    metadata["annotations"][SCHEDULED] = second(moment).into();
    if metadata["labels"].is_null()
        && let Some(metadata) = metadata.as_object_mut()
    {
        metadata.remove("labels");
    }
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cron(spec: &Value, status: &Value) -> Value {
        let mut cron = json!({"metadata": {"name": "c", "namespace": "n", "uid": "u",
            "creationTimestamp": "2026-01-01T00:00:30Z"}, "spec": spec, "status": status});
        cron["spec"]["jobTemplate"] = json!({"spec": {}});
        cron
    }

    fn due_at(cron: &Value, now: &str) -> (Option<String>, usize) {
        let schedule = Schedule::parse("* * * * *", "").unwrap();
        let (latest, missed) = due(cron, &schedule, now.parse().unwrap());
        (latest.map(|moment| moment.to_string()), missed)
    }

    #[test]
    fn the_latest_missed_moment_is_due_and_none_twice() {
        assert_eq!(due_at(&cron(&json!({}), &json!({})), "2026-01-01T00:00:59Z"), (None, 0));
        let at = |time: &str| Some(format!("2026-01-01T{time}Z"));
        assert_eq!(due_at(&cron(&json!({}), &json!({})), "2026-01-01T00:03:10Z"), (at("00:03:00"), 3));
        let scheduled = cron(&json!({}), &json!({"lastScheduleTime": "2026-01-01T00:03:00Z"}));
        assert_eq!(due_at(&scheduled, "2026-01-01T00:03:30Z"), (None, 0));
        let impatient = cron(&json!({"startingDeadlineSeconds": 70}), &json!({}));
        assert_eq!(due_at(&impatient, "2026-01-01T00:09:00Z"), (at("00:09:00"), 2));
    }

    #[test]
    fn a_job_is_named_after_its_minute() {
        let job = build(&cron(&json!({}), &json!({})), "2026-01-01T00:03:00Z".parse().unwrap());
        assert_eq!(name(&job), format!("c-{}", 1_767_225_780 / 60));
        assert_eq!(
            text(&job, "/metadata/annotations/batch.kubernetes.io~1cronjob-scheduled-timestamp"),
            "2026-01-01T00:03:00Z"
        );
    }
}
