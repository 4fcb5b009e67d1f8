//! Pods that a controller makes and ends, each with the event that its owner gets.
//!
//! Source: `pkg/controller/controller_utils.go` of Kubernetes (`RealPodControl`).

use serde_json::{Value, json};

use crate::cache::Cache;
use crate::error::Result;
use crate::event::Recorder;
use crate::object::name;

/// Creates `pod` for `owner`.
pub(crate) async fn create(cache: &Cache, events: &Recorder, owner: &Value, pod: &Value) -> Result<()> {
    match cache.create("pods", pod).await {
        Ok(made) => {
            events.normal(owner, "SuccessfulCreate", &format!("Created pod: {}", name(&made))).await;
            Ok(())
        }
        Err(error) => {
            events.warning(owner, "FailedCreate", &format!("Error creating: {}", error.reason())).await;
            Err(error)
        }
    }
}

/// Deletes `pod` of `owner`.
pub(crate) async fn delete(cache: &Cache, events: &Recorder, owner: &Value, pod: &Value) -> Result<()> {
    cache.delete("pods", pod, &json!({})).await?;
    events.normal(owner, "SuccessfulDelete", &format!("Deleted pod: {}", name(pod))).await;
    Ok(())
}
