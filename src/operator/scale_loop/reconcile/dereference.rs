//! Step 5: the target that the object names, there and scalable.

use keda::api::{GroupVersionKindResource, ScaledObject};

use super::error::ReconcileError;
use crate::context::Context;
use crate::target;

/// What the object names, and the replicas that its scale subresource has.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) resource: GroupVersionKindResource,
    pub(super) replicas: i32,
}

pub(super) async fn dereference(context: &Context, object: &ScaledObject) -> Result<Target, ReconcileError> {
    let target = target::Target::resolve(&context.client, object).await.map_err(ReconcileError::Target)?;
    let replicas = target.replicas().await.map_err(ReconcileError::Target)?;
    Ok(Target { resource: target.resource, replicas })
}
