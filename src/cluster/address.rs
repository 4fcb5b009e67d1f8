//! What an object is called: in Kubernetes, in the engine, and to people.

use heck::ToSnakeCase as _;
use kube::api::{Api, DynamicObject};
use kube::core::GroupVersionKind;
use kube::discovery::{self, ApiResource, Scope};
use kube::error::DiscoveryError;
use serde_json::Value;

use crate::Result;
use crate::connection::Session;
use crate::error::Error;

/// The identity of an object.
#[expect(clippy::struct_field_names, reason = "the fields are called as the API calls them")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str)
}

impl Name {
    pub(crate) fn of(object: &Value) -> Result<Self> {
        let get = |pointer: &str, field: &'static str| {
            let missing = || Error::Manifest { object: text(object, "/kind").unwrap_or("an object").to_owned(), field };
            text(object, pointer).map(str::to_owned).ok_or_else(missing)
        };
        Ok(Self {
            api_version: get("/apiVersion", "apiVersion")?,
            kind: get("/kind", "kind")?,
            namespace: text(object, "/metadata/namespace").map(str::to_owned),
            name: get("/metadata/name", "metadata.name")?,
        })
    }

    /// `apps/v1/Deployment/myproject/myapp`: enough to find it again. Split from the right, so a name must not hold `/`.
    pub(crate) fn id(&self) -> String {
        let namespace = self.namespace.as_ref().map_or_else(String::new, |namespace| format!("{namespace}/"));
        format!("{}/{}/{namespace}{}", self.api_version, self.kind, self.name)
    }

    /// `Deployment myproject/myapp`.
    pub(crate) fn for_people(&self) -> String {
        let namespace = self.namespace.as_ref().map_or_else(String::new, |namespace| format!("{namespace}/"));
        format!("{} {namespace}{}", self.kind, self.name)
    }

    /// `kubernetes_deployment` and `myproject/myapp`.
    pub(crate) fn address(&self) -> provision::Address {
        let namespace = self.namespace.as_ref().map_or_else(String::new, |namespace| format!("{namespace}/"));
        provision::Address::new(
            format!("kubernetes_{}", self.kind.to_snake_case()),
            format!("{namespace}{}", self.name),
        )
    }

    fn gvk(&self) -> GroupVersionKind {
        let (group, version) = self.api_version.split_once('/').unwrap_or(("", &self.api_version));
        GroupVersionKind::gvk(group, version, &self.kind)
    }

    /// The API of the kind in the object's namespace; `None` if the server does not know the kind.
    pub(crate) async fn api(&self, session: &Session) -> Result<Option<Api<DynamicObject>>> {
        let Some((resource, scope)) = self.discover(session).await? else { return Ok(None) };
        let client = session.client.clone();
        Ok(Some(match (scope, &self.namespace) {
            (Scope::Namespaced, Some(namespace)) => Api::namespaced_with(client, namespace, &resource),
            (Scope::Namespaced, None) => Api::default_namespaced_with(client, &resource),
            (Scope::Cluster, _) => Api::all_with(client, &resource),
        }))
    }

    /// The API of the kind over all namespaces; `None` if the server does not know the kind.
    pub(crate) async fn api_everywhere(&self, session: &Session) -> Result<Option<Api<DynamicObject>>> {
        let found = self.discover(session).await?;
        Ok(found.map(|(resource, _)| Api::all_with(session.client.clone(), &resource)))
    }

    async fn discover(&self, session: &Session) -> Result<Option<(ApiResource, Scope)>> {
        match discovery::oneshot::pinned_kind(&session.client, &self.gvk()).await {
            Ok((resource, capabilities)) => Ok(Some((resource, capabilities.scope))),
            Err(kube::Error::Discovery(DiscoveryError::MissingKind(_))) => Ok(None),
            // A group that nobody serves is answered with a bare page, not with a Status.
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => {
                let action = format!("find the kind {} of {}", self.kind, self.api_version);
                Err(Error::from_kube(&session.server, &action, &error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_spelled_for_each_reader() {
        let object =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "b"}});
        let name = Name::of(&object).unwrap();
        assert_eq!(name.id(), "apps/v1/Deployment/b/a");
        assert_eq!(name.address().to_string(), "kubernetes_deployment.b/a");
        let service = Name { kind: "APIService".to_owned(), namespace: None, ..name };
        assert_eq!(service.address().to_string(), "kubernetes_api_service.a");
    }

    #[test]
    fn an_object_without_a_name_is_refused() {
        let error = Name::of(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}})).unwrap_err();
        assert!(error.to_string().contains("lacks metadata.name"), "{error}");
    }
}
