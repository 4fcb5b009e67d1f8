//! What a scaler was built from besides its trigger, as it was then.

use keda::api::ScaleTriggers;

use super::build::Common;
use crate::caches::{Caches, Version};
use crate::key::Reference;
use crate::users;

/// The authentication, at the version that it had; `None` in its place where there was none of that name.
#[derive(Debug, Default)]
pub(super) struct Rest(Option<(Reference, Option<Version>)>);

impl Rest {
    /// What `trigger` rests on now.
    pub(super) fn of(trigger: &ScaleTriggers, common: &Common<'_>) -> Self {
        let named = users::reference(trigger, common.namespace());
        Self(named.map(|named| (named.clone(), common.context.caches.version(&named))))
    }

    pub(super) fn is_as_it_was(&self, caches: &Caches) -> bool {
        self.0.as_ref().is_none_or(|(named, version)| caches.version(named) == *version)
    }
}
