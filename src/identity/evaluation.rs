//! What documents say of one request, within one account.

use serde::Serialize;

use crate::condition::{Context, Met};
use crate::document::{Document, Listed, Principals, Statement};
use crate::pattern;

/// What comes of a request by the documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", content = "why", rename_all = "snake_case")]
pub enum Finding {
    /// It is permitted: by which statement.
    Allowed(String),
    /// A statement refuses it.
    Denied(String),
    /// Nothing permits it: what the statement that comes nearest lacks.
    Missing(Vec<String>),
    /// The documents alone do not say: what would have to be known.
    Unclear(Vec<String>),
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A session of the role of this ARN.
    Role(String),
    /// Who has a token of the provider of this ARN.
    Token(String),
}

pub(crate) struct Request<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) context: &'a Context,
}

/// Whether a statement is about a request: what of it does not fit, and what is not known.
#[derive(Debug, Default)]
struct Fit {
    misses: Vec<String>,
    unknown: Vec<String>,
    /// It names the account and not the caller, so that the caller's own policies have their say.
    is_delegated: bool,
}

/// What a resource's policy says of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OfResource {
    pub(crate) finding: Finding,
    /// What permits it does so for the account; its identities need permissions of their own.
    pub(crate) is_delegated: bool,
}

/// What an identity's documents say.
pub(crate) fn of_identity(documents: &[Document], request: &Request<'_>) -> Finding {
    evaluated(documents, request, false).finding
}

/// What the policy of a resource says, such as a role's trust.
pub(crate) fn of_resource(document: &Document, request: &Request<'_>) -> OfResource {
    evaluated(std::slice::from_ref(document), request, true)
}

fn evaluated(documents: &[Document], request: &Request<'_>, of_resource: bool) -> OfResource {
    let (mut allowed, mut nearest, mut unknown) = (None, None::<(usize, Vec<String>)>, Vec::new());
    let mut may_be_denied = false;
    for statement in documents.iter().flat_map(|document| &document.statements) {
        let fit = fit(statement, request, of_resource);
        if !fit.misses.is_empty() {
            if !statement.is_deny && nearest.as_ref().is_none_or(|(misses, _)| fit.misses.len() < *misses) {
                let why = fit.misses.iter().map(|miss| format!("{}: {miss}", statement.name)).collect();
                nearest = Some((fit.misses.len(), why));
            }
        } else if !fit.unknown.is_empty() {
            may_be_denied |= statement.is_deny;
            unknown.extend(fit.unknown.iter().map(|what| format!("{}: {what}", statement.name)));
        } else if statement.is_deny {
            return OfResource { finding: Finding::Denied(statement.name.clone()), is_delegated: false };
        } else if allowed.as_ref().is_none_or(|(_, is_delegated)| *is_delegated) {
            // One that names the caller itself outweighs one for its account.
            allowed = Some((statement.name.clone(), fit.is_delegated));
        }
    }
    let is_delegated = allowed.as_ref().is_some_and(|(_, is_delegated)| *is_delegated);
    let finding = match allowed {
        Some((name, _)) if !may_be_denied => Finding::Allowed(name),
        _ if !unknown.is_empty() => Finding::Unclear(unknown),
        _ => Finding::Missing(nearest.map_or_else(|| nothing(documents), |(_, why)| why)),
    };
    OfResource { finding, is_delegated }
}

fn nothing(documents: &[Document]) -> Vec<String> {
    if documents.is_empty() {
        return vec!["there is no policy".to_owned()];
    }
    documents.iter().map(|document| format!("{} allows nothing", document.name())).collect()
}

fn fit(statement: &Statement, request: &Request<'_>, of_resource: bool) -> Fit {
    let mut fit = Fit::default();
    let is_action = statement.actions.holds(request.action, pattern::matches_action);
    if !is_action {
        fit.misses.push(format!("it is about {} and not {}", statement.actions.said(), request.action));
    }
    if let Some(resources) = &statement.resources {
        if resources.patterns.iter().any(|one| pattern::has_variable(one)) {
            fit.unknown.push("its Resource has a variable of the request".to_owned());
        } else if !resources.holds(request.resource, pattern::matches) {
            fit.misses.push(format!("it is about {} and not {}", resources.said(), request.resource));
        }
    }
    if of_resource {
        principal(statement, request.caller, &mut fit);
    }
    for condition in &statement.conditions {
        match condition.met(request.context) {
            Met::Yes => {}
            Met::No(why) => fit.misses.push(why),
            Met::Unclear(why) => fit.unknown.push(why),
        }
    }
    fit
}

fn principal(statement: &Statement, caller: &Caller, fit: &mut Fit) {
    let these = match &statement.principals {
        Some(Principals::Anyone) => return,
        Some(Principals::AllBut) => return fit.unknown.push("NotPrincipal is not evaluated here".to_owned()),
        Some(Principals::These(these)) => these,
        None => return fit.misses.push("it names no Principal".to_owned()),
    };
    let (kind, name) = match caller {
        Caller::Role(arn) => ("AWS", arn),
        Caller::Token(provider) => ("Federated", provider),
    };
    let named = || these.iter().filter(|(of, _)| of == kind).map(|(_, name)| name);
    if named().any(|one| one == name || one == "*") {
        return;
    }
    // `arn:aws:iam::ACCOUNT:role/…`: the account alone, or its root, stands for all of the account.
    let account = name.split(':').nth(4).unwrap_or_default();
    let is_account = |one: &String| one == account || one.ends_with(":root") && one.split(':').nth(4) == Some(account);
    if kind == "AWS" && named().any(is_account) {
        fit.is_delegated = true;
        return;
    }
    let all: Vec<_> = these.iter().map(|(_, name)| name.as_str()).collect();
    fit.misses.push(format!("it is for {} and not {name}", all.join(", ")));
}

impl Listed {
    fn holds(&self, text: &str, matches: impl Fn(&str, &str) -> bool) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern, text)) != self.is_negated
    }

    fn said(&self) -> String {
        let all = self.patterns.join(", ");
        if self.is_negated { format!("all but {all}") } else { all }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/operator";
    const QUEUE: &str = "arn:aws:sqs:eu-west-1:111122223333:orders";

    fn document(name: &str, statements: &Value) -> Document {
        Document::parse(name, &json!({ "Statement": statements })).unwrap()
    }

    fn found(documents: &[Document]) -> Finding {
        let (caller, context) = (Caller::Role(ROLE.to_owned()), Context::default());
        let request = Request { caller: &caller, action: "sqs:GetQueueAttributes", resource: QUEUE, context: &context };
        of_identity(documents, &request)
    }

    #[test]
    fn a_deny_outweighs_and_what_comes_nearest_is_named() {
        let allow =
            document("policy a", &json!({ "Sid": "Read", "Effect": "Allow", "Action": "sqs:Get*", "Resource": QUEUE }));
        let deny = document("policy d", &json!({ "Effect": "Deny", "NotAction": "iam:*", "Resource": "*" }));
        let other = document(
            "policy o",
            &json!([
                { "Sid": "Far", "Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b" },
                { "Sid": "Near", "Effect": "Allow", "Action": "sqs:*", "Resource": "arn:aws:sqs:eu-west-1:111122223333:mails" },
            ]),
        );
        assert_eq!(found(std::slice::from_ref(&allow)), Finding::Allowed("statement Read of policy a".into()));
        assert_eq!(found(&[allow, deny]), Finding::Denied("statement 1 of policy d".into()));
        let why =
            format!("statement Near of policy o: it is about arn:aws:sqs:eu-west-1:111122223333:mails and not {QUEUE}");
        assert_eq!(found(&[other]), Finding::Missing(vec![why]));
        assert_eq!(found(&[]), Finding::Missing(vec!["there is no policy".into()]));
    }

    #[test]
    fn what_depends_on_the_request_is_unclear_for_an_allow_and_for_a_deny() {
        let sometimes = |effect: &str| {
            document(
                "p",
                &json!({
                    "Effect": effect, "Action": "*", "Resource": "*",
                    "Condition": { "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } },
                }),
            )
        };
        let always = document("always", &json!({ "Effect": "Allow", "Action": "*", "Resource": "*" }));
        let why = vec!["statement 1 of p: it depends on aws:SourceIp of the request".to_owned()];
        assert_eq!(found(&[sometimes("Allow")]), Finding::Unclear(why.clone()));
        assert_eq!(found(&[sometimes("Deny"), always.clone()]), Finding::Unclear(why));
        assert_eq!(found(&[sometimes("Allow"), always]), Finding::Allowed("statement 1 of always".into()));
    }

    #[test]
    fn a_resource_names_its_callers_or_their_account() {
        let (caller, context) = (Caller::Role(ROLE.to_owned()), Context::default());
        let request = Request {
            caller: &caller,
            action: "sts:AssumeRole",
            resource: "arn:aws:iam::111122223333:role/r",
            context: &context,
        };
        let trust = |principal: &Value| {
            let statement = json!({ "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole" });
            of_resource(&document("trust", &statement), &request)
        };
        let allowed = Finding::Allowed("statement 1 of trust".into());
        for (principal, is_delegated) in [
            (json!({ "AWS": ROLE }), false),
            (json!("*"), false),
            (json!({ "AWS": ["arn:aws:iam::1:root", "arn:aws:iam::111122223333:root"] }), true),
            (json!({ "AWS": "111122223333" }), true),
        ] {
            assert_eq!(trust(&principal), OfResource { finding: allowed.clone(), is_delegated }, "{principal}");
        }
        for principal in [json!({ "AWS": "arn:aws:iam::999999999999:root" }), json!({ "Service": "eks.amazonaws.com" })]
        {
            assert!(matches!(trust(&principal).finding, Finding::Missing(_)), "{principal}");
        }
    }
}
