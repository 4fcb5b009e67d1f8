//! The end of a ScaledJob. Its Jobs go by their owner reference.

use clock::Moment;
use keda::api::ScaledJob;
use keda::event::Event;
use kube::Api;
use kube::api::{Patch, PatchParams};

use super::JobLoop;
use crate::error::{brief, is_not_found};
use crate::finalizers;
use crate::phase::Phase;

impl JobLoop {
    /// When the next turn is due.
    pub(super) async fn finalize(&mut self, object: &ScaledJob) -> Moment {
        if finalizers::is_held(&object.metadata) {
            if !matches!(self.phase, Phase::Ended) {
                self.phase = Phase::Ended;
                self.backoff.reset();
                self.stop_watching(object).await;
                self.publish(object, Event::job_deleted()).await;
            }
            let patch = Patch::Merge(finalizers::removed(&object.metadata));
            let api: Api<ScaledJob> = Api::namespaced(self.context.client.clone(), &self.key.namespace);
            match api.patch(&self.key.name, &PatchParams::default(), &patch).await {
                Ok(_) => {}
                Err(error) if is_not_found(&error) => {}
                Err(error) => {
                    tracing::info!(scaled_job = %self.key, error = %brief(&error), "the finalizer could not be removed; trying again");
                    self.backoff.fail(self.context.clock.moment());
                    return self.rest();
                }
            }
            self.backoff.reset();
        }
        // The object stays until others have removed their finalizers.
        self.forget();
        self.rest()
    }
}
