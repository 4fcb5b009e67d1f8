//! The little of Kubernetes that scalers look at. Who starts them hands it in, so that they know no client of it.

use std::collections::BTreeMap;

use futures::future::BoxFuture;

/// A pod, as far as scalers go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pod {
    /// `status.phase`; empty if nothing is said yet.
    pub phase: String,
    /// `spec.nodeName`; `None` while it has no node.
    pub node: Option<String>,
}

/// Some endpoints of a Service that have the same ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// The addresses of those that are ready.
    pub ready: Vec<String>,
    /// Their ports.
    pub ports: Vec<u16>,
}

/// A kind whose objects hold texts by key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// ConfigMap.
    ConfigMap,
    /// Secret.
    Secret,
}

/// A view of the cluster. What it gives may be as old as a watch is, seconds at the most.
pub trait Kubernetes: Send + Sync {
    /// The pods of `namespace` that match the label selector, written as `kubectl -l` takes it. An error is in words for
    /// people, and says what could not be read.
    fn pods<'a>(&'a self, namespace: &'a str, selector: &'a str) -> BoxFuture<'a, Result<Vec<Pod>, String>>;

    /// The endpoints of the Service of that name in `namespace`. Errors as above.
    fn endpoints<'a>(&'a self, namespace: &'a str, service: &'a str) -> BoxFuture<'a, Result<Vec<Endpoints>, String>>;

    /// What an object of `namespace` holds. Errors as above; they name the object.
    fn data<'a>(
        &'a self,
        namespace: &'a str,
        holder: Holder,
        name: &'a str,
    ) -> BoxFuture<'a, Result<BTreeMap<String, String>, String>>;
}
