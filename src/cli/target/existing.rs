//! A cluster that the user brings: named by a context, found to be usable before anything is made.

use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};

use aws::preflight::{Check, Finding};
use clock::Clock;
use cluster::existing::{self, Contexts, Verdict};
use cluster::{Cluster, Connection};

use super::Target;
use crate::arguments::TargetName;
use crate::diagnostic::{Diagnostic, Outcome, preflight};
use crate::env;
use crate::settings::Settings;
use crate::view::View;
use crate::waiting::{self, Reason};

/// A cluster that was there before the stack and stays after it.
#[derive(Debug, Clone)]
pub(crate) struct ExistingCluster {
    pub(crate) context: String,
    pub(crate) cluster: Cluster,
    /// The issuer of its ServiceAccount tokens.
    pub(crate) issuer: String,
    /// What distinguishes it from every other cluster.
    pub(crate) uid: Option<String>,
}

/// Whether the stack lands in a cluster of the user's.
pub(crate) fn is_wanted(settings: &Settings) -> bool {
    settings.stack.kubernetes.context.is_some() || settings.target == TargetName::Localstack
}

/// The context to use. Only one that was chosen on purpose: named, or in force in a kubeconfig that `KUBECONFIG` names.
fn required(settings: &Settings) -> Outcome<String> {
    let kubernetes = &settings.stack.kubernetes;
    let file = kubernetes.kubeconfig.as_deref().map(Path::new);
    let refused = |text: String, help: String| preflight(Diagnostic::error(text).help(help));
    let Contexts { names, current } = existing::contexts(file).map_err(preflight)?;
    let listed = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    match &kubernetes.context {
        Some(context) if names.contains(context) => Ok(context.clone()),
        Some(context) => Err(refused(
            format!("the kubeconfig has no context {context:?}"),
            format!("name one with --context; there are: {listed}"),
        )),
        None => current.filter(|_| file.is_some() || env::has_kubeconfig()).ok_or_else(|| {
            refused(
                "no cluster is named, and the current context of your kubeconfig is not taken unasked".to_owned(),
                format!("name a context with --context, or a kubeconfig with KUBECONFIG; there are: {listed}"),
            )
        }),
    }
}

/// The cluster that the settings name, if they name one. Asked before anything is started: without it nothing is.
pub(super) async fn found(settings: &Settings) -> Outcome<Option<ExistingCluster>> {
    if !is_wanted(settings) {
        return Ok(None);
    }
    if env::is_credential_plugin() {
        // Its context may ask this very program for credentials, which would call itself without end.
        let text = "a Kubernetes client has called this for credentials, so it cannot ask a cluster in turn";
        return Err(preflight(Diagnostic::error(text).help("let the kubeconfig call `sluice token`")));
    }
    let context = required(settings)?;
    let kubeconfig = settings.stack.kubernetes.kubeconfig.as_ref().map(PathBuf::from);
    let connection = Connection::Kubeconfig { file: kubeconfig, context: Some(context.clone()) };
    let cluster = Cluster::new(connection, Clock::real());
    let issuer = existing::issuer(&cluster).await.map_err(preflight)?;
    let uid = existing::uid(&cluster).await.map_err(preflight)?;
    Ok(Some(ExistingCluster { context, cluster, issuer, uid }))
}

/// The target with that cluster instead of one on EKS.
pub(super) fn added(mut target: Target, settings: &Settings, existing: Option<ExistingCluster>) -> Target {
    let Some(existing) = existing else { return target };
    if target.skipped.is_empty() {
        let context = &existing.context;
        target.skipped.push(format!("EKS cluster, Fargate profile, addon: the cluster is your own, context {context}"));
    }
    target.limits.push("that an EKS cluster would be made right: the cluster was there already".to_owned());
    target.existing = Some(existing);
    let named = settings.stack.kubernetes.endpoint_for_pods.clone();
    target.endpoint_for_pods = named.or_else(|| target.endpoint_for_pods.map(|endpoint| as_pods_see(&endpoint)));
    target
}

/// Whether the context's user may do what a stack needs. A look that fails says so: nothing else could be done there either.
pub(crate) async fn missing_rights(target: &Target, manifests: &[stack::Manifest]) -> Vec<Finding> {
    let Some(existing) = &target.existing else { return Vec::new() };
    let context = &existing.context;
    let repair = "use a context whose user may administer the cluster";
    let objects: Vec<_> = manifests.iter().map(|manifest| manifest.object.clone()).collect();
    match cluster::preflight::missing_rights(&existing.cluster, &objects).await {
        Ok(missing) if missing.is_empty() => {
            vec![Finding::fine(Check::Cluster, format!("the user of context {context} may administer the cluster"))]
        }
        Ok(missing) => {
            let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
            let text = format!("the user of context {context} may not: {}", missing.join(", "));
            vec![Finding::problem(Check::Cluster, text, repair)]
        }
        Err(error) => vec![Finding::problem(Check::Cluster, error.to_string(), repair)],
    }
}

/// What can be known to fail in an existing cluster, found before anything is made: the way to AWS is an error, and why the
/// cluster cannot get the image is reported.
pub(crate) async fn check_pods(settings: &Settings, target: &Target, view: &View) -> Outcome<Option<String>> {
    let (Some(existing), Some(endpoint)) = (&target.existing, &target.endpoint_for_pods) else { return Ok(None) };
    let image = &settings.stack.operator.image;
    let run = uuid::Uuid::new_v4().simple().to_string();
    let probe = existing::Probe {
        stack: &settings.stack.name,
        run: &run[..8],
        image,
        arguments: &["reach".to_owned(), endpoint.clone()],
    };
    let reason = Reason::default();
    let say = |why: &str| reason.give(why);
    let what = format!("Waiting for the preflight pod in context {}", existing.context);
    let probing = Box::pin(existing::probe(&existing.cluster, &probe, &say));
    match waiting::with_reason(view, &what, &reason, probing).await.map_err(preflight)? {
        Verdict::Good => Ok(None),
        Verdict::NoImage(why) => Ok(Some(why)),
        Verdict::Bad(why) => {
            let text = format!("pods of context {} do not reach AWS at {endpoint}: {why}", existing.context);
            let help = "name the endpoint as pods see it with --endpoint-for-pods";
            Err(preflight(Diagnostic::error(text).help(help)))
        }
    }
}

/// An endpoint on this machine's loopback under an address that pods can reach; others as they are.
///
/// Right where nodes are this machine or containers on it; Docker Desktop and kind on it need --endpoint-for-pods
/// `http://host.docker.internal:PORT`.
fn as_pods_see(endpoint: &str) -> String {
    let loopback = ["//127.0.0.1", "//localhost"].into_iter().find(|host| endpoint.contains(host));
    match (loopback, own_address()) {
        (Some(host), Some(address)) => endpoint.replacen(host, &format!("//{address}"), 1),
        _ => endpoint.to_owned(),
    }
}

/// This machine's address on its way out. Nothing is sent: connecting a datagram socket only chooses a route.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    // 192.0.2.0/24 is for documentation (RFC 5737): nobody is there.
    socket.connect(("192.0.2.1", 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}
