//! What kinds the API server serves, read from discovery as any client would.

use local_apiserver::Client;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::object::{items, text};

/// One kind of object in one served version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) kind: String,
    pub(crate) namespaced: bool,
    pub(crate) verbs: Vec<String>,
}

impl Resource {
    /// `pods`, `deployments.apps`: how the controllers name a kind.
    pub(crate) fn id(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    pub(crate) fn can(&self, verb: &str) -> bool {
        self.verbs.iter().any(|one| one == verb)
    }

    /// The collection's path; all namespaces if `namespace` is empty.
    pub(crate) fn collection(&self, namespace: &str) -> String {
        let root = if self.group.is_empty() { "/api" } else { "/apis" };
        let (api_version, plural) = (self.api_version(), &self.plural);
        if self.namespaced && !namespace.is_empty() {
            format!("{root}/{api_version}/namespaces/{namespace}/{plural}")
        } else {
            format!("{root}/{api_version}/{plural}")
        }
    }

    pub(crate) fn path(&self, namespace: &str, name: &str) -> String {
        format!("{}/{name}", self.collection(namespace))
    }
}

/// Everything that could be discovered, and the group versions that could not.
#[derive(Debug, Default)]
pub(crate) struct Discovered {
    pub(crate) resources: Vec<Resource>,
    pub(crate) failed: Vec<(String, String)>,
}

impl Discovered {
    /// The resource for `apiVersion` and `kind`.
    pub(crate) fn find(&self, api_version: &str, kind: &str) -> Option<&Resource> {
        self.resources.iter().find(|one| one.kind == kind && one.api_version() == api_version).or_else(|| {
            let group = api_version.split_once('/').map_or("", |(group, _)| group);
            self.resources.iter().find(|one| one.kind == kind && one.group == group)
        })
    }
}

/// The form in which clients of today read discovery: everything at once, with its freshness.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Reads discovery: the preferred version of each group. What the server itself could not learn is stale, and has failed.
pub(crate) async fn fetch(client: &Client) -> Result<Discovered> {
    let mut found = Discovered::default();
    for path in ["/api", "/apis"] {
        let list = client.get_as(path, AGGREGATED).await.map_err(Error::api(format!("failed to read {path}")))?;
        for group in items(&list, "/items") {
            found.add(group);
        }
    }
    Ok(found)
}

impl Discovered {
    fn add(&mut self, group: &Value) {
        let name = text(group, "/metadata/name");
        for (index, entry) in items(group, "/versions").iter().enumerate() {
            let version = text(entry, "/version");
            if text(entry, "/freshness") == "Stale" {
                let group_version = if name.is_empty() { version.to_owned() } else { format!("{name}/{version}") };
                let why = format!("stale GroupVersion discovery: {group_version}");
                self.failed.push((group_version, why));
            } else if index == 0 {
                self.resources.extend(items(entry, "/resources").iter().map(|one| Resource {
                    group: name.to_owned(),
                    version: version.to_owned(),
                    plural: text(one, "/resource").to_owned(),
                    kind: text(one, "/responseKind/kind").to_owned(),
                    namespaced: text(one, "/scope") == "Namespaced",
                    verbs: items(one, "/verbs").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_preferred_version_counts_and_what_is_stale_has_failed() {
        let deployments = json!({"resource": "deployments", "responseKind": {"kind": "Deployment"}, "scope": "Namespaced", "verbs": ["get", "list"]});
        let mut found = Discovered::default();
        found.add(&json!({"metadata": {"name": "apps"}, "versions": [
            {"version": "v1", "freshness": "Current", "resources": [deployments]},
            {"version": "v1beta1", "freshness": "Current", "resources": [deployments]},
        ]}));
        found.add(&json!({"metadata": {"name": "remote.test"}, "versions": [{"version": "v1", "freshness": "Stale"}]}));
        assert_eq!(found.resources.len(), 1);
        let deployments = found.find("apps/v1", "Deployment").unwrap();
        assert_eq!(deployments.id(), "deployments.apps");
        assert_eq!(deployments.path("x", "y"), "/apis/apps/v1/namespaces/x/deployments/y");
        assert_eq!(deployments.collection(""), "/apis/apps/v1/deployments");
        let why = "stale GroupVersion discovery: remote.test/v1".to_owned();
        assert_eq!(found.failed, [("remote.test/v1".to_owned(), why)]);
    }
}
