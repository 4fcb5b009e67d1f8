//! Namespaces: what each one gets at birth, and how it ends: everything in it is deleted first, whatever kind it is.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cache::{Cache, Change};
use crate::error::{Error, Result};
use crate::object::{Key, deleting, items, name, second, text, uid};
use crate::work::Controller;

/// Real pause before a namespace that still has contents is looked at again.
const RETRY: Duration = Duration::from_millis(100);
const ROOT_CA: &str = "kube-root-ca.crt";

pub(crate) struct NamespaceController {
    cache: Arc<Cache>,
    ca_pem: String,
}

impl Controller for NamespaceController {
    type Key = Key;
    const NAME: &'static str = "namespace";
    const WORKERS: usize = 8;

    fn concerns(&self, change: &Change) -> Vec<(Key, Duration)> {
        let Some(object) = change.object() else { return vec![] };
        match change.id.as_str() {
            "namespaces" => vec![(Key::of(object), Duration::ZERO)],
            // Both are made again when somebody deletes or changes them.
            "serviceaccounts" if name(object) == "default" => vec![(self.key_of(object), Duration::ZERO)],
            "configmaps" if name(object) == ROOT_CA => vec![(self.key_of(object), Duration::ZERO)],
            _ => vec![],
        }
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>> {
        let Some(namespace) = self.cache.get("namespaces", "", &key.name) else { return Ok(None) };
        if deleting(&namespace) {
            return self.empty(&namespace).await;
        }
        self.furnish(&key.name).await?;
        Ok(None)
    }
}

impl NamespaceController {
    pub(crate) fn new(cache: &Arc<Cache>, ca_pem: String) -> Self {
        Self { cache: Arc::clone(cache), ca_pem }
    }

    #[expect(clippy::unused_self, reason = "reads as the question that it answers")]
    fn key_of(&self, object: &Value) -> Key {
        Key::new("", crate::object::namespace(object))
    }

    /// The ServiceAccount `default` and the ConfigMap with the cluster's CA.
    async fn furnish(&self, namespace: &str) -> Result<()> {
        if self.cache.get("serviceaccounts", namespace, "default").is_none() {
            let account = json!({
                "apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {"name": "default", "namespace": namespace},
            });
            made(self.cache.create("serviceaccounts", &account).await)?;
        }
        let data = json!({"ca.crt": self.ca_pem});
        let bundle = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": data,
            "metadata": {"name": ROOT_CA, "namespace": namespace, "annotations": {
                "kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver \
                 when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other \
                 usage is guaranteed across distributions of Kubernetes clusters.",
            }},
        });
        match self.cache.get("configmaps", namespace, ROOT_CA) {
            None => made(self.cache.create("configmaps", &bundle).await),
            Some(found) if found.get("data") != Some(&data) => {
                let key = Key::new(namespace, ROOT_CA);
                self.cache.merge("configmaps", &key, "", &json!({"data": data})).await.map(drop)
            }
            Some(_) => Ok(()),
        }
    }

    /// Deletes the contents; when nothing is left, takes the finalizer `kubernetes` away.
    async fn empty(&self, namespace: &Value) -> Result<Option<Duration>> {
        if items(namespace, "/spec/finalizers").is_empty() {
            return Ok(None);
        }
        let found = self.cache.discover().await?;
        let mut contents = Vec::new();
        for resource in found.resources.iter().filter(|one| one.namespaced && one.can("list") && one.can("delete")) {
            let path = resource.collection(name(namespace));
            let listing = match self.cache.client.list(&path).await {
                Ok(listing) => listing,
                Err(status) if status.is_not_found() => continue,
                Err(status) => return Err(Error::api(format!("failed to list {}", resource.id()))(status)),
            };
            contents
                .extend(items(&listing, "/items").iter().map(|object| (resource.id(), path.clone(), object.clone())));
        }
        // Still this namespace after all that was listed: none of it belongs to another one that has got the name since.
        let current = self.cache.fetch(&self.cache.client, "namespaces", &Key::new("", name(namespace))).await?;
        if current.is_none_or(|current| uid(&current) != uid(namespace)) {
            return Ok(None);
        }
        let mut left = Vec::new();
        for (id, path, object) in contents {
            if !deleting(&object) {
                self.delete(&format!("{path}/{}", name(&object)), uid(&object)).await?;
            }
            left.push((id, object));
        }
        let left = self.still_there(name(namespace), left).await;
        self.report(namespace, &left, &found.failed).await?;
        if left.is_empty() && found.failed.is_empty() {
            self.finalize(namespace).await?;
            return Ok(None);
        }
        Ok(Some(self.cache.clock.to_system(RETRY)))
    }

    async fn delete(&self, path: &str, uid: &str) -> Result<()> {
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
                             "preconditions": {"uid": uid}});
        match self.cache.client.delete(path, Some(&options)).await {
            Err(status) if !status.is_not_found() && !status.is_conflict() => {
                Err(Error::api(format!("failed to delete {path}"))(status))
            }
            _ => Ok(()),
        }
    }

    /// Of what was there, what the deletions have not removed at once (pods being terminated, finalizers).
    async fn still_there(&self, namespace: &str, before: Vec<(String, Value)>) -> Vec<(String, Value)> {
        let mut left = Vec::new();
        for (id, object) in before {
            let key = Key::new(namespace, name(&object));
            match self.cache.fetch(&self.cache.client, &id, &key).await {
                Ok(None) => {}
                Ok(Some(object)) => left.push((id, object)),
                Err(error) => {
                    tracing::debug!(%id, %key, %error, "could not be read back; counts as still there");
                    left.push((id, object));
                }
            }
        }
        left
    }

    /// Says in the conditions what keeps the namespace from being deleted.
    async fn report(&self, namespace: &Value, left: &[(String, Value)], failed: &[(String, String)]) -> Result<()> {
        let now = second(self.cache.clock.now());
        let made = findings(left, failed).into_iter().map(|one| {
            let status = if one.bad { "True" } else { "False" };
            let old = crate::object::condition(namespace, one.kind).filter(|old| text(old, "/status") == status);
            let since = old.map_or(now.as_str(), |old| text(old, "/lastTransitionTime"));
            json!({"type": one.kind, "status": status, "reason": one.reason, "message": one.message,
                   "lastTransitionTime": since})
        });
        let conditions: Vec<Value> = made.collect();
        let conditions = Value::from(conditions);
        if namespace.pointer("/status/conditions") == Some(&conditions) {
            return Ok(());
        }
        let patch = json!({"status": {"conditions": conditions}});
        match self.cache.merge("namespaces", &Key::new("", name(namespace)), "status", &patch).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    async fn finalize(&self, namespace: &Value) -> Result<()> {
        let key = Key::new("", name(namespace));
        let Some(mut current) = self.cache.fetch(&self.cache.client, "namespaces", &key).await? else { return Ok(()) };
        if uid(&current) != uid(namespace) {
            return Ok(());
        }
        current["spec"]["finalizers"] = json!([]);
        match self.cache.update("namespaces", &current, "finalize").await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

/// One condition of a namespace that is terminating.
struct Finding {
    kind: &'static str,
    bad: bool,
    reason: &'static str,
    message: String,
}

/// What holds a namespace up, by what is left in it and which groups could not be read.
fn findings(left: &[(String, Value)], failed: &[(String, String)]) -> [Finding; 5] {
    let good = |kind, reason, message: &str| Finding { kind, bad: false, reason, message: message.to_owned() };
    let counts = tally(left.iter().map(|(id, _)| if id.contains('.') { id.clone() } else { format!("{id}.") }));
    let finalizers = left.iter().flat_map(|(_, object)| items(object, "/metadata/finalizers"));
    let finalizers = tally(finalizers.filter_map(Value::as_str).map(str::to_owned));
    let groups: Vec<String> = failed.iter().map(|(group, why)| format!("{group}: {why}")).collect();
    let mut all = [
        good("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
        good(
            "NamespaceDeletionGroupVersionParsingFailure",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        good(
            "NamespaceDeletionContentFailure",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        good("NamespaceContentRemaining", "ContentRemoved", "All content successfully removed"),
        good("NamespaceFinalizersRemaining", "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
    ];
    let mut spoil = |index: usize, reason, message| {
        all[index] = Finding { kind: all[index].kind, bad: true, reason, message };
    };
    if !failed.is_empty() {
        let message = format!(
            "Discovery failed for some groups, {} failing: unable to retrieve the complete list of server APIs: {}",
            failed.len(),
            groups.join(", ")
        );
        spoil(0, "DiscoveryFailed", message);
    }
    if !left.is_empty() {
        let message = format!("Some resources are remaining: {}", listed(&counts, "has", "resource instances"));
        spoil(3, "SomeResourcesRemain", message);
    }
    if !finalizers.is_empty() {
        let names = listed(&finalizers, "in", "resource instances");
        let message = format!("Some content in the namespace has finalizers remaining: {names}");
        spoil(4, "SomeFinalizersRemain", message);
    }
    all
}

/// Refusals that mean "not needed any more": it exists, or the namespace is terminating or gone.
fn made(result: Result<Value>) -> Result<()> {
    match result {
        Err(error) if error.is_already_exists() || error.is_not_found() => Ok(()),
        Err(error) if error.to_string().contains("being terminated") => Ok(()),
        other => other.map(drop),
    }
}

fn tally(names: impl Iterator<Item = String>) -> std::collections::BTreeMap<String, usize> {
    names.fold(std::collections::BTreeMap::new(), |mut counts, name| {
        *counts.entry(name).or_insert(0) += 1;
        counts
    })
}

fn listed(counts: &std::collections::BTreeMap<String, usize>, verb: &str, what: &str) -> String {
    let parts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {verb} {count} {what}")).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_named_with_its_finalizers() {
        let left = [("configmaps".to_owned(), json!({"metadata": {"finalizers": ["example.com/hold"]}}))];
        let found = findings(&left, &[]);
        let bad: Vec<&str> = found.iter().filter(|one| one.bad).map(|one| one.message.as_str()).collect();
        assert_eq!(
            bad,
            [
                "Some resources are remaining: configmaps. has 1 resource instances",
                "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
            ]
        );
        assert!(findings(&[], &[]).iter().all(|one| !one.bad));
    }
}
