//! The Jobs of ScaledJobs as a watch has them: enough to see that none is to be made and which are kept no longer. Before a Job is made,
//! they are read anew.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::batch::v1::Job;
use keda::naming::SCALED_JOB_LABEL;

use crate::key::Key;

/// The Jobs by ScaledJob and by their own name.
#[derive(Default)]
pub(crate) struct Jobs(Mutex<Index>);

#[derive(Default)]
struct Index {
    jobs: HashMap<Key, BTreeMap<String, Job>>,
    /// The ScaledJob of each Job, since a label may change.
    owners: HashMap<Key, Key>,
}

impl Jobs {
    /// Takes in a Job as it is now, or that it is gone.
    pub(crate) fn learn(&self, key: &Key, job: Option<&Job>) {
        let mut index = self.lock();
        if let Some(owner) = index.owners.remove(key)
            && let Some(jobs) = index.jobs.get_mut(&owner)
        {
            jobs.remove(&key.name);
            if jobs.is_empty() {
                index.jobs.remove(&owner);
            }
        }
        let Some(job) = job else { return };
        let Some(name) = job.metadata.labels.as_ref().and_then(|labels| labels.get(SCALED_JOB_LABEL)) else { return };
        let owner = Key::new(&key.namespace, name);
        index.owners.insert(key.clone(), owner.clone());
        index.jobs.entry(owner).or_default().insert(key.name.clone(), slim(job));
    }

    /// The Jobs of that ScaledJob.
    pub(crate) fn of(&self, owner: &Key) -> Vec<Job> {
        self.lock().jobs.get(owner).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        // The maps are consistent between any two of their operations, so a panic elsewhere does not spoil them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is gone by: its name, uid and state.
fn slim(job: &Job) -> Job {
    let mut slim = Job { status: job.status.clone(), ..Job::default() };
    slim.metadata.name.clone_from(&job.metadata.name);
    slim.metadata.uid.clone_from(&job.metadata.uid);
    slim.metadata.deletion_timestamp.clone_from(&job.metadata.deletion_timestamp);
    slim
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn job(name: &str, owner: &str) -> Job {
        let metadata = json!({ "name": name, "uid": "u", "labels": { SCALED_JOB_LABEL: owner } });
        serde_json::from_value(json!({ "metadata": metadata, "spec": { "template": {} } })).unwrap()
    }

    #[test]
    fn jobs_are_found_by_their_scaled_job_until_they_are_gone_or_anothers() {
        let (jobs, key) = (Jobs::default(), |name: &str| Key::new("shop", name));
        let names = |owner: &str| -> Vec<_> {
            jobs.of(&key(owner)).into_iter().map(|job| job.metadata.name.unwrap()).collect()
        };
        jobs.learn(&key("a-1"), Some(&job("a-1", "a")));
        jobs.learn(&key("a-2"), Some(&job("a-2", "a")));
        jobs.learn(&key("b-1"), Some(&job("b-1", "b")));
        assert_eq!(
            (names("a"), names("b"), jobs.of(&Key::new("other", "a")).len()),
            (vec!["a-1".to_owned(), "a-2".to_owned()], vec!["b-1".to_owned()], 0)
        );
        jobs.learn(&key("a-1"), Some(&job("a-1", "b")));
        assert_eq!((names("a"), names("b").len()), (vec!["a-2".to_owned()], 2));
        for name in ["a-1", "a-2", "b-1"] {
            jobs.learn(&key(name), None);
        }
        assert!(jobs.lock().jobs.is_empty() && jobs.lock().owners.is_empty());
    }
}
