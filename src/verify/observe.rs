//! The observers: each a task with its own cadence that writes what it sees, failures included, and evaluates nothing.

mod denials;
mod jobs;
mod logs;
mod objects;
mod queue;
mod rollouts;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use tokio::task::JoinSet;

use crate::error::{Error, Result};
use crate::extract;
use crate::observation::{Observation, Source};
use crate::observe::objects::Owner;
use crate::recorder::Recorder;
use crate::settings::Settings;

/// What all observers of a run share.
#[derive(Clone)]
pub(crate) struct Observer {
    pub(crate) settings: Settings,
    pub(crate) recorder: Recorder,
    /// Nothing older is of interest.
    pub(crate) since: Option<Timestamp>,
}

impl Observer {
    fn api(&self, namespace: &str, group: &str, version: &str, kind: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(self.settings.client.clone(), namespace, &resource)
    }

    pub(crate) fn deployments(&self, namespace: &str) -> Api<DynamicObject> {
        self.api(namespace, "apps", "v1", "Deployment")
    }

    pub(crate) fn events(&self) -> Api<DynamicObject> {
        self.api(&self.settings.names.namespace, "", "v1", "Event")
    }

    pub(crate) fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.settings.client.clone(), namespace)
    }

    fn singles(&self) -> Vec<objects::Single> {
        let names = &self.settings.names;
        let namespace = names.namespace.as_str();
        let single = |source, kind: &'static str, group, version, name: &str, extract| objects::Single {
            source,
            kind,
            name: name.to_owned(),
            api: self.api(namespace, group, version, kind),
            extract,
        };
        if self.settings.jobs.is_some() {
            let name = &names.scaled_object;
            return vec![single(Source::ScaledJob, "ScaledJob", "keda.sh", "v1alpha1", name, extract::scaled_object)];
        }
        vec![
            single(Source::Deployment, "Deployment", "apps", "v1", &names.deployment, extract::deployment),
            single(Source::Hpa, "HorizontalPodAutoscaler", "autoscaling", "v2", &names.hpa, extract::hpa),
            single(
                Source::ScaledObject,
                "ScaledObject",
                "keda.sh",
                "v1alpha1",
                &names.scaled_object,
                extract::scaled_object,
            ),
        ]
    }

    fn groups(&self) -> [objects::Group; 2] {
        let names = &self.settings.names;
        let group = |source, log, namespace: &str, owner| objects::Group {
            source,
            log,
            namespace: namespace.to_owned(),
            owner,
        };
        let workload = match self.settings.jobs {
            Some(_) => Owner::ScaledJob(names.scaled_object.clone()),
            None => Owner::Deployment(names.deployment.clone()),
        };
        let operator = Owner::Deployment(names.operator_deployment.clone());
        [
            group(Source::Pods, Source::WorkerLog, &names.namespace, workload),
            group(Source::OperatorPods, Source::OperatorLog, &names.operator_namespace, operator),
        ]
    }
}

/// Whether the workload's Deployment or ScaledJob runs Sluice's own consumer: it may have been replaced by another one of its name.
pub(crate) async fn runs_the_sample(settings: &Settings) -> Result<bool> {
    let names = &settings.names;
    let (group, version, kind, name) = match settings.jobs {
        Some(_) => ("keda.sh", "v1alpha1", "ScaledJob", &names.scaled_object),
        None => ("apps", "v1", "Deployment", &names.deployment),
    };
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let api: Api<DynamicObject> = Api::namespaced_with(settings.client.clone(), &names.namespace, &resource);
    let object = api.get(name).await.map_err(|error| Error::Cluster {
        what: format!("{kind} {}/{name}", names.namespace),
        reason: words(&error),
    })?;
    Ok(extract::runs_the_sample(&object.data))
}

/// What the API server or the client says, in one line.
pub(crate) fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} ({}, {})", status.message, status.reason, status.code),
        other => other.to_string(),
    }
}

/// Starts all observers. Dropping or aborting the set ends them.
pub(crate) fn start(observer: &Observer) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    if let Some(url) = observer.settings.queue_url.clone() {
        tasks.spawn(queue::observe(observer.clone(), Source::Queue, url));
    }
    if let Some(url) = observer.settings.dead_letter_queue_url.clone() {
        tasks.spawn(queue::observe(observer.clone(), Source::DeadLetterQueue, url));
    }
    for single in observer.singles() {
        tasks.spawn(objects::observe_single(observer.clone(), single));
    }
    for group in observer.groups() {
        tasks.spawn(objects::observe_pods(observer.clone(), group.clone()));
        if matches!(group.owner, Owner::Deployment(_)) {
            tasks.spawn(rollouts::observe(observer.clone(), group.clone()));
        }
        tasks.spawn(logs::observe(observer.clone(), group));
    }
    if observer.settings.jobs.is_some() {
        tasks.spawn(jobs::observe(observer.clone()));
    }
    tasks.spawn(objects::observe_events(observer.clone()));
    if let Some(url) = observer.settings.denials.clone() {
        tasks.spawn(denials::observe(observer.clone(), url));
    }
    tasks
}

/// Names of the operator's pods.
pub(crate) async fn operator_pods(observer: &Observer) -> Result<Vec<String>, String> {
    let [_, operator] = observer.groups();
    let pods = objects::list_pods(observer, &operator).await?;
    Ok(pods.into_iter().filter_map(|pod| pod.metadata.name).collect())
}

/// Records what there is to see of the workload's pods, and of the operator's if they ail: at a step that failed.
pub(crate) async fn diagnose(observer: &Observer) {
    let [workload, operator] = observer.groups();
    for (group, only_ailing) in [(operator, true), (workload, false)] {
        if let Some(found) = rollouts::look(observer, &group, only_ailing).await {
            observer.recorder.record(group.source, Observation::Diagnosis(found));
        }
    }
}

/// Reads everything once, logs from their beginning: what `explain` can know without having watched.
pub(crate) async fn once(observer: &Observer) {
    let counted = async {
        if let Some(url) = &observer.settings.queue_url {
            queue::read(observer, Source::Queue, url).await;
        }
    };
    let singles = observer.singles();
    let objects = futures::future::join_all(singles.iter().map(|single| objects::read_single(observer, single)));
    let jobs = async {
        if observer.settings.jobs.is_some() {
            jobs::read(observer).await;
        }
    };
    let [workers, operators] = observer.groups();
    let logs = futures::future::join(logs::read_all(observer, &workers), logs::read_all(observer, &operators));
    let mut seen = std::collections::BTreeSet::new();
    let events = objects::read_events(observer, &mut seen);
    Box::pin(futures::future::join5(counted, objects, jobs, logs, events)).await;
}
