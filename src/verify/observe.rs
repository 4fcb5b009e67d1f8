//! The observers: each a task with its own cadence that writes what it sees, failures included, and evaluates nothing.

mod denials;
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

    fn singles(&self) -> [objects::Single; 3] {
        let names = &self.settings.names;
        let namespace = names.namespace.as_str();
        let single = |source, kind: &'static str, group, version, name: &str, extract| objects::Single {
            source,
            kind,
            name: name.to_owned(),
            api: self.api(namespace, group, version, kind),
            extract,
        };
        [
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
        let group = |source, log, namespace: &str, deployment: &str| objects::Group {
            source,
            log,
            namespace: namespace.to_owned(),
            deployment: deployment.to_owned(),
        };
        [
            group(Source::Pods, Source::WorkerLog, &names.namespace, &names.deployment),
            group(Source::OperatorPods, Source::OperatorLog, &names.operator_namespace, &names.operator_deployment),
        ]
    }
}

/// Whether the workload's Deployment runs Sluice's own consumer: it may have been replaced by another one of its name.
pub(crate) async fn runs_the_sample(settings: &Settings) -> Result<bool> {
    let names = &settings.names;
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "Deployment"));
    let api: Api<DynamicObject> = Api::namespaced_with(settings.client.clone(), &names.namespace, &resource);
    let read = api.get(&names.deployment).await;
    let deployment = read.map_err(|error| Error::Cluster {
        what: format!("Deployment {}/{}", names.namespace, names.deployment),
        reason: words(&error),
    })?;
    Ok(extract::runs_the_sample(&deployment.data))
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
    tasks.spawn(queue::observe(observer.clone(), Source::Queue, observer.settings.queue_url.clone()));
    if let Some(url) = observer.settings.dead_letter_queue_url.clone() {
        tasks.spawn(queue::observe(observer.clone(), Source::DeadLetterQueue, url));
    }
    for single in observer.singles() {
        tasks.spawn(objects::observe_single(observer.clone(), single));
    }
    for group in observer.groups() {
        tasks.spawn(objects::observe_pods(observer.clone(), group.clone()));
        tasks.spawn(rollouts::observe(observer.clone(), group.clone()));
        tasks.spawn(logs::observe(observer.clone(), group));
    }
    tasks.spawn(objects::observe_events(observer.clone()));
    if let Some(url) = observer.settings.denials.clone() {
        tasks.spawn(denials::observe(observer.clone(), url));
    }
    tasks
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
    let counted = queue::read(observer, Source::Queue, &observer.settings.queue_url);
    let [deployment, hpa, scaled_object] = observer.singles();
    let objects = futures::future::join3(
        objects::read_single(observer, &deployment),
        objects::read_single(observer, &hpa),
        objects::read_single(observer, &scaled_object),
    );
    let [workers, operators] = observer.groups();
    let logs = futures::future::join(logs::read_all(observer, &workers), logs::read_all(observer, &operators));
    let mut seen = std::collections::BTreeSet::new();
    let events = objects::read_events(observer, &mut seen);
    Box::pin(futures::future::join4(counted, objects, logs, events)).await;
}
