//! Which groups, versions and resources there are: the plain documents and the aggregated one.

use std::sync::LazyLock;

use http::{HeaderMap, header};
use serde_json::{Value, json};

use super::accept::Agreed;
use super::page::Page;
use super::route::{GROUP, VERSION};

/// One resource stands for all metrics, whose names are no resources of their own.
const RESOURCE: &str = "externalmetrics";
const KIND: &str = "ExternalMetricValueList";

/// The paths that the index lists.
const PATHS: [&str; 10] = [
    "/apis",
    "/apis/external.metrics.k8s.io",
    "/apis/external.metrics.k8s.io/v1beta1",
    "/healthz",
    "/livez",
    "/openapi/v2",
    "/openapi/v3",
    "/openapi/v3/",
    "/readyz",
    "/version",
];

/// `/apis` in its plain form.
pub(super) static GROUPS: LazyLock<Value> = LazyLock::new(|| {
    // Without addresses by client network, which nobody but the aggregator's own server needs to know.
    json!({ "kind": "APIGroupList", "groups": [group()] })
});

/// `/apis/GROUP`.
pub(super) static ONE_GROUP: LazyLock<Value> = LazyLock::new(|| {
    let mut group = group();
    group["kind"] = "APIGroup".into();
    group["apiVersion"] = "v1".into();
    group
});

/// `/apis/GROUP/VERSION`.
pub(super) static RESOURCES: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": format!("{GROUP}/{VERSION}"),
        "resources": [{ "name": RESOURCE, "singularName": "", "namespaced": true, "kind": KIND, "verbs": ["get"] }],
    })
});

/// `/version`: this program's, in Kubernetes' form.
pub(super) static PROGRAM: LazyLock<Value> = LazyLock::new(|| {
    let version = env!("CARGO_PKG_VERSION");
    let mut parts = version.split('.');
    json!({
        "major": parts.next(), "minor": parts.next(), "gitVersion": format!("v{version}"), "gitCommit": "", "gitTreeState": "",
        "buildDate": "", "goVersion": "", "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
});

fn group() -> Value {
    let version = json!({ "groupVersion": format!("{GROUP}/{VERSION}"), "version": VERSION });
    json!({ "name": GROUP, "versions": [version], "preferredVersion": version })
}

/// The list of paths: the index, and what is said of a path that nobody serves.
pub(super) fn paths(code: u16) -> Page {
    Page::json(code, &json!({ "paths": PATHS }))
}

/// `/apis` with all that the plain documents say, in one (Kubernetes KEP-3352).
pub(super) fn aggregated(version: &'static str, agreed: Agreed, requested: &HeaderMap, pretty: bool) -> Page {
    let resource = json!({
        "resource": RESOURCE, "responseKind": { "group": "", "version": "", "kind": KIND }, "scope": "Namespaced",
        "singularResource": "", "verbs": ["get"],
    });
    let list = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"), "metadata": {},
        "items": [{
            "metadata": { "name": GROUP },
            "versions": [{ "version": VERSION, "resources": [resource], "freshness": "Current" }],
        }],
    });
    let media = format!("{};g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList", agreed.form.media());
    Page::document(&list, agreed, pretty)
        .with(header::CONTENT_TYPE, &media)
        .with(header::VARY, "Accept")
        .with(header::CACHE_CONTROL, "public")
        .tagged(requested)
}
