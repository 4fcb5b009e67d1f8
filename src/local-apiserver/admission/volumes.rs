//! What claims to volumes and volumes get when they are made.

use serde_json::Value;

use crate::cluster::Cluster;

const IS_DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
/// The older way to name a class.
const CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// A claim that names no class gets the default one, if there is one: of several, the newest.
pub(super) fn choose_class(cluster: &Cluster, claim: &mut Value) {
    let metadata = &claim["metadata"];
    if !claim["spec"]["storageClassName"].is_null() || metadata["annotations"][CLASS].is_string() {
        return;
    }
    let (classes, _) = cluster.store.list("storageclasses.storage.k8s.io", None);
    let defaults = classes.iter().filter(|class| class["metadata"]["annotations"][IS_DEFAULT] == "true");
    let text = |class: &Value, field: &str| class["metadata"][field].as_str().unwrap_or_default().to_owned();
    // Those made in the same second go by name.
    let newest =
        defaults.max_by_key(|class| (text(class, "creationTimestamp"), std::cmp::Reverse(text(class, "name"))));
    if let Some(class) = newest {
        claim["spec"]["storageClassName"] = class["metadata"]["name"].clone();
    }
}

/// What is in use is not deleted: the controllers take the finalizer off (StorageObjectInUseProtection).
pub(super) fn protect(object: &mut Value, finalizer: &str) {
    let held = &mut object["metadata"]["finalizers"];
    if held.as_array().is_none() {
        *held = Value::Array(Vec::new());
    }
    if let Some(held) = held.as_array_mut().filter(|held| held.iter().all(|one| one != finalizer)) {
        held.push(finalizer.into());
    }
}
