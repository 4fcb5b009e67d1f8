//! A chain from a ServiceAccount to an action on a queue, link by link.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::condition::Context;
use crate::document::Document;
use crate::evaluation::{Caller, Finding, OfResource, Request, of_identity, of_resource};

/// What there is in the account and the cluster, as declared or as read.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The cluster's OIDC issuer without `https://`.
    pub issuer: String,
    /// The audience of its pods' tokens.
    pub audience: String,
    /// The issuers that IAM trusts.
    pub providers: Vec<Provider>,
    /// By ARN. A role that is not here does not exist.
    pub roles: BTreeMap<String, Role>,
    /// The policies of queues that have one, by the queue's ARN: the document, or why it cannot be read.
    pub queue_policies: BTreeMap<String, Result<Document, String>>,
    /// The cluster's. One that is not here does not exist.
    pub service_accounts: Vec<ServiceAccount>,
}

/// An OIDC provider of IAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its ARN.
    pub arn: String,
    /// The issuer without `https://`.
    pub url: String,
    /// The audiences that it takes.
    pub client_ids: Vec<String>,
}

/// A role with everything that says what it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Who may use it.
    pub trust: Document,
    /// Its inline and attached policies.
    pub policies: Vec<Document>,
    /// Its permissions boundary: the document, or why it is not known.
    pub boundary: Option<Result<Document, String>>,
}

/// A ServiceAccount of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The role's ARN in its annotation.
    pub role: Option<String>,
}

/// A chain that is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Namespace and name of the ServiceAccount.
    pub service_account: (String, String),
    /// The ARN of the role that it should use.
    pub role: String,
    /// The ARN of a second role, which the first one uses.
    pub assumed: Option<String>,
    /// Such as `sqs:ReceiveMessage`.
    pub actions: Vec<String>,
    /// The queue's ARN.
    pub queue: String,
}

/// One step of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// What it is about, such as `role a may use role b`.
    pub what: String,
    /// Whether it holds.
    #[serde(flatten)]
    pub finding: Finding,
    /// What to change where it does not.
    pub repair: Option<String>,
}

/// The annotation that names a ServiceAccount's role.
const ROLE_ARN: &str = "eks.amazonaws.com/role-arn";
const WITH_TOKEN: &str = "sts:AssumeRoleWithWebIdentity";
const ASSUME: &str = "sts:AssumeRole";

/// Judges each link of a chain, those after one that fails too: each is about the roles that should be used.
pub fn prove(facts: &Facts, wanted: &Wanted) -> Vec<Link> {
    let mut links = vec![annotation(facts, wanted), provider(facts), token(facts, wanted)];
    let mut last = &wanted.role;
    if let Some(assumed) = &wanted.assumed {
        links.push(second_role(facts, &wanted.role, assumed));
        last = assumed;
    }
    links.extend(wanted.actions.iter().map(|action| on_queue(facts, last, action, &wanted.queue)));
    links
}

impl Link {
    fn new(what: String, finding: Finding, repair: impl FnOnce() -> String) -> Self {
        let repair = match &finding {
            Finding::Allowed(_) => None,
            Finding::Denied(statement) => Some(format!("take {statement} away, or exempt this from it")),
            Finding::Missing(_) => Some(repair()),
            Finding::Unclear(_) => {
                Some("look at these yourself; nothing here can be judged from the documents".to_owned())
            }
        };
        Self { what, finding, repair }
    }

    /// Whether it holds by the documents.
    pub fn holds(&self) -> bool {
        matches!(self.finding, Finding::Allowed(_))
    }
}

fn annotation(facts: &Facts, wanted: &Wanted) -> Link {
    let (namespace, name) = &wanted.service_account;
    let found = facts.service_accounts.iter().find(|one| one.namespace == *namespace && one.name == *name);
    let role = &wanted.role;
    let finding = match found.map(|one| one.role.as_deref()) {
        Some(Some(named)) if named == role => Finding::Allowed(format!("annotation {ROLE_ARN}")),
        Some(Some(named)) => Finding::Missing(vec![format!("annotation {ROLE_ARN} names {named}")]),
        Some(None) => Finding::Missing(vec![format!("it has no annotation {ROLE_ARN}")]),
        None => Finding::Missing(vec!["it does not exist".to_owned()]),
    };
    Link::new(format!("ServiceAccount {namespace}/{name} names role {}", short(role)), finding, || {
        if found.is_none() {
            return "make it: `sluice up` does".to_owned();
        }
        format!(
            "annotate the ServiceAccount with {ROLE_ARN}={role}, and restart its pods: a pod keeps what it began with"
        )
    })
}

/// The provider of the cluster's issuer.
fn own_provider(facts: &Facts) -> Option<&Provider> {
    facts.providers.iter().find(|one| one.url.trim_end_matches('/') == facts.issuer.trim_end_matches('/'))
}

fn provider(facts: &Facts) -> Link {
    let Facts { issuer, audience, .. } = facts;
    let finding = match own_provider(facts) {
        Some(one) if one.client_ids.contains(audience) => Finding::Allowed(format!("OIDC provider {}", one.arn)),
        Some(one) => {
            let taken = one.client_ids.join(", ");
            Finding::Missing(vec![format!("OIDC provider {} takes tokens for {taken} and not for {audience}", one.arn)])
        }
        None => Finding::Missing(vec!["IAM has no OIDC provider of that issuer".to_owned()]),
    };
    Link::new(format!("IAM takes tokens of {issuer}"), finding, || {
        format!("give IAM an OIDC provider of https://{issuer} with the client id {audience}")
    })
}

fn token(facts: &Facts, wanted: &Wanted) -> Link {
    let (namespace, name) = &wanted.service_account;
    let subject = format!("system:serviceaccount:{namespace}:{name}");
    let Facts { issuer, audience, .. } = facts;
    let provider = own_provider(facts).map_or_else(|| format!("the OIDC provider of {issuer}"), |one| one.arn.clone());
    let finding = match facts.roles.get(&wanted.role) {
        None => no_role(&wanted.role),
        Some(role) => {
            let context = Context::default()
                .with(&format!("{issuer}:sub"), &subject)
                .with(&format!("{issuer}:aud"), audience)
                .with("aws:FederatedProvider", &provider)
                .whole(&format!("{issuer}:"))
                .whole("sts:externalid");
            let caller = Caller::Token(provider.clone());
            let request = Request { caller: &caller, action: WITH_TOKEN, resource: &wanted.role, context: &context };
            of_resource(&role.trust, &request).finding
        }
    };
    let role = short(&wanted.role);
    Link::new(format!("the token of {subject} becomes role {role}"), finding, || {
        if !facts.roles.contains_key(&wanted.role) {
            return made(&wanted.role);
        }
        format!(
            "let the trust policy of role {role} allow {WITH_TOKEN} to {provider} where {issuer}:sub is {subject} and {issuer}:aud is {audience}"
        )
    })
}

fn second_role(facts: &Facts, by: &str, assumed: &str) -> Link {
    let repair = || match [by, assumed].into_iter().find(|role| !facts.roles.contains_key(*role)) {
        Some(missing) => made(missing),
        None => format!(
            "let the trust policy of role {} allow {ASSUME} to {by} without a condition that this does not meet, and a policy \
             of role {} allow it on {assumed}",
            short(assumed),
            short(by)
        ),
    };
    let finding = match (facts.roles.get(by), facts.roles.get(assumed)) {
        (None, _) => no_role(by),
        (_, None) => no_role(assumed),
        (Some(role), Some(target)) => permitted(role, Some(&target.trust), by, ASSUME, assumed, true),
    };
    Link::new(format!("role {} uses role {}", short(by), short(assumed)), finding, repair)
}

fn on_queue(facts: &Facts, by: &str, action: &str, queue: &str) -> Link {
    let finding = match facts.roles.get(by) {
        None => no_role(by),
        Some(role) => match facts.queue_policies.get(queue) {
            Some(Err(why)) => Finding::Unclear(vec![format!("the policy of the queue cannot be read: {why}")]),
            Some(Ok(policy)) => permitted(role, Some(policy), by, action, queue, false),
            None => permitted(role, None, by, action, queue, false),
        },
    };
    Link::new(format!("role {} may {action} on {queue}", short(by)), finding, || match facts.roles.get(by) {
        None => made(by),
        Some(Role { boundary: Some(_), .. }) => {
            format!(
                "let a policy of role {} allow {action} on {queue}, and its permissions boundary as well",
                short(by)
            )
        }
        Some(_) => format!("let a policy of role {} allow {action} on {queue}", short(by)),
    })
}

/// One action within an account. `must`: the resource's policy has to permit it, as a role's trust has.
fn permitted(role: &Role, of_other: Option<&Document>, by: &str, action: &str, resource: &str, must: bool) -> Finding {
    let account = by.split(':').nth(4).unwrap_or_default();
    let context = Context::default()
        .with("aws:PrincipalArn", by)
        .with("aws:PrincipalAccount", account)
        .with("aws:ResourceAccount", resource.split(':').nth(4).unwrap_or_default())
        .with("aws:PrincipalType", "AssumedRole")
        .whole("sts:externalid");
    let caller = Caller::Role(by.to_owned());
    let request = Request { caller: &caller, action, resource, context: &context };
    let own = of_identity(&role.policies, &request);
    let none = OfResource { finding: Finding::Missing(Vec::new()), is_delegated: false };
    let other = of_other.map_or(none, |document| of_resource(document, &request));
    if let Some(denied) = [&own, &other.finding].into_iter().find(|one| matches!(one, Finding::Denied(_))) {
        return denied.clone();
    }
    let finding = match (&other.finding, other.is_delegated) {
        // A policy that names the role itself needs no other in the same account (IAM User Guide, "Policy evaluation logic").
        (Finding::Allowed(by), false) if matches!(own, Finding::Missing(_)) => Finding::Allowed(by.clone()),
        (Finding::Allowed(_), _) => own,
        (Finding::Unclear(_), _) => return other.finding,
        (refused, _) if must => return refused.clone(),
        _ => own,
    };
    match &role.boundary {
        Some(boundary) if matches!(finding, Finding::Allowed(_)) => within(boundary, &request, finding),
        _ => finding,
    }
}

fn within(boundary: &Result<Document, String>, request: &Request<'_>, finding: Finding) -> Finding {
    match boundary {
        Err(why) => Finding::Unclear(vec![format!("the permissions boundary is not known: {why}")]),
        Ok(document) => match of_identity(std::slice::from_ref(document), request) {
            Finding::Allowed(_) => finding,
            Finding::Missing(why) => {
                Finding::Missing(why.into_iter().map(|why| format!("permissions boundary: {why}")).collect())
            }
            other => other,
        },
    }
}

fn made(role: &str) -> String {
    format!("make role {}: `sluice up` does", short(role))
}

fn no_role(arn: &str) -> Finding {
    Finding::Missing(vec![format!("there is no role {arn}")])
}

/// The role's name without its ARN.
fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

#[cfg(test)]
mod tests;
