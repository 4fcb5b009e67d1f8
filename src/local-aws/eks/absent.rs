//! What a Fargate-only cluster of this cloud has none of: node groups, pod identities, identity providers, insights. Lists are
//! empty, and what is looked for is not there. To make one is refused by name before it comes here.

use serde_json::Value;

use super::faults::not_found;
use super::input::{page, text};
use super::request_context::RequestContext;
use crate::fault::Fault;

pub(super) fn list(context: &RequestContext<'_>, action: &str, cluster: &str) -> Result<Value, Fault> {
    context.allowed_on(action, cluster, None)?;
    context.cloud.eks().cluster(cluster)?;
    let member = match action {
        "ListNodegroups" => "nodegroups",
        "ListPodIdentityAssociations" => "associations",
        "ListInsights" => "insights",
        _ => "identityProviderConfigs",
    };
    page(context.request, member, Vec::new())
}

pub(super) fn describe(context: &RequestContext<'_>, action: &str, cluster: &str, name: &str) -> Result<Value, Fault> {
    context.allowed_on(action, cluster, None)?;
    context.cloud.eks().cluster(cluster)?;
    Err(match action {
        "DescribeNodegroup" => {
            not_found(format!("No node group found for name: {name}.")).with_detail("nodegroupName", name)
        }
        "DescribePodIdentityAssociation" => not_found(format!("No association found for associationId: {name}.")),
        "DescribeInsight" => not_found(format!("No insight found for ID: {name}.")),
        _ => {
            let config = context.body.get("identityProviderConfig").cloned().unwrap_or_default();
            let part = |name: &str| text(&config, name).unwrap_or_default().to_owned();
            not_found(format!("No identity provider config of type {} found for name: {}.", part("type"), part("name")))
        }
    })
}
