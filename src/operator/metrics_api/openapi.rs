//! OpenAPI: what the paths answer, in version 2 (one document) and version 3 (one a group and version, and their index), as the
//! aggregator merges them into the cluster's own.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use http::{HeaderMap, header};
use serde_json::{Map, Value, json};

use super::accept;
use super::page::{Page, tag};
use super::route::{GROUP, VERSION};

const GROUP_LIST: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.APIGroupList";
const GROUP_ONE: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.APIGroup";
const RESOURCE_LIST: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.APIResourceList";
const RESOURCE: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.APIResource";
const GROUP_VERSION: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.GroupVersionForDiscovery";
const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
const TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Time";
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const INFO: &str = "io.k8s.apimachinery.pkg.version.Info";
const METRIC: &str = "io.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValue";
const METRICS: &str = "io.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValueList";

/// One path and what it answers.
struct Operation {
    path: &'static str,
    /// The document of version 3 that holds it.
    document: &'static str,
    tag: &'static str,
    id: &'static str,
    description: &'static str,
    answer: &'static str,
}

const OPERATIONS: [Operation; 5] = [
    Operation {
        path: "/apis/",
        document: "apis",
        tag: "apis",
        id: "getAPIVersions",
        description: "get available API versions",
        answer: GROUP_LIST,
    },
    Operation {
        path: "/apis/external.metrics.k8s.io/",
        document: "apis/external.metrics.k8s.io",
        tag: "externalMetrics",
        id: "getExternalMetricsAPIGroup",
        description: "get information of a group",
        answer: GROUP_ONE,
    },
    Operation {
        path: "/apis/external.metrics.k8s.io/v1beta1/",
        document: "apis/external.metrics.k8s.io/v1beta1",
        tag: "externalMetrics_v1beta1",
        id: "getExternalMetricsV1beta1APIResources",
        description: "get available resources",
        answer: RESOURCE_LIST,
    },
    Operation {
        path: "/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{resource}",
        document: "apis/external.metrics.k8s.io/v1beta1",
        tag: "externalMetrics_v1beta1",
        id: "listExternalMetricsV1beta1ExternalMetricValue",
        description: "list external metrics",
        answer: METRICS,
    },
    Operation {
        path: "/version/",
        document: "version",
        tag: "version",
        id: "getCodeVersion",
        description: "get the version information for this server",
        answer: INFO,
    },
];

/// Parameters of the metric's path: name, where it stands, what it is.
const PARAMETERS: [(&str, &str, &str); 4] = [
    ("namespace", "path", "the namespace of the ScaledObject"),
    ("resource", "path", "the name of the metric"),
    ("labelSelector", "query", "names the ScaledObject: scaledobject.keda.sh/name=NAME"),
    ("pretty", "query", "If 'true', then the output is pretty printed."),
];

/// The schemas, with references as version 3 writes them.
static SCHEMAS: LazyLock<BTreeMap<&'static str, Value>> = LazyLock::new(|| {
    let text = || json!({ "type": "string", "default": "" });
    let texts = || json!({ "type": "array", "items": text() });
    let list = |name| json!({ "type": "array", "items": reference(name) });
    let object = |description: &str, required: &[&str], properties: Value| json!({ "description": description, "type": "object", "required": required, "properties": properties });
    let kind = |kind| json!([{ "group": GROUP, "version": VERSION, "kind": kind }]);
    let mut metric = object(
        "A value of an external metric, which is identified by its name and a set of labels.",
        &["metricName", "metricLabels", "timestamp", "value"],
        json!({
            "apiVersion": text(), "kind": text(), "metricName": text(),
            "metricLabels": { "type": "object", "additionalProperties": text() },
            "timestamp": reference(TIME), "value": reference(QUANTITY),
            "window": { "type": "integer", "format": "int64" },
        }),
    );
    metric["x-kubernetes-group-version-kind"] = kind("ExternalMetricValue");
    let properties =
        json!({ "apiVersion": text(), "kind": text(), "metadata": reference(LIST_META), "items": list(METRIC) });
    let mut metrics = object("The values of an external metric.", &["items"], properties);
    metrics["x-kubernetes-group-version-kind"] = kind("ExternalMetricValueList");
    let version = || json!({ "groupVersion": text(), "version": text() });
    let group = json!({
        "apiVersion": text(), "kind": text(), "name": text(), "preferredVersion": reference(GROUP_VERSION),
        "versions": list(GROUP_VERSION),
    });
    let resource = json!({
        "name": text(), "singularName": text(), "namespaced": { "type": "boolean", "default": false }, "kind": text(),
        "group": text(), "version": text(), "verbs": texts(), "shortNames": texts(), "categories": texts(),
        "storageVersionHash": text(),
    });
    let resources =
        json!({ "apiVersion": text(), "kind": text(), "groupVersion": text(), "resources": list(RESOURCE) });
    let meta = json!({ "continue": text(), "resourceVersion": text(), "selfLink": text(),
        "remainingItemCount": { "type": "integer", "format": "int64" } });
    let groups = json!({ "apiVersion": text(), "kind": text(), "groups": list(GROUP_ONE) });
    let info =
        ["major", "minor", "gitVersion", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform"];
    let fields: Map<String, Value> = info.iter().map(|name| ((*name).to_owned(), text())).collect();
    BTreeMap::from([
        (METRIC, metric),
        (METRICS, metrics),
        (GROUP_VERSION, object("A version of a group.", &["groupVersion", "version"], version())),
        (GROUP_ONE, object("A group and its versions.", &["name", "versions"], group)),
        (GROUP_LIST, object("The groups that are served.", &["groups"], groups)),
        (RESOURCE, object("A resource.", &["name", "singularName", "namespaced", "kind", "verbs"], resource)),
        (RESOURCE_LIST, object("The resources of a version.", &["groupVersion", "resources"], resources)),
        (LIST_META, object("What lists have in common.", &[], meta)),
        (TIME, json!({ "description": "RFC 3339, in whole seconds.", "type": "string", "format": "date-time" })),
        (QUANTITY, json!({ "description": "A number with a suffix, such as 2500m.", "type": "string" })),
        (INFO, object("The version of a program.", &info, Value::Object(fields))),
    ])
});

/// The single document of version 2.
static SECOND: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let media = json!(["application/json", "application/yaml"]);
    let mut paths = Map::new();
    for operation in &OPERATIONS {
        let mut get = described(operation);
        get["consumes"] = media.clone();
        get["produces"] = media.clone();
        get["schemes"] = json!(["https"]);
        get["responses"] = json!({ "200": { "description": "OK", "schema": reference(operation.answer) } });
        if operation.answer == METRICS {
            let parameter = |(name, location, text): &(&str, &str, &str)| json!({ "name": name, "in": location, "description": text, "type": "string", "required": *location == "path" });
            get["parameters"] = PARAMETERS.iter().map(parameter).collect();
        }
        paths.insert(operation.path.to_owned(), json!({ "get": get }));
    }
    let document = json!({ "swagger": "2.0", "info": info(), "paths": paths, "definitions": *SCHEMAS });
    document.to_string().replace("#/components/schemas/", "#/definitions/").into_bytes()
});

/// The documents of version 3 by their names in the index.
static THIRD: LazyLock<BTreeMap<&'static str, Vec<u8>>> = LazyLock::new(|| {
    let names: std::collections::BTreeSet<_> = OPERATIONS.iter().map(|operation| operation.document).collect();
    names.into_iter().map(|name| (name, third(name))).collect()
});

fn third(document: &str) -> Vec<u8> {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for operation in OPERATIONS.iter().filter(|operation| operation.document == document) {
        let content = json!({ "schema": reference(operation.answer) });
        let content = json!({ "application/json": content, "application/yaml": content });
        let mut get = described(operation);
        get["responses"] = json!({ "200": { "description": "OK", "content": content } });
        if operation.answer == METRICS {
            let parameter = |(name, location, text): &(&str, &str, &str)| {
                let schema = json!({ "type": "string" });
                json!({ "name": name, "in": location, "description": text, "schema": schema, "required": *location == "path" })
            };
            get["parameters"] = PARAMETERS.iter().map(parameter).collect();
        }
        paths.insert(operation.path.to_owned(), json!({ "get": get }));
        add_schema(operation.answer, &mut schemas);
    }
    let components = json!({ "schemas": schemas });
    json!({ "openapi": "3.0.0", "info": info(), "paths": paths, "components": components }).to_string().into_bytes()
}

/// Adds a schema and all that it refers to.
fn add_schema(name: &str, schemas: &mut Map<String, Value>) {
    let Some(schema) = SCHEMAS.get(name) else { return };
    if schemas.insert(name.to_owned(), schema.clone()).is_none() {
        let text = schema.to_string();
        for other in SCHEMAS.keys().filter(|other| text.contains(&format!("/{other}\""))) {
            add_schema(other, schemas);
        }
    }
}

fn described(operation: &Operation) -> Value {
    json!({ "tags": [operation.tag], "description": operation.description, "operationId": operation.id })
}

fn info() -> Value {
    json!({ "title": "keda-operator", "version": env!("CARGO_PKG_VERSION") })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// `/openapi/v2`.
pub(super) fn second(requested: &HeaderMap) -> Page {
    let vary = "Accept-Encoding, Accept";
    if !takes_json(requested) {
        return Page::empty(406).with(header::VARY, vary);
    }
    Page::new(200, "application/json", SECOND.clone()).with(header::VARY, vary).tagged(requested).zipped(requested)
}

/// `/openapi/v3`: which documents there are.
pub(super) fn index(requested: &HeaderMap) -> Page {
    let paths: Map<String, Value> = THIRD
        .iter()
        .map(|(name, document)| ((*name).to_owned(), json!({ "serverRelativeURL": url(name, document) })))
        .collect();
    Page::json(200, &json!({ "paths": paths })).tagged(requested)
}

/// `/openapi/v3/NAME`; `None` if there is no such document.
pub(super) fn document(name: &str, query: &str, requested: &HeaderMap) -> Option<Page> {
    let document = THIRD.get(name)?;
    if !takes_json(requested) {
        return Some(Page::empty(406).with(header::VARY, "Accept"));
    }
    let page = Page::new(200, "application/json", document.clone()).with(header::VARY, "Accept");
    let wanted = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "hash");
    Some(match wanted.map(|(_, hash)| hash.into_owned()).filter(|hash| !hash.is_empty()) {
        None => page.tagged(requested),
        // What has a hash in its address never changes.
        Some(hash) if hash == tag(document) => page.with(header::CACHE_CONTROL, "public, immutable").tagged(requested),
        Some(_) => page.tagged(&HeaderMap::new()).emptied(301).with(header::LOCATION, &url(name, document)),
    })
}

fn url(name: &str, document: &[u8]) -> String {
    format!("/openapi/v3/{name}?hash={}", tag(document))
}

/// JSON is the one form; only media types count here, not their parameters.
fn takes_json(requested: &HeaderMap) -> bool {
    let header = requested.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    header.is_empty() || accept::clauses(header).iter().any(|clause| clause.takes("application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `$ref` of a document.
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|inner| references(inner, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_of_a_document_has_its_schema_in_it() {
        let documents = THIRD.values().map(|bytes| (bytes, "/components/schemas"));
        for (bytes, location) in documents.chain([(&*SECOND, "/definitions")]) {
            let document: Value = serde_json::from_slice(bytes).unwrap();
            let mut found = Vec::new();
            references(&document, &mut found);
            assert!(!found.is_empty());
            for reference in found {
                let name = reference.strip_prefix(&format!("#{location}/")).unwrap();
                assert!(document.pointer(location).unwrap().get(name).is_some(), "{name}");
            }
        }
    }
}
