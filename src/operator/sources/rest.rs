//! What a scaler was built from besides its trigger, as it was then.

use keda::api::ScaleTriggers;

use super::build::Common;
use crate::caches::{Caches, Version};
use crate::key::Reference;
use crate::users;

/// The authentication, and how often other inputs had changed.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// At the version that it had; `None` in its place where there was none of that name.
    authentication: Option<(Reference, Option<Version>)>,
    revision: u64,
}

impl Rest {
    /// What `trigger` rests on now.
    pub(super) fn of(trigger: &ScaleTriggers, common: &Common<'_>) -> Self {
        let caches = &common.context.caches;
        let named = users::reference(trigger, common.namespace());
        Self {
            authentication: named.map(|named| (named.clone(), caches.version(&named))),
            revision: caches.inputs.revision(&common.user),
        }
    }

    pub(super) fn is_as_it_was(&self, caches: &Caches, user: &Reference) -> bool {
        self.revision == caches.inputs.revision(user)
            && self.authentication.as_ref().is_none_or(|(named, version)| caches.version(named) == *version)
    }
}
