//! Volumes, as their claims come and go: Available, Bound, Released, Failed.

use std::time::Duration;

use serde_json::{Value, json};

use super::{CLAIMS, ClaimController, VOLUMES, binding};
use crate::error::Result;
use crate::object::{Key, annotation, deleting, name, text, uid};

/// Keeps a volume while a claim has it.
const PROTECTION: &str = "kubernetes.io/pv-protection";

impl ClaimController {
    pub(super) async fn reconcile_volume(&self, name: &str) -> Result<Option<Duration>> {
        let Some(volume) = self.cache.get(VOLUMES, "", name) else { return Ok(None) };
        if deleting(&volume) && text(&volume, "/status/phase") != "Bound" {
            return self.unprotect(VOLUMES, &volume, PROTECTION).await.map(|()| None);
        }
        let wanted = &volume["spec"]["claimRef"];
        if text(wanted, "/uid").is_empty() {
            return self.set_phase(&volume, "Available").await.map(|()| None);
        }
        let key = Key::new(text(wanted, "/namespace"), text(wanted, "/name"));
        let claim = self.cache.fetch(&self.cache.client, CLAIMS, &key).await?;
        match claim.filter(|claim| uid(claim) == text(wanted, "/uid")) {
            None => self.let_go(&volume).await?,
            Some(claim) if text(&claim, "/spec/volumeName") == name => self.set_phase(&volume, "Bound").await?,
            // The claim's own turn writes the rest.
            Some(claim) if text(&claim, "/spec/volumeName").is_empty() => {}
            // The claim has another volume.
            Some(_) if annotation(&volume, binding::BY_CONTROLLER).is_some() => {
                self.cache.update(VOLUMES, &binding::without_claim(&volume), "").await?;
            }
            Some(_) => self.set_phase(&volume, "Available").await?,
        }
        Ok(None)
    }

    /// What becomes of a volume whose claim is gone. Nobody here empties or destroys what a volume stands for.
    async fn let_go(&self, volume: &Value) -> Result<()> {
        let phase = text(volume, "/status/phase");
        if phase == "Failed" {
            return Ok(());
        }
        if phase != "Released" {
            self.set_phase(volume, "Released").await?;
        }
        let external = volume.pointer("/spec/csi").is_some();
        let (reason, why) = match text(volume, "/spec/persistentVolumeReclaimPolicy") {
            "Delete" if !external => ("VolumeFailedDelete", "error getting deleter volume plugin for volume"),
            "Recycle" => ("VolumeFailedRecycle", "no recyclable volume plugin matched for volume"),
            _ => return Ok(()),
        };
        let message = match reason {
            "VolumeFailedDelete" => format!("{why} \"{}\": no deletable volume plugin matched", name(volume)),
            _ => format!("{why} \"{}\"", name(volume)),
        };
        let mut status = volume["status"].clone();
        status["phase"] = "Failed".into();
        status["message"] = message.as_str().into();
        let volume = self.cache.get(VOLUMES, "", name(volume)).unwrap_or_else(|| volume.clone().into());
        self.cache.update_status(VOLUMES, &volume, status).await?;
        self.recorder.warning(&volume, reason, &message).await;
        Ok(())
    }

    pub(super) async fn set_phase(&self, volume: &Value, phase: &str) -> Result<()> {
        if text(volume, "/status/phase") == phase {
            return Ok(());
        }
        let mut status = volume.get("status").filter(|status| status.is_object()).cloned().unwrap_or_else(|| json!({}));
        status["phase"] = phase.into();
        status["lastPhaseTransitionTime"] = crate::object::second(self.cache.clock.now()).into();
        self.cache.update_status(VOLUMES, volume, status).await
    }
}
