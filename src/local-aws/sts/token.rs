//! Temporary credentials of a user: GetSessionToken and GetFederationToken.
//!
//! Sources: STS API Reference, GetSessionToken and GetFederationToken; IAM User Guide, "Compare AWS STS credentials".

use std::sync::Arc;

use serde_json::{Value, json};

use super::input::{between, no_mfa, token_size};
use super::session_policy::SessionPolicies;
use super::session_tags::Attributes;
use crate::authorization::Access;
use crate::caller::{Call, Caller, UserSession};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::policy::Context;
use crate::validation::required;

const SECONDS_DEFAULT: i64 = 43_200;
const SECONDS: std::ops::RangeInclusive<i64> = 900..=129_600;

/// The user who calls; sessions cannot have sessions of this kind.
fn user<'a>(call: &'a Call, action: &str) -> Result<&'a Caller, Fault> {
    match &call.caller {
        user @ Caller::User { .. } => Ok(user),
        _ => Err(Fault::access_denied(format!("Cannot call {action} with session credentials"))),
    }
}

pub(super) fn of_user(cloud: &Cloud, call: &Call, input: &Value) -> Result<Value, Fault> {
    let user = user(call, "GetSessionToken")?;
    no_mfa(input)?;
    let seconds = between(input, "DurationSeconds", SECONDS)?.unwrap_or(SECONDS_DEFAULT);
    let session = UserSession {
        user: Box::new(user.clone()),
        federated: None,
        issued_at: call.now,
        tags: std::collections::BTreeMap::new(),
        policies: None,
    };
    let size = token_size(input)?;
    let caller = Caller::UserSession(Arc::new(session));
    Ok(json!({ "Credentials": cloud.sts().issue(call.now, caller, seconds, size) }))
}

pub(super) fn federated(cloud: &Cloud, call: &Call, input: &Value) -> Result<Value, Fault> {
    let user = user(call, "GetFederationToken")?;
    let name = required(input, "Name")?;
    let seconds = between(input, "DurationSeconds", SECONDS)?.unwrap_or(SECONDS_DEFAULT);
    let attributes = Attributes::of_request(input, user)?;
    let arn = format!("arn:aws:sts::{}:federated-user/{name}", cloud.account);
    let mut context = Context::default();
    attributes.describe(&mut context);
    for action in std::iter::once("sts:GetFederationToken").chain(attributes.actions()) {
        cloud.authorize(call, Access { context: context.clone(), ..Access::new(action, &arn) })?;
    }
    let policies = SessionPolicies::of(cloud, input)?;
    let packed = policies.packed_size(&attributes.tags)?;
    let id = format!("{}:{name}", cloud.account);
    let session = UserSession {
        user: Box::new(user.clone()),
        federated: Some((arn.clone(), id.clone())),
        issued_at: call.now,
        tags: attributes.tags,
        // Without a policy a federated user may do nothing but what resources allow it.
        policies: Some(policies.named.unwrap_or_default()),
    };
    let size = token_size(input)?;
    let caller = Caller::UserSession(Arc::new(session));
    Ok(json!({
        "Credentials": cloud.sts().issue(call.now, caller, seconds, size),
        "FederatedUser": { "FederatedUserId": id, "Arn": arn },
        "PackedPolicySize": packed,
    }))
}
