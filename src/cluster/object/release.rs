//! The last resort: objects that wait for an operator which does not run are let go of, and that is said.
//!
//! Only deleted objects of `keda.sh`, and of their finalizers only the operator's. What the operator would have cleaned up
//! goes by itself: an HPA belongs to its ScaledObject and is collected with it.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams, Preconditions};
use provision::Context;
use serde_json::json;

use crate::address::Name;
use crate::connection::Session;
use crate::error::Error;
use crate::kinds::{FINALIZER, KINDS, OPERATOR};
use crate::{LABEL_MANAGED_BY, LABEL_STACK, Result};

/// How long an object is left to an operator that is not there: it may be on its way back.
const DEAD_AFTER: Duration = Duration::from_secs(10);
/// How long it is left to one that runs; it needs a call or two.
const IDLE_AFTER: Duration = Duration::from_mins(2);

/// Why the operator's work is done for it.
pub(super) struct Patience(String);

/// Whether the operator had its time with what has been held for as long as `held`.
pub(super) async fn patience(session: &Session, held: Duration) -> Result<Option<Patience>> {
    if held < DEAD_AFTER {
        return Ok(None);
    }
    let runs = operator_runs(session).await?;
    Ok(match runs {
        true if held < IDLE_AFTER => None,
        true => Some(Patience(format!("the operator has not done it within {} s", IDLE_AFTER.as_secs()))),
        false => Some(Patience("no operator runs that would do it".to_owned())),
    })
}

/// Whether any operator of that name is available, whoever installed it.
async fn operator_runs(session: &Session) -> Result<bool> {
    let api: Api<Deployment> = Api::all(session.client.clone());
    let list = api.list(&ListParams::default().fields(&format!("metadata.name={OPERATOR}"))).await;
    let list = list.map_err(|error| Error::from_kube(&session.server, "look for the operator", &error))?;
    let is_available = |one: &Deployment| {
        let available = one.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0);
        one.metadata.deletion_timestamp.is_none() && available > 0
    };
    Ok(list.items.iter().any(is_available))
}

/// Takes the operator's finalizer off what keeps `name` from being deleted: itself, what is in the namespace, or what is of the
/// defined kind. Whether anything was let go of.
pub(super) async fn orphans(session: &Session, name: &Name, why: &Patience, context: &Context) -> Result<bool> {
    let mut any = false;
    for (api_version, kind) in KINDS.into_iter().filter(|(api_version, _)| api_version.starts_with("keda.sh/")) {
        let concerned = match name.kind.as_str() {
            "Namespace" => true,
            "CustomResourceDefinition" => name.name == format!("{}s.keda.sh", kind.to_lowercase()),
            own => own == kind,
        };
        if !concerned {
            continue;
        }
        let namespace = (name.kind == "Namespace").then(|| name.name.clone());
        let of_kind =
            Name { api_version: api_version.to_owned(), kind: kind.to_owned(), namespace, name: String::new() };
        any |= orphans_of(session, name, &of_kind, why, context).await?;
    }
    Ok(any)
}

/// Takes the operator's finalizer off objects that are not the stack's and stay: nobody would take it off when they are
/// deleted one day. Another operator keeps its objects.
pub(super) async fn what_stays(session: &Session, stack: &str, context: &Context) -> Result<()> {
    if operator_runs(session).await? {
        return Ok(());
    }
    let failed = |error: kube::Error| Error::from_kube(&session.server, "list what the operator holds", &error);
    for (api_version, kind) in KINDS.into_iter().filter(|(api_version, _)| api_version.starts_with("keda.sh/")) {
        let name = Name { api_version: api_version.into(), kind: kind.into(), namespace: None, name: String::new() };
        let Some(everywhere) = name.api_everywhere(session).await? else { continue };
        for object in everywhere.list(&ListParams::default()).await.map_err(failed)? {
            let metadata = &object.metadata;
            let is_held = metadata.finalizers.iter().flatten().any(|one| one == FINALIZER);
            let is_ours =
                metadata.labels.as_ref().and_then(|labels| labels.get(LABEL_STACK)).is_some_and(|own| own == stack);
            if !is_held || is_ours {
                continue;
            }
            let (namespace, own) = (metadata.namespace.clone(), metadata.name.clone().unwrap_or_default());
            let own = Name { namespace, name: own, ..name.clone() };
            let Some(api) = own.api(session).await? else { continue };
            if let_go(session, &api, &own, &object).await? {
                let text =
                    format!("took the finalizer {FINALIZER} off {}: it stays without an operator", own.for_people());
                context.progress.note(text);
            }
        }
    }
    Ok(())
}

/// Removes the Secrets that the operator has made in its namespace: certificates that nothing needs without it.
pub(super) async fn own_secrets(session: &Session, namespace: &str) -> Result<()> {
    let api: Api<Secret> = Api::namespaced(session.client.clone(), namespace);
    let made = ListParams::default().labels(&format!("{LABEL_MANAGED_BY}={OPERATOR}"));
    match api.delete_collection(&DeleteParams::default(), &made).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(Error::from_kube(&session.server, "remove the operator's certificates", &error)),
    }
}

/// Removes the stack's API services whose backend is in a namespace that is being deleted: nobody serves them any more, and the
/// namespace does not end before every API is served or gone. Whether there were any.
pub(super) async fn api_services(session: &Session, namespace: &str, stack: &str, context: &Context) -> Result<bool> {
    let name = Name {
        api_version: "apiregistration.k8s.io/v1".to_owned(),
        kind: "APIService".to_owned(),
        namespace: None,
        name: String::new(),
    };
    let Some(api) = name.api_everywhere(session).await? else { return Ok(false) };
    let failed = |error: kube::Error| Error::from_kube(&session.server, "remove what nobody serves any more", &error);
    let own = ListParams::default().labels(&format!("{LABEL_STACK}={stack}"));
    let mut any = false;
    for object in api.list(&own).await.map_err(failed)? {
        if object.data["spec"]["service"]["namespace"] != namespace || object.metadata.deletion_timestamp.is_some() {
            continue;
        }
        let own = Name { name: object.metadata.name.clone().unwrap_or_default(), ..name.clone() };
        // As it was read: another step may give it another backend at this moment.
        let ObjectMeta { uid, resource_version, .. } = object.metadata;
        let as_read = DeleteParams::default().preconditions(Preconditions { uid, resource_version });
        match api.delete(&own.name, &as_read).await {
            Ok(_) => {
                any = true;
                let text = format!("removed {}: what serves it is in this namespace", own.for_people());
                context.progress.note(text);
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(any)
}

async fn orphans_of(session: &Session, name: &Name, of_kind: &Name, why: &Patience, context: &Context) -> Result<bool> {
    let failed = |error: kube::Error| Error::from_kube(&session.server, "list what the operator holds", &error);
    let everywhere = match &of_kind.namespace {
        Some(_) => of_kind.api(session).await?,
        None => of_kind.api_everywhere(session).await?,
    };
    let Some(everywhere) = everywhere else { return Ok(false) };
    let mut any = false;
    for object in everywhere.list(&ListParams::default()).await.map_err(failed)? {
        let metadata = &object.metadata;
        let is_it = name.kind != of_kind.kind
            || (metadata.name.as_ref() == Some(&name.name) && metadata.namespace == name.namespace);
        let finalizers = metadata.finalizers.as_deref().unwrap_or_default();
        if !is_it || metadata.deletion_timestamp.is_none() || !finalizers.iter().any(|one| one == FINALIZER) {
            continue;
        }
        let own = Name {
            namespace: metadata.namespace.clone(),
            name: object.metadata.name.clone().unwrap_or_default(),
            ..of_kind.clone()
        };
        let Some(api) = own.api(session).await? else { continue };
        if let_go(session, &api, &own, &object).await? {
            any = true;
            context.progress.note(format!("took the finalizer {FINALIZER} off {}: {}", own.for_people(), why.0));
        }
    }
    Ok(any)
}

/// Whether it was let go of; it may have changed or gone since it was read.
async fn let_go(session: &Session, api: &Api<DynamicObject>, name: &Name, object: &DynamicObject) -> Result<bool> {
    let left: Vec<&String> =
        object.metadata.finalizers.iter().flatten().filter(|finalizer| *finalizer != FINALIZER).collect();
    let patch = json!({ "metadata": { "resourceVersion": object.metadata.resource_version, "finalizers": left } });
    match api.patch(&name.name, &PatchParams::default(), &Patch::Merge(&patch)).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(false),
        Err(error) => {
            let action = format!("take the finalizer off {}", name.for_people());
            Err(Error::from_kube(&session.server, &action, &error))
        }
    }
}
