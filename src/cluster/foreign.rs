//! What is not the stack's and would go with an object of the stack's: with a namespace everything in it, with a
//! definition all its instances, wherever they are.
//!
//! Every kind that can be listed and deleted is looked for, by discovery. The stack's own is what carries its labels, and
//! what follows from that by owner references. What controllers make by themselves is nobody's. A kind that cannot be
//! listed counts as held: nobody knows what is there.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIResource, OwnerReference};
use kube::api::{Api, DynamicObject, ListParams, ObjectMeta, PartialObjectMeta};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use provision::Address;

use crate::connection::{Cluster, Session};
use crate::error::Error;
use crate::kinds::OPERATOR;
use crate::{LABEL_MANAGED_BY, LABEL_STACK, MANAGER, Result};

/// Requests that are under way at the same time.
const AT_ONCE: usize = 8;
/// Items of one page of a list.
const PAGE: u32 = 500;

/// What goes with others when it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Container {
    Namespace(String),
    /// `scaledobjects.keda.sh`, in its two parts.
    Definition {
        plural: String,
        group: String,
    },
}

impl Container {
    fn of(address: &Address) -> Option<Self> {
        match address.kind() {
            "kubernetes_namespace" => Some(Self::Namespace(address.name().to_owned())),
            "kubernetes_custom_resource_definition" => {
                let (plural, group) = address.name().split_once('.')?;
                Some(Self::Definition { plural: plural.to_owned(), group: group.to_owned() })
            }
            _ => None,
        }
    }

    /// Whether objects of the kind can be in it.
    fn holds(&self, kind: &Kind) -> bool {
        match self {
            Self::Namespace(_) => kind.is_namespaced,
            Self::Definition { plural, group } => kind.resource.plural == *plural && kind.resource.group == *group,
        }
    }
}

/// Whether the resource may hold what is not the stack's.
pub fn may_hold(address: &Address) -> bool {
    Container::of(address).is_some()
}

/// What each of the `containers` holds that is not the stack's, such as `ConfigMap myproject/notes`; those that hold nothing
/// are left out. A cluster that does not exist holds nothing.
///
/// # Errors
///
/// [`Error::Locate`] or [`Error::Kubeconfig`] if there is no way into the cluster. [`Error::Unreachable`] if no answer
/// comes. [`Error::Refused`] if the API server does not list its API groups. What a single list does not show, for whatever
/// reason, counts as held; where no list shows anything, the reason of the first is the error.
pub async fn held(cluster: &Cluster, stack: &str, containers: &[Address]) -> Result<BTreeMap<Address, Vec<String>>> {
    let containers: Vec<(&Address, Container)> =
        containers.iter().filter_map(|address| Some((address, Container::of(address)?))).collect();
    if containers.is_empty() {
        return Ok(BTreeMap::new());
    }
    let Some(session) = cluster.find().await? else { return Ok(BTreeMap::new()) };
    let (kinds, unknown) = kinds(&session).await?;
    let looks: Vec<_> = containers
        .iter()
        .flat_map(|pair| kinds.iter().filter(|kind| pair.1.holds(kind)).map(move |kind| (pair, kind)))
        .map(|((address, container), kind)| {
            let look = list(&session, kind, container);
            let look: BoxFuture<'_, Look> = async move {
                Look { address: (*address).clone(), kind: kind.resource.kind.clone(), found: look.await }
            }
            .boxed();
            look
        })
        .collect();
    let mut seen = by_container(stream::iter(looks).buffered(AT_ONCE).collect().await)?;
    let mut held = BTreeMap::new();
    for (address, container) in &containers {
        // Owners live in the namespace of what they own, or in none.
        let is_listed = |owner: &OwnerReference| {
            let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
            matches!(container, Container::Namespace(_))
                && kinds
                    .iter()
                    .any(|kind| kind.is_namespaced && kind.resource.group == group && kind.resource.kind == owner.kind)
        };
        let mut foreign = foreign(&seen.remove(address).unwrap_or_default(), stack, &is_listed);
        if matches!(container, Container::Namespace(_)) {
            foreign.extend(unknown.iter().cloned());
        }
        if !foreign.is_empty() {
            held.insert((*address).clone(), foreign);
        }
    }
    Ok(held)
}

/// A list of one kind in one container, and what came of it.
struct Look {
    address: Address,
    kind: String,
    found: Result<Vec<Seen>>,
}

/// What was seen in each container. One list that fails hides its own kind alone.
fn by_container(looks: Vec<Look>) -> Result<BTreeMap<Address, Vec<Seen>>> {
    let (failed, shown): (Vec<Look>, Vec<Look>) = looks.into_iter().partition(|look| look.found.is_err());
    // A list that was refused by right is an answer; the others say that there is no way into the cluster any more.
    let answered = !shown.is_empty()
        || failed.iter().any(|look| matches!(&look.found, Err(Error::Refused { code: 403 | 405, .. })));
    let mut seen: BTreeMap<Address, Vec<Seen>> = BTreeMap::new();
    for Look { address, kind, found } in shown.into_iter().chain(failed) {
        let found = match found {
            Ok(found) => found,
            Err(error) if !answered => return Err(error),
            Err(Error::Refused { message, .. }) => {
                vec![Seen::Unknown(format!("whatever is of kind {kind}: {message}"))]
            }
            Err(error) => vec![Seen::Unknown(format!("whatever is of kind {kind}: {error}"))],
        };
        seen.entry(address).or_default().extend(found);
    }
    Ok(seen)
}

/// A kind that can be listed and deleted.
struct Kind {
    resource: ApiResource,
    is_namespaced: bool,
}

/// Something that a list has shown.
enum Seen {
    Object {
        group: String,
        kind: String,
        metadata: Box<ObjectMeta>,
    },
    /// Objects of a kind that could not be listed, and why.
    Unknown(String),
}

/// All kinds, each in the version that its group prefers, and the groups that could not be looked into.
async fn kinds(session: &Session) -> Result<(Vec<Kind>, Vec<String>)> {
    let client = &session.client;
    let failed = |error: kube::Error| Error::from_kube(&session.server, "list its API groups", &error);
    let groups = client.list_api_groups().await.map_err(failed)?;
    let versions = groups.groups.iter().filter_map(|group| {
        let preferred = group.preferred_version.as_ref().or(group.versions.first())?;
        Some(preferred.group_version.clone())
    });
    let looks: Vec<BoxFuture<'_, _>> = std::iter::once("v1".to_owned())
        .chain(versions)
        .map(|version| {
            let look = async move {
                let listed = match version.as_str() {
                    "v1" => client.list_core_api_resources("v1").await,
                    version => client.list_api_group_resources(version).await,
                };
                (version, listed)
            };
            look.boxed()
        })
        .collect();
    let (mut kinds, mut unknown) = (Vec::new(), Vec::new());
    for (version, listed) in stream::iter(looks).buffered(AT_ONCE).collect::<Vec<_>>().await {
        // The metrics of an autoscaler are answers, not objects; whoever serves them may be away.
        if version.starts_with("external.metrics.k8s.io/") {
            continue;
        }
        match listed {
            Ok(list) => kinds.extend(deletable(&version, list.resources)),
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => {
                let why = Error::from_kube(&session.server, &format!("look into {version}"), &error);
                unknown.push(format!("whatever is of {version}, which cannot be looked into: {why}"));
            }
        }
    }
    Ok((kinds, unknown))
}

fn deletable(version: &str, resources: Vec<APIResource>) -> impl Iterator<Item = Kind> {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let (group, version) = (group.to_owned(), version.to_owned());
    let can = |resource: &APIResource, verb: &str| resource.verbs.iter().any(|one| one == verb);
    let usable =
        resources.into_iter().filter(move |one| !one.name.contains('/') && can(one, "list") && can(one, "delete"));
    usable.map(move |one| {
        let kind = GroupVersionKind::gvk(&group, &version, &one.kind);
        Kind { resource: ApiResource::from_gvk_with_plural(&kind, &one.name), is_namespaced: one.namespaced }
    })
}

async fn list(session: &Session, kind: &Kind, container: &Container) -> Result<Vec<Seen>> {
    let client = session.client.clone();
    let api: Api<DynamicObject> = match container {
        Container::Namespace(namespace) => Api::namespaced_with(client, namespace, &kind.resource),
        Container::Definition { .. } => Api::all_with(client, &kind.resource),
    };
    let (mut seen, mut params) = (Vec::new(), ListParams::default().limit(PAGE));
    loop {
        let page = match api.list_metadata(&params).await {
            Ok(page) => page,
            // The kind is gone, and all that was of it.
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(seen),
            // The list begins anew.
            Err(kube::Error::Api(status)) if status.code == 410 && params.continue_token.is_some() => {
                (seen, params) = (Vec::new(), ListParams::default());
                continue;
            }
            Err(error) => {
                let action = format!("list objects of kind {}", kind.resource.kind);
                return Err(Error::from_kube(&session.server, &action, &error));
            }
        };
        seen.extend(page.items.into_iter().map(|item: PartialObjectMeta<DynamicObject>| Seen::Object {
            group: kind.resource.group.clone(),
            kind: kind.resource.kind.clone(),
            metadata: Box::new(item.metadata),
        }));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(seen),
        }
    }
}

/// Of everything that a container holds, what is neither the stack's nor a controller's, named for people. Of what belongs
/// together by owner references, only the first owner is named. What has lost an owner that `is_listed` would show is on its
/// way to the garbage.
fn foreign(seen: &[Seen], stack: &str, is_listed: &dyn Fn(&OwnerReference) -> bool) -> Vec<String> {
    let objects = || {
        seen.iter().filter_map(|seen| match seen {
            Seen::Object { group, kind, metadata } => Some((group.as_str(), kind.as_str(), &**metadata)),
            Seen::Unknown(_) => None,
        })
    };
    let present: BTreeSet<&str> = objects().filter_map(|(.., metadata)| metadata.uid.as_deref()).collect();
    let services: BTreeSet<&str> =
        objects().filter(|(_, kind, _)| *kind == "Service").filter_map(|(.., m)| m.name.as_deref()).collect();
    let is_owned = |metadata: &ObjectMeta| {
        let mut owners = metadata.owner_references.iter().flatten();
        owners.any(|owner| present.contains(owner.uid.as_str()) || is_listed(owner))
    };
    let mut named: Vec<String> = objects()
        .filter(|(group, kind, metadata)| {
            !is_ours(metadata, stack) && !is_owned(metadata) && !is_automatic(group, kind, metadata, &services)
        })
        // Whose deletion was asked for goes by itself.
        .filter(|(.., metadata)| metadata.deletion_timestamp.is_none())
        .map(|(_, kind, metadata)| for_people(kind, metadata))
        .collect();
    named.extend(seen.iter().filter_map(|seen| match seen {
        Seen::Unknown(text) => Some(text.clone()),
        Seen::Object { .. } => None,
    }));
    // Some kinds are served by two groups.
    named.sort();
    named.dedup();
    named
}

fn label<'a>(metadata: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    metadata.labels.as_ref()?.get(name).map(String::as_str)
}

fn is_ours(metadata: &ObjectMeta, stack: &str) -> bool {
    label(metadata, LABEL_MANAGED_BY) == Some(MANAGER) && label(metadata, LABEL_STACK) == Some(stack)
}

fn for_people(kind: &str, metadata: &ObjectMeta) -> String {
    let namespace = metadata.namespace.as_ref().map_or_else(String::new, |namespace| format!("{namespace}/"));
    let name = metadata.name.as_deref().unwrap_or_default();
    let owner = label(metadata, LABEL_STACK).map_or_else(String::new, |stack| format!(" (of the stack {stack:?})"));
    format!("{kind} {namespace}{name}{owner}")
}

/// ConfigMaps that a controller puts into every namespace: Kubernetes', OpenShift's and Istio's certificates.
const AUTOMATIC_CONFIG_MAPS: [&str; 3] = ["kube-root-ca.crt", "openshift-service-ca.crt", "istio-ca-root-cert"];
/// What says which controller an EndpointSlice is of.
const SLICES_MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// What says whose token a Secret holds.
const TOKEN_OF: &str = "kubernetes.io/service-account.name";

/// Whether a controller, or our operator, made it by itself and would make it again: nothing of a person's is lost with it.
fn is_automatic(group: &str, kind: &str, metadata: &ObjectMeta, services: &BTreeSet<&str>) -> bool {
    let name = metadata.name.as_deref().unwrap_or_default();
    let annotation = |name: &str| metadata.annotations.as_ref()?.get(name).map(String::as_str);
    match (group, kind) {
        ("" | "events.k8s.io", "Event") | ("coordination.k8s.io", "Lease") => true,
        ("", "ServiceAccount") => name == "default",
        ("", "ConfigMap") => AUTOMATIC_CONFIG_MAPS.contains(&name),
        ("", "Endpoints") => services.contains(name),
        ("discovery.k8s.io", "EndpointSlice") => {
            label(metadata, SLICES_MANAGED_BY).is_some_and(|by| by.ends_with("controller.k8s.io"))
        }
        ("", "Secret") => {
            annotation(TOKEN_OF) == Some("default") || label(metadata, LABEL_MANAGED_BY) == Some(OPERATOR)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use kube::core::ObjectMeta;
    use serde_json::{Value, json};

    use super::*;

    fn seen(group: &str, kind: &str, name: &str, more: Value) -> Seen {
        let mut metadata = json!({ "name": name, "namespace": "shop", "uid": format!("{kind}-{name}") });
        let Value::Object(more) = more else { panic!("{more} is no object") };
        metadata.as_object_mut().unwrap().extend(more);
        let metadata: ObjectMeta = serde_json::from_value(metadata).unwrap();
        Seen::Object { group: group.to_owned(), kind: kind.to_owned(), metadata: Box::new(metadata) }
    }

    fn refused(code: u16) -> Error {
        let (action, message, reason) = ("list".to_owned(), format!("no {code}"), String::new());
        Error::Refused { action, message, reason, code, next_step: "" }
    }

    fn unreachable() -> Error {
        let (server, action, cause) = ("https://c".to_owned(), "list".to_owned(), "reset".to_owned());
        Error::Unreachable { server, action, cause }
    }

    #[test]
    fn a_list_that_fails_for_whatever_reason_hides_its_own_kind_alone() {
        let address = Address::new("kubernetes_namespace", "shop");
        let look = |kind: &str, found| Look { address: address.clone(), kind: kind.to_owned(), found };
        let pod = || look("Pod", Ok(vec![seen("", "Pod", "one", json!({}))]));
        for error in [refused(401), refused(403), refused(405), refused(409), refused(429), refused(503), unreachable()]
        {
            let why = error.to_string();
            let found = by_container(vec![look("Secret", Err(error)), pod()]).unwrap();
            let named = foreign(&found[&address], "shop", &|_| false);
            assert_eq!(named.len(), 2, "{why}: {named:?}");
            assert!(named.iter().any(|name| name.starts_with("whatever is of kind Secret: ")), "{why}: {named:?}");
            assert!(named.contains(&"Pod shop/one".to_owned()), "{why}: {named:?}");
        }
    }

    #[test]
    fn where_no_list_shows_anything_nothing_is_known() {
        let address = Address::new("kubernetes_namespace", "shop");
        let look = |found| Look { address: address.clone(), kind: "Pod".to_owned(), found };
        for error in [|| refused(401), || refused(429), unreachable] {
            let looks = vec![look(Err(error())), look(Err(error()))];
            assert!(by_container(looks).is_err(), "{}", error());
        }
        // Who may list nothing at all sees it, kind by kind.
        assert!(by_container(vec![look(Err(refused(403)))]).is_ok());
        assert!(by_container(Vec::new()).is_ok());
    }

    fn owned_by(kind: &str, name: &str) -> Value {
        json!({ "ownerReferences": [{ "apiVersion": "v1", "kind": kind, "name": name, "uid": format!("{kind}-{name}") }] })
    }

    #[test]
    fn what_controllers_and_the_stack_make_is_nobodys() {
        let ours = json!({ "labels": { LABEL_MANAGED_BY: MANAGER, LABEL_STACK: "shop" } });
        let slice = json!({ "labels": { SLICES_MANAGED_BY: "endpointslice-controller.k8s.io" } });
        let all = [
            seen("", "ServiceAccount", "default", json!({})),
            seen("", "ConfigMap", "kube-root-ca.crt", json!({})),
            seen("", "Event", "e", json!({})),
            seen("events.k8s.io", "Event", "e", json!({})),
            seen("coordination.k8s.io", "Lease", "leader", json!({})),
            seen("apps", "Deployment", "orders", ours.clone()),
            seen("apps", "ReplicaSet", "orders-1", owned_by("Deployment", "orders")),
            seen("", "Pod", "orders-1-a", owned_by("ReplicaSet", "orders-1")),
            seen("", "Service", "orders", ours),
            seen("", "Endpoints", "orders", json!({})),
            seen("discovery.k8s.io", "EndpointSlice", "orders-x", slice),
            seen("", "Secret", "kedaorg-certs", json!({ "labels": { LABEL_MANAGED_BY: OPERATOR } })),
            seen("", "Secret", "default-token-x", json!({ "annotations": { TOKEN_OF: "default" } })),
            seen("", "Pod", "ending", json!({ "deletionTimestamp": "2026-01-01T00:00:00Z" })),
        ];
        assert_eq!(foreign(&all, "shop", &|_| false), Vec::<String>::new());
        // Its owner has just gone.
        let lost = [seen("apps", "ReplicaSet", "orders-1", owned_by("Deployment", "orders"))];
        assert_eq!(foreign(&lost, "shop", &|owner| owner.kind == "Deployment"), Vec::<String>::new());
    }

    #[test]
    fn everything_else_is_somebodys_and_is_named_by_its_first_owner() {
        let other = json!({ "labels": { LABEL_MANAGED_BY: MANAGER, LABEL_STACK: "mail" } });
        let all = [
            seen("", "ServiceAccount", "mine", json!({})),
            seen("", "ConfigMap", "notes", json!({})),
            seen("", "Endpoints", "without-service", json!({})),
            seen("discovery.k8s.io", "EndpointSlice", "by-hand", json!({})),
            seen("apps", "StatefulSet", "db", json!({})),
            seen("", "Pod", "db-0", owned_by("StatefulSet", "db")),
            seen("", "PersistentVolumeClaim", "data-db-0", json!({})),
            seen("", "Pod", "mirror", owned_by("Node", "elsewhere")),
            seen("keda.sh", "ScaledObject", "theirs", json!({ "labels": { LABEL_MANAGED_BY: "Helm" } })),
            seen("example.com", "Event", "concert", json!({})),
            seen("", "Secret", "of-another", other),
            Seen::Unknown("whatever is of kind Widget: no".to_owned()),
        ];
        let expected = [
            "ConfigMap shop/notes",
            "EndpointSlice shop/by-hand",
            "Endpoints shop/without-service",
            "Event shop/concert",
            "PersistentVolumeClaim shop/data-db-0",
            "Pod shop/mirror",
            "ScaledObject shop/theirs",
            "Secret shop/of-another (of the stack \"mail\")",
            "ServiceAccount shop/mine",
            "StatefulSet shop/db",
            "whatever is of kind Widget: no",
        ];
        assert_eq!(foreign(&all, "shop", &|_| false), expected);
    }

    #[test]
    fn namespaces_and_definitions_hold_others() {
        let held = |text: &str| may_hold(&text.parse().unwrap());
        assert!(
            held("kubernetes_namespace.shop") && held("kubernetes_custom_resource_definition.scaledobjects.keda.sh")
        );
        assert!(!held("kubernetes_deployment.shop/orders") && !held("aws_sqs_queue.orders"));
    }
}
