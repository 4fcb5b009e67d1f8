//! What triggers look at in the cluster: pods and endpoints, as the API server's cache has them, and what ConfigMaps and Secrets hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Pod as Object;
use k8s_openapi::api::discovery::v1::{EndpointConditions, EndpointSlice};
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client};
use scalers::kubernetes::{Endpoints, Holder, Kubernetes, Pod};

use crate::environment::Values;
use crate::error::brief;

/// Pods that have ended are counted by nobody, and there may be many of them.
const NOT_ENDED: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// The label of a slice that names its Service.
const SERVICE: &str = "kubernetes.io/service-name";

/// A view of the cluster for scalers.
pub(crate) struct View {
    client: Client,
    values: Arc<Values>,
}

impl View {
    pub(crate) fn new(client: Client, values: Arc<Values>) -> Self {
        Self { client, values }
    }
}

impl Kubernetes for View {
    fn pods<'a>(&'a self, namespace: &'a str, selector: &'a str) -> BoxFuture<'a, Result<Vec<Pod>, String>> {
        Box::pin(async move {
            let kind = ApiResource::erase::<Object>(&());
            let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &kind);
            let wanted = ListParams::default().labels(selector).fields(NOT_ENDED).match_any();
            let found = api.list(&wanted).await.map_err(|error| brief(&error))?;
            Ok(found.items.iter().map(pod).collect())
        })
    }

    fn endpoints<'a>(&'a self, namespace: &'a str, service: &'a str) -> BoxFuture<'a, Result<Vec<Endpoints>, String>> {
        Box::pin(async move {
            let api: Api<EndpointSlice> = Api::namespaced(self.client.clone(), namespace);
            let wanted = ListParams::default().labels(&format!("{SERVICE}={service}")).match_any();
            let found = api.list(&wanted).await.map_err(|error| brief(&error))?;
            Ok(found.items.into_iter().map(endpoints).collect())
        })
    }

    fn data<'a>(
        &'a self,
        namespace: &'a str,
        holder: Holder,
        name: &'a str,
    ) -> BoxFuture<'a, Result<BTreeMap<String, String>, String>> {
        Box::pin(async move {
            let read = self.values.read(namespace, holder, name).await;
            read.map(|(_, data)| data).map_err(|error| error.to_string())
        })
    }
}

fn pod(object: &DynamicObject) -> Pod {
    let text = |pointer: &str| object.data.pointer(pointer).and_then(serde_json::Value::as_str).map(str::to_owned);
    Pod { phase: text("/status/phase").unwrap_or_default(), node: text("/spec/nodeName") }
}

fn endpoints(slice: EndpointSlice) -> Endpoints {
    // Where nothing is said of it, an endpoint is ready.
    let is_ready = |conditions: Option<EndpointConditions>| conditions.and_then(|all| all.ready).unwrap_or(true);
    let ready = slice.endpoints.into_iter().filter(|one| is_ready(one.conditions.clone()));
    let ports = slice.ports.into_iter().flatten().filter_map(|port| u16::try_from(port.port?).ok());
    Endpoints { ready: ready.flat_map(|one| one.addresses).collect(), ports: ports.collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn endpoints_that_are_not_ready_are_left_out() {
        let slice = json!({
            "addressType": "IPv4",
            "endpoints": [
                { "addresses": ["10.0.0.1"], "conditions": { "ready": true } },
                { "addresses": ["10.0.0.2"], "conditions": { "ready": false } },
                { "addresses": ["10.0.0.3"], "conditions": {} },
                { "addresses": ["10.0.0.4"] },
            ],
            "ports": [{ "port": 8080 }, { "name": "any" }],
        });
        let found = endpoints(serde_json::from_value(slice).unwrap());
        let ready = ["10.0.0.1", "10.0.0.3", "10.0.0.4"].map(str::to_owned).to_vec();
        assert_eq!(found, Endpoints { ready, ports: vec![8080] });
    }
}
