//! The condition HPAActive: what the HPA says of itself, so that an HPA without metrics is seen on the ScaledObject (KEDA 2.20.2).

use keda::conditions;

use super::ScaleLoop;

impl ScaleLoop {
    /// Writes the condition if the HPA says something new. Nothing is changed while the HPA has not said anything.
    pub(super) async fn mirror(&mut self) {
        let Some(object) = self.latest() else { return };
        let Some(status) = &object.status else { return };
        let Some(condition) = self.context.caches.hpa_active(&object) else { return };
        if conditions::find(&status.conditions, conditions::HPA_ACTIVE) == Some(&condition) {
            return;
        }
        let mut wanted = status.clone();
        conditions::set(&mut wanted.conditions, condition);
        self.write(&object, &wanted).await;
    }
}
