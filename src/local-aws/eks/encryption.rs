//! The KMS key that a cluster's secrets are encrypted with.
//!
//! This cloud has no KMS. Keys are taken by the form of their ARN, an alias stands for some key, and what the caller must be
//! allowed to do with a key is asked of IAM as on AWS (EKS User Guide, "Encrypt Kubernetes secrets with KMS on existing clusters").

use serde_json::{Value, json};

use super::faults::invalid;
use super::input::text;
use super::request_context::RequestContext;
use crate::authorization::Access;
use crate::fault::Fault;
use crate::{identifier, strings};

/// The `encryptionConfig` of a call as EKS shows it, if there is one.
pub(super) fn given(context: &RequestContext<'_>, body: &Value) -> Result<Option<Value>, Fault> {
    let configs = body.get("encryptionConfig").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let config = match configs {
        [] => return Ok(None),
        [one] => one,
        _ => return Err(invalid("Only one encryption config is allowed")),
    };
    let resources = strings::list(config.get("resources"));
    if resources.iter().any(|resource| resource != "secrets") || resources.is_empty() {
        return Err(invalid("Encryption config resources must be [secrets]"));
    }
    let provider = config.get("provider").cloned().unwrap_or_default();
    let name = text(&provider, "keyArn").ok_or_else(|| invalid("KeyArn is required"))?;
    let key = key(context, name)?;
    for action in ["kms:DescribeKey", "kms:CreateGrant"] {
        context.cloud.authorize(context.call, Access::new(action, &key))?;
    }
    Ok(Some(json!([{ "resources": resources, "provider": { "keyArn": key } }])))
}

/// The ARN of the key that is called `name`: its ARN, or an alias with or without the rest of its ARN.
fn key(context: &RequestContext<'_>, name: &str) -> Result<String, Fault> {
    let refused = || invalid(format!("Invalid KMS key: {name}"));
    let (region, account) = (&context.cloud.region, &context.cloud.account);
    let path = match name.strip_prefix("arn:aws:kms:") {
        None => name,
        Some(rest) => {
            let mut parts = rest.splitn(3, ':');
            if parts.next() != Some(region.as_str()) {
                return Err(invalid(format!("The KMS key {name} is not in the region {region} of the cluster")));
            }
            parts.nth(1).ok_or_else(refused)?
        }
    };
    match path.split_once('/') {
        Some(("key", id)) if !id.is_empty() && path != name => Ok(name.to_owned()),
        Some(("alias", alias)) if !alias.is_empty() => {
            Ok(format!("arn:aws:kms:{region}:{account}:key/{}", identifier::uuid()))
        }
        _ => Err(refused()),
    }
}
