//! A request whose resource is found: what the handlers and admission work on.

use std::sync::Arc;

use super::hooks::Hooks;
use super::{Call, Target};
use crate::cluster::Cluster;
use crate::kinds::Resource;
use crate::status::Status;
use crate::store::Object;

/// A request with its resource found.
pub(crate) struct ResourceRequest<'a> {
    pub(crate) cluster: &'a Arc<Cluster>,
    pub(crate) call: &'a Call,
    pub(crate) resource: Arc<Resource>,
    pub(crate) target: Target,
    pub(crate) hooks: Arc<Hooks>,
}

impl ResourceRequest<'_> {
    pub(crate) fn stored(&self) -> Result<Object, Status> {
        let Target { namespace, name, .. } = &self.target;
        self.cluster.get(&self.resource.collection(), namespace, name).ok_or_else(|| self.not_found())
    }

    pub(crate) fn not_found(&self) -> Status {
        Status::not_found(&self.resource.group, &self.resource.plural, &self.target.name)
    }
}
