//! Looking at what runs: small typed views for verification and live display.
//!
//! A look that fails is an error, an object that does not exist is `None`; neither is ever a zero.

mod logs;
mod scaled_job;
mod scaled_object;
mod service_account;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1;
use k8s_openapi::api::autoscaling::v2;
use k8s_openapi::api::core::v1::{Event as KubeEvent, Namespace, Pod as KubePod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, ListParams};
use serde::Serialize;
use serde_json::Value;

pub use logs::{LogOptions, follow};
pub use scaled_job::{Jobs, ScaledJob, scaled_jobs};
pub use scaled_object::{ScaledObject, scaled_object, scaled_objects};
pub use service_account::service_account_role;

use crate::connection::{Cluster, Session};
use crate::error::Error;
use crate::{Result, ending, readiness};

/// A Deployment's counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deployment {
    /// Replicas asked for.
    pub desired: i32,
    /// Pods that exist.
    pub current: i32,
    /// Pods that are ready.
    pub ready: i32,
    /// Pods that are available.
    pub available: i32,
    /// The selector of its pods, as a label query.
    pub selector: String,
    /// Why pods of it do not run, each with its name; nothing is looked for while all are ready.
    pub waiting: Vec<String>,
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pod {
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// Phase, such as `Running`.
    pub phase: String,
    /// Whether it counts as ready.
    pub ready: bool,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Container restarts.
    pub restarts: i32,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Why it does not run, if it does not.
    pub waiting: Option<String>,
}

/// A condition of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// Type.
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Reason.
    pub reason: String,
    /// Message.
    pub message: String,
}

/// A HorizontalPodAutoscaler.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hpa {
    /// Least replicas.
    pub min: i32,
    /// Most replicas.
    pub max: i32,
    /// Replicas that it last saw; `None` before its first sync.
    pub current: Option<i32>,
    /// Replicas that it wants.
    pub desired: i32,
    /// Last value of each metric, in JSON as the API has it.
    pub metrics: Value,
    /// Conditions.
    pub conditions: Vec<Condition>,
}

/// An Event about an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Last seen.
    pub at: Option<Timestamp>,
    /// `Normal` or `Warning`.
    pub kind: String,
    /// Reason.
    pub reason: String,
    /// Message.
    pub message: String,
    /// `Kind/name` of the object.
    pub object: String,
    /// How often.
    pub count: i32,
    /// Component that reported it.
    pub source: String,
}

/// The Deployment, or `None` if it does not exist.
///
/// # Errors
///
/// Those of [`Cluster::client`], [`Error::Unreachable`] if no answer comes, and [`Error::Refused`] if the API server
/// refuses.
pub async fn deployment(cluster: &Cluster, namespace: &str, name: &str) -> Result<Option<Deployment>> {
    let session = cluster.session().await?;
    let api: Api<v1::Deployment> = Api::namespaced(session.client.clone(), namespace);
    let found = api.get_opt(name).await.map_err(failed(&session, "read Deployment", namespace, name))?;
    let Some(found) = found else { return Ok(None) };
    let status = found.status.unwrap_or_default();
    let spec = found.spec.unwrap_or_default();
    let labels = spec.selector.match_labels.unwrap_or_default();
    let selector = labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
    let (desired, ready) = (spec.replicas.unwrap_or(1), status.ready_replicas.unwrap_or(0));
    let mut waiting = Vec::new();
    if ready < desired {
        waiting.extend(pods(cluster, namespace, &selector).await?.into_iter().filter_map(|pod| pod.waiting));
        waiting.sort();
        waiting.dedup();
    }
    Ok(Some(Deployment {
        desired,
        current: status.replicas.unwrap_or(0),
        ready,
        available: status.available_replicas.unwrap_or(0),
        selector,
        waiting,
    }))
}

/// A namespace that is being deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndingNamespace {
    /// Its name.
    pub name: String,
    /// Why it is still there, in the words of its conditions.
    pub why: String,
}

/// Those of the namespaces that are being deleted.
///
/// # Errors
/// A namespace cannot be read; one that does not exist is none of them.
pub async fn ending_namespaces(cluster: &Cluster, names: &[&str]) -> Result<Vec<EndingNamespace>> {
    let session = cluster.session().await?;
    let api: Api<Namespace> = Api::all(session.client.clone());
    let mut found_ending = Vec::new();
    for name in names {
        let found = api.get_opt(name).await.map_err(failed(&session, "read Namespace", "", name))?;
        let Some(found) = found.filter(|found| found.metadata.deletion_timestamp.is_some()) else { continue };
        let mut live = serde_json::to_value(found).unwrap_or_default();
        live["kind"] = "Namespace".into();
        found_ending.push(EndingNamespace { name: (*name).to_owned(), why: ending::ending(&live) });
    }
    Ok(found_ending)
}

/// The pods of a label query.
///
/// # Errors
///
/// Those of [`Cluster::client`], [`Error::Unreachable`] if no answer comes, and [`Error::Refused`] if the API server
/// refuses.
pub async fn pods(cluster: &Cluster, namespace: &str, selector: &str) -> Result<Vec<Pod>> {
    let session = cluster.session().await?;
    let api: Api<KubePod> = Api::namespaced(session.client.clone(), namespace);
    let params = ListParams::default().labels(selector);
    let list = api.list(&params).await.map_err(failed(&session, "list pods", namespace, selector))?;
    Ok(list.items.iter().map(pod).collect())
}

fn pod(pod: &KubePod) -> Pod {
    let status = pod.status.clone().unwrap_or_default();
    let ready = status.conditions.iter().flatten().any(|c| c.type_ == "Ready" && c.status == "True");
    Pod {
        name: pod.metadata.name.clone().unwrap_or_default(),
        uid: pod.metadata.uid.clone().unwrap_or_default(),
        phase: status.phase.unwrap_or_default(),
        ready,
        terminating: pod.metadata.deletion_timestamp.is_some(),
        restarts: status.container_statuses.iter().flatten().map(|container| container.restart_count).sum(),
        created_at: pod.metadata.creation_timestamp.as_ref().map(|time| time.0),
        waiting: readiness::waiting_reason(pod),
    }
}

/// The HPA, or `None` if it does not exist.
///
/// # Errors
///
/// Those of [`Cluster::client`], [`Error::Unreachable`] if no answer comes, and [`Error::Refused`] if the API server
/// refuses.
pub async fn hpa(cluster: &Cluster, namespace: &str, name: &str) -> Result<Option<Hpa>> {
    let session = cluster.session().await?;
    let api: Api<v2::HorizontalPodAutoscaler> = Api::namespaced(session.client.clone(), namespace);
    let found = api.get_opt(name).await.map_err(failed(&session, "read HorizontalPodAutoscaler", namespace, name))?;
    Ok(found.map(|found| {
        let (spec, status) = (found.spec.unwrap_or_default(), found.status.unwrap_or_default());
        let condition = |c: v2::HorizontalPodAutoscalerCondition| Condition {
            kind: c.type_,
            status: c.status,
            reason: c.reason.unwrap_or_default(),
            message: c.message.unwrap_or_default(),
        };
        Hpa {
            min: spec.min_replicas.unwrap_or(1),
            max: spec.max_replicas,
            current: status.current_replicas,
            desired: status.desired_replicas,
            metrics: serde_json::to_value(status.current_metrics).unwrap_or(Value::Null),
            conditions: status.conditions.into_iter().flatten().map(condition).collect(),
        }
    }))
}

/// The Events of a namespace, oldest first.
///
/// # Errors
///
/// Those of [`Cluster::client`], [`Error::Unreachable`] if no answer comes, and [`Error::Refused`] if the API server
/// refuses.
pub async fn events(cluster: &Cluster, namespace: &str) -> Result<Vec<Event>> {
    let session = cluster.session().await?;
    let api: Api<KubeEvent> = Api::namespaced(session.client.clone(), namespace);
    let list = api.list(&ListParams::default()).await.map_err(failed(&session, "list Events", namespace, ""))?;
    let mut events: Vec<Event> = list.items.into_iter().map(event).collect();
    events.sort_by_key(|event| event.at);
    Ok(events)
}

fn event(event: KubeEvent) -> Event {
    let when = |time: &Time| time.0;
    let at = event.last_timestamp.as_ref().map(when).or_else(|| event.event_time.as_ref().map(|time| time.0));
    let object = event.involved_object;
    let component = event.source.and_then(|source| source.component).or(event.reporting_component);
    Event {
        at: at.or_else(|| event.metadata.creation_timestamp.as_ref().map(when)),
        kind: event.type_.unwrap_or_default(),
        reason: event.reason.unwrap_or_default(),
        message: event.message.unwrap_or_default(),
        object: format!("{}/{}", object.kind.unwrap_or_default(), object.name.unwrap_or_default()),
        count: event.count.unwrap_or(1),
        source: component.unwrap_or_default(),
    }
}

/// The answer of any path of the API server, as text; `kubectl get --raw`.
///
/// # Errors
///
/// Those of [`Cluster::client`]. [`Error::Unreachable`] if no answer comes or `path` is no URI. [`Error::Refused`] if
/// the API server refuses.
pub async fn raw(cluster: &Cluster, path: &str) -> Result<String> {
    let session = cluster.session().await?;
    let action = format!("get {path}");
    let failed = |error: &kube::Error| Error::from_kube(&session.server, &action, error);
    let request = http::Request::get(path).body(Vec::new());
    let request = request.map_err(|error| failed(&kube::Error::HttpError(error)))?;
    session.client.request_text(request).await.map_err(|error| failed(&error))
}

fn failed(session: &Session, what: &str, namespace: &str, name: &str) -> impl FnOnce(kube::Error) -> Error {
    let (server, action) = (session.server.clone(), format!("{what} {namespace}/{name}"));
    move |error| Error::from_kube(&server, &action, &error)
}
