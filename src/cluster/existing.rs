//! A cluster that was there before the stack: its contexts, the issuer of its tokens, and whether its pods reach an address.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStateTerminated, Namespace, Pod};
use kube::api::{Api, DeleteParams, LogParams, PostParams};
use kube::config::Kubeconfig;
use serde_json::{Value, json};

use crate::connection::{Cluster, Session};
use crate::error::Error;
use crate::redact::redact;
use crate::{LABEL_MANAGED_BY, LABEL_STACK, MANAGER, Result};

/// System time from a created pod to its verdict; an image may have to be pulled.
const PROBE_LIMIT: Duration = Duration::from_mins(3);
const PROBE_PAUSE: Duration = Duration::from_millis(500);
/// Where the probe's pod lives: the one namespace that every cluster has.
const PROBE_NAMESPACE: &str = "default";

/// The contexts of a kubeconfig.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contexts {
    /// All of them.
    pub names: Vec<String>,
    /// The one that is in force.
    pub current: Option<String>,
}

/// Reads the contexts of `file`, or of the usual search.
///
/// # Errors
///
/// [`Error::Kubeconfig`] if the file cannot be read or is no kubeconfig.
pub fn contexts(file: Option<&Path>) -> Result<Contexts> {
    let read = file.map_or_else(Kubeconfig::read, Kubeconfig::read_from);
    let kubeconfig = read.map_err(|error| Error::Kubeconfig {
        location: file.map(|file| format!(" {}", file.display())).unwrap_or_default(),
        cause: error.to_string(),
    })?;
    let names = kubeconfig.contexts.into_iter().map(|context| context.name).collect();
    Ok(Contexts { names, current: kubeconfig.current_context.filter(|name| !name.is_empty()) })
}

/// The issuer of the cluster's ServiceAccount tokens, from its OpenID discovery document.
///
/// # Errors
///
/// Those of [`Cluster::client`]. [`Error::Unreachable`] if no answer comes or the document names no issuer.
/// [`Error::Refused`] if the API server refuses.
pub async fn issuer(cluster: &Cluster) -> Result<String> {
    const ACTION: &str = "read its OpenID discovery document";
    let session = cluster.session().await?;
    let request = http::Request::get("/.well-known/openid-configuration").body(Vec::new());
    let request = request.map_err(|error| Error::Locate(error.to_string()))?;
    let answer = session.client.request::<Value>(request).await;
    let document = answer.map_err(|error| Error::from_kube(&session.server, ACTION, &error))?;
    document["issuer"].as_str().map(str::to_owned).ok_or_else(|| Error::Unreachable {
        server: session.server.clone(),
        action: ACTION.to_owned(),
        cause: "the document names no issuer".to_owned(),
    })
}

/// The API server's address, and its version such as `v1.35.4`.
///
/// # Errors
///
/// Those of [`Cluster::client`], [`Error::Unreachable`] if no answer comes, and [`Error::Refused`] if the API server
/// refuses.
pub async fn version(cluster: &Cluster) -> Result<(String, String)> {
    let session = cluster.session().await?;
    let answer = session.client.apiserver_version().await;
    let info = answer.map_err(|error| Error::from_kube(&session.server, "read its version", &error))?;
    Ok((session.server.clone(), info.git_version))
}

/// What distinguishes this cluster from every other, whatever contexts call it: the uid of its namespace `kube-system`. `None` where
/// the caller may not read that.
///
/// # Errors
///
/// Those of [`Cluster::client`], [`Error::Unreachable`] if no answer comes, and [`Error::Refused`] if the API server
/// refuses otherwise than by 403.
pub async fn uid(cluster: &Cluster) -> Result<Option<String>> {
    let session = cluster.session().await?;
    match Api::<Namespace>::all(session.client.clone()).get("kube-system").await {
        Ok(namespace) => Ok(namespace.metadata.uid),
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(None),
        Err(error) => Err(Error::from_kube(&session.server, "read the namespace kube-system", &error)),
    }
}

/// What a probe is about.
#[derive(Debug, Clone, Copy)]
pub struct Probe<'a> {
    /// The stack, for the pod's labels.
    pub stack: &'a str,
    /// Makes the pod's name unique.
    pub run: &'a str,
    /// The image that the stack's own pods will run.
    pub image: &'a str,
    /// Arguments that make the program try it: exit code 0 if it succeeds, the reason on stderr otherwise.
    pub arguments: &'a [String],
}

/// What a probe found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It ran, and what it tried went well.
    Good,
    /// The cluster cannot get the image, and why.
    NoImage(String),
    /// It ran and failed, or cannot run, and why.
    Bad(String),
}

/// Runs the probe as a pod and removes it again. `say` is given why the pod does not run yet, at each look.
///
/// # Errors
///
/// Those of [`Cluster::client`], [`Error::Unreachable`] if no answer comes, and [`Error::Refused`] if the API server
/// does not let the pod be made, watched or removed. A pod that does not run, or fails, is a [`Verdict`].
pub async fn probe(cluster: &Cluster, probe: &Probe<'_>, say: &(dyn Fn(&str) + Sync)) -> Result<Verdict> {
    let session = cluster.session().await?;
    let pods: Api<Pod> = Api::namespaced(session.client.clone(), PROBE_NAMESPACE);
    let name = format!("sluice-preflight-{}", probe.run);
    let to_error = |error: kube::Error| Error::from_kube(&session.server, "run the preflight pod", &error);
    let pod = serde_json::from_value(pod(&name, probe)).map_err(|error| Error::Locate(error.to_string()))?;
    pods.create(&PostParams::default(), &pod).await.map_err(to_error)?;
    let verdict = verdict(cluster, &session, &pods, &name, (probe.image, say)).await;
    let removal = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    pods.delete(&name, &removal).await.map_err(to_error)?;
    verdict
}

async fn verdict(
    cluster: &Cluster,
    session: &Session,
    pods: &Api<Pod>,
    name: &str,
    (image, say): (&str, &(dyn Fn(&str) + Sync)),
) -> Result<Verdict> {
    let to_error = |error: kube::Error| Error::from_kube(&session.server, "watch the preflight pod", &error);
    let begun = cluster.clock().moment();
    loop {
        let pod = pods.get(name).await.map_err(to_error)?;
        match state(&pod, image) {
            State::Ended(ContainerStateTerminated { exit_code: 0, .. }) => return Ok(Verdict::Good),
            State::Ended(ended) => {
                let log = pods.logs(name, &LogParams { tail_lines: Some(3), ..LogParams::default() }).await;
                let log = redact(log.unwrap_or_default().trim());
                let text = if log.is_empty() { format!("it ended with code {}", ended.exit_code) } else { log };
                return Ok(Verdict::Bad(text));
            }
            State::NoImage(why) => return Ok(Verdict::NoImage(why)),
            State::Waiting(last) if cluster.clock().elapsed(begun) > PROBE_LIMIT => {
                let text = format!("the preflight pod did not run within {} s: {last}", PROBE_LIMIT.as_secs());
                return Ok(Verdict::Bad(text));
            }
            State::Waiting(why) => {
                say(&why);
                cluster.clock().sleep(PROBE_PAUSE).await;
            }
        }
    }
}

enum State {
    Ended(ContainerStateTerminated),
    /// Waiting will not help.
    NoImage(String),
    Waiting(String),
}

fn state(pod: &Pod, image: &str) -> State {
    let status = pod.status.clone().unwrap_or_default();
    let container = status.container_statuses.into_iter().flatten().next();
    let state = container.and_then(|container| container.state).unwrap_or_default();
    if let Some(ended) = state.terminated {
        return State::Ended(ended);
    }
    let waiting = state.waiting.unwrap_or_default();
    let reason = waiting.reason.unwrap_or_default();
    if matches!(reason.as_str(), "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "InvalidImageName") {
        let message = waiting.message.unwrap_or_default();
        return State::NoImage(format!("the cluster cannot get the image {image} ({reason}: {message})"));
    }
    let unschedulable = status
        .conditions
        .into_iter()
        .flatten()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    let unschedulable = unschedulable.and_then(|condition| condition.message);
    State::Waiting(unschedulable.unwrap_or_else(|| if reason.is_empty() { "it is pending".to_owned() } else { reason }))
}

fn pod(name: &str, probe: &Probe<'_>) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "labels": { LABEL_MANAGED_BY: MANAGER, LABEL_STACK: probe.stack } },
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [{
                "name": "probe", "image": probe.image, "imagePullPolicy": "IfNotPresent", "args": probe.arguments,
                "resources": { "requests": { "cpu": "10m", "memory": "32Mi" }, "limits": { "memory": "128Mi" } },
                "securityContext": {
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] },
                },
            }],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(state: &Value) -> Pod {
        serde_json::from_value(json!({ "status": { "containerStatuses": [{
            "name": "probe", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state,
        }] } }))
        .unwrap()
    }

    #[test]
    fn an_image_that_cannot_be_had_is_not_waited_for() {
        let stuck = with(&json!({ "waiting": { "reason": "ErrImageNeverPull", "message": "not present" } }));
        assert!(matches!(state(&stuck, "sluice:1"), State::NoImage(why) if why.contains("sluice:1")));
        let creating = with(&json!({ "waiting": { "reason": "ContainerCreating" } }));
        assert!(matches!(state(&creating, "i"), State::Waiting(_)));
        let ended = with(&json!({ "terminated": { "exitCode": 1 } }));
        assert!(matches!(state(&ended, "i"), State::Ended(ended) if ended.exit_code == 1));
    }

    #[test]
    fn the_probe_meets_the_restricted_standard() {
        let pod = pod("p", &Probe { stack: "s", run: "r", image: "i", arguments: &[] });
        let container = &pod["spec"]["containers"][0]["securityContext"];
        assert_eq!(container["allowPrivilegeEscalation"], false);
        assert_eq!(pod["spec"]["securityContext"]["runAsNonRoot"], true);
    }

    #[test]
    fn contexts_are_read_with_the_current_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "b", "clusters": [], "users": [],
            "contexts": [{ "name": "a", "context": { "cluster": "a", "user": "a" } }, { "name": "b", "context": { "cluster": "b", "user": "b" } }],
        });
        std::fs::write(&path, text.to_string()).unwrap();
        let found = contexts(Some(&path)).unwrap();
        assert_eq!(found, Contexts { names: vec!["a".into(), "b".into()], current: Some("b".into()) });
        assert!(contexts(Some(&folder.path().join("none"))).is_err());
    }
}
