//! What the admission of a new object rests on. The store looks at it again in the moment of the write, so that nothing
//! is made in a namespace or of a kind that has begun to go meanwhile, and no address is given twice.

use std::sync::Arc;

use serde_json::Value;

use crate::crd::{definition, termination};
use crate::request::resource_request::ResourceRequest;
use crate::store::{Object, View};

/// To be read before the admission that it stands for.
pub(crate) struct Basis {
    /// The name of the namespace, and the namespace as it was.
    namespace: Option<(String, Object)>,
    /// The name of a custom resource's definition, and its uid.
    definition: Option<(String, String)>,
    /// The collection whose objects were compared with the new one, and its last change.
    neighbours: Option<(&'static str, u64)>,
}

impl Basis {
    pub(crate) fn of(request: &ResourceRequest<'_>) -> Self {
        let (resource, namespace) = (&request.resource, &request.target.namespace);
        let found = request.cluster.get("namespaces", "", namespace).filter(|_| resource.namespaced);
        let definition = resource.custom.as_ref().map(|custom| (resource.collection(), custom.definition.clone()));
        let is_service = resource.built_in_kind() == "Service";
        Self {
            namespace: found.map(|found| (namespace.clone(), found)),
            definition,
            // Addresses are chosen among those that no other Service has.
            neighbours: is_service.then(|| ("services", request.cluster.store.changed("services"))),
        }
    }

    pub(crate) fn holds(&self, view: &View<'_>) -> bool {
        let same = |(name, read): &(String, Object)| {
            view.get("namespaces", "", name).is_some_and(|stored| Arc::ptr_eq(stored, read))
        };
        let alive = |(name, uid): &(String, String)| {
            view.get(definition::COLLECTION, "", name)
                .is_some_and(|stored| stored["metadata"]["uid"] == uid.as_str() && !termination::is_under_way(stored))
        };
        self.namespace.as_ref().is_none_or(same)
            && self.definition.as_ref().is_none_or(alive)
            && self.neighbours.is_none_or(|(collection, revision)| view.changed(collection) == revision)
    }
}

/// Whether a namespace is being deleted; its phase follows, and may be written by anybody.
pub(super) fn is_terminating(namespace: &Value) -> bool {
    !namespace["metadata"]["deletionTimestamp"].is_null() || namespace["status"]["phase"] == "Terminating"
}
