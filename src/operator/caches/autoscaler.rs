//! What is kept of an HPA.

use std::hash::{DefaultHasher, Hash, Hasher};

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use keda::api::Condition;
use keda::conditions;
use keda::naming::SCALED_OBJECT_LABEL;

use crate::key::Key;
use crate::masters;

/// Enough to see that somebody has changed it, whose it is, and whether it can work.
pub(super) struct Autoscaler {
    /// What it claims to scale.
    pub(super) claim: Option<masters::Autoscaler>,
    /// A digest of all that matters but its status.
    pub(super) content: u64,
    /// The name of the ScaledObject that it is labelled with, which is in its namespace.
    owner: Option<Box<str>>,
    /// What it says of itself in its condition ScalingActive.
    pub(super) health: Option<Condition>,
}

impl Autoscaler {
    #[expect(clippy::needless_pass_by_value, reason = "what is kept is made of the whole object")]
    pub(super) fn of(object: HorizontalPodAutoscaler) -> Self {
        let owner = object.metadata.labels.as_ref().and_then(|labels| labels.get(SCALED_OBJECT_LABEL));
        Self {
            claim: masters::Autoscaler::of(&object),
            content: content(&object),
            owner: owner.map(|name| name.as_str().into()),
            health: health(&object),
        }
    }

    /// The ScaledObject of the HPA `key`.
    pub(super) fn owner(&self, key: &Key) -> Option<Key> {
        self.owner.as_ref().map(|name| Key::new(&key.namespace, name))
    }
}

fn health(object: &HorizontalPodAutoscaler) -> Option<Condition> {
    let conditions = object.status.as_ref()?.conditions.as_ref()?;
    let said = conditions.iter().find(|condition| condition.type_ == "ScalingActive")?;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Some(conditions::hpa_active(said.status == "True", &text(&said.reason), &text(&said.message)))
}

fn content(object: &HorizontalPodAutoscaler) -> u64 {
    let mut hasher = DefaultHasher::new();
    let spec = serde_json::to_string(&object.spec).unwrap_or_default();
    (&object.metadata.uid, &object.metadata.labels, &object.metadata.annotations, spec).hash(&mut hasher);
    hasher.finish()
}
