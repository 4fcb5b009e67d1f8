//! How far a Job is: its status so far, together with the pods that have ended since.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::failure::{self, Action};
use super::pod::{self, IndexFailures};
use super::{indexes, is_indexed, replaces_only_ended};
use crate::object::{deleting, integer, items, pod_finished, pod_ready, text, uid};

/// The counts of a Job. Pods are counted once: what a status has counted stays counted when its pod goes.
#[derive(Debug, Default)]
pub(super) struct Count {
    /// Pods that have neither ended nor are being deleted.
    pub(super) active: Vec<Arc<Value>>,
    pub(super) ready: usize,
    /// Pods that are being deleted and have not ended.
    pub(super) terminating: Vec<Arc<Value>>,
    pub(super) succeeded: usize,
    pub(super) failed: usize,
    /// Indexes that have succeeded, of an Indexed Job.
    pub(super) completed: BTreeSet<usize>,
    /// Indexes that have failed for good, of a Job with `backoffLimitPerIndex`.
    pub(super) failed_indexes: BTreeSet<usize>,
    /// The failures of each index so far.
    pub(super) failures: BTreeMap<usize, IndexFailures>,
    /// Ended pods that the status does not have yet.
    pub(super) new_succeeded: Vec<String>,
    pub(super) new_failed: Vec<String>,
    /// Ended pods that wait to be let go.
    pub(super) tracked: Vec<Arc<Value>>,
    /// What a rule of the pod failure policy says that ends the Job.
    pub(super) fail_job: Option<String>,
}

impl Count {
    /// Counts `pods`, all of `job`'s.
    pub(super) fn of(job: &Value, pods: &[Arc<Value>]) -> Self {
        let completions = completions(job);
        let only_ended = replaces_only_ended(job);
        let uncounted = |kind: &str| items(job, &format!("/status/uncountedTerminatedPods/{kind}"));
        let number = |field: &str| integer(job, &format!("/status/{field}")).unwrap_or(0).max(0) as usize;
        let mut count = Self {
            completed: indexes::parse(text(job, "/status/completedIndexes"), completions),
            failed_indexes: indexes::parse(text(job, "/status/failedIndexes"), completions),
            succeeded: number("succeeded") + uncounted("succeeded").len(),
            failed: number("failed") + uncounted("failed").len(),
            ..Self::default()
        };
        for one in pods {
            if pod::active(one) {
                count.ready += usize::from(pod_ready(one));
                count.active.push(Arc::clone(one));
                continue;
            }
            if deleting(one) && !pod_finished(one) {
                count.terminating.push(Arc::clone(one));
            }
            let counted = |kind: &str| uncounted(kind).iter().any(|known| known == uid(one));
            if pod::succeeded(one) {
                count.succeed(job, one, counted("succeeded"));
            } else if pod::failed(one, only_ended) {
                count.fail(job, one, counted("failed"));
            }
        }
        if is_indexed(job) {
            count.succeeded = count.completed.len();
            count.failed_indexes.retain(|index| !count.completed.contains(index));
        }
        count
    }

    fn succeed(&mut self, job: &Value, one: &Arc<Value>, counted: bool) {
        if !pod::is_tracked(one) {
            return;
        }
        self.tracked.push(Arc::clone(one));
        if is_indexed(job) {
            self.completed.extend(pod::index(one).filter(|index| *index < completions(job)));
        } else if !counted {
            self.succeeded += 1;
            self.new_succeeded.push(uid(one).to_owned());
        }
    }

    fn fail(&mut self, job: &Value, one: &Arc<Value>, counted: bool) {
        let action = if pod_finished(one) { failure::action(job, one) } else { Action::Count };
        if let Some(index) = pod::index(one) {
            let mut failures = pod::failures_before(one);
            match action {
                Action::Ignore => failures.ignored += 1,
                _ => failures.counted += 1,
            }
            let known = self.failures.entry(index).or_default();
            if failures.counted + failures.ignored > known.counted + known.ignored {
                *known = failures;
            }
            let limit = integer(job, "/spec/backoffLimitPerIndex").map(|limit| limit.max(0) as u64);
            let exhausted = limit.is_some_and(|limit| failures.counted > limit);
            if limit.is_some() && (exhausted || action == Action::FailIndex) {
                self.failed_indexes.insert(index);
            }
        }
        if !pod::is_tracked(one) {
            return;
        }
        self.tracked.push(Arc::clone(one));
        if let Action::FailJob(message) = &action {
            self.fail_job.get_or_insert_with(|| message.clone());
        }
        if action != Action::Ignore && !counted {
            self.failed += 1;
            self.new_failed.push(uid(one).to_owned());
        }
    }
}

/// The number of indexes of an Indexed Job; no bound for others.
pub(super) fn completions(job: &Value) -> usize {
    integer(job, "/spec/completions").map_or(usize::MAX, |completions| completions.max(0) as usize)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::job::pod::TRACKING;

    fn pod(name: &str, phase: &str, index: Option<usize>, failures: u64) -> Arc<Value> {
        let mut pod = json!({
            "metadata": {"name": name, "uid": name, "finalizers": [TRACKING]}, "status": {"phase": phase},
        });
        if let Some(index) = index {
            pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] = index.to_string().into();
            let key = "batch.kubernetes.io/job-index-failure-count";
            pod["metadata"]["annotations"][key] = failures.to_string().into();
        }
        Arc::new(pod)
    }

    #[test]
    fn what_the_status_has_counted_stays_counted_when_the_pod_goes() {
        let job =
            json!({"spec": {}, "status": {"succeeded": 2, "failed": 1, "uncountedTerminatedPods": {"failed": ["a"]}}});
        let pods = [pod("a", "Failed", None, 0), pod("b", "Succeeded", None, 0), pod("c", "Running", None, 0)];
        let count = Count::of(&job, &pods);
        assert_eq!((count.succeeded, count.failed, count.active.len()), (3, 2, 1));
        assert_eq!((count.new_succeeded, count.new_failed), (vec!["b".to_owned()], vec![]));
        assert_eq!(count.tracked.len(), 2);
        let without = Count::of(&job, &[]);
        assert_eq!((without.succeeded, without.failed), (2, 2));
    }

    #[test]
    fn an_index_fails_beyond_its_own_limit() {
        let job = |limit: u64| json!({"spec": {"completionMode": "Indexed", "completions": 3, "backoffLimitPerIndex": limit}});
        let pods = [pod("a", "Succeeded", Some(0), 0), pod("b", "Failed", Some(1), 0), pod("c", "Failed", Some(2), 1)];
        let count = Count::of(&job(0), &pods);
        assert_eq!(count.completed, BTreeSet::from([0]));
        assert_eq!(count.failed_indexes, BTreeSet::from([1, 2]));
        let patient = Count::of(&job(1), &pods);
        assert_eq!(patient.failed_indexes, BTreeSet::from([2]));
        assert_eq!(patient.failures[&1], IndexFailures { counted: 1, ignored: 0 });
    }
}
