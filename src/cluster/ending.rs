//! Why an object that is being deleted is still there, by its finalizers and in the words of its conditions.

use serde_json::Value;

/// Why a deleted object is still there.
pub(crate) struct Remains {
    pub(crate) why: String,
    /// Whether somebody's finalizer holds it, or something in it.
    pub(crate) is_held: bool,
    /// Whether a namespace cannot end because an API is not served.
    pub(crate) is_stale: bool,
}

/// The condition of a namespace whose end waits for an API that nobody serves.
pub(crate) const DISCOVERY: &str = "NamespaceDeletionDiscoveryFailure";

/// Why an object that is being deleted is still there, in the words of its conditions.
pub(crate) fn ending(live: &Value) -> String {
    held_by(live).why
}

/// What holds an object that is being deleted.
pub(crate) fn held_by(live: &Value) -> Remains {
    let finalizers = live["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let finalizers: Vec<&str> = finalizers.collect();
    let conditions = live["status"]["conditions"].as_array().into_iter().flatten();
    let holding: Vec<_> = conditions.filter(|condition| condition["status"] == "True").collect();
    let words =
        |condition: &&Value| Some(format!("{}: {}", condition["type"].as_str()?, condition["message"].as_str()?));
    let said = || std::iter::once("it is being deleted".to_owned()).chain(holding.iter().filter_map(words));
    let why = said().collect::<Vec<_>>().join("; ");
    if live["kind"] == "Namespace" {
        let is_held = holding.iter().any(|one| one["message"].as_str().is_some_and(|said| said.contains("finalizers")));
        let is_stale = holding.iter().any(|one| one["type"] == DISCOVERY);
        return Remains { why, is_held, is_stale };
    }
    if finalizers.is_empty() {
        return Remains { why, is_held: false, is_stale: false };
    }
    let why =
        format!("it is held by its finalizers {}; whoever set them must run to take them off", finalizers.join(", "));
    Remains { why, is_held: true, is_stale: false }
}
