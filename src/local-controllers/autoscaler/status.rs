//! The HPA's status and conditions. Pure.

use serde_json::{Value, json};

use crate::object::{condition, items, text};

/// A status in the making: conditions keep their order and, if unchanged, their time.
pub(super) struct Draft {
    hpa: Value,
    now: String,
}

impl Draft {
    pub(super) fn of(hpa: &Value, now: String) -> Self {
        Self { hpa: hpa.clone(), now }
    }

    pub(super) fn condition(&mut self, kind: &str, holds: bool, reason: &str, message: &str) {
        let status = if holds { "True" } else { "False" };
        let old = condition(&self.hpa, kind).filter(|old| text(old, "/status") == status);
        let since = old.map_or(self.now.as_str(), |old| text(old, "/lastTransitionTime")).to_owned();
        let made = json!({
            "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since,
        });
        let mut conditions = items(&self.hpa, "/status/conditions").to_vec();
        match conditions.iter_mut().find(|one| text(one, "/type") == kind) {
            Some(known) => *known = made,
            None => conditions.push(made),
        }
        self.hpa["status"]["conditions"] = conditions.into();
    }

    /// Sizes and metrics; `rescaled` sets the time of the last change.
    pub(super) fn sizes(&mut self, current: i64, desired: i64, metrics: Vec<Value>, rescaled: bool) {
        // Zero is left out, as by the `omitempty` of the real type.
        self.hpa["status"]["currentReplicas"] = if current == 0 { Value::Null } else { current.into() };
        self.hpa["status"]["desiredReplicas"] = desired.into();
        self.hpa["status"]["currentMetrics"] = if metrics.is_empty() { Value::Null } else { metrics.into() };
        if rescaled {
            self.hpa["status"]["lastScaleTime"] = self.now.as_str().into();
        }
    }

    pub(super) fn desired(&self) -> i64 {
        crate::object::integer(&self.hpa, "/status/desiredReplicas").unwrap_or(0)
    }

    /// Whether the status is another than that of `stored`. A field without a value is the same as none.
    pub(super) fn differs_from(&self, stored: &Value) -> bool {
        let values = |hpa: &Value| -> Vec<(String, Value)> {
            let fields = hpa["status"].as_object().into_iter().flatten();
            fields.filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        values(&self.hpa) != values(stored)
    }

    pub(super) fn into_object(self) -> Value {
        self.hpa
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_at_rest_gives_the_status_that_is_stored() {
        let stored = json!({ "status": { "desiredReplicas": 0, "currentMetrics": null, "conditions": [
            { "type": "ScalingActive", "status": "False", "reason": "ScalingDisabled", "message": "", "lastTransitionTime": "then" },
        ] } });
        let mut draft = Draft::of(&stored, "now".to_owned());
        draft.condition("ScalingActive", false, "ScalingDisabled", "");
        draft.sizes(0, 0, vec![], false);
        assert!(!draft.differs_from(&stored));
        draft.sizes(1, 0, vec![], false);
        assert!(draft.differs_from(&stored));
    }
}
