//! May the caller do this? Gathers policies and context, asks `policy`, and remembers refusals.

use std::collections::BTreeMap;

use crate::access_denied;
use crate::caller::{Call, Caller};
use crate::cloud::Cloud;
use crate::denials::Denial;
use crate::fault::Fault;
use crate::policy::{Context, Decision, Layers, Named, Principal, Question, Refusal, decide};

/// What is to be authorised.
#[derive(Debug, Default)]
pub(crate) struct Access<'a> {
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    /// Condition keys beyond those of every call.
    pub(crate) context: Context,
    pub(crate) resource_policy: Option<Named>,
    /// For trust policies: identity policies alone do not do.
    pub(crate) resource_must_allow: bool,
}

impl<'a> Access<'a> {
    pub(crate) fn new(action: &'a str, resource: &'a str) -> Self {
        Self { action, resource, ..Self::default() }
    }
}

/// Sets `aws:RequestTag/…` and `aws:TagKeys`.
pub(crate) fn request_tags(context: &mut Context, tags: &BTreeMap<String, String>) {
    for (key, value) in tags {
        context.set(&format!("aws:RequestTag/{key}"), value.as_str());
    }
    if !tags.is_empty() {
        context.set_all("aws:TagKeys", tags.keys().cloned().collect());
    }
}

/// Sets `aws:TagKeys` for a call that takes tags away.
pub(crate) fn tag_keys(context: &mut Context, keys: Vec<String>) {
    if !keys.is_empty() {
        context.set_all("aws:TagKeys", keys);
    }
}

/// Sets `aws:ResourceTag/…`, and IAM's own key for the same.
pub(crate) fn resource_tags(context: &mut Context, tags: &BTreeMap<String, String>) {
    for (key, value) in tags {
        context.set(&format!("iam:ResourceTag/{key}"), value.as_str());
        context.set(&format!("aws:ResourceTag/{key}"), value.as_str());
    }
}

impl Cloud {
    /// `Ok`, or the service's `AccessDenied`.
    pub(crate) fn authorize(&self, call: &Call, access: Access<'_>) -> Result<(), Fault> {
        let Access { action, resource, mut context, resource_policy, resource_must_allow } = access;
        self.describe_call(call, &mut context);
        let identity = self.iam().identity_policies(&call.caller);
        let boundary = self.iam().boundary(&call.caller);
        let session = call.caller.session_policies();
        let layers = Layers {
            identity: &identity,
            boundary: boundary.as_deref(),
            session,
            resource: resource_policy.as_ref(),
            resource_must_allow,
        };
        let principal = call.caller.principal(&self.account);
        let question = Question { action, resource, principal: &principal, context: &context };
        let decision = decide(&layers, &question);
        call.questions.add(action, resource, matches!(decision, Decision::Allowed));
        match decision {
            Decision::Allowed => Ok(()),
            Decision::Refused { refusal, reasons } => Err(self.access_denied(call, action, resource, refusal, reasons)),
        }
    }

    /// The service's `AccessDenied`, remembered with its reasons.
    pub(crate) fn access_denied(
        &self,
        call: &Call,
        action: &str,
        resource: &str,
        refusal: Refusal,
        reasons: Vec<String>,
    ) -> Fault {
        let message = access_denied::text(&call.caller, action, resource, refusal);
        self.remember(call, action, resource, &message, reasons);
        Fault::access_denied(message)
    }

    /// Whether a role's trust policy lets an AWS service assume it on behalf of `source_arn`.
    pub(crate) fn trusts_service(&self, role_arn: &str, service: &str, source_arn: &str) -> bool {
        let Some(trust) = self.iam().trust_policy(role_arn) else { return false };
        let mut context = Context::default();
        context.set("aws:SourceArn", source_arn);
        context.set("aws:SourceAccount", self.account.as_str());
        context.set("aws:PrincipalIsAWSService", "true");
        let principal = Principal { service: Some(service.to_owned()), ..Principal::default() };
        let question =
            Question { action: "sts:AssumeRole", resource: role_arn, principal: &principal, context: &context };
        let layers = Layers { resource: Some(&trust), resource_must_allow: true, ..Layers::default() };
        match decide(&layers, &question) {
            Decision::Allowed => true,
            Decision::Refused { reasons, .. } => {
                self.denials().push(Denial {
                    at: self.clock.now(),
                    principal: service.to_owned(),
                    action: "sts:AssumeRole".into(),
                    resource: role_arn.to_owned(),
                    message: format!("{service} is not trusted by {role_arn}"),
                    reasons,
                });
                false
            }
        }
    }

    pub(crate) fn remember(&self, call: &Call, action: &str, resource: &str, message: &str, reasons: Vec<String>) {
        self.denials().push(Denial {
            at: call.now,
            principal: call.caller.arn().to_owned(),
            action: action.to_owned(),
            resource: resource.to_owned(),
            message: message.to_owned(),
            reasons,
        });
    }

    /// The global condition keys of a call.
    pub(crate) fn describe_call(&self, call: &Call, context: &mut Context) {
        context.set("aws:CurrentTime", call.now.to_string());
        context.set("aws:EpochTime", call.now.as_second().to_string());
        // A global service has set its own region before.
        if context.get("aws:RequestedRegion").is_none() {
            context.set("aws:RequestedRegion", self.region.as_str());
        }
        context.set("aws:SourceIp", call.source_address.as_str());
        context.set("aws:UserAgent", call.user_agent.as_str());
        if let Some(referer) = &call.referer {
            context.set("aws:Referer", referer.as_str());
        }
        // Everything here is of the one account.
        context.set("aws:ResourceAccount", self.account.as_str());
        context.set("aws:ViaAWSService", "false");
        context.set("aws:PrincipalIsAWSService", "false");
        // The endpoint stands for AWS's TLS endpoint; policies that insist on TLS must decide here as they do there.
        context.set("aws:SecureTransport", "true");
        if let Caller::Anonymous = call.caller {
            context.set("aws:PrincipalType", "Anonymous");
            return;
        }
        context.set("aws:PrincipalAccount", self.account.as_str());
        context.set("aws:PrincipalArn", call.caller.principal_arn());
        context.set("aws:userid", call.caller.user_id());
        self.describe_caller(&call.caller, context);
    }

    fn describe_caller(&self, caller: &Caller, context: &mut Context) {
        match caller {
            Caller::User { name, .. } => {
                context.set("aws:username", name.as_str());
                context.set("aws:PrincipalType", "User");
            }
            Caller::UserSession(session) => {
                if session.federated.is_some() {
                    context.set("aws:PrincipalType", "FederatedUser");
                } else {
                    self.describe_caller(&session.user, context);
                }
                temporary(context, session.issued_at);
                principal_tags(context, &session.tags);
            }
            Caller::Session(session) => {
                context.set("aws:PrincipalType", "AssumedRole");
                temporary(context, session.issued_at);
                if let Some(provider) = &session.federated_provider {
                    context.set("aws:FederatedProvider", provider.as_str());
                }
                for (key, values) in &session.claims {
                    context.set_all(key, values.clone());
                }
                if let Some(identity) = &session.source_identity {
                    context.set("aws:SourceIdentity", identity.as_str());
                }
                // A session tag goes over a tag of the role, whatever its case.
                principal_tags(context, &self.iam().role_tags(&session.role_name, &session.role_id));
                principal_tags(context, &session.tags);
            }
            Caller::Anonymous => {}
        }
    }
}

fn principal_tags(context: &mut Context, tags: &BTreeMap<String, String>) {
    for (key, value) in tags {
        context.set(&format!("aws:PrincipalTag/{key}"), value.as_str());
    }
}

/// What temporary credentials say and long-lived ones do not. MFA is present but false: this cloud has no devices, so no
/// session was begun with one, and an access key of a user has no such key at all (IAM User Guide, "AWS global condition
/// context keys": aws:MultiFactorAuthPresent).
fn temporary(context: &mut Context, issued_at: jiff::Timestamp) {
    context.set("aws:TokenIssueTime", issued_at.to_string());
    context.set("aws:MultiFactorAuthPresent", "false");
}
