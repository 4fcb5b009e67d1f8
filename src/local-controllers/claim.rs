//! Claims and volumes: who has whom. Volumes that people make are bound to claims; on Fargate, without a storage driver,
//! nothing makes any, and a claim that none fits stays Pending, and why is said.
//!
//! Words, reasons and order are those of Kubernetes' persistent volume controller and its protection controllers.

mod binding;
mod volume;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cache::{Cache, Change};
use crate::error::Result;
use crate::event::Recorder;
use crate::object::{Key, annotation, deleting, items, name, namespace, pod_finished, text, uid};
use crate::work::Controller;

const CLAIMS: &str = "persistentvolumeclaims";
const VOLUMES: &str = "persistentvolumes";
const CLASSES: &str = "storageclasses.storage.k8s.io";
/// Keeps a claim while a pod uses it.
const PROTECTION: &str = "kubernetes.io/pvc-protection";

/// Keys of volumes have no namespace.
pub(crate) struct ClaimController {
    cache: Arc<Cache>,
    recorder: Recorder,
}

impl Controller for ClaimController {
    type Key = Key;
    const NAME: &'static str = "persistentvolume-binder";

    fn concerns(&self, change: &Change) -> Vec<(Key, Duration)> {
        let Some(object) = change.object() else { return vec![] };
        let keys = match change.id.as_str() {
            CLAIMS => self.around_claim(object),
            VOLUMES => self.around_volume(object),
            CLASSES => self.unbound(),
            "pods" => claims_of(object).map(|claim| Key::new(namespace(object), claim)).collect(),
            _ => vec![],
        };
        keys.into_iter().map(|key| (key, Duration::ZERO)).collect()
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>> {
        if ![CLAIMS, VOLUMES, CLASSES, "pods"].iter().all(|id| self.cache.synced(id)) {
            return Ok(Some(Duration::from_millis(100)));
        }
        if key.namespace.is_empty() {
            return self.reconcile_volume(&key.name).await;
        }
        let Some(claim) = self.cache.get(CLAIMS, &key.namespace, &key.name) else { return Ok(None) };
        if deleting(&claim) && !self.is_used(&claim) {
            self.unprotect(CLAIMS, &claim, PROTECTION).await?;
        } else if annotation(&claim, binding::COMPLETED).is_some() {
            self.keep(&claim).await?;
        } else if !deleting(&claim) {
            self.bind(&claim).await?;
        }
        Ok(None)
    }
}

/// The claims that a pod's volumes name.
fn claims_of(pod: &Value) -> impl Iterator<Item = &str> {
    let named = items(pod, "/spec/volumes").iter().map(|volume| text(volume, "/persistentVolumeClaim/claimName"));
    named.filter(|claim| !claim.is_empty())
}

impl ClaimController {
    pub(crate) fn new(cache: &Arc<Cache>) -> Self {
        Self { cache: Arc::clone(cache), recorder: Recorder::new(cache, "persistentvolume-controller") }
    }

    /// A claim and the volumes that are or were its.
    fn around_claim(&self, claim: &Value) -> Vec<Key> {
        let volumes = self.cache.list(VOLUMES, None);
        let its = volumes.iter().filter(|volume| binding::is_for(volume, claim)).map(|volume| Key::of(volume));
        let named =
            Some(text(claim, "/spec/volumeName")).filter(|name| !name.is_empty()).map(|name| Key::new("", name));
        its.chain(named).chain([Key::of(claim)]).collect()
    }

    /// A volume, its claim, and the claims that may get it.
    fn around_volume(&self, volume: &Value) -> Vec<Key> {
        let wanted = &volume["spec"]["claimRef"];
        let its = Key::new(text(wanted, "/namespace"), text(wanted, "/name"));
        let mut keys = self.unbound();
        keys.push(Key::of(volume));
        keys.extend(Some(its).filter(|key| !key.name.is_empty()));
        keys
    }

    fn unbound(&self) -> Vec<Key> {
        let claims = self.cache.list(CLAIMS, None);
        claims.iter().filter(|claim| text(claim, "/status/phase") != "Bound").map(|claim| Key::of(claim)).collect()
    }

    /// Whether a pod that has a node uses the claim.
    fn is_used(&self, claim: &Value) -> bool {
        let pods = self.cache.list("pods", Some(namespace(claim)));
        pods.iter().any(|pod| !text(pod, "/spec/nodeName").is_empty() && claims_of(pod).any(|one| one == name(claim)))
    }

    /// Whether a pod that has yet to run waits for the claim.
    fn is_waited_for(&self, claim: &Value) -> bool {
        let pods = self.cache.list("pods", Some(namespace(claim)));
        pods.iter().any(|pod| !pod_finished(pod) && !deleting(pod) && claims_of(pod).any(|one| one == name(claim)))
    }

    /// Takes a protecting finalizer off.
    async fn unprotect(&self, id: &str, object: &Value, finalizer: &str) -> Result<()> {
        let held = items(object, "/metadata/finalizers");
        let kept: Vec<&Value> = held.iter().filter(|one| *one != finalizer).collect();
        if kept.len() == held.len() {
            return Ok(());
        }
        let version = text(object, "/metadata/resourceVersion");
        let patch = json!({"metadata": {"uid": uid(object), "resourceVersion": version, "finalizers": kept}});
        match self.cache.merge(id, &Key::of(object), "", &patch).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// Looks after a claim that has been bound: its volume may be gone.
    async fn keep(&self, claim: &Value) -> Result<()> {
        let volume = self.cache.get(VOLUMES, "", text(claim, "/spec/volumeName"));
        let lost = match volume {
            Some(volume) if binding::is_for(&volume, claim) => return self.tie(claim, &volume).await,
            Some(volume) if volume["spec"]["claimRef"].is_null() => return self.tie(claim, &volume).await,
            Some(_) => ("ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly"),
            None => ("ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!"),
        };
        if text(claim, "/status/phase") == "Lost" {
            return Ok(());
        }
        let mut status = claim["status"].clone();
        status["phase"] = "Lost".into();
        self.cache.update_status(CLAIMS, claim, status).await?;
        self.recorder.warning(claim, lost.0, lost.1).await;
        Ok(())
    }

    /// Binds a claim to the volume that it names, or to one that fits; or says why there is none.
    async fn bind(&self, claim: &Value) -> Result<()> {
        let named = text(claim, "/spec/volumeName");
        if !named.is_empty() {
            // A volume that comes later is a change that this claim hears of.
            let Some(volume) = self.cache.get(VOLUMES, "", named) else { return Ok(()) };
            let free = volume["spec"]["claimRef"].is_null();
            if !free && !binding::is_for(&volume, claim) {
                let message = format!("volume \"{named}\" already bound to a different claim.");
                self.recorder.warning(claim, "FailedBinding", &message).await;
                return Ok(());
            }
            if let Some(why) = binding::mismatch(&volume, claim) {
                let message = format!("Cannot bind to requested volume \"{named}\": {why}");
                self.recorder.warning(claim, "VolumeMismatch", &message).await;
                return Ok(());
            }
            return self.tie(claim, &volume).await;
        }
        let class = binding::class(claim);
        let found = self.cache.get(CLASSES, "", class);
        let late = found.as_deref().is_some_and(|class| text(class, "/volumeBindingMode") == LATE);
        let volumes = self.cache.list(VOLUMES, None);
        let kept_only = late && !self.is_waited_for(claim);
        if let Some(volume) = binding::choose(volumes.iter().map(|volume| &**volume), claim, kept_only) {
            return self.tie(claim, volume).await;
        }
        let (reason, message, harmless) = why_pending(class, found.as_deref());
        if harmless {
            self.recorder.normal(claim, reason, &message).await;
        } else {
            self.recorder.warning(claim, reason, &message).await;
        }
        Ok(())
    }

    /// Writes the volume first, then the claim: whoever is interrupted goes on where the volume says it belongs.
    async fn tie(&self, claim: &Value, volume: &Value) -> Result<()> {
        let mut bound = volume.clone();
        if text(volume, "/spec/claimRef/uid") != uid(claim) {
            bound = self.cache.update(VOLUMES, &binding::with_claim(volume, claim), "").await?;
        }
        self.set_phase(&bound, "Bound").await?;
        let mut claim = claim.clone();
        let wanted = binding::with_volume(&claim, volume);
        if wanted != claim {
            claim = self.cache.update(CLAIMS, &wanted, "").await?;
        }
        let status = binding::bound_status(&claim, volume);
        self.cache.update_status(CLAIMS, &claim, status).await
    }
}

/// Claims of such a class are bound once a pod waits for them.
const LATE: &str = "WaitForFirstConsumer";

/// Why a claim of a class waits: the event's reason and message, and whether it is no failure.
fn why_pending(class: &str, found: Option<&Value>) -> (&'static str, String, bool) {
    if class.is_empty() {
        let message = "no persistent volumes available for this claim and no storage class is set";
        return ("FailedBinding", message.to_owned(), true);
    }
    let Some(found) = found else {
        return ("ProvisioningFailed", format!("storageclass.storage.k8s.io \"{class}\" not found"), false);
    };
    if text(found, "/volumeBindingMode") == LATE {
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
