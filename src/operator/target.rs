//! The workload that a ScaledObject scales, seen through its scale subresource.

use std::sync::Arc;

use k8s_openapi::api::core::v1::PodTemplateSpec;
use keda::api::{GroupVersionKindResource, ScaledObject};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, PostParams};
use kube::discovery::pinned_kind;
use kube::{Api, Client};

use crate::error::{brief, is_not_found};
use crate::key::{Key, Reference};

/// The kinds of group `apps` that are watched.
pub(crate) const DEPLOYMENT: &str = "Deployment";
pub(crate) const STATEFUL_SET: &str = "StatefulSet";

/// Why a target cannot be worked with. Each may heal without a change of the ScaledObject.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum TargetError {
    /// The API server does not serve the kind, or could not say whether it does.
    #[error("no resource of kind {kind} in {api_version}: {}", brief(source))]
    Kind { kind: String, api_version: String, source: Arc<kube::Error> },
    /// There is no such object.
    #[error("target resource doesn't exist: {0}; create it, or correct scaleTargetRef")]
    Missing(String),
    /// The object has no scale subresource.
    #[error("target resource doesn't expose /scale subresource: {0}")]
    NotScalable(String),
    /// The scale subresource could not be read.
    #[error("the scale of {title} cannot be read: {}", brief(source))]
    Scale { title: String, source: Arc<kube::Error> },
    /// The object could not be read.
    #[error("{title} cannot be read: {}", brief(source))]
    Read { title: String, source: Arc<kube::Error> },
    /// The replicas could not be written.
    #[error("{}", brief(.0))]
    Write(Arc<kube::Error>),
}

/// A resolved target; nothing is known yet of the object itself.
pub(crate) struct Target {
    pub(crate) resource: GroupVersionKindResource,
    namespace: String,
    name: String,
    api: Api<DynamicObject>,
}

impl Target {
    /// The target that `scaleTargetRef` names. Other kinds than Deployment and StatefulSet are looked up by discovery,
    /// unless the status says what was found for the same reference before.
    pub(crate) async fn resolve(client: &Client, object: &ScaledObject) -> Result<Self, TargetError> {
        let wanted = &object.spec.scale_target_ref;
        let (group, version) = match wanted.api_version_or_default().rsplit_once('/') {
            Some((group, version)) => (group, version),
            None => ("", wanted.api_version_or_default()),
        };
        let kind = wanted.kind_or_default();
        let plural = match (group, kind) {
            ("apps", "Deployment") => Some("deployments".to_owned()),
            ("apps", "StatefulSet") => Some("statefulsets".to_owned()),
            _ => known_plural(object, group, version, kind),
        };
        let gvk = GroupVersionKind::gvk(group, version, kind);
        let plural = if let Some(plural) = plural {
            plural
        } else {
            let found = pinned_kind(client, &gvk).await.map_err(|source| TargetError::Kind {
                kind: kind.to_owned(),
                api_version: wanted.api_version_or_default().to_owned(),
                source: Arc::new(source),
            });
            found?.0.plural
        };
        let namespace = Key::of(&object.metadata).namespace.clone();
        let resource = ApiResource::from_gvk_with_plural(&gvk, &plural);
        Ok(Self {
            api: Api::namespaced_with(client.clone(), &namespace, &resource),
            resource: GroupVersionKindResource {
                group: group.to_owned(),
                version: version.to_owned(),
                kind: kind.to_owned(),
                resource: plural,
            },
            namespace,
            name: wanted.name.clone(),
        })
    }

    /// The target as Events name it: `apps/v1.Deployment shop/orders`.
    pub(crate) fn title(&self) -> String {
        format!("{} {}/{}", self.resource.scale_target_kind(), self.namespace, self.name)
    }

    /// By which watches know it; `None` where its kind is not watched.
    pub(crate) fn watched(&self) -> Option<Reference> {
        let kind = match (self.resource.group.as_str(), self.resource.kind.as_str()) {
            ("apps", DEPLOYMENT) => DEPLOYMENT,
            ("apps", STATEFUL_SET) => STATEFUL_SET,
            _ => return None,
        };
        Some(Reference { kind, key: Key::new(&self.namespace, &self.name) })
    }

    /// `spec.replicas` as the scale subresource has it; absent means 0, as Go's reader has it.
    pub(crate) async fn replicas(&self) -> Result<i32, TargetError> {
        match self.api.get_scale(&self.name).await {
            Ok(scale) => Ok(scale.spec.and_then(|spec| spec.replicas).unwrap_or(0)),
            Err(error) => Err(self.explained(error).await),
        }
    }

    /// Sets `spec.replicas`; a change by somebody else in between is an error, tried again at the next poll.
    pub(crate) async fn scale(&self, replicas: i32) -> Result<(), TargetError> {
        let changed = async {
            let mut scale = self.api.get_scale(&self.name).await?;
            scale.spec.get_or_insert_default().replicas = Some(replicas);
            self.api.replace_scale(&self.name, &PostParams::default(), &scale).await
        };
        changed.await.map(drop).map_err(|error| TargetError::Write(Arc::new(error)))
    }

    /// The template of its pods; `None` for a target that has none.
    pub(crate) async fn pod_template(&self) -> Result<Option<PodTemplateSpec>, TargetError> {
        let found = self.read().await?;
        let template = found.data.pointer("/spec/template").cloned();
        Ok(template.and_then(|template| serde_json::from_value(template).ok()))
    }

    /// Its ready replicas, as its status has them.
    pub(crate) async fn ready_replicas(&self) -> Result<i32, TargetError> {
        let found = self.read().await?;
        let ready = found.data.pointer("/status/readyReplicas").and_then(serde_json::Value::as_i64);
        Ok(ready.and_then(|ready| i32::try_from(ready).ok()).unwrap_or(0))
    }

    async fn read(&self) -> Result<DynamicObject, TargetError> {
        self.api.get(&self.name).await.map_err(|error| self.unread(error))
    }

    /// Whether the object is missing, or there but not scalable.
    async fn explained(&self, error: kube::Error) -> TargetError {
        let title = self.title();
        if !is_not_found(&error) {
            return TargetError::Scale { title, source: Arc::new(error) };
        }
        match self.api.get_opt(&self.name).await {
            Ok(None) => TargetError::Missing(title),
            Ok(Some(_)) => TargetError::NotScalable(title),
            Err(error) => self.unread(error),
        }
    }

    fn unread(&self, source: kube::Error) -> TargetError {
        TargetError::Read { title: self.title(), source: Arc::new(source) }
    }
}

fn known_plural(object: &ScaledObject, group: &str, version: &str, kind: &str) -> Option<String> {
    let known = object.status.as_ref()?.scale_target_gvkr.as_ref()?;
    (known.group == group && known.version == version && known.kind == kind).then(|| known.resource.clone())
}
