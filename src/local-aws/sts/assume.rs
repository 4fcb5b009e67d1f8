//! AssumeRole, and what every way to a role session shares.

use std::sync::Arc;

use serde_json::{Value, json};

use super::input::{check_name, duration, no_mfa, token_size};
use super::session_policy::SessionPolicies;
use super::session_tags::Attributes;
use crate::authorization::{Access, resource_tags};
use crate::caller::{Call, Caller, RoleSession};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::iam::model::AssumableRole;
use crate::policy::{Context, Refusal};
use crate::validation::required;

const ACTION: &str = "sts:AssumeRole";

/// A new role session before it has credentials.
pub(super) struct NewSession<'a> {
    pub(super) role: AssumableRole,
    pub(super) name: &'a str,
    pub(super) seconds: i64,
    pub(super) attributes: Attributes,
    /// The provider of a web identity, and the condition keys that its token's claims set.
    pub(super) federated_provider: Option<String>,
    pub(super) claims: Vec<(String, Vec<String>)>,
}

pub(super) fn assume_role(cloud: &Cloud, call: &Call, input: &Value) -> Result<Value, Fault> {
    let arn = required(input, "RoleArn")?;
    let name = required(input, "RoleSessionName")?;
    check_name(name)?;
    if !arn.starts_with("arn:") {
        return Err(Fault::sender("ValidationError", format!("{arn} is invalid")));
    }
    if let Caller::UserSession(session) = &call.caller
        && session.federated.is_some()
    {
        return Err(Fault::access_denied("Cannot call AssumeRole with session credentials of a federated user"));
    }
    no_mfa(input)?;
    let role = cloud.iam().assumable_role(arn);
    let Some(role) = role else {
        // AWS does not distinguish a missing role from a forbidden one.
        let reasons = vec![format!("there is no role {arn}")];
        return Err(cloud.access_denied(call, ACTION, arn, Refusal::NotAllowedByResource, reasons));
    };
    let attributes = Attributes::of_request(input, &call.caller)?;
    let mut context = Context::default();
    context.set("sts:RoleSessionName", name);
    if let Some(external) = input.get("ExternalId").and_then(Value::as_str) {
        context.set("sts:ExternalId", external);
    }
    attributes.describe(&mut context);
    resource_tags(&mut context, &role.tags);
    for action in std::iter::once(ACTION).chain(attributes.actions()) {
        let access = Access {
            action,
            resource: arn,
            context: context.clone(),
            resource_policy: Some(role.trust.clone()),
            resource_must_allow: true,
        };
        cloud.authorize(call, access)?;
    }
    let chained = matches!(call.caller, Caller::Session(_));
    let seconds = duration(input, role.max_session_seconds, chained)?;
    let new = NewSession { role, name, seconds, attributes, federated_provider: None, claims: Vec::new() };
    begin(cloud, call, input, new)
}

/// Makes the session and the answer that all operations for role sessions give.
pub(super) fn begin(cloud: &Cloud, call: &Call, input: &Value, new: NewSession<'_>) -> Result<Value, Fault> {
    let NewSession { role, name, seconds, attributes, federated_provider, claims } = new;
    let policies = SessionPolicies::of(cloud, input)?;
    let packed = policies.packed_size(&attributes.tags)?;
    let size = token_size(input)?;
    cloud.iam().role_used(&role.arn, call.now);
    let session = Arc::new(RoleSession {
        arn: format!("arn:aws:sts::{}:assumed-role/{}/{name}", cloud.account, role.name),
        role_name: role.name,
        role_arn: role.arn,
        role_id: role.id,
        session_name: name.to_owned(),
        issued_at: call.now,
        tags: attributes.tags,
        transitive: attributes.transitive,
        source_identity: attributes.source_identity,
        policies: policies.named,
        federated_provider,
        claims,
    });
    let mut answer = json!({
        "Credentials": cloud.sts().issue(call.now, Caller::Session(Arc::clone(&session)), seconds, size),
        "AssumedRoleUser": {
            "AssumedRoleId": format!("{}:{}", session.role_id, session.session_name),
            "Arn": session.arn,
        },
        "PackedPolicySize": packed,
    });
    if let Some(identity) = &session.source_identity {
        answer["SourceIdentity"] = json!(identity);
    }
    Ok(answer)
}
