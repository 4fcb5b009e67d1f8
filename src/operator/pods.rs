//! The pods that triggers count, as the API server's cache has them.

use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Pod as Object;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client};
use scalers::kubernetes::{Kubernetes, Pod};

use crate::error::brief;

/// Pods that have ended are counted by nobody, and there may be many of them.
const NOT_ENDED: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// A view of the cluster for scalers.
pub(crate) struct Pods(Client);

impl Pods {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }
}

impl Kubernetes for Pods {
    fn pods<'a>(&'a self, namespace: &'a str, selector: &'a str) -> BoxFuture<'a, Result<Vec<Pod>, String>> {
        Box::pin(async move {
            let kind = ApiResource::erase::<Object>(&());
            let api: Api<DynamicObject> = Api::namespaced_with(self.0.clone(), namespace, &kind);
            let wanted = ListParams::default().labels(selector).fields(NOT_ENDED).match_any();
            let found = api.list(&wanted).await.map_err(|error| brief(&error))?;
            Ok(found.items.iter().map(pod).collect())
        })
    }
}

fn pod(object: &DynamicObject) -> Pod {
    let text = |pointer: &str| object.data.pointer(pointer).and_then(serde_json::Value::as_str).map(str::to_owned);
    Pod { phase: text("/status/phase").unwrap_or_default(), node: text("/spec/nodeName") }
}
