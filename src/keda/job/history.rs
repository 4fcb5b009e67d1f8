//! Jobs that are kept no longer.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use kube::api::ObjectMeta;

use super::{finished_at, is_finished};
use crate::api::ScaledJobSpec;
use crate::naming::SCALED_JOB_GENERATION;

/// The Jobs that ended first, beyond those that the spec keeps of each outcome.
pub fn surplus<'a>(spec: &ScaledJobSpec, jobs: impl IntoIterator<Item = &'a Job>) -> Vec<&'a Job> {
    let (mut succeeded, mut failed) = (Vec::new(), Vec::new());
    for job in jobs {
        match finished_at(job) {
            Some((true, at)) => succeeded.push((at, job)),
            Some((false, at)) => failed.push((at, job)),
            None => {}
        }
    }
    let mut surplus = beyond(spec.successful_history(), succeeded);
    surplus.extend(beyond(spec.failed_history(), failed));
    surplus.retain(|job| job.metadata.deletion_timestamp.is_none());
    surplus
}

fn beyond(limit: usize, mut jobs: Vec<(Option<Timestamp>, &Job)>) -> Vec<&Job> {
    jobs.sort_by_key(|(at, job)| (*at, job.metadata.name.clone()));
    let count = jobs.len().saturating_sub(limit);
    jobs.into_iter().take(count).map(|(_, job)| job).collect()
}

/// The Jobs that were made from another generation of the ScaledJob with this metadata and have not ended. What has ended
/// stays in the history, whatever it was made from.
pub fn outdated<'a>(owner: &ObjectMeta, jobs: impl IntoIterator<Item = &'a Job>) -> Vec<&'a Job> {
    let current = owner.generation.unwrap_or_default().to_string();
    let is_outdated = |job: &&Job| {
        let annotations = job.metadata.annotations.as_ref();
        let made_from = annotations.and_then(|annotations| annotations.get(SCALED_JOB_GENERATION));
        !is_finished(job) && job.metadata.deletion_timestamp.is_none() && made_from != Some(&current)
    };
    jobs.into_iter().filter(is_outdated).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ended(name: &str, type_: &str, at: &str) -> Job {
        let completed = (type_ == "Complete").then_some(at);
        serde_json::from_value(json!({
            "metadata": { "name": name },
            "status": {
                "completionTime": completed,
                "conditions": [{ "type": type_, "status": "True", "lastTransitionTime": at }],
            },
        }))
        .unwrap()
    }

    fn names(jobs: &[&Job]) -> Vec<String> {
        jobs.iter().map(|job| job.metadata.name.clone().unwrap()).collect()
    }

    fn limits(successful: i32, failed: i32) -> ScaledJobSpec {
        ScaledJobSpec {
            successful_jobs_history_limit: Some(successful),
            failed_jobs_history_limit: Some(failed),
            ..Default::default()
        }
    }

    /// KEDA's own rows, with the order among failed Jobs by when they failed.
    #[test]
    fn the_oldest_of_each_outcome_go() {
        let at = |minute: u32| format!("2020-07-29T15:{minute}:00Z");
        let jobs = vec![
            ended("success1", "Complete", &at(37)),
            ended("success2", "Complete", &at(36)),
            ended("success3", "Complete", &at(35)),
            ended("fail1", "Failed", &at(37)),
            ended("fail2", "Failed", &at(36)),
            ended("fail3", "Failed", &at(38)),
            serde_json::from_value(json!({ "metadata": { "name": "running" } })).unwrap(),
        ];
        assert_eq!(names(&surplus(&limits(1, 2), &jobs)), ["success3", "success2", "fail2"]);
        assert_eq!(names(&surplus(&limits(0, 0), &jobs)).len(), 6);
        assert_eq!(names(&surplus(&limits(3, 3), &jobs)), Vec::<String>::new());
        assert_eq!(names(&surplus(&ScaledJobSpec::default(), &jobs)), Vec::<String>::new());
    }

    #[test]
    fn by_default_a_hundred_of_each_are_kept() {
        let mut jobs = Vec::new();
        for number in 0..101 {
            let at = if number == 0 { "2020-07-29T15:35:00Z" } else { "2020-07-29T15:40:00Z" };
            jobs.push(ended(&format!("success{number}"), "Complete", at));
            jobs.push(ended(&format!("fail{number}"), "Failed", at));
        }
        assert_eq!(names(&surplus(&ScaledJobSpec::default(), &jobs)), ["success0", "fail0"]);
    }

    #[test]
    fn jobs_of_another_generation_go_unless_they_have_ended() {
        let made = |name: &str, generation: Option<&str>| {
            let annotations = generation.map(|generation| json!({ SCALED_JOB_GENERATION: generation }));
            serde_json::from_value::<Job>(json!({ "metadata": { "name": name, "annotations": annotations } })).unwrap()
        };
        let jobs = [
            made("old", Some("1")),
            made("current", Some("2")),
            made("unknown", None),
            ended("over", "Complete", "2020-07-29T15:35:00Z"),
        ];
        let owner = ObjectMeta { generation: Some(2), ..Default::default() };
        assert_eq!(names(&outdated(&owner, &jobs)), ["old", "unknown"]);
    }
}
