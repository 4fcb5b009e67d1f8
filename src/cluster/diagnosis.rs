//! What there is to see of an object that did not become ready or did not go: its pods' reasons, its last Warning event,
//! the end of a log, and the command that shows more. A look that fails is said and holds nothing up.

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod, Service};
use kube::api::{Api, ListParams, LogParams};
use serde_json::Value;

use crate::address::{Name, text};
use crate::connection::Session;
use crate::generated::{self, SCALED_JOB_LABEL};
use crate::readiness;
use crate::redact::redact_lines;

/// Lines of a log that are shown.
const LOG_LINES: usize = 5;
/// Letters of a line that are shown.
const LINE_LETTERS: usize = 400;
/// Pods whose events and logs are shown; the others ail from the same.
const PODS: usize = 2;

/// What was found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// What was seen, one line each. Credentials are taken out.
    pub evidence: Vec<String>,
    /// The command that shows more.
    pub next: Option<String>,
    /// Whether a pod ails: it is not ready, or one of its containers was restarted.
    pub is_ailing: bool,
}

/// Whose logs are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logs {
    /// Those of pods that ail.
    Ailing,
    /// Where no pod ails, the log of one that does not.
    Any,
}

/// Looks at the object and what belongs to it.
pub(crate) async fn of(session: &Session, name: &Name, logs: Logs) -> Diagnosis {
    let live = match live(session, name).await {
        Ok(Some(live)) => live,
        Ok(None) => return Diagnosis::default(),
        Err(why) => return nothing(format!("nothing more can be seen: {why}")),
    };
    let namespace = pods_namespace(name, &live);
    let pods = match pods(session, name, &live).await {
        Ok(pods) => pods,
        Err(why) => return nothing(format!("its pods cannot be listed: {why}")),
    };
    let ailing: Vec<&Pod> = pods.iter().filter(|pod| !is_ready(pod) || has_restarted(pod)).collect();
    let mut evidence: Vec<String> = ailing.iter().filter_map(|pod| readiness::trouble(pod)).collect();
    evidence.sort();
    evidence.dedup();
    evidence.extend(warning(session, name, &namespace, &pods).await);
    let is_ailing = !ailing.is_empty();
    let shown = if is_ailing || logs == Logs::Ailing { ailing } else { pods.iter().collect() };
    let limit = if is_ailing { PODS } else { 1 };
    for pod in shown.iter().take(limit) {
        evidence.extend(log(session, &namespace, pod).await);
    }
    let next = Some(next(name, &namespace, shown.first().copied().filter(|_| is_ailing)));
    Diagnosis { evidence: redact_lines(&evidence), next, is_ailing }
}

fn nothing(why: String) -> Diagnosis {
    Diagnosis { evidence: redact_lines(&[why]), ..Diagnosis::default() }
}

async fn live(session: &Session, name: &Name) -> Result<Option<Value>, String> {
    let Some(api) = name.api(session).await.map_err(|error| error.to_string())? else { return Ok(None) };
    let found = api.get_opt(&name.name).await.map_err(|error| error.to_string())?;
    found.map(|found| serde_json::to_value(found).map_err(|error| error.to_string())).transpose()
}

/// Where the pods are that an object depends on.
fn pods_namespace(name: &Name, live: &Value) -> String {
    let served = text(live, "/spec/service/namespace").filter(|_| name.kind == "APIService");
    served.or(name.namespace.as_deref()).unwrap_or("default").to_owned()
}

async fn pods(session: &Session, name: &Name, live: &Value) -> Result<Vec<Pod>, String> {
    match name.kind.as_str() {
        "Deployment" => newest_pods(session, live).await.map_err(|error| error.to_string()),
        // What ended well does not ail.
        "ScaledJob" => {
            let api: Api<Pod> = Api::namespaced(session.client.clone(), &pods_namespace(name, live));
            let own = format!("{SCALED_JOB_LABEL}={}", name.name);
            let list = api.list(&ListParams::default().labels(&own)).await.map_err(|error| error.to_string())?;
            let has_succeeded =
                |pod: &Pod| pod.status.as_ref().is_some_and(|it| it.phase.as_deref() == Some("Succeeded"));
            Ok(list.items.into_iter().filter(|pod| !has_succeeded(pod)).collect())
        }
        // An API is served by the pods of its Service.
        "APIService" => {
            let namespace = pods_namespace(name, live);
            let Some(service) = text(live, "/spec/service/name") else { return Ok(Vec::new()) };
            let api: Api<Service> = Api::namespaced(session.client.clone(), &namespace);
            let found = api.get_opt(service).await.map_err(|error| error.to_string())?;
            let selector = found.and_then(|service| service.spec?.selector).unwrap_or_default();
            let selector: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let api: Api<Pod> = Api::namespaced(session.client.clone(), &namespace);
            let list = api.list(&ListParams::default().labels(&selector.join(","))).await;
            list.map(|list| list.items).map_err(|error| error.to_string())
        }
        _ => Ok(Vec::new()),
    }
}

/// The pods of the Deployment's newest ReplicaSet; those of earlier ones say nothing about what was applied last.
pub(crate) async fn newest_pods(session: &Session, deployment: &Value) -> kube::Result<Vec<Pod>> {
    let (Some(namespace), Some(uid)) = (text(deployment, "/metadata/namespace"), text(deployment, "/metadata/uid"))
    else {
        return Ok(Vec::new());
    };
    let sets: Api<ReplicaSet> = Api::namespaced(session.client.clone(), namespace);
    let sets = sets.list(&ListParams::default().labels(&readiness::selector(deployment))).await?;
    let ours = sets
        .items
        .into_iter()
        .filter(|set| set.metadata.owner_references.iter().flatten().any(|owner| owner.uid == uid));
    let revision = |set: &ReplicaSet| {
        let annotations = set.metadata.annotations.as_ref();
        let text = annotations.and_then(|all| all.get("deployment.kubernetes.io/revision"));
        text.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
    };
    let newest = ours.max_by_key(revision).and_then(|set| set.metadata.uid);
    let pods = readiness::pods_of(session, deployment).await?;
    let of_newest =
        |pod: &Pod| pod.metadata.owner_references.iter().flatten().any(|owner| Some(&owner.uid) == newest.as_ref());
    Ok(pods.into_iter().filter(of_newest).collect())
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn has_restarted(pod: &Pod) -> bool {
    readiness::statuses(pod).any(|status| status.restart_count > 0)
}

/// The last Warning about the object, what it made, or its pods.
async fn warning(session: &Session, name: &Name, namespace: &str, pods: &[Pod]) -> Option<String> {
    let events: Api<Event> = Api::namespaced(session.client.clone(), namespace);
    let all = match events.list(&ListParams::default()).await {
        Ok(all) => all.items,
        Err(error) => return Some(format!("the events of {namespace} cannot be read: {error}")),
    };
    let about = |event: &&Event| {
        let object = &event.involved_object;
        let named = object.name.as_deref().unwrap_or_default();
        let kind = object.kind.as_deref().unwrap_or_default();
        let is_own = kind == name.kind && named == name.name;
        let is_set = kind == "ReplicaSet" && generated::is_replica_set_of(&name.name, named);
        let is_pod = kind == "Pod" && pods.iter().any(|pod| pod.metadata.name.as_deref() == Some(named));
        event.type_.as_deref() == Some("Warning") && (is_own || is_set || is_pod)
    };
    let at = |event: &&Event| {
        let seen = event.last_timestamp.as_ref().map(|time| time.0);
        seen.or(event.event_time.as_ref().map(|time| time.0)).or(event
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|t| t.0))
    };
    let last = all.iter().filter(about).max_by_key(at)?;
    let object = &last.involved_object;
    Some(format!(
        "last Warning of {} {}: {}: {}",
        object.kind.as_deref().unwrap_or("object"),
        object.name.as_deref().unwrap_or_default(),
        last.reason.as_deref().unwrap_or("no reason"),
        last.message.as_deref().unwrap_or_default()
    ))
}

/// The end of the log of the container that fails. After a restart the one before it knows why.
async fn log(session: &Session, namespace: &str, pod: &Pod) -> Vec<String> {
    let Some(name) = pod.metadata.name.as_deref() else { return Vec::new() };
    let statuses = || readiness::statuses(pod).filter(|status| has_run(status));
    let failing = statuses().find(|status| !status.ready && !is_done(status));
    let failing = failing.or_else(|| statuses().find(|status| status.restart_count > 0));
    // The last container is the program's own; init containers come first.
    let Some(failing) = failing.or_else(|| statuses().last()) else { return Vec::new() };
    let api: Api<Pod> = Api::namespaced(session.client.clone(), namespace);
    let tail = i64::try_from(LOG_LINES).ok();
    let params = |previous| LogParams {
        container: Some(failing.name.clone()),
        tail_lines: tail,
        previous,
        ..LogParams::default()
    };
    let mut turns = vec![(false, "")];
    if failing.restart_count > 0 {
        turns.insert(0, (true, ", before its last restart"));
    }
    let mut lines = Vec::new();
    for (previous, when) in turns {
        // A log may have gone with its container.
        let Ok(log) = api.logs(name, &params(previous)).await else { continue };
        let log: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = &log[log.len().saturating_sub(LOG_LINES)..];
        if !last.is_empty() {
            lines.push(format!("log of {name} (container {}{when}):", failing.name));
            lines.extend(last.iter().map(|line| format!("  {}", line.chars().take(LINE_LETTERS).collect::<String>())));
            break;
        }
    }
    lines
}

/// An init container that has done its work.
fn is_done(status: &ContainerStatus) -> bool {
    let ended = status.state.as_ref().and_then(|state| state.terminated.as_ref());
    ended.is_some_and(|ended| ended.exit_code == 0)
}

fn has_run(status: &ContainerStatus) -> bool {
    let state = status.state.as_ref();
    status.restart_count > 0 || state.is_some_and(|state| state.terminated.is_some() || state.running.is_some())
}

fn next(name: &Name, namespace: &str, ailing: Option<&Pod>) -> String {
    let pod = ailing.and_then(|pod| pod.metadata.name.as_deref());
    match (pod, &name.namespace) {
        (Some(pod), _) => format!("look further with `kubectl -n {namespace} describe pod {pod}`"),
        (None, Some(namespace)) => {
            format!("look further with `kubectl -n {namespace} describe {} {}`", name.kind.to_lowercase(), name.name)
        }
        (None, None) => format!("look further with `kubectl describe {} {}`", name.kind.to_lowercase(), name.name),
    }
}
