//! The end of an object (`docs/rules.md#keda-the-end-of-a-scaledobject`). What it owns goes by its owner reference.

use kube::api::{Patch, PatchParams};
use kube::{Api, Resource};

use super::Turns;
use crate::error::{brief, is_not_found};
use crate::finalizers;
use crate::phase::Phase;

/// Does what is done once at the object's end, and removes the finalizer; what cannot be removed is tried again.
pub(super) async fn finalize<T: Turns>(this: &mut T, object: &T::Kind) {
    let metadata = object.meta();
    if finalizers::is_held(metadata) {
        if !matches!(this.phase, Phase::Ended) {
            this.phase = Phase::Ended;
            this.backoff.reset();
            this.stop_watching(object).await;
            this.end(object).await;
        }
        let api: Api<T::Kind> = Api::namespaced(this.context.client.clone(), &this.key.namespace);
        let patch = Patch::Merge(finalizers::removed(metadata));
        match api.patch(&this.key.name, &PatchParams::default(), &patch).await {
            Ok(_) => {}
            Err(error) if is_not_found(&error) => {}
            Err(error) => {
                tracing::info!(object = %this.reference(), error = %brief(&error), "the finalizer could not be removed; trying again");
                this.back_off();
                return;
            }
        }
        this.backoff.reset();
    }
    // The object stays until others have removed their finalizers.
    this.forget();
}
