//! The Jobs of a ScaledJob: listed at every turn of the cadence, and watched so that short ones are seen as well.

use std::collections::BTreeMap;
use std::pin::pin;

use futures::StreamExt;
use kube::api::{DynamicObject, ListParams};
use kube::runtime::watcher::{Config, Event};
use kube::{Api, ResourceExt};

use crate::extract;
use crate::observation::{Job, Observation, Source};
use crate::observe::objects::{Wake, json, version, wakes};
use crate::observe::{Observer, words};

fn api(observer: &Observer) -> Api<DynamicObject> {
    observer.api(&observer.settings.names.namespace, "batch", "v1", "Job")
}

fn selector(observer: &Observer) -> String {
    format!("{}={}", cluster::generated::SCALED_JOB_LABEL, observer.settings.names.scaled_object)
}

fn what(observer: &Observer) -> String {
    format!("Jobs of ScaledJob/{}", observer.settings.names.scaled_object)
}

/// Reads and records all Jobs once: what there was, with the version of the list.
pub(super) async fn read(observer: &Observer) -> Option<(BTreeMap<String, Job>, u64)> {
    match api(observer).list(&ListParams::default().labels(&selector(observer))).await {
        Ok(list) => {
            let jobs: BTreeMap<_, _> =
                list.items.iter().map(|job| (job.name_any(), extract::job(&json(job)))).collect();
            record(observer, &jobs);
            let version = list.metadata.resource_version.as_ref().and_then(|version| version.parse().ok());
            Some((jobs, version.unwrap_or(0)))
        }
        Err(error) => {
            observer.recorder.failure(Source::Jobs, &what(observer), words(&error));
            None
        }
    }
}

fn record(observer: &Observer, jobs: &BTreeMap<String, Job>) {
    observer.recorder.record(Source::Jobs, Observation::Jobs { jobs: jobs.values().cloned().collect() });
}

/// Reads at every turn, and records each change that the watch shows between.
pub(super) async fn observe(observer: Observer) {
    let config = Config::default().labels(&selector(&observer));
    let mut wakes = pin!(wakes(&observer, api(&observer), config));
    let (mut jobs, mut newest) = (BTreeMap::new(), 0);
    // After a read that failed nothing is known until the next one.
    let mut is_known = false;
    while let Some(wake) = wakes.next().await {
        let Wake::Seen(event) = wake else {
            let found = read(&observer).await;
            is_known = found.is_some();
            (jobs, newest) = found.unwrap_or_default();
            continue;
        };
        let is_change = match *event {
            // The list has overtaken it.
            Event::Apply(job) | Event::Delete(job) if version(&job.metadata) <= newest => false,
            Event::Apply(job) => {
                let seen = extract::job(&json(&job));
                jobs.insert(job.name_any(), seen.clone()).as_ref() != Some(&seen)
            }
            Event::Delete(job) => jobs.remove(&job.name_any()).is_some(),
            _ => false,
        };
        if is_change && is_known {
            record(&observer, &jobs);
        }
    }
}
