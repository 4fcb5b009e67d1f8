//! The workload that a ScaledObject scales, seen through its scale subresource.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use keda::api::{GroupVersionKindResource, ScaledObject};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, PostParams};
use kube::discovery::pinned_kind;
use kube::{Api, Client};

use crate::caches::Key;
use crate::error::{brief, is_not_found};

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
    pub(crate) async fn resolve(client: &Client, object: &ScaledObject) -> Result<Self, String> {
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
            let found = pinned_kind(client, &gvk).await.map_err(|error| {
                format!("no resource of kind {kind} in {}: {}", wanted.api_version_or_default(), brief(&error))
            });
            found?.0.plural
        };
        let Key { namespace, .. } = Key::of(&object.metadata);
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

    /// `spec.replicas` as the scale subresource has it; absent means 0, as Go's reader has it.
    pub(crate) async fn replicas(&self) -> Result<i32, String> {
        match self.api.get_scale(&self.name).await {
            Ok(scale) => Ok(scale.spec.and_then(|spec| spec.replicas).unwrap_or(0)),
            Err(error) => Err(self.explained(&error).await),
        }
    }

    /// Sets `spec.replicas`; a change by somebody else in between is an error, tried again at the next poll.
    pub(crate) async fn scale(&self, replicas: i32) -> Result<(), String> {
        let changed = async {
            let mut scale = self.api.get_scale(&self.name).await?;
            scale.spec.get_or_insert_default().replicas = Some(replicas);
            self.api.replace_scale(&self.name, &PostParams::default(), &scale).await
        };
        changed.await.map(drop).map_err(|error| brief(&error))
    }

    /// The template of its pods; `None` for a target that has none.
    pub(crate) async fn pod_template(&self) -> Result<Option<PodTemplateSpec>, String> {
        let found = self.read().await?;
        let template = found.data.pointer("/spec/template").cloned();
        Ok(template.and_then(|template| serde_json::from_value(template).ok()))
    }

    /// Its ready replicas, as its status has them.
    pub(crate) async fn ready_replicas(&self) -> Result<i32, String> {
        let found = self.read().await?;
        let ready = found.data.pointer("/status/readyReplicas").and_then(serde_json::Value::as_i64);
        Ok(ready.and_then(|ready| i32::try_from(ready).ok()).unwrap_or(0))
    }

    async fn read(&self) -> Result<DynamicObject, String> {
        self.api.get(&self.name).await.map_err(|error| format!("{}: {}", self.title(), brief(&error)))
    }

    /// Whether the object is missing, or there but not scalable.
    async fn explained(&self, error: &kube::Error) -> String {
        let title = self.title();
        if !is_not_found(error) {
            return format!("the scale of {title} cannot be read: {}", brief(error));
        }
        match self.api.get_opt(&self.name).await {
            Ok(None) => format!("target resource doesn't exist: {title}; create it, or correct scaleTargetRef"),
            Ok(Some(_)) => format!("target resource doesn't expose /scale subresource: {title}"),
            Err(error) => format!("{title} cannot be read: {}", brief(&error)),
        }
    }
}

fn known_plural(object: &ScaledObject, group: &str, version: &str, kind: &str) -> Option<String> {
    let known = object.status.as_ref()?.scale_target_gvkr.as_ref()?;
    (known.group == group && known.version == version && known.kind == kind).then(|| known.resource.clone())
}
