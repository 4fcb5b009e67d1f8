//! The loop of one ScaledObject: what is done of it in each turn of its [`Life`].

mod activity;
mod mirror;
mod poll;
mod pushes;
mod reconcile;
mod scale;
mod settle;

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use clock::Moment;
use keda::api::{ScaledObject, ScaledObjectStatus};
use keda::decision::Decision;
use keda::event::Event;
use keda::pause;
use tokio_util::sync::CancellationToken;

use self::activity::Activity;
use self::pushes::Pushes;
use self::reconcile::ReconcileError;
pub(crate) use self::reconcile::check_requests;
use self::scale::Counted;
use crate::caches::{Cache, Caches, Text};
use crate::context::Context;
use crate::key::Key;
use crate::life::{Kind, Life, Turns};
use crate::owner::SCALED_OBJECT;
use crate::status;
use crate::target::Target;

pub(crate) struct ScaleLoop {
    life: Life<ScaledObject>,
    decided: Option<Decision>,
    /// The target's replicas as they were read last.
    counted: Option<Counted>,
    activity: Activity,
    /// What triggers say without being polled.
    pushes: Pushes,
}

impl Kind for ScaledObject {
    const NAME: &'static str = SCALED_OBJECT;

    fn cache(caches: &Caches) -> &Cache<Text<Self>> {
        &caches.scaled_objects
    }

    fn polling(&self) -> Duration {
        self.spec.polling()
    }
}

impl Deref for ScaleLoop {
    type Target = Life<ScaledObject>;

    fn deref(&self) -> &Self::Target {
        &self.life
    }
}

impl DerefMut for ScaleLoop {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.life
    }
}

impl Turns for ScaleLoop {
    type Kind = ScaledObject;

    const LIMIT: Duration = Duration::from_mins(2);

    fn new(context: Arc<Context>, key: Key, stop: CancellationToken) -> Self {
        Self {
            life: Life::new(context, key, stop),
            decided: None,
            counted: None,
            activity: Activity::default(),
            pushes: Pushes::default(),
        }
    }

    async fn check(&mut self, object: &Arc<ScaledObject>) {
        self.reconcile(object).await;
    }

    /// A spec that is not in order decides nothing: the HPA is still that of the last one that was, and so are the polls. A pause
    /// holds whatever the spec is.
    fn in_force(&mut self, object: &Arc<ScaledObject>) -> Option<Arc<ScaledObject>> {
        if is_paused(object) { Some(Arc::clone(object)) } else { self.context.sources.accepted.in_force(object) }
    }

    async fn poll(&mut self, object: &ScaledObject) {
        self.poll_once(object).await;
    }

    async fn settled(&mut self) {
        self.mirror().await;
    }

    async fn end(&mut self, object: &ScaledObject) {
        self.restore(object).await;
        self.publish(object, Event::deleted()).await;
    }

    async fn called(&mut self) {
        self.pushes.next().await;
    }

    fn call_due(&self, last: Moment) -> Option<Moment> {
        self.pushes.due(last)
    }

    fn answer(&mut self) {
        self.pushes.answered();
    }
}

impl ScaleLoop {
    /// Writes the status; a failure is reported and leaves the rest to the next turn.
    async fn write(&mut self, object: &ScaledObject, wanted: &ScaledObjectStatus) {
        match status::write(&self.context.client, object, object.status.as_ref(), wanted).await {
            Ok(Some(written)) => self.held = Some(Arc::new(written)),
            Ok(None) => {}
            Err(error) => {
                self.publish(object, ReconcileError::status(error).event()).await;
                self.context.telemetry.object_failed(&self.reference());
            }
        }
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

fn is_paused(object: &ScaledObject) -> bool {
    let annotations = object.metadata.annotations.as_ref();
    annotations.is_some_and(|annotations| !matches!(pause::requested(annotations), Ok(None)))
}

#[cfg(test)]
mod tests;
