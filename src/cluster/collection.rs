//! Everything of a few namespaces that may explain a failure: objects, Events and logs, as texts of files.
//!
//! Secrets and ConfigMaps are not read, and credentials are taken out of what is. What cannot be read is named in a file of its own.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, LogParams};
use serde_json::Value;

use crate::connection::{Cluster, Session};
use crate::readiness;
use crate::redact::{redact, redact_text};

/// Lines of one container's log, counted from its end.
const LOG_LINES_MAX: i64 = 5000;
/// Bytes of one container's log.
const LOG_BYTES_MAX: i64 = 1 << 20;
/// An annotation that repeats the object, values of variables with it.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// API version, kind and plural of what lies in namespaces.
const NAMESPACED: [(&str, &str, &str); 12] = [
    ("v1", "Pod", "pods"),
    ("v1", "Service", "services"),
    ("v1", "ServiceAccount", "serviceaccounts"),
    ("v1", "Event", "events"),
    ("apps/v1", "Deployment", "deployments"),
    ("apps/v1", "ReplicaSet", "replicasets"),
    ("batch/v1", "Job", "jobs"),
    ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    ("coordination.k8s.io/v1", "Lease", "leases"),
    ("keda.sh/v1alpha1", "ScaledObject", "scaledobjects"),
    ("keda.sh/v1alpha1", "ScaledJob", "scaledjobs"),
    ("keda.sh/v1alpha1", "TriggerAuthentication", "triggerauthentications"),
];
/// The same of what lies in none.
const OF_THE_CLUSTER: [(&str, &str, &str); 3] = [
    ("v1", "Node", "nodes"),
    ("v1", "Namespace", "namespaces"),
    ("apiregistration.k8s.io/v1", "APIService", "apiservices"),
];

/// A file of the collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where it lies in the collection, with slashes.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Reads what there is into `pages`, which hold what was read if the future is dropped before its end. Never fails: a cluster that
/// does not answer gives one page that says so.
pub async fn collect(cluster: &Cluster, namespaces: &[String], pages: &mut Vec<Page>) {
    let session = match cluster.session().await {
        Ok(session) => session,
        Err(error) => return pages.push(not_read(&error.to_string())),
    };
    let mut collection = Collection { session, pages, unread: Vec::new() };
    for resource in OF_THE_CLUSTER {
        collection.objects(None, resource).await;
    }
    for namespace in namespaces {
        for resource in NAMESPACED {
            collection.objects(Some(namespace), resource).await;
        }
        collection.logs(namespace).await;
    }
    if !collection.unread.is_empty() {
        let unread = collection.unread.join("\n");
        pages.push(not_read(&unread));
    }
}

fn not_read(why: &str) -> Page {
    Page { path: "not-read.txt".to_owned(), text: redact_text(why) }
}

struct Collection<'a> {
    session: Session,
    pages: &'a mut Vec<Page>,
    unread: Vec<String>,
}

impl Collection<'_> {
    async fn objects(&mut self, namespace: Option<&str>, (version, kind, plural): (&str, &str, &str)) {
        let (group, short) = version.split_once('/').unwrap_or(("", version));
        let resource = ApiResource {
            group: group.to_owned(),
            version: short.to_owned(),
            api_version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        };
        let client = self.session.client.clone();
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        };
        let path = format!("{}/{plural}.json", namespace.unwrap_or("cluster"));
        match api.list(&ListParams::default()).await {
            Ok(list) if list.items.is_empty() => {}
            Ok(list) => {
                let items =
                    list.items.into_iter().filter_map(|item| serde_json::to_value(item).ok()).map(without_secrets);
                let text = format!("{:#}\n", Value::Array(items.collect()));
                self.pages.push(Page { path, text: redact_text(&text) });
            }
            // An API that is not installed has no objects.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => self.unread.push(format!("{path}: {error}")),
        }
    }

    /// The logs of all containers, and those before a restart.
    async fn logs(&mut self, namespace: &str) {
        let pods: Api<Pod> = Api::namespaced(self.session.client.clone(), namespace);
        let list = match pods.list(&ListParams::default()).await {
            Ok(list) => list,
            Err(error) => return self.unread.push(format!("{namespace}: logs: {error}")),
        };
        for pod in list {
            let name = pod.metadata.name.clone().unwrap_or_default();
            for status in readiness::statuses(&pod) {
                let container = &status.name;
                let earlier = (status.restart_count > 0).then_some(true);
                for previous in std::iter::once(false).chain(earlier) {
                    let wanted = LogParams {
                        container: Some(container.clone()),
                        previous,
                        timestamps: true,
                        tail_lines: Some(LOG_LINES_MAX),
                        limit_bytes: Some(LOG_BYTES_MAX),
                        ..LogParams::default()
                    };
                    let before = if previous { ".before-restart" } else { "" };
                    let path = format!("{namespace}/logs/{name}.{container}{before}.log");
                    match pods.logs(&name, &wanted).await {
                        Ok(text) => self.pages.push(Page { path, text: redact_text(&text) }),
                        Err(error) => self.unread.push(format!("{path}: {error}")),
                    }
                }
            }
        }
    }
}

/// An object without who manages which field, and without values of variables whose names promise a secret.
fn without_secrets(mut object: Value) -> Value {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
    }
    hide_values(&mut object);
    object
}

fn hide_values(value: &mut Value) {
    if let (Some(name), Some(text)) = (value["name"].as_str(), value["value"].as_str()) {
        let pair = format!("{name}={text}");
        let hidden = redact(&pair);
        if hidden != pair {
            value["value"] = hidden.strip_prefix(&format!("{name}=")).unwrap_or(&hidden).into();
        }
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(hide_values),
        Value::Object(members) => members.values_mut().for_each(hide_values),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_that_promise_a_secret_have_no_value() {
        let variables = json!([{ "name": "DB_PASSWORD", "value": "hunter22" }, { "name": "AWS_REGION", "value": "eu-west-1" },
            { "name": "FROM", "valueFrom": { "secretKeyRef": { "name": "keys", "key": "db" } } }]);
        let object = json!({ "metadata": { "name": "app", "managedFields": [{}], "annotations": { LAST_APPLIED: "hunter22", "a": "b" } },
            "spec": { "template": { "spec": { "containers": [{ "env": variables }] } } } });
        let shown = without_secrets(object).to_string();
        assert!(!shown.contains("hunter22") && !shown.contains("managedFields"), "{shown}");
        for kept in ["DB_PASSWORD", "eu-west-1", "secretKeyRef", "\"a\":\"b\""] {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
    }

    #[test]
    fn a_key_over_several_lines_goes_whole() {
        let text = redact_text(
            "before\n-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\nafter",
        );
        assert!(text.starts_with("before\n") && text.ends_with("after\n") && !text.contains("MIIE"), "{text}");
    }
}
