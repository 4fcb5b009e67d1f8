//! Pods that a controller makes and ends, each with the event that its owner gets.
//!
//! Source: `pkg/controller/controller_utils.go` of Kubernetes (`RealPodControl`).

use serde_json::{Value, json};

use crate::error::Result;
use crate::event::Recorder;
use crate::object::name;
use crate::world::World;

/// Creates `pod` for `owner`.
pub(crate) async fn create(world: &World, events: &Recorder, owner: &Value, pod: &Value) -> Result<()> {
    match world.create("pods", pod).await {
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
pub(crate) async fn delete(world: &World, events: &Recorder, owner: &Value, pod: &Value) -> Result<()> {
    world.delete("pods", pod, &json!({})).await?;
    events.normal(owner, "SuccessfulDelete", &format!("Deleted pod: {}", name(pod))).await;
    Ok(())
}
