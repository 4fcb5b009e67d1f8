//! One document against one question: what it grants, what it denies, and why each statement did not match.

use super::document::{Document, Effect, PrincipalElement, Principals, Scope, Statement};
use super::pattern;
use super::question::{Principal, Question};

/// How a matching `Allow` names the caller; an account named in a resource policy only delegates to that account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grant {
    /// Through the caller's account.
    Account,
    /// The caller itself, or anyone.
    Direct,
}

/// What one document says.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    /// The strongest grant.
    pub(crate) allowed: Option<Grant>,
    /// The first statement that denies.
    pub(crate) denied: Option<String>,
    /// Why each `Allow` statement did not match, such as `statement 0: action sqs:* does not cover …`.
    pub(crate) mismatches: Vec<String>,
}

/// Puts `question` to `document`.
pub(crate) fn evaluate(document: &Document, question: &Question<'_>) -> Verdict {
    let mut verdict = Verdict { allowed: None, denied: None, mismatches: Vec::new() };
    for (index, statement) in document.statements.iter().enumerate() {
        let label = statement
            .sid
            .as_ref()
            .map_or_else(|| format!("statement {index}"), |sid| format!("statement {index} ({sid})"));
        match (applies(statement, question), statement.effect) {
            (Ok(grant), Effect::Allow) => verdict.allowed = verdict.allowed.max(Some(grant)),
            (Ok(_), Effect::Deny) => verdict.denied = verdict.denied.or(Some(label)),
            (Err(why), Effect::Allow) => verdict.mismatches.push(format!("{label}: {why}")),
            (Err(_), Effect::Deny) => {}
        }
    }
    verdict
}

fn applies(statement: &Statement, question: &Question<'_>) -> Result<Grant, String> {
    let grant = match &statement.principal {
        None => Grant::Direct,
        Some(element) => principal_matches(element, question.principal, statement.effect)
            .ok_or_else(|| format!("principal {} does not cover {}", describe(element), asker(question.principal)))?,
    };
    if !covers(&statement.actions, |one| pattern::matches_caseless(one, question.action, question.context)) {
        return Err(format!("{} does not cover {}", scope("action", &statement.actions), question.action));
    }
    if let Some(resources) = &statement.resources
        && !covers(resources, |one| pattern::matches_arn(one, question.resource, question.context))
    {
        return Err(format!("{} does not cover {}", scope("resource", resources), question.resource));
    }
    for condition in &statement.conditions {
        condition.check(question.context)?;
    }
    Ok(grant)
}

fn covers(scope: &Scope, matches: impl Fn(&str) -> bool) -> bool {
    match scope {
        Scope::Only(list) => list.iter().any(|one| matches(one)),
        Scope::Except(list) => !list.iter().any(|one| matches(one)),
    }
}

fn scope(what: &str, scope: &Scope) -> String {
    match scope {
        Scope::Only(list) => format!("{what} {}", list.join(", ")),
        Scope::Except(list) => format!("not-{what} {}", list.join(", ")),
    }
}

fn principal_matches(element: &PrincipalElement, asker: &Principal, effect: Effect) -> Option<Grant> {
    match element {
        PrincipalElement::Only(principals) => named(principals, asker),
        // NotPrincipal with Allow is documented as unsafe: it also allows anonymous callers, as AWS does
        // (docs/rules.md#iam-evaluation-of-policies).
        PrincipalElement::Except(principals) => match named(principals, asker) {
            None => Some(Grant::Direct),
            Some(Grant::Account) if effect == Effect::Allow => None,
            Some(_) => None,
        },
    }
}

fn named(principals: &Principals, asker: &Principal) -> Option<Grant> {
    if principals.anyone {
        return Some(Grant::Direct);
    }
    let listed = |list: &[String], one: &Option<String>| one.as_ref().is_some_and(|one| list.contains(one));
    if principals.aws.iter().any(|one| asker.arns.contains(one))
        || listed(&principals.federated, &asker.federated)
        || listed(&principals.service, &asker.service)
    {
        return Some(Grant::Direct);
    }
    let account = asker.account.as_deref()?;
    let delegated = |one: &String| one == account || *one == format!("arn:aws:iam::{account}:root");
    (!asker.arns.is_empty() && principals.aws.iter().any(delegated)).then_some(Grant::Account)
}

fn describe(element: &PrincipalElement) -> String {
    let (prefix, principals) = match element {
        PrincipalElement::Only(principals) => ("", principals),
        PrincipalElement::Except(principals) => ("other than ", principals),
    };
    if principals.anyone {
        return format!("{prefix}*");
    }
    let names: Vec<_> =
        principals.aws.iter().chain(&principals.federated).chain(&principals.service).map(String::as_str).collect();
    format!("{prefix}{}", names.join(", "))
}

fn asker(principal: &Principal) -> String {
    if let Some(name) = principal.federated.as_ref().or(principal.service.as_ref()) {
        return name.clone();
    }
    if principal.arns.is_empty() { "an anonymous caller".to_owned() } else { principal.arns.join(" or ") }
}
