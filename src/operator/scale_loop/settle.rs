//! What a reconcile means for the loop: polling, another attempt, or waiting for a change; and where it is reported.

use std::sync::Arc;

use keda::api::ScaledObject;
use keda::event::Event;

use super::ScaleLoop;
use super::reconcile::{self, Policy, ReconcileError, Reconciled};
use crate::error::is_conflict;
use crate::phase::Phase;

impl ScaleLoop {
    /// Reconciles the object, with the outcome written into its status.
    pub(super) async fn reconcile(&mut self, object: &ScaledObject) {
        let context = Arc::clone(&self.context);
        match reconcile::reconcile(&context, object).await {
            Ok(reconciled) => self.settle(reconciled).await,
            // Somebody else has written it meanwhile. That is no fault of the object, and the newer one is on its way.
            Err(ReconcileError::Adopt(error)) if is_conflict(&error) => {
                tracing::debug!(scaled_object = %self.key, "it has changed meanwhile; looking at it again");
                self.checked = None;
                self.back_off();
            }
            Err(error) => self.fail(object, &[error]).await,
        }
    }

    async fn settle(&mut self, reconciled: Reconciled) {
        let Reconciled { object, before, after, is_paused, is_accepted, errors } = reconciled;
        self.held = Some(Arc::new(object.clone()));
        self.context.telemetry.paused(&self.reference(), after.paused);
        if before.paused != after.paused {
            self.publish(&object, if after.paused { Event::paused() } else { Event::unpaused() }).await;
        }
        if is_accepted {
            self.context.sources.accepted.accept(&object);
        }
        if errors.is_empty() {
            self.backoff.reset();
            self.checked = Some(self.check_of(&object, false));
        } else {
            self.fail(&object, &errors).await;
            // What is tried again and again is polled at its interval all the same.
            if !is_accepted || matches!(self.phase, Phase::Polling { .. }) {
                return;
            }
        }
        self.begin(&object, is_paused, before.ready || !after.ready).await;
    }

    /// Applies the policy. Where two steps failed, one that is to be tried again decides.
    async fn fail(&mut self, object: &ScaledObject, errors: &[ReconcileError]) {
        self.checked = Some(self.check_of(object, true));
        let next = match errors.iter().map(reconcile::policy).max() {
            Some(Policy::BackOff) => {
                let pause = self.back_off();
                format!("in {} s, or after a change", pause.as_secs())
            }
            Some(Policy::AwaitChange) | None => {
                self.backoff.reset();
                "after a change".to_owned()
            }
        };
        for error in errors {
            if matches!(error, ReconcileError::Conflict(_)) {
                self.context.sources.accepted.give_way(object);
            }
            tracing::info!(scaled_object = %self.key, error = %error, next_attempt = next, "reconcile failed");
            self.context.telemetry.object_failed(&self.reference());
            if let Some(event) = error.target_event() {
                self.publish(object, event).await;
            }
            self.publish(object, error.event()).await;
        }
    }

    /// Starts polling, or lets a change take effect at once. While it is paused, no trigger is read.
    async fn begin(&mut self, object: &ScaledObject, is_paused: bool, was_ready: bool) {
        self.phase = Phase::Polling { last: None };
        if is_paused {
            self.stop_watching(object).await;
        } else if !std::mem::replace(&mut self.is_watching, true) {
            self.publish(object, Event::watch_started()).await;
            for kind in self.context.sources.of(&self.context, object).built().await {
                self.publish(object, Event::scaler_built(kind)).await;
            }
        }
        if !was_ready {
            self.publish(object, Event::ready()).await;
        }
    }
}
