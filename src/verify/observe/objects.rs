//! Kubernetes objects: read at every turn of the cadence, and watched so that short states are seen as well.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use futures::{Stream, StreamExt, stream};
use kube::api::{DynamicObject, ListParams, ObjectMeta};
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use serde_json::Value;

use crate::extract;
use crate::observation::{Observation, Pod, Source};
use crate::observe::{Observer, words};

/// One object by name.
pub(crate) struct Single {
    pub(crate) source: Source,
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) api: Api<DynamicObject>,
    pub(crate) extract: fn(&Value) -> Observation,
}

impl Single {
    fn what(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }
}

/// What pods follow from.
#[derive(Clone)]
pub(crate) enum Owner {
    /// A Deployment, which says what its pods are labelled with.
    Deployment(String),
    /// A ScaledJob, by whose name all pods of its Jobs are labelled.
    ScaledJob(String),
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Deployment(name) => write!(f, "Deployment/{name}"),
            Self::ScaledJob(name) => write!(f, "ScaledJob/{name}"),
        }
    }
}

/// The pods of one owner.
#[derive(Clone)]
pub(crate) struct Group {
    pub(crate) source: Source,
    pub(crate) log: Source,
    pub(crate) namespace: String,
    pub(crate) owner: Owner,
}

/// What wakes an observer: its turn, or a watch event.
pub(super) enum Wake {
    Turn,
    Seen(Box<Event<DynamicObject>>),
}

/// The whole object as JSON.
pub(super) fn json(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

/// Turns of the cadence and events of a watch. A failing watch is retried silently: the reads record the failure.
pub(super) fn wakes(observer: &Observer, api: Api<DynamicObject>, config: Config) -> impl Stream<Item = Wake> + Send {
    let clock = observer.settings.clock.clone();
    let cadence = observer.settings.cadence();
    let turns = stream::unfold(true, move |is_first| {
        let clock = clock.clone();
        async move {
            if !is_first {
                clock.sleep(cadence).await;
            }
            Some((Wake::Turn, false))
        }
    });
    let events = watcher(api, config)
        .default_backoff()
        .filter_map(|event| async { event.ok().map(|event| Wake::Seen(Box::new(event))) });
    stream::select(turns, events)
}

pub(crate) async fn observe_single(observer: Observer, single: Single) {
    let config = Config::default().fields(&format!("metadata.name={}", single.name));
    let mut wakes = pin!(wakes(&observer, single.api.clone(), config));
    let (mut last, mut newest) = (None, 0);
    while let Some(wake) = wakes.next().await {
        let Wake::Seen(event) = wake else {
            let (observation, version) = read_single(&observer, &single).await;
            (last, newest) = (Some(observation), newest.max(version));
            continue;
        };
        let (observation, version) = match *event {
            Event::Apply(object) | Event::InitApply(object) if object.name_any() == single.name => {
                ((single.extract)(&json(&object)), version(&object.metadata))
            }
            Event::Delete(object) if object.name_any() == single.name => {
                (Observation::Absent { what: single.what() }, version(&object.metadata))
            }
            _ => continue,
        };
        // A read may have overtaken it, and the past is no observation of now.
        if version < newest {
            continue;
        }
        newest = version;
        // Reads count as agreeing samples, so a watch adds only what is new.
        if last.as_ref() != Some(&observation) {
            observer.recorder.record(single.source, observation.clone());
            last = Some(observation);
        }
    }
}

/// Reads and records the object once. The version is 0 where there was none to read.
pub(crate) async fn read_single(observer: &Observer, single: &Single) -> (Observation, u64) {
    let (observation, version) = match single.api.get_opt(&single.name).await {
        Ok(Some(object)) => ((single.extract)(&json(&object)), version(&object.metadata)),
        Ok(None) => (Observation::Absent { what: single.what() }, 0),
        Err(error) => (Observation::Failure { what: single.what(), error: words(&error) }, 0),
    };
    observer.recorder.record(single.source, observation.clone());
    (observation, version)
}

/// The resource version as a number; those of one kind can be compared (Kubernetes KEP-5504). 0 if it is none.
pub(super) fn version(metadata: &ObjectMeta) -> u64 {
    metadata.resource_version.as_ref().and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// The selector for the owner's pods; waits until a Deployment can be read.
pub(crate) async fn selector(observer: &Observer, group: &Group) -> String {
    loop {
        match try_selector(observer, group).await {
            Ok(selector) => return selector,
            Err(error) => {
                observer.recorder.failure(group.source, &format!("pods of {}", group.owner), error);
            }
        }
        observer.settings.clock.sleep(observer.settings.cadence()).await;
    }
}

/// The selector for the owner's pods, or why there is none.
pub(crate) async fn try_selector(observer: &Observer, group: &Group) -> Result<String, String> {
    let name = match &group.owner {
        Owner::Deployment(name) => name,
        Owner::ScaledJob(name) => return Ok(format!("{}={name}", cluster::generated::SCALED_JOB_LABEL)),
    };
    let object = observer.deployments(&group.namespace).get(name).await.map_err(|error| words(&error))?;
    extract::selector(&json(&object)).ok_or_else(|| "the Deployment has no matchLabels".to_owned())
}

/// The pods of the owner, or why they cannot be listed.
pub(crate) async fn list_pods(
    observer: &Observer,
    group: &Group,
) -> Result<Vec<k8s_openapi::api::core::v1::Pod>, String> {
    let selector = try_selector(observer, group).await?;
    let listed = observer.pods(&group.namespace).list(&ListParams::default().labels(&selector)).await;
    listed.map(|pods| pods.items).map_err(|error| words(&error))
}

pub(crate) async fn observe_pods(observer: Observer, group: Group) {
    let selector = selector(&observer, &group).await;
    let api = observer.api(&group.namespace, "", "v1", "Pod");
    let mut wakes = pin!(wakes(&observer, api.clone(), Config::default().labels(&selector)));
    let mut pods: BTreeMap<String, Pod> = BTreeMap::new();
    let (mut last, mut newest) = (None, 0);
    while let Some(wake) = wakes.next().await {
        let is_turn = matches!(wake, Wake::Turn);
        match wake {
            Wake::Turn => match api.list(&ListParams::default().labels(&selector)).await {
                Ok(answer) => {
                    let listed = answer.metadata.resource_version.as_ref();
                    newest = listed.and_then(|version| version.parse().ok()).unwrap_or(0);
                    pods = answer.items.iter().map(|pod| (pod.name_any(), extract::pod(&json(pod)))).collect();
                }
                Err(error) => {
                    observer.recorder.failure(group.source, &format!("pods of {}", group.owner), words(&error));
                    continue;
                }
            },
            Wake::Seen(event) => match *event {
                // The list has overtaken it.
                Event::Apply(pod) | Event::Delete(pod) if version(&pod.metadata) <= newest => continue,
                Event::Apply(pod) => {
                    pods.insert(pod.name_any(), extract::pod(&json(&pod)));
                }
                Event::Delete(pod) => {
                    pods.remove(&pod.name_any());
                }
                _ => continue,
            },
        }
        let observation = Observation::Pods { pods: pods.values().cloned().collect() };
        if is_turn || last.as_ref() != Some(&observation) {
            observer.recorder.record(group.source, observation.clone());
            last = Some(observation);
        }
    }
}

pub(crate) async fn observe_events(observer: Observer) {
    let mut seen = BTreeSet::new();
    loop {
        read_events(&observer, &mut seen).await;
        observer.settings.clock.sleep(observer.settings.cadence() * 2).await;
    }
}

/// Records the Events that are not in `seen`, which then has them.
pub(crate) async fn read_events(observer: &Observer, seen: &mut BTreeSet<(String, String)>) {
    let list = match observer.events().list(&ListParams::default()).await {
        Ok(list) => list,
        Err(error) => return observer.recorder.failure(Source::Events, "Events", words(&error)),
    };
    for event in list.items {
        let key = (event.uid().unwrap_or_default(), event.resource_version().unwrap_or_default());
        let value = json(&event);
        let time = extract::event_time(&value);
        // Event times are whole seconds, so one that seems just too old may not be.
        let is_old = observer.since.zip(time).is_some_and(|(since, time)| time.as_second() < since.as_second());
        let observation = Observation::Event(extract::event(&value));
        if seen.insert(key) && !is_old && !observer.settings.is_of_another(&observation) {
            match (observer.since, time) {
                // Looking back, its own time is all there is; live, the moment of seeing it is finer.
                (None, Some(time)) => observer.recorder.record_at(time, Source::Events, observation),
                _ => observer.recorder.record(Source::Events, observation),
            }
        }
    }
}
