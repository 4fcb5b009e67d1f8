//! A call with its parts read, and the permissions that it needs.

use std::sync::Arc;

use serde_json::Value;

use super::store::Tags;
use super::{condition_keys, input};
use crate::authorization::{Access, request_tags, resource_tags, tag_keys};
use crate::caller::Call;
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::policy::Context;
use crate::request::Request;

/// A call with its parts read.
pub(super) struct RequestContext<'a> {
    pub(super) cloud: &'a Arc<Cloud>,
    pub(super) call: &'a Call,
    pub(super) request: &'a Request,
    pub(super) body: Value,
}

impl RequestContext<'_> {
    /// The operation, given its permission `eks:<name>` on `resource`.
    pub(super) fn allowed(&self, name: &str, resource: &str, tags: &Tags) -> Result<(), Fault> {
        let mut context = Context::default();
        resource_tags(&mut context, tags);
        let requested = input::tags(&self.body);
        request_tags(&mut context, &requested);
        tag_keys(&mut context, self.request.parameters("tagKeys"));
        condition_keys::describe(&mut context, &self.body, &self.request.segments());
        // Tags that something is made with need the permission to tag it.
        let tagging = ((name.starts_with("Create") || name == "AssociateIdentityProviderConfig")
            && !requested.is_empty())
        .then_some("eks:TagResource");
        let action = format!("eks:{name}");
        std::iter::once(action.as_str()).chain(tagging).try_for_each(|action| {
            self.cloud.authorize(self.call, Access { context: context.clone(), ..Access::new(action, resource) })
        })
    }

    /// As [`Self::allowed`], on a cluster or on the profile or addon `(kind, name)` in it.
    pub(super) fn allowed_on(&self, name: &str, cluster: &str, part: Option<(&str, &str)>) -> Result<(), Fault> {
        let (arn, tags) = {
            let mut store = self.cloud.eks();
            let found = store.clusters.get_mut(cluster);
            match part {
                None => (self.cluster_arn(cluster), found.map(|one| one.tags.clone()).unwrap_or_default()),
                Some((kind, part)) => found.and_then(|one| one.part(kind, part)).unwrap_or_else(|| {
                    let (region, account) = (&self.cloud.region, &self.cloud.account);
                    (format!("arn:aws:eks:{region}:{account}:{kind}/{cluster}/{part}/*"), Tags::new())
                }),
            }
        };
        self.allowed(name, &arn, &tags)
    }

    pub(super) fn cluster_arn(&self, name: &str) -> String {
        format!("arn:aws:eks:{}:{}:cluster/{name}", self.cloud.region, self.cloud.account)
    }

    /// EKS needs a role of its own in the account, which the first caller must be allowed to have made.
    pub(super) fn link(&self, service: &str, name: &str) -> Result<(), Fault> {
        let arn = self.cloud.iam().service_linked_arn(service, name);
        if self.cloud.iam().role_exists(&arn) {
            return Ok(());
        }
        let mut context = Context::default();
        context.set("iam:AWSServiceName", service);
        self.cloud.authorize(self.call, Access { context, ..Access::new("iam:CreateServiceLinkedRole", &arn) })?;
        let mut iam = self.cloud.iam();
        // Of two that both need it first, one makes it.
        if iam.role_exists(&arn) { Ok(()) } else { iam.add_service_linked(service, name, self.call.now) }
    }

    /// The caller hands a role to EKS, which needs a permission of its own.
    pub(super) fn may_pass(&self, role_arn: &str, service: &str, cluster: &str) -> Result<(), Fault> {
        let mut context = Context::default();
        context.set("iam:PassedToService", service);
        context.set("iam:AssociatedResourceArn", self.cluster_arn(cluster));
        self.cloud.authorize(self.call, Access { context, ..Access::new("iam:PassRole", role_arn) })
    }
}
