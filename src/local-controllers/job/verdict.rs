//! When a Job is over, and which pods it starts and stops until then.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::count::{Count, completions};
use super::{failure, indexes, is_indexed, pod, replaces_only_ended};
use crate::object::{condition, integer, items, text};

/// How a Job ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) complete: bool,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Verdict {
    fn complete(reason: &str, message: impl Into<String>) -> Self {
        Self { complete: true, reason: reason.to_owned(), message: message.into() }
    }

    fn failed(reason: &str, message: impl Into<String>) -> Self {
        Self { complete: false, reason: reason.to_owned(), message: message.into() }
    }

    /// The condition that announces the end while pods are still ending, and the one that states it.
    pub(super) fn conditions(&self) -> (&'static str, &'static str) {
        if self.complete { ("SuccessCriteriaMet", "Complete") } else { ("FailureTarget", "Failed") }
    }
}

/// How the Job ends, if it does. A verdict that the status has announced stands.
pub(super) fn verdict(job: &Value, count: &Count, running_for: Duration) -> Option<Verdict> {
    announced(job)
        .or_else(|| failed(job, count, running_for))
        .or_else(|| success_policy(job, count))
        .or_else(|| completed(job, count))
}

fn announced(job: &Value) -> Option<Verdict> {
    let of = |kind: &str| condition(job, kind).filter(|condition| text(condition, "/status") == "True");
    let parts = |condition: &Value| (text(condition, "/reason").to_owned(), text(condition, "/message").to_owned());
    if let Some((reason, message)) = of("FailureTarget").map(parts) {
        return Some(Verdict { complete: false, reason, message });
    }
    of("SuccessCriteriaMet").map(parts).map(|(reason, message)| Verdict { complete: true, reason, message })
}

fn failed(job: &Value, count: &Count, running_for: Duration) -> Option<Verdict> {
    let number = |field: &str| integer(job, &format!("/spec/{field}")).map(|number| number.max(0) as usize);
    if let Some(message) = &count.fail_job {
        return Some(Verdict::failed("PodFailurePolicy", message));
    }
    let per_index = number("backoffLimitPerIndex").is_some();
    let limit = number("backoffLimit").unwrap_or(if per_index { usize::MAX } else { 6 });
    let pods = count.active.iter().map(AsRef::as_ref);
    if count.failed > limit || failure::restarted_too_often(job, pods) {
        return Some(Verdict::failed("BackoffLimitExceeded", "Job has reached the specified backoff limit"));
    }
    if number("activeDeadlineSeconds").is_some_and(|limit| running_for >= Duration::from_secs(limit as u64)) {
        return Some(Verdict::failed("DeadlineExceeded", "Job was active longer than specified deadline"));
    }
    if number("maxFailedIndexes").is_some_and(|limit| per_index && count.failed_indexes.len() > limit) {
        let message = "Job has exceeded the specified maximal number of failed indexes";
        return Some(Verdict::failed("MaxFailedIndexesExceeded", message));
    }
    None
}

fn success_policy(job: &Value, count: &Count) -> Option<Verdict> {
    if !is_indexed(job) {
        return None;
    }
    for (index, rule) in items(job, "/spec/successPolicy/rules").iter().enumerate() {
        let wanted = integer(rule, "/succeededCount").map(|count| count.max(0) as usize);
        let met = match rule.get("succeededIndexes").and_then(Value::as_str) {
            Some(listed) => {
                let listed = indexes::parse(listed, completions(job));
                let reached = listed.intersection(&count.completed).count();
                wanted.map_or(reached == listed.len(), |wanted| reached >= wanted)
            }
            None => wanted.is_some_and(|wanted| count.completed.len() >= wanted),
        };
        if met {
            return Some(Verdict::complete("SuccessPolicy", format!("Matched rules at index {index}")));
        }
    }
    None
}

fn completed(job: &Value, count: &Count) -> Option<Verdict> {
    let reached = Verdict::complete("CompletionsReached", "Reached expected number of succeeded pods");
    let completions = integer(job, "/spec/completions").map(|completions| completions.max(0) as usize);
    let over = match completions {
        Some(completions) if is_indexed(job) => {
            if count.completed.len() + count.failed_indexes.len() < completions {
                return None;
            }
            if !count.failed_indexes.is_empty() {
                return Some(Verdict::failed("FailedIndexes", "Job has failed indexes"));
            }
            true
        }
        Some(completions) => count.succeeded >= completions,
        // Without completions, any success means that the work is done and the others wind down.
        None => count.succeeded > 0 && count.active.is_empty() && count.terminating.is_empty(),
    };
    over.then_some(reached)
}

/// What a Job that goes on does next.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Pods to start, each with its index in an Indexed Job.
    pub(super) start: Vec<Option<usize>>,
    pub(super) stop: Vec<Arc<Value>>,
}

/// The pods to start and to stop so that as many run as `parallelism` and the open work ask for.
pub(super) fn changes(job: &Value, count: &Count) -> Changes {
    let parallelism = integer(job, "/spec/parallelism").unwrap_or(1).max(0) as usize;
    if is_indexed(job) {
        return indexed_changes(job, count, parallelism);
    }
    let open = match integer(job, "/spec/completions") {
        Some(completions) => (completions.max(0) as usize).saturating_sub(count.succeeded),
        None if count.succeeded > 0 => count.active.len(),
        None => usize::MAX,
    };
    let wanted = parallelism.min(open);
    let occupied = if replaces_only_ended(job) { count.terminating.len() } else { 0 };
    let active = count.active.len();
    Changes {
        start: vec![None; wanted.saturating_sub(active + occupied)],
        stop: count.active.iter().take(active.saturating_sub(wanted)).cloned().collect(),
    }
}

fn indexed_changes(job: &Value, count: &Count, parallelism: usize) -> Changes {
    let mut changes = Changes::default();
    let mut taken = BTreeSet::new();
    for one in &count.active {
        let index = pod::index(one).filter(|index| *index < completions(job) && !count.completed.contains(index));
        // A second pod of an index, one beyond the completions, or one more than may run.
        if index.is_none_or(|index| taken.len() >= parallelism || !taken.insert(index)) {
            changes.stop.push(Arc::clone(one));
        }
    }
    let mut running = taken.len();
    if replaces_only_ended(job) {
        let terminating: BTreeSet<usize> = count.terminating.iter().filter_map(|one| pod::index(one)).collect();
        running += terminating.difference(&taken).count();
        taken.extend(terminating);
    }
    let done = |index: &usize| count.completed.contains(index) || count.failed_indexes.contains(index);
    let open = (0..completions(job)).filter(|index| !done(index) && !taken.contains(index));
    changes.start = open.take(parallelism.saturating_sub(running)).map(Some).collect();
    changes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pods(count: usize) -> Vec<Arc<Value>> {
        (0..count).map(|_| Arc::new(json!({}))).collect()
    }

    fn count(active: usize, succeeded: usize, failed: usize) -> Count {
        Count { active: pods(active), succeeded, failed, ..Count::default() }
    }

    fn reason(job: &Value, count: &Count) -> Option<String> {
        verdict(&json!({ "spec": job }), count, Duration::from_secs(5)).map(|verdict| verdict.reason)
    }

    #[test]
    fn a_job_starts_what_is_missing_and_ends_when_all_is_done() {
        let spec = json!({"completions": 5, "parallelism": 2});
        let starts = |count: &Count| changes(&json!({ "spec": spec }), count).start.len();
        assert_eq!(starts(&count(0, 0, 0)), 2);
        assert_eq!(starts(&count(2, 1, 0)), 0);
        assert_eq!(starts(&count(0, 4, 0)), 1);
        assert_eq!(reason(&spec, &count(0, 4, 0)), None);
        assert_eq!(reason(&spec, &count(0, 5, 0)).as_deref(), Some("CompletionsReached"));
    }

    #[test]
    fn a_job_fails_beyond_its_backoff_limit_and_deadline() {
        let limit = json!({"backoffLimit": 1, "completions": 1});
        assert_eq!(reason(&limit, &count(0, 0, 2)).as_deref(), Some("BackoffLimitExceeded"));
        assert_eq!(reason(&limit, &count(0, 0, 1)), None);
        let late = json!({"activeDeadlineSeconds": 5});
        assert_eq!(reason(&late, &count(1, 0, 0)).as_deref(), Some("DeadlineExceeded"));
    }

    #[test]
    fn less_parallelism_stops_pods_and_terminating_ones_keep_their_place_where_only_ended_ones_are_replaced() {
        let job = json!({"spec": {"completions": 9, "parallelism": 1}});
        assert_eq!(changes(&job, &count(3, 0, 0)).stop.len(), 2);
        let mut job = json!({"spec": {"completions": 9, "parallelism": 2}});
        let waiting = Count { terminating: pods(1), ..count(1, 0, 0) };
        assert_eq!(changes(&job, &waiting).start.len(), 1);
        job["spec"]["podReplacementPolicy"] = "Failed".into();
        assert_eq!(changes(&job, &waiting).start.len(), 0);
    }

    #[test]
    fn an_indexed_job_starts_its_open_indexes_and_ends_with_the_last() {
        let spec = json!({"completionMode": "Indexed", "completions": 4, "parallelism": 2, "backoffLimitPerIndex": 0});
        let half = Count { completed: [0].into(), failed_indexes: [2].into(), ..Count::default() };
        assert_eq!(changes(&json!({ "spec": spec }), &half).start, [Some(1), Some(3)]);
        assert_eq!(reason(&spec, &half), None);
        let over = Count { completed: [0, 1, 3].into(), ..half };
        assert_eq!(reason(&spec, &over).as_deref(), Some("FailedIndexes"));
        let whole = Count { completed: [0, 1, 2, 3].into(), ..Count::default() };
        assert_eq!(reason(&spec, &whole).as_deref(), Some("CompletionsReached"));
        let limited =
            json!({"completionMode": "Indexed", "completions": 4, "backoffLimitPerIndex": 0, "maxFailedIndexes": 1});
        let two = Count { failed_indexes: [0, 1].into(), ..Count::default() };
        assert_eq!(reason(&limited, &two).as_deref(), Some("MaxFailedIndexesExceeded"));
    }

    #[test]
    fn a_success_policy_ends_a_job_early() {
        let with =
            |rules: Value| json!({"completionMode": "Indexed", "completions": 5, "successPolicy": {"rules": rules}});
        let some = Count { completed: [0, 3].into(), ..Count::default() };
        let met = |rules: Value| reason(&with(rules), &some).as_deref() == Some("SuccessPolicy");
        assert!(met(json!([{"succeededIndexes": "0"}])));
        assert!(met(json!([{"succeededCount": 3}, {"succeededIndexes": "0,3-4", "succeededCount": 2}])));
        assert!(!met(json!([{"succeededIndexes": "0-1"}])));
        assert!(met(json!([{"succeededCount": 2}])));
    }

    #[test]
    fn an_announced_verdict_stands() {
        let job = json!({"spec": {"completions": 1}, "status": {"conditions": [
            {"type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded", "message": "m"},
        ]}});
        let verdict = verdict(&job, &count(0, 1, 0), Duration::ZERO).unwrap();
        assert_eq!((verdict.complete, verdict.reason.as_str()), (false, "DeadlineExceeded"));
    }
}
