//! What the status shows of the HPA between two polls: whether it can work, in the condition HPAActive (KEDA 2.20.2), and a fallback
//! that its requests have put in force.

use keda::api::ConditionStatus;
use keda::event::Event;
use keda::{conditions, fallback};

use super::ScaleLoop;

impl ScaleLoop {
    /// Writes what is new. Nothing is changed while the HPA has not said anything.
    pub(super) async fn mirror(&mut self) {
        let Some(object) = self.latest() else { return };
        let Some(status) = &object.status else { return };
        let mut new: Vec<_> = self.context.caches.hpa_active(&object).into_iter().collect();
        let counted = self.context.failures.counted(&self.key, &status.health);
        if let Some(wanted) = &object.spec.fallback {
            let is_engaged = counted.keys().any(|metric| fallback::engaged(wanted, &counted, metric));
            new.push(conditions::fallback(is_engaged));
        }
        // How a count grows is for the next poll to write.
        new.retain(|condition| conditions::find(&status.conditions, &condition.type_) != Some(condition));
        if new.is_empty() {
            return;
        }
        let mut wanted = status.clone();
        for condition in new {
            if condition.type_ == conditions::FALLBACK {
                wanted.health = self.context.failures.take(&self.key, &status.health);
                self.publish(&object, Event::fallback(condition.status == ConditionStatus::True)).await;
            }
            conditions::set(&mut wanted.conditions, condition);
        }
        self.write(&object, &wanted).await;
    }
}
