//! What a right is asked for.

use crate::request::{Query, Target};
use crate::selector;

/// What is to be done to what.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attributes {
    pub(crate) verb: String,
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Set for requests on no resource.
    pub(crate) path: Option<String>,
}

impl Attributes {
    pub(crate) fn of(target: &Target, verb: &str, query: &Query) -> Self {
        // The authoriser sees a namespace's own requests as requests inside it.
        let own = target.plural == "namespaces" && target.group.is_empty() && target.namespace.is_empty();
        Self {
            verb: verb.to_owned(),
            group: target.group.clone(),
            resource: target.plural.clone(),
            subresource: target.subresource.clone(),
            namespace: if own { target.name.clone() } else { target.namespace.clone() },
            name: if target.name.is_empty() { named_by_selector(verb, query) } else { target.name.clone() },
            path: None,
        }
    }

    /// `pods/log`.
    pub(crate) fn full_resource(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.clone()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }
}

/// The one object that a list or watch is about: with `metadata.name=x` it needs no more than a right on `x`. A deletion of
/// many always needs the right on all.
fn named_by_selector(verb: &str, query: &Query) -> String {
    if !matches!(verb, "list" | "watch") {
        return String::new();
    }
    let named = selector::name_required(query.get("fieldSelector").unwrap_or_default()).unwrap_or_default();
    if matches!(named.as_str(), "." | "..") || named.contains(['/', '%']) { String::new() } else { named }
}
