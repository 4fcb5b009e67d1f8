//! Endpoints and EndpointSlices of Services that have a selector.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cache::{Cache, Change};
use crate::error::Result;
use crate::object::{
    Key, deleting, flag, integer, items, labels, name, namespace, owner_reference, pod_finished, pod_ready, strings,
    text, uid,
};
use crate::selector::carries;
use crate::work::Controller;

const SLICES: &str = "endpointslices.discovery.k8s.io";

pub(crate) struct EndpointsController {
    cache: Arc<Cache>,
}

impl Controller for EndpointsController {
    type Key = Key;
    const NAME: &'static str = "endpoints";

    fn concerns(&self, change: &Change) -> Vec<(Key, Duration)> {
        let Some(object) = change.object() else { return vec![] };
        let keys = match change.id.as_str() {
            "services" | "endpoints" => vec![Key::of(object)],
            "pods" => self.services_of(object),
            SLICES => strings(object, "/metadata/labels")
                .get("kubernetes.io/service-name")
                .map(|service| Key::new(namespace(object), service))
                .into_iter()
                .collect(),
            _ => vec![],
        };
        keys.into_iter().map(|key| (key, Duration::ZERO)).collect()
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>> {
        let Some(service) = self.cache.get("services", &key.namespace, &key.name) else {
            return self.forget(key).await.map(|()| None);
        };
        if strings(&service, "/spec/selector").is_empty() || deleting(&service) {
            return Ok(None);
        }
        if !self.cache.synced("pods") {
            return Ok(Some(Duration::from_millis(100)));
        }
        let pods = self.backends(&service);
        self.write("endpoints", build_endpoints(&service, &pods), |object| json!({"subsets": object["subsets"]}))
            .await?;
        let compared = |object: &Value| json!({"endpoints": object["endpoints"], "ports": object["ports"]});
        self.write(SLICES, build_slice(&service, &pods), compared).await?;
        Ok(None)
    }
}

impl EndpointsController {
    pub(crate) fn new(cache: &Arc<Cache>) -> Self {
        Self { cache: Arc::clone(cache) }
    }

    fn services_of(&self, pod: &Value) -> Vec<Key> {
        let labels = labels(pod);
        let services = self.cache.list("services", Some(namespace(pod)));
        let selecting = services.iter().filter(|service| {
            let selector = strings(service, "/spec/selector");
            !selector.is_empty() && carries(&labels, &selector)
        });
        selecting.map(|service| Key::of(service)).collect()
    }

    /// Pods behind the service that have an address and have not ended.
    fn backends(&self, service: &Value) -> Vec<Arc<Value>> {
        let selector = strings(service, "/spec/selector");
        let pods = self.cache.list("pods", Some(namespace(service)));
        let behind = pods.into_iter().filter(|pod| carries(&labels(pod), &selector));
        behind.filter(|pod| !text(pod, "/status/podIP").is_empty() && !pod_finished(pod)).collect()
    }

    /// Endpoints have no owner reference; slices go by garbage collection.
    async fn forget(&self, key: &Key) -> Result<()> {
        let ours = |object: &Arc<Value>| object.pointer("/metadata/annotations").is_some() && is_ours(object);
        if let Some(object) = self.cache.get("endpoints", &key.namespace, &key.name).filter(ours) {
            self.cache.delete("endpoints", &object, &json!({})).await?;
        }
        Ok(())
    }

    async fn write(&self, id: &str, wanted: Value, compared: impl Fn(&Value) -> Value) -> Result<()> {
        match self.cache.get(id, namespace(&wanted), name(&wanted)) {
            None => match self.cache.create(id, &wanted).await {
                // The service's namespace is terminating: nothing will ask for its endpoints.
                Err(error) if error.to_string().contains("being terminated") => Ok(()),
                other => other.map(drop),
            },
            Some(found) if compared(&found) != compared(&wanted) => {
                let mut changed = (*found).clone();
                if let (Some(changed), Some(wanted)) = (changed.as_object_mut(), compared(&wanted).as_object()) {
                    changed.extend(wanted.clone());
                }
                self.cache.update(id, &changed, "").await.map(drop)
            }
            Some(_) => Ok(()),
        }
    }
}

const MANAGED: &str = "sluice.local/managed-endpoints";

fn is_ours(object: &Value) -> bool {
    crate::object::annotation(object, MANAGED).is_some()
}

/// The number that a service port reaches in a pod: a number, or a container port by name.
fn target_port(port: &Value, pod: &Value) -> Option<i64> {
    match port.get("targetPort") {
        None | Some(Value::Null) => integer(port, "/port"),
        Some(Value::Number(number)) => number.as_i64(),
        Some(target) => {
            let wanted = target.as_str()?;
            if let Ok(number) = wanted.parse() {
                return Some(number);
            }
            let ports = items(pod, "/spec/containers").iter().flat_map(|container| items(container, "/ports"));
            let mut named = ports.filter(|one| text(one, "/name") == wanted);
            named.find_map(|one| integer(one, "/containerPort"))
        }
    }
}

fn port_json(port: &Value, number: i64) -> Value {
    let protocol = if text(port, "/protocol").is_empty() { "TCP" } else { text(port, "/protocol") };
    json!({"name": text(port, "/name"), "port": number, "protocol": protocol})
}

/// The ports of a service as the pods have them; a named port that no pod has yet is left out.
fn ports(service: &Value, pods: &[Arc<Value>]) -> Vec<Value> {
    let find = |port: &Value| pods.iter().find_map(|pod| target_port(port, pod));
    let all = items(service, "/spec/ports").iter();
    all.filter_map(|port| find(port).map(|number| port_json(port, number))).collect()
}

fn target_ref(pod: &Value) -> Value {
    json!({"kind": "Pod", "name": name(pod), "namespace": namespace(pod), "uid": uid(pod)})
}

fn serves(service: &Value, pod: &Value) -> bool {
    flag(service, "/spec/publishNotReadyAddresses") || (pod_ready(pod) && !deleting(pod))
}

fn build_endpoints(service: &Value, pods: &[Arc<Value>]) -> Value {
    let address = |pod: &Arc<Value>| json!({"ip": text(pod, "/status/podIP"), "nodeName": text(pod, "/spec/nodeName"), "targetRef": target_ref(pod)});
    let (ready, not_ready): (Vec<&Arc<Value>>, Vec<&Arc<Value>>) =
        pods.iter().filter(|pod| !deleting(pod)).partition(|pod| serves(service, pod));
    let mut subset = BTreeMap::new();
    if !ready.is_empty() {
        subset.insert("addresses", ready.into_iter().map(address).collect::<Value>());
    }
    if !not_ready.is_empty() {
        subset.insert("notReadyAddresses", not_ready.into_iter().map(address).collect());
    }
    let subsets = if subset.is_empty() {
        json!([])
    } else {
        subset.insert("ports", ports(service, pods).into());
        json!([subset])
    };
    json!({
        "apiVersion": "v1", "kind": "Endpoints", "subsets": subsets,
        "metadata": {
            "name": name(service), "namespace": namespace(service), "labels": labels(service),
            "annotations": {MANAGED: "true"},
        },
    })
}

fn build_slice(service: &Value, pods: &[Arc<Value>]) -> Value {
    let endpoint = |pod: &Arc<Value>| {
        let serving = flag(service, "/spec/publishNotReadyAddresses") || pod_ready(pod);
        json!({
            "addresses": [text(pod, "/status/podIP")], "nodeName": text(pod, "/spec/nodeName"),
            "conditions": {"ready": serves(service, pod), "serving": serving, "terminating": deleting(pod)},
            "targetRef": target_ref(pod),
        })
    };
    let mut labels = labels(service);
    labels.insert("kubernetes.io/service-name".to_owned(), name(service).to_owned());
    labels.insert("endpointslice.kubernetes.io/managed-by".to_owned(), "endpointslice-controller.k8s.io".to_owned());
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {
            // One slice holds them all here; the name is stable so that it can be found again.
            "name": format!("{}-local", name(service)), "namespace": namespace(service), "labels": labels,
            "ownerReferences": [owner_reference(service, "v1", "Service")],
        },
        "endpoints": pods.iter().map(endpoint).collect::<Vec<_>>(),
        "ports": ports(service, pods),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, ready: &str) -> Arc<Value> {
        Arc::new(json!({
            "metadata": {"name": name, "namespace": "x", "uid": name, "labels": {"app": "web"}},
            "spec": {"nodeName": "n", "containers": [{"ports": [{"name": "http", "containerPort": 6443}]}]},
            "status": {"podIP": "127.9.0.2", "phase": "Running", "conditions": [{"type": "Ready", "status": ready}]},
        }))
    }

    fn service() -> Value {
        json!({"metadata": {"name": "web", "namespace": "x"}, "spec": {
            "selector": {"app": "web"}, "ports": [{"name": "https", "port": 443, "targetPort": "http"}]}})
    }

    #[test]
    fn named_target_ports_are_those_of_the_containers() {
        let endpoints = build_endpoints(&service(), &[pod("a", "True"), pod("b", "False")]);
        assert_eq!(endpoints["subsets"][0]["ports"][0]["port"], 6443);
        assert_eq!(endpoints["subsets"][0]["addresses"][0]["targetRef"]["name"], "a");
        assert_eq!(endpoints["subsets"][0]["notReadyAddresses"][0]["targetRef"]["name"], "b");
        let slice = build_slice(&service(), &[pod("a", "True"), pod("b", "False")]);
        assert_eq!(slice["endpoints"][1]["conditions"]["ready"], false);
        assert_eq!(slice["ports"][0], json!({"name": "https", "port": 6443, "protocol": "TCP"}));
    }

    #[test]
    fn a_service_without_pods_has_no_subsets() {
        assert_eq!(build_endpoints(&service(), &[])["subsets"], json!([]));
    }
}
