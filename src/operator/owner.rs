//! What an object that has triggers is to them, whatever its kind: `ScaledObject` is one, `ScaledJob` another.

use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::PodSpec;
use keda::api::{ScaleTriggers, ScaledJob, ScaledObject};
use kube::Client;
use kube::api::ObjectMeta;
use serde::Deserialize;

use crate::inputs;
use crate::key::{Key, Reference};
use crate::target::{Target, TargetError};

/// The kind of ScaledObjects, as manifests have it.
pub(crate) const SCALED_OBJECT: &str = "ScaledObject";

/// The kind of ScaledJobs, as manifests have it.
pub(crate) const SCALED_JOB: &str = "ScaledJob";

/// An object with triggers.
pub(crate) trait Owner: Send + Sync {
    /// The kind, as manifests have it.
    fn kind(&self) -> &'static str;

    fn metadata(&self) -> &ObjectMeta;

    fn triggers(&self) -> &[ScaleTriggers];

    /// Whether a formula makes one metric of all triggers, so that none needs a target of its own.
    fn has_formula(&self) -> bool {
        false
    }

    /// The container of its pods whose environment the triggers read; the first if none is named.
    fn container(&self) -> Option<&str>;

    /// The object that has their template, where changes of it are seen.
    fn template(&self) -> Option<Reference>;

    /// The pods whose environment and ServiceAccount count for the triggers; `None` where there is no template of any.
    fn pods<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Option<PodSpec>, TargetError>>;
}

/// Which object at which state of its spec something is about.
pub(crate) type Revision = (Option<String>, Option<i64>);

/// Its key with its kind.
pub(crate) fn reference(owner: &dyn Owner) -> Reference {
    Reference { kind: owner.kind(), key: Key::of(owner.metadata()) }
}

/// Its uid and generation.
pub(crate) fn revision(owner: &dyn Owner) -> Revision {
    (owner.metadata().uid.clone(), owner.metadata().generation)
}

impl Owner for ScaledObject {
    fn kind(&self) -> &'static str {
        SCALED_OBJECT
    }

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn triggers(&self) -> &[ScaleTriggers] {
        &self.spec.triggers
    }

    fn has_formula(&self) -> bool {
        self.spec.scaling_modifiers().is_some()
    }

    fn container(&self) -> Option<&str> {
        self.spec.scale_target_ref.env_source_container_name.as_deref()
    }

    fn template(&self) -> Option<Reference> {
        let target = &self.spec.scale_target_ref;
        let kind = match (target.api_version_or_default(), target.kind_or_default()) {
            ("apps/v1", inputs::DEPLOYMENT) => inputs::DEPLOYMENT,
            ("apps/v1", inputs::STATEFUL_SET) => inputs::STATEFUL_SET,
            _ => return None,
        };
        let namespace = self.metadata.namespace.as_deref().unwrap_or_default();
        Some(Reference { kind, key: Key::new(namespace, &target.name) })
    }

    fn pods<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Option<PodSpec>, TargetError>> {
        Box::pin(async {
            let target = Target::resolve(client, self).await?;
            Ok(target.pod_template().await?.and_then(|template| template.spec))
        })
    }
}

impl Owner for ScaledJob {
    fn kind(&self) -> &'static str {
        SCALED_JOB
    }

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn triggers(&self) -> &[ScaleTriggers] {
        &self.spec.triggers
    }

    fn container(&self) -> Option<&str> {
        self.spec.env_source_container_name.as_deref()
    }

    /// Its own spec has it, so a change is one of its generation.
    fn template(&self) -> Option<Reference> {
        None
    }

    fn pods<'a>(&'a self, _client: &'a Client) -> BoxFuture<'a, Result<Option<PodSpec>, TargetError>> {
        // The check of the object refuses one that cannot be read.
        let pods = PodSpec::deserialize(&self.spec.job_target_ref["template"]["spec"]).ok();
        Box::pin(std::future::ready(Ok(pods)))
    }
}
