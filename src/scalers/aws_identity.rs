//! As whom a trigger calls AWS: KEDA's provider `aws` with its three modes, and the legacy keys
//! (`docs/rules.md#keda-identity-of-an-aws-trigger`).
//!
//! How their credentials are got and shared is the business of [`callers`].

mod callers;
mod identity;
mod resolved;
mod role;

use keda::api::{IdentityOwner, PodIdentityProvider};

pub(crate) use self::callers::Caller;
pub use self::callers::Identities;
pub(crate) use self::identity::Identity;
pub(crate) use self::resolved::{Failure, Resolved};
use crate::context::Context;
use crate::metadata::Metadata;

/// The identity that trigger and TriggerAuthentication ask for; what is wrong with them is noted in `metadata`.
pub(crate) fn chosen(metadata: &mut Metadata<'_>, context: &Context) -> Identity {
    let provider = context.pod_identity.as_ref().map(|identity| identity.provider).unwrap_or_default();
    let chosen = match provider {
        PodIdentityProvider::Aws => by_provider_aws(context),
        _ => legacy(metadata, context, provider == PodIdentityProvider::AwsEks),
    };
    chosen.unwrap_or_else(|problem| {
        metadata.problem(problem);
        Identity::Operator
    })
}

fn by_provider_aws(context: &Context) -> Result<Identity, String> {
    let Some(identity) = &context.pod_identity else { return Ok(Identity::Operator) };
    let role_arn = identity.role_arn.as_deref().filter(|arn| !arn.is_empty());
    match (identity.identity_owner.unwrap_or_default(), role_arn) {
        (IdentityOwner::Keda, None) => Ok(Identity::Operator),
        (IdentityOwner::Keda, Some(arn)) => Ok(Identity::Role(arn.to_owned())),
        (IdentityOwner::Workload, Some(_)) => {
            Err("podIdentity.roleArn and identityOwner workload exclude each other; remove one of them".to_owned())
        }
        (IdentityOwner::Workload, None) => workload_role(context).map(Identity::Role).ok_or_else(|| {
            format!(
                "identityOwner is workload, but ServiceAccount {} has no annotation {}; annotate it with the role's ARN",
                context.workload.service_account,
                crate::context::ROLE_ARN_ANNOTATION
            )
        }),
    }
}

fn workload_role(context: &Context) -> Option<String> {
    context.workload.role_arn.clone().filter(|arn| !arn.is_empty())
}

/// The keys from before provider `aws`: trigger metadata's identityOwner, then a role, then static keys.
fn legacy(metadata: &Metadata<'_>, context: &Context, eks: bool) -> Result<Identity, String> {
    match metadata.text("identityOwner").unwrap_or("pod") {
        "operator" => return Ok(Identity::Operator),
        "pod" => {}
        other => return Err(format!("identityOwner={other:?} is unknown; use \"pod\" or \"operator\"")),
    }
    let by_annotation = if eks { workload_role(context) } else { None };
    if let Some(arn) = by_annotation.or_else(|| metadata.parameter("awsRoleArn").map(str::to_owned)) {
        return Ok(Identity::AssumedRole(arn));
    }
    let id = metadata.parameter("awsAccessKeyID").or_else(|| metadata.parameter("awsAccessKeyId"));
    if let (Some(id), Some(secret)) = (id, metadata.parameter("awsSecretAccessKey")) {
        let token = metadata.parameter("awsSessionToken").map(str::to_owned);
        return Ok(Identity::Static { id: id.to_owned(), secret: secret.to_owned(), token });
    }
    let remedy = "use a TriggerAuthentication with podIdentity provider aws, or identityOwner: operator in the trigger";
    let id = metadata.text("awsAccessKeyID").or_else(|| metadata.by_env("awsAccessKeyID"));
    let id = id.ok_or_else(|| format!("awsAccessKeyID not found: no credentials are configured; {remedy}"))?;
    let secret = metadata.by_env("awsSecretAccessKey");
    let secret = secret.ok_or_else(|| format!("awsSecretAccessKey not found: only the key's id is given; {remedy}"))?;
    Ok(Identity::Static { id: id.to_owned(), secret: secret.to_owned(), token: None })
}

#[cfg(test)]
mod tests;
