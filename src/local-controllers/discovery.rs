//! What kinds the API server serves, read from discovery as any client would.

use local_apiserver::Client;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::object::{flag, items, text};

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

/// Reads discovery: the preferred version of each group.
pub(crate) async fn fetch(client: &Client) -> Result<Discovered> {
    let mut found = Discovered::default();
    let core = client.get("/api/v1").await.map_err(Error::api("failed to read discovery of v1"))?;
    found.resources.extend(parse("v1", &core));
    let groups = client.get("/apis").await.map_err(Error::api("failed to read the list of API groups"))?;
    for group in items(&groups, "/groups") {
        let preferred = match text(group, "/preferredVersion/groupVersion") {
            "" => text(group, "/versions/0/groupVersion"),
            preferred => preferred,
        };
        match client.get(&format!("/apis/{preferred}")).await {
            Ok(list) => found.resources.extend(parse(preferred, &list)),
            Err(status) => found.failed.push((preferred.to_owned(), status.message().to_owned())),
        }
    }
    Ok(found)
}

fn parse(group_version: &str, list: &Value) -> Vec<Resource> {
    let (group, version) = group_version.split_once('/').unwrap_or(("", group_version));
    let whole = items(list, "/resources").iter().filter(|one| !text(one, "/name").contains('/'));
    whole
        .map(|one| Resource {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: text(one, "/name").to_owned(),
            kind: text(one, "/kind").to_owned(),
            namespaced: flag(one, "/namespaced"),
            verbs: items(one, "/verbs").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn subresources_are_left_out_and_paths_follow_the_group() {
        let list = json!({"resources": [
            {"name": "deployments", "kind": "Deployment", "namespaced": true, "verbs": ["get", "list", "watch"]},
            {"name": "deployments/scale", "kind": "Scale", "namespaced": true, "verbs": ["get"]},
        ]});
        let found = Discovered { resources: parse("apps/v1", &list), failed: vec![] };
        assert_eq!(found.resources.len(), 1);
        let deployments = found.find("apps/v1", "Deployment").unwrap();
        assert_eq!(deployments.id(), "deployments.apps");
        assert_eq!(deployments.path("x", "y"), "/apis/apps/v1/namespaces/x/deployments/y");
        assert_eq!(deployments.collection(""), "/apis/apps/v1/deployments");
        assert!(found.find("apps/v1", "Scale").is_none());
    }
}
