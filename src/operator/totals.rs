//! How many objects and triggers there are, kept by the differences: one change costs the same among ten objects and among ten
//! thousand.

use std::collections::HashMap;
use std::sync::Arc;

use crate::authentication::{CLUSTER_KIND, KIND};
use crate::context::Context;
use crate::key::{Key, Reference};
use crate::owner::{Owner, SCALED_JOB, SCALED_OBJECT};
use crate::telemetry::Telemetry;

/// What is counted of each object: the types of its triggers, none for an authentication.
pub(crate) struct Totals {
    telemetry: Arc<Telemetry>,
    counted: HashMap<Reference, Vec<String>>,
}

impl Totals {
    pub(crate) fn new(telemetry: Arc<Telemetry>) -> Self {
        Self { telemetry, counted: HashMap::new() }
    }

    /// Counts everything that there is.
    pub(crate) fn learn_all(&mut self, context: &Context) {
        let caches = &context.caches;
        let of = |kind, keys: Vec<Key>| keys.into_iter().map(move |key| Reference { kind, key });
        let there = of(SCALED_OBJECT, caches.scaled_objects.keys())
            .chain(of(SCALED_JOB, caches.scaled_jobs.keys()))
            .chain(of(KIND, caches.authentications.keys()))
            .chain(of(CLUSTER_KIND, caches.cluster_authentications.keys()));
        let known: Vec<_> = self.counted.keys().cloned().collect();
        for reference in there.chain(known) {
            self.learn(context, &reference);
        }
    }

    /// Counts the object as it is now.
    pub(crate) fn learn(&mut self, context: &Context, reference: &Reference) {
        let caches = &context.caches;
        let key = &reference.key;
        let now = match reference.kind {
            SCALED_OBJECT => caches.scaled_objects.object(key).map(|object| types(&*object)),
            SCALED_JOB => caches.scaled_jobs.object(key).map(|object| types(&*object)),
            CLUSTER_KIND => caches.cluster_authentications.has(key).then(Vec::new),
            _ => caches.authentications.has(key).then(Vec::new),
        };
        self.count(reference, now);
    }

    fn count(&mut self, reference: &Reference, now: Option<Vec<String>>) {
        let before = self.counted.get(reference);
        if before == now.as_ref() {
            return;
        }
        let kind = match reference.kind {
            SCALED_OBJECT => "scaled_object",
            SCALED_JOB => "scaled_job",
            CLUSTER_KIND => "cluster_trigger_authentication",
            _ => "trigger_authentication",
        };
        let difference = f64::from(u8::from(now.is_some())) - f64::from(u8::from(before.is_some()));
        self.telemetry.count_object(kind, &reference.key.namespace, difference);
        for (types, by) in [(before, -1.0), (now.as_ref(), 1.0)] {
            for type_ in types.into_iter().flatten() {
                self.telemetry.count_trigger(type_, by);
            }
        }
        match now {
            Some(now) => self.counted.insert(reference.clone(), now),
            None => self.counted.remove(reference),
        };
    }
}

/// The types of an object's triggers.
fn types(object: &dyn Owner) -> Vec<String> {
    object.triggers().iter().map(|trigger| trigger.type_.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_follow_each_change_and_what_is_zero_goes() {
        let telemetry = Arc::new(Telemetry::new());
        let mut totals = Totals::new(Arc::clone(&telemetry));
        let object = |name: &str| Reference { kind: SCALED_OBJECT, key: Key::new("shop", name) };
        let types = |types: &[&str]| Some(types.iter().map(|&type_| type_.to_owned()).collect());
        let count = |line: &str| {
            let text = telemetry.render();
            let found = text.lines().find_map(|one| one.strip_prefix(line)?.trim().parse::<f64>().ok());
            found.unwrap_or_default()
        };
        let queues = || count("keda_trigger_registered_total{type=\"aws-sqs-queue\"}");
        let objects = || count("keda_resource_registered_total{type=\"scaled_object\",namespace=\"shop\"}");
        totals.count(&object("a"), types(&["aws-sqs-queue", "cron"]));
        totals.count(&object("b"), types(&["aws-sqs-queue"]));
        totals.count(&object("b"), types(&["aws-sqs-queue"]));
        assert_eq!((queues(), objects()), (2.0, 2.0));
        totals.count(&object("b"), types(&["cron"]));
        assert_eq!((queues(), objects()), (1.0, 2.0));
        totals.count(&object("a"), None);
        totals.count(&object("b"), None);
        assert_eq!((queues(), objects()), (0.0, 0.0));
        assert!(!telemetry.render().contains("aws-sqs-queue"));
    }
}
