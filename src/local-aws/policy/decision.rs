//! All policies together: explicit deny wins, then the layers that must each allow.

use super::evaluation::{Grant, Verdict, evaluate};
use super::question::{Named, Question};

/// The policies that bear on a call.
#[derive(Debug, Default)]
pub(crate) struct Layers<'a> {
    /// Of the user or role.
    pub(crate) identity: &'a [Named],
    /// The permissions boundary of the role; it only narrows.
    pub(crate) boundary: Option<&'a [Named]>,
    /// Given when the session was made; they only narrow.
    pub(crate) session: Option<&'a [Named]>,
    /// Of the resource.
    pub(crate) resource: Option<&'a Named>,
    /// The resource policy must itself allow (trust policies).
    pub(crate) resource_must_allow: bool,
}

/// Why a call is refused, in the layer's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    DeniedByIdentity,
    DeniedByBoundary,
    DeniedBySession,
    DeniedByResource,
    NotAllowedByIdentity,
    NotAllowedByBoundary,
    NotAllowedBySession,
    NotAllowedByResource,
}

/// The answer, with the reasons of a refusal.
#[derive(Debug, Clone)]
pub(crate) enum Decision {
    Allowed,
    Refused { refusal: Refusal, reasons: Vec<String> },
}

struct Layer {
    allowed: Option<Grant>,
    denied: Option<String>,
    mismatches: Vec<String>,
}

fn context(policies: &[Named], question: &Question<'_>) -> Layer {
    let mut layer = Layer { allowed: None, denied: None, mismatches: Vec::new() };
    for policy in policies {
        let Verdict { allowed, denied, mismatches } = evaluate(&policy.document, question);
        layer.allowed = layer.allowed.max(allowed);
        layer.denied = layer.denied.or(denied.map(|statement| format!("{statement} of {} denies", policy.name)));
        layer.mismatches.extend(mismatches.into_iter().map(|why| {
            let (statement, why) = why.split_once(": ").unwrap_or(("statement", &why));
            format!("{statement} of {}: {why}", policy.name)
        }));
    }
    layer
}

/// Decides a call of one account on its own resource.
///
/// A resource policy that names the caller itself needs no identity policy (same account); one that names the account
/// does. A boundary and session policies narrow whatever the identity policies and the role's grants give.
pub(crate) fn decide(layers: &Layers<'_>, question: &Question<'_>) -> Decision {
    let identity = context(layers.identity, question);
    let boundary = layers.boundary.map(|policies| context(policies, question));
    let session = layers.session.map(|policies| context(policies, question));
    let resource = layers.resource.map(|policy| context(std::slice::from_ref(policy), question));
    let refused = |refusal, reasons| Decision::Refused { refusal, reasons };

    if let Some(statement) = identity.denied {
        return refused(Refusal::DeniedByIdentity, vec![statement]);
    }
    if let Some(statement) = boundary.as_ref().and_then(|layer| layer.denied.clone()) {
        return refused(Refusal::DeniedByBoundary, vec![statement]);
    }
    if let Some(statement) = session.as_ref().and_then(|layer| layer.denied.clone()) {
        return refused(Refusal::DeniedBySession, vec![statement]);
    }
    if let Some(statement) = resource.as_ref().and_then(|layer| layer.denied.clone()) {
        return refused(Refusal::DeniedByResource, vec![statement]);
    }
    let granted = resource.as_ref().and_then(|layer| layer.allowed);
    if layers.resource_must_allow && granted.is_none() {
        return refused(Refusal::NotAllowedByResource, resource.map(|layer| layer.mismatches).unwrap_or_default());
    }
    if granted != Some(Grant::Direct) && identity.allowed.is_none() {
        let mut reasons = identity.mismatches;
        if reasons.is_empty() {
            reasons.push(format!(
                "no identity-based policy of the caller has a statement that allows {}",
                question.action
            ));
        }
        reasons.extend(resource.map(|layer| layer.mismatches).unwrap_or_default());
        return refused(Refusal::NotAllowedByIdentity, reasons);
    }
    if let Some(layer) = boundary
        && layer.allowed.is_none()
    {
        return refused(Refusal::NotAllowedByBoundary, layer.mismatches);
    }
    if let Some(layer) = session
        && layer.allowed.is_none()
    {
        return refused(Refusal::NotAllowedBySession, layer.mismatches);
    }
    Decision::Allowed
}
