//! What a request is about, as every Kubernetes API server sees it (k8s.io/apiserver, `pkg/endpoints/request/requestinfo.go`).

use std::fmt;

use http::Method;
use k8s_openapi::api::authorization::v1::{NonResourceAttributes, ResourceAttributes};

use super::route::GROUP;

/// What is asked for, as a review sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Wanted {
    /// A path that names no resource.
    Path { path: String, verb: String },
    /// A resource; empty texts for what the path does not name.
    Resource(Resource),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Resource {
    pub(super) verb: String,
    pub(super) group: String,
    pub(super) version: String,
    pub(super) namespace: String,
    pub(super) plural: String,
    pub(super) subresource: String,
    pub(super) name: String,
}

impl Wanted {
    /// Reads a request's method, path and query.
    pub(super) fn of(method: &Method, path: &str, query: &str) -> Self {
        resource(method, path, query).map_or_else(
            || Self::Path { path: path.to_owned(), verb: method.as_str().to_ascii_lowercase() },
            Self::Resource,
        )
    }

    /// The same of every metric in every namespace; `None` if this is not about one metric.
    pub(super) fn of_all_metrics(&self) -> Option<Self> {
        let Self::Resource(it) = self else { return None };
        let is_metric = it.group == GROUP && !it.namespace.is_empty() && it.subresource.is_empty();
        let all = || Resource { namespace: String::new(), plural: "*".to_owned(), name: String::new(), ..it.clone() };
        is_metric.then(|| Self::Resource(all()))
    }

    pub(super) fn resource_attributes(&self) -> Option<ResourceAttributes> {
        let Self::Resource(it) = self else { return None };
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        Some(ResourceAttributes {
            group: some(&it.group),
            version: some(&it.version),
            resource: some(&it.plural),
            subresource: some(&it.subresource),
            namespace: some(&it.namespace),
            name: some(&it.name),
            verb: some(&it.verb),
            ..ResourceAttributes::default()
        })
    }

    pub(super) fn path_attributes(&self) -> Option<NonResourceAttributes> {
        let Self::Path { path, verb } = self else { return None };
        Some(NonResourceAttributes { path: Some(path.clone()), verb: Some(verb.clone()) })
    }
}

/// What somebody cannot do, in the words of a refusal.
impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path { path, verb } => write!(f, "{verb} path {path:?}"),
            Self::Resource(Resource { verb, group, namespace, plural, subresource, .. }) => {
                let slash = if subresource.is_empty() { "" } else { "/" };
                write!(f, "{verb} resource \"{plural}{slash}{subresource}\" in API group {group:?} ")?;
                match namespace.as_str() {
                    "" => f.write_str("at the cluster scope"),
                    namespace => write!(f, "in the namespace {namespace:?}"),
                }
            }
        }
    }
}

fn resource(method: &Method, path: &str, query: &str) -> Option<Resource> {
    let parts: Vec<String> = path.trim_matches('/').split('/').map(decoded).collect();
    let (group, mut rest) = match parts.first().map(String::as_str) {
        Some("api") if parts.len() >= 3 => (String::new(), &parts[1..]),
        Some("apis") if parts.len() >= 4 => (parts[1].clone(), &parts[2..]),
        _ => return None,
    };
    let mut found = Resource { group, version: rest[0].clone(), ..Resource::default() };
    rest = &rest[1..];
    found.verb = match method.as_str() {
        _ if matches!(rest[0].as_str(), "watch" | "proxy") && rest.len() > 1 => {
            rest = &rest[1..];
            parts[parts.len() - rest.len() - 1].clone()
        }
        "POST" => "create".to_owned(),
        "GET" | "HEAD" => "get".to_owned(),
        "PUT" => "update".to_owned(),
        "PATCH" => "patch".to_owned(),
        "DELETE" => "delete".to_owned(),
        _ => String::new(),
    };
    if rest[0] == "namespaces" && rest.len() > 1 {
        found.namespace.clone_from(&rest[1]);
        if rest.len() > 2 && !matches!(rest[2].as_str(), "status" | "finalize") {
            rest = &rest[2..];
        }
    }
    let part = |index: usize| rest.get(index).cloned().unwrap_or_default();
    (found.plural, found.name, found.subresource) = (part(0), part(1), part(2));
    match (found.verb.as_str(), found.name.is_empty()) {
        ("get", true) => if is_watch(query) { "watch" } else { "list" }.clone_into(&mut found.verb),
        ("delete", true) => "deletecollection".clone_into(&mut found.verb),
        _ => {}
    }
    Some(found)
}

/// Whether the query asks for a watch.
pub(super) fn is_watch(query: &str) -> bool {
    let watch = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "watch");
    watch.is_some_and(|(_, value)| !matches!(value.as_ref(), "false" | "0"))
}

/// A segment without its percent signs.
pub(super) fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(method: &Method, path: &str) -> String {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Wanted::of(method, path, query).to_string()
    }

    #[test]
    fn a_request_is_what_kubernetes_takes_it_for() {
        let version = "/apis/external.metrics.k8s.io/v1beta1";
        let list = "list resource \"m\" in API group \"external.metrics.k8s.io\" in the namespace \"n\"";
        assert_eq!(said(&Method::GET, &format!("{version}/namespaces/n/m")), list);
        assert_eq!(said(&Method::HEAD, &format!("{version}/namespaces/n/m/")), list);
        for (method, path, verb) in [
            (Method::GET, "namespaces/n/m?watch=1", "watch resource \"m\""),
            (Method::GET, "watch/namespaces/n/m", "watch resource \"m\""),
            (Method::GET, "namespaces/n/m/x", "get resource \"m\""),
            (Method::GET, "namespaces/n/m/x/y", "get resource \"m/y\""),
            (Method::DELETE, "namespaces/n/m", "deletecollection resource \"m\""),
            (Method::GET, "namespaces/n", "get resource \"namespaces\""),
        ] {
            let said = said(&method, &format!("{version}/{path}"));
            assert!(said.starts_with(verb), "{path}: {said}");
        }
        assert_eq!(said(&Method::GET, version), format!("get path {version:?}"));
        assert_eq!(said(&Method::OPTIONS, "/"), "options path \"/\"");
        let one = "list resource \"m\" in API group \"external.metrics.k8s.io\" at the cluster scope";
        assert_eq!(said(&Method::GET, &format!("{version}/m")), one);
    }
}
