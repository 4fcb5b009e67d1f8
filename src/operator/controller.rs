//! One [`ScaleLoop`] per ScaledObject, as long as the object exists, and the numbers of all of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use keda::api::ScaledObject;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::authentication::{CLUSTER_KIND, KIND};
use crate::caches::{Change, Key};
use crate::context::Context;
use crate::scale_loop::{ScaleLoop, Wake};

/// Runs until `stop`; every loop has ended when it returns.
pub(crate) async fn run(context: Arc<Context>, stop: CancellationToken) {
    let mut changes = context.caches.subscribe();
    let mut controller = Controller { context, stop: stop.clone(), loops: HashMap::new(), tasks: JoinSet::new() };
    controller.look_at_all();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            change = changes.recv() => match change {
                Ok(change) => controller.heard(&change),
                // Too many changes to be handled one by one.
                Err(RecvError::Lagged(_)) => controller.look_at_all(),
                Err(RecvError::Closed) => break,
            },
            Some(ended) = controller.tasks.join_next() => controller.ended(ended),
        }
    }
    while controller.tasks.join_next().await.is_some() {}
}

struct Controller {
    context: Arc<Context>,
    stop: CancellationToken,
    loops: HashMap<Key, Arc<Wake>>,
    tasks: JoinSet<Key>,
}

impl Controller {
    fn heard(&mut self, change: &Change) {
        match change {
            Change::ScaledObject(key) if key.name.is_empty() => self.look_at_all(),
            Change::ScaledObject(key) => self.wake(key, false),
            Change::Autoscaler(key) => self.wake(key, true),
            Change::Authentication(key) => self.credentials_changed(KIND, key),
            Change::ClusterAuthentication(key) => self.credentials_changed(CLUSTER_KIND, key),
        }
        self.count();
    }

    fn look_at_all(&mut self) {
        let known: Vec<_> = self.loops.keys().cloned().collect();
        let there = self.context.caches.scaled_objects.all().into_iter().map(|object| Key::of(&object.metadata));
        for key in there.chain(known).collect::<std::collections::BTreeSet<_>>() {
            self.wake(&key, true);
        }
        self.count();
    }

    /// Wakes the object's loop, or starts one. `again`: reconcile even if the object itself has not changed.
    fn wake(&mut self, key: &Key, again: bool) {
        if let Some(wake) = self.loops.get(key) {
            return wake.up(again);
        }
        if self.context.caches.scaled_objects.get(key).is_none() {
            return;
        }
        let wake = Arc::new(Wake::default());
        let scale_loop = ScaleLoop::new(Arc::clone(&self.context), key.clone());
        self.loops.insert(key.clone(), Arc::clone(&wake));
        let (key, stop) = (key.clone(), self.stop.child_token());
        self.tasks.spawn(async move {
            // A panic in one object's loop must not take the others down, and its key must be known afterwards.
            if let Err(error) = tokio::spawn(scale_loop.run(wake, stop)).await
                && error.is_panic()
            {
                tracing::error!(scaled_object = %key, error = %error, "the scale loop broke; starting it again");
            }
            key
        });
    }

    fn ended(&mut self, ended: Result<Key, tokio::task::JoinError>) {
        if let Ok(key) = ended {
            self.loops.remove(&key);
            // Made again under the same name meanwhile, or broken: either way there is work.
            self.wake(&key, true);
        }
    }

    /// Triggers that use these credentials are built again.
    fn credentials_changed(&mut self, kind: &str, authentication: &Key) {
        let users: Vec<_> = self
            .context
            .caches
            .scaled_objects
            .all()
            .into_iter()
            .filter(|object| uses(object, kind, authentication))
            .map(|object| Key::of(&object.metadata))
            .collect();
        for key in users {
            self.context.sources.invalidate(&key);
            self.wake(&key, true);
        }
    }

    fn count(&self) {
        let caches = &self.context.caches;
        let objects = caches.scaled_objects.all();
        let namespace = |key: Key| key.namespace;
        let kinds = objects
            .iter()
            .map(|object| ("scaled_object", namespace(Key::of(&object.metadata))))
            .chain(
                caches
                    .authentications
                    .all()
                    .iter()
                    .map(|one| ("trigger_authentication", namespace(Key::of(&one.metadata)))),
            )
            .chain(
                caches.cluster_authentications.all().iter().map(|_| ("cluster_trigger_authentication", String::new())),
            )
            .fold(BTreeMap::<_, f64>::new(), |mut counts, kind| {
                *counts.entry(kind).or_default() += 1.0;
                counts
            });
        let triggers = objects.iter().flat_map(|object| &object.spec.triggers).fold(
            BTreeMap::<_, f64>::new(),
            |mut counts, trigger| {
                *counts.entry(trigger.type_.clone()).or_default() += 1.0;
                counts
            },
        );
        self.context.telemetry.totals(kinds, triggers);
    }
}

/// Whether a trigger of `object` refers to the authentication. An empty key stands for any: names were lost.
pub(crate) fn uses(object: &ScaledObject, kind: &str, authentication: &Key) -> bool {
    let own = object.metadata.namespace.as_deref().unwrap_or_default();
    object.spec.triggers.iter().filter_map(|trigger| trigger.authentication_ref.as_ref()).any(|reference| {
        let wanted = reference.kind.as_deref().filter(|kind| !kind.is_empty()).unwrap_or(KIND);
        let same_place = kind == CLUSTER_KIND || authentication.namespace == own;
        wanted == kind && (authentication.name.is_empty() || (reference.name == authentication.name && same_place))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn users_of_an_authentication_are_found_by_kind_name_and_namespace() {
        let object: ScaledObject = serde_json::from_value(json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
            "metadata": { "name": "orders", "namespace": "shop" },
            "spec": { "scaleTargetRef": { "name": "orders" }, "triggers": [
                { "type": "aws-sqs-queue", "metadata": {}, "authenticationRef": { "name": "own" } },
                { "type": "aws-sqs-queue", "metadata": {}, "authenticationRef": { "name": "all", "kind": CLUSTER_KIND } }
            ] }
        }))
        .unwrap();
        assert!(uses(&object, KIND, &Key::new("shop", "own")));
        assert!(!uses(&object, KIND, &Key::new("other", "own")));
        assert!(!uses(&object, KIND, &Key::new("shop", "all")));
        assert!(uses(&object, CLUSTER_KIND, &Key::new("", "all")));
        assert!(uses(&object, KIND, &Key::new("", "")));
    }
}
