//! The end of a ScaledObject (`docs/rules.md#keda-the-end-of-a-scaledobject`). Its HPA goes by its owner reference.

use keda::api::ScaledObject;
use keda::event::Event;
use kube::Api;
use kube::api::{Patch, PatchParams};

use super::{Next, ScaleLoop};
use crate::error::{brief, is_not_found};
use crate::finalizers;
use crate::phase::Phase;
use crate::target::Target;

impl ScaleLoop {
    pub(super) async fn finalize(&mut self, object: &ScaledObject) -> Next {
        if !finalizers::is_held(&object.metadata) {
            // Ours is gone already; the object stays until others have removed theirs.
            self.forget();
            return Next::At(self.rest());
        }
        if !matches!(self.phase, Phase::Ended) {
            self.phase = Phase::Ended;
            self.backoff.reset();
            self.stop_watching(object).await;
            self.restore(object).await;
            self.publish(object, Event::deleted()).await;
        }
        let patch = Patch::Merge(finalizers::removed(&object.metadata));
        let api: Api<ScaledObject> = Api::namespaced(self.context.client.clone(), &self.key.namespace);
        match api.patch(&self.key.name, &PatchParams::default(), &patch).await {
            Ok(_) => {}
            Err(error) if is_not_found(&error) => {}
            Err(error) => {
                tracing::info!(scaled_object = %self.key, error = %brief(&error), "the finalizer could not be removed; trying again");
                self.backoff.fail(self.context.clock.moment());
                return Next::At(self.rest());
            }
        }
        self.backoff.reset();
        self.forget();
        Next::At(self.rest())
    }

    /// Puts the original replica count back where that is asked for. A failure is reported and holds nothing up.
    async fn restore(&self, object: &ScaledObject) {
        let advanced = object.spec.advanced.as_ref();
        let is_wanted = advanced.and_then(|advanced| advanced.restore_to_original_replica_count) == Some(true);
        let original = object.status.as_ref().and_then(|status| status.original_replica_count);
        let Some(original) = original.filter(|_| is_wanted) else { return };
        let restored = match Target::resolve(&self.context.client, object).await {
            Ok(target) => target.scale(original).await,
            Err(error) => Err(error),
        };
        match restored {
            Ok(()) => {
                tracing::info!(scaled_object = %self.key, replicas = original, "restored the original replica count");
            }
            Err(error) => {
                tracing::warn!(scaled_object = %self.key, error = %error, "failed to restore the original replica count");
            }
        }
    }
}
