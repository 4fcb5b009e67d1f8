//! Claims to volumes. On Fargate, without a storage driver, nothing provides volumes: claims stay Pending, and why is said.
//!
//! Words and reasons are those of Kubernetes' persistent volume controller.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::error::Result;
use crate::event::Recorder;
use crate::object::{Key, deleting, text};
use crate::work::Controller;
use crate::world::{Change, World};

const CLAIMS: &str = "persistentvolumeclaims";
const CLASSES: &str = "storageclasses.storage.k8s.io";

pub(crate) struct ClaimController {
    world: Arc<World>,
    recorder: Recorder,
}

impl ClaimController {
    pub(crate) fn new(world: &Arc<World>) -> Self {
        Self { world: Arc::clone(world), recorder: Recorder::new(world, "persistentvolume-controller") }
    }
}

impl Controller for ClaimController {
    type Key = Key;
    const NAME: &'static str = "persistentvolume-binder";

    fn concerns(&self, change: &Change) -> Vec<(Key, Duration)> {
        let Some(object) = change.object() else { return vec![] };
        match change.id.as_str() {
            CLAIMS => vec![(Key::of(object), Duration::ZERO)],
            CLASSES => self.world.list(CLAIMS, None).iter().map(|claim| (Key::of(claim), Duration::ZERO)).collect(),
            _ => vec![],
        }
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>> {
        let Some(claim) = self.world.get(CLAIMS, &key.namespace, &key.name) else { return Ok(None) };
        if deleting(&claim) || text(&claim, "/status/phase") != "Pending" {
            return Ok(None);
        }
        if !self.world.synced(CLASSES) {
            return Ok(Some(Duration::from_millis(100)));
        }
        let class = text(&claim, "/spec/storageClassName");
        let found = self.world.get(CLASSES, "", class);
        let (reason, message, harmless) = why_pending(class, found.as_deref());
        if harmless {
            self.recorder.normal(&claim, reason, &message).await;
        } else {
            self.recorder.warning(&claim, reason, &message).await;
        }
        Ok(None)
    }
}

/// Why a claim of a class waits: the event's reason and message, and whether it is no failure.
fn why_pending(class: &str, found: Option<&Value>) -> (&'static str, String, bool) {
    if class.is_empty() {
        let message = "no persistent volumes available for this claim and no storage class is set";
        return ("FailedBinding", message.to_owned(), true);
    }
    let Some(found) = found else {
        return ("ProvisioningFailed", format!("storageclass.storage.k8s.io \"{class}\" not found"), false);
    };
    if text(found, "/volumeBindingMode") == "WaitForFirstConsumer" {
        return ("WaitForFirstConsumer", "waiting for first consumer to be created before binding".to_owned(), true);
    }
    let provisioner = text(found, "/provisioner");
    let message = format!(
        "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the system \
         administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered."
    );
    ("ExternalProvisioning", message, true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_waits_for_what_is_not_there() {
        assert_eq!(
            why_pending("", None),
            (
                "FailedBinding",
                "no persistent volumes available for this claim and no storage class is set".to_owned(),
                true
            )
        );
        let (reason, message, harmless) = why_pending("fast", None);
        assert_eq!(
            (reason, message.as_str(), harmless),
            ("ProvisioningFailed", "storageclass.storage.k8s.io \"fast\" not found", false)
        );
        let class = |mode: &str| json!({"provisioner": "ebs.csi.aws.com", "volumeBindingMode": mode});
        assert_eq!(why_pending("fast", Some(&class("WaitForFirstConsumer"))).0, "WaitForFirstConsumer");
        assert!(why_pending("fast", Some(&class("Immediate"))).1.contains("external provisioner 'ebs.csi.aws.com'"));
    }
}
