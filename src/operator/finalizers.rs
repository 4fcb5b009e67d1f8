//! The operator's finalizer in the list of an object's finalizers.
//!
//! A merge patch writes the list whole, so each patch carries the resource version that it was made from: what others
//! add or remove meanwhile is a conflict, never lost.

use keda::FINALIZER;
use kube::api::ObjectMeta;
use serde_json::{Value, json};

/// Whether the object holds on to its end for this operator.
pub(crate) fn is_held(metadata: &ObjectMeta) -> bool {
    metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

/// The merge patch that adds the finalizer after those of others.
pub(crate) fn added(metadata: &ObjectMeta) -> Value {
    patch(metadata, others(metadata).chain([FINALIZER]).collect())
}

/// The merge patch that removes the finalizer and leaves those of others.
pub(crate) fn removed(metadata: &ObjectMeta) -> Value {
    patch(metadata, others(metadata).collect())
}

fn others(metadata: &ObjectMeta) -> impl Iterator<Item = &str> {
    metadata.finalizers.iter().flatten().map(String::as_str).filter(|finalizer| *finalizer != FINALIZER)
}

#[expect(clippy::needless_pass_by_value, reason = "the list is made for it")]
fn patch(metadata: &ObjectMeta, finalizers: Vec<&str>) -> Value {
    json!({ "metadata": { "resourceVersion": metadata.resource_version, "finalizers": finalizers } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(finalizers: &[&str]) -> ObjectMeta {
        ObjectMeta {
            resource_version: Some("7".into()),
            finalizers: Some(finalizers.iter().map(|&name| name.to_owned()).collect()),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn only_the_own_finalizer_comes_and_goes() {
        let theirs = metadata(&["theirs", "others"]);
        assert!(!is_held(&theirs) && is_held(&metadata(&["theirs", FINALIZER])));
        assert_eq!(added(&theirs)["metadata"]["finalizers"], json!(["theirs", "others", FINALIZER]));
        assert_eq!(
            removed(&metadata(&["theirs", FINALIZER, "others"]))["metadata"]["finalizers"],
            json!(["theirs", "others"])
        );
        assert_eq!(removed(&theirs)["metadata"]["resourceVersion"], "7");
        assert_eq!(added(&ObjectMeta::default())["metadata"]["finalizers"], json!([FINALIZER]));
    }
}
