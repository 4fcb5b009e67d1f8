//! The Jobs of ScaledJobs as a watch has them: enough to see that none is to be made and which are kept no longer. Before a Job is made,
//! they are read anew.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::batch::v1::Job;
use keda::naming::SCALED_JOB_LABEL;

use crate::key::Key;

/// The Jobs by ScaledJob and by their own name.
#[derive(Default)]
pub(crate) struct Jobs(Mutex<HashMap<Key, BTreeMap<String, Arc<Kept>>>>);

/// What is kept of a Job.
pub(crate) struct Kept {
    /// The name of its ScaledJob, which a label says.
    owner: Option<String>,
    /// What is gone by: its name, uid and state.
    job: Job,
}

impl Kept {
    pub(crate) fn of(job: Job) -> Self {
        let mut kept = Job { status: job.status, ..Job::default() };
        kept.metadata.name = job.metadata.name;
        kept.metadata.uid = job.metadata.uid;
        kept.metadata.deletion_timestamp = job.metadata.deletion_timestamp;
        let owner = job.metadata.labels.and_then(|mut labels| labels.remove(SCALED_JOB_LABEL));
        Self { owner, job: kept }
    }

    fn owner(&self, key: &Key) -> Option<Key> {
        self.owner.as_ref().map(|name| Key::new(&key.namespace, name))
    }
}

impl Jobs {
    /// Takes in a Job as it was and is now; nothing where it was not there, or is gone.
    pub(crate) fn learn(&self, key: &Key, before: Option<&Arc<Kept>>, now: Option<&Arc<Kept>>) {
        let mut all = self.lock();
        // A label may change, and with it the ScaledJob.
        if let Some(owner) = before.and_then(|before| before.owner(key))
            && let Some(jobs) = all.get_mut(&owner)
        {
            jobs.remove(&key.name);
            if jobs.is_empty() {
                all.remove(&owner);
            }
        }
        if let Some((owner, now)) = now.and_then(|now| Some((now.owner(key)?, now))) {
            all.entry(owner).or_default().insert(key.name.clone(), Arc::clone(now));
        }
    }

    /// The Jobs of that ScaledJob.
    pub(crate) fn of(&self, owner: &Key) -> Vec<Job> {
        self.lock().get(owner).into_iter().flat_map(BTreeMap::values).map(|kept| kept.job.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, BTreeMap<String, Arc<Kept>>>> {
        // The map is consistent between any two of its operations, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let kept = |name: &str, owner: &str| Arc::new(Kept::of(job(name, owner)));
        let (first, moved) = (kept("a-1", "a"), kept("a-1", "b"));
        jobs.learn(&key("a-1"), None, Some(&first));
        jobs.learn(&key("a-2"), None, Some(&kept("a-2", "a")));
        jobs.learn(&key("b-1"), None, Some(&kept("b-1", "b")));
        assert_eq!(
            (names("a"), names("b"), jobs.of(&Key::new("other", "a")).len()),
            (vec!["a-1".to_owned(), "a-2".to_owned()], vec!["b-1".to_owned()], 0)
        );
        jobs.learn(&key("a-1"), Some(&first), Some(&moved));
        assert_eq!((names("a"), names("b").len()), (vec!["a-2".to_owned()], 2));
        for (name, owner) in [("a-1", "b"), ("a-2", "a"), ("b-1", "b")] {
            jobs.learn(&key(name), Some(&kept(name, owner)), None);
        }
        assert!(jobs.lock().is_empty());
    }
}
