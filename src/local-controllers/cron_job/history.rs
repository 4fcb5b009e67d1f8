//! The ended Jobs that a CronJob keeps.

use std::sync::Arc;

use serde_json::Value;

use crate::object::{condition_is_true, created, deleting, integer, name};

/// The condition by which a Job has ended, if it has.
pub(super) fn ending(job: &Value) -> Option<&'static str> {
    ["Complete", "Failed"].into_iter().find(|kind| condition_is_true(job, kind))
}

/// The oldest ended Jobs beyond the limits for succeeded and failed ones.
pub(super) fn surplus(cron: &Value, jobs: &[Arc<Value>]) -> Vec<Arc<Value>> {
    let mut surplus = Vec::new();
    for (kind, field) in [("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")] {
        let Some(limit) = integer(cron, &format!("/spec/{field}")) else { continue };
        let mut ended: Vec<&Arc<Value>> =
            jobs.iter().filter(|job| ending(job) == Some(kind) && !deleting(job)).collect();
        ended.sort_by_key(|job| (created(job).to_owned(), name(job).to_owned()));
        let most = ended.len().saturating_sub(limit.max(0) as usize);
        surplus.extend(ended.into_iter().take(most).cloned());
    }
    surplus
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_oldest_beyond_the_limit_go() {
        let job = |at: &str, kind: &str| {
            Arc::new(json!({"metadata": {"name": at, "creationTimestamp": at},
                "status": {"conditions": [{"type": kind, "status": "True"}]}}))
        };
        let jobs = [job("3", "Complete"), job("1", "Complete"), job("2", "Failed"), Arc::new(json!({}))];
        let cron = json!({"spec": {"successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 1}});
        let names: Vec<String> = surplus(&cron, &jobs).iter().map(|job| name(job).to_owned()).collect();
        assert_eq!(names, ["1"]);
    }
}
