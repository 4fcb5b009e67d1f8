//! SimulatePrincipalPolicy: what a role or the user may do, by the same decision that calls meet.
//!
//! Rules: IAM API Reference, SimulatePrincipalPolicy and EvaluationResult. As on AWS, policies of sessions and trust policies are
//! not looked at.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::input;
use super::store::Store;
use crate::fault::Fault;
use crate::policy::{Context, Decision, Layers, Named, Principal, Question, Refusal, decide};
use crate::strings;

impl Store {
    pub(super) fn simulate(&self, input: &Value) -> Result<Value, Fault> {
        let source = input.get("PolicySourceArn").and_then(Value::as_str).unwrap_or_default();
        let (identity, boundary) = self.policies_at(source)?;
        let actions = strings::list(input.get("ActionNames"));
        let mut resources = strings::list(input.get("ResourceArns"));
        if resources.is_empty() {
            resources.push("*".to_owned());
        }
        let context = given(input.get("ContextEntries"), source);
        let missing = missing(&identity, boundary.as_deref().unwrap_or_default(), &context);
        let principal =
            Principal { arns: vec![source.to_owned()], account: Some(self.account.clone()), ..Principal::default() };
        let layers = Layers { identity: &identity, boundary: boundary.as_deref(), ..Layers::default() };
        let mut results = Vec::new();
        for action in &actions {
            for resource in &resources {
                let question = Question { action, resource, principal: &principal, context: &context };
                results.push(result(&question, &decide(&layers, &question), boundary.is_some(), &missing));
            }
        }
        input::page("EvaluationResults", results, input)
    }
}

fn result(question: &Question<'_>, decision: &Decision, has_boundary: bool, missing: &[String]) -> Value {
    let (name, by_boundary) = match decision {
        Decision::Allowed => ("allowed", true),
        Decision::Refused { refusal, .. } => match refusal {
            Refusal::DeniedByBoundary => ("explicitDeny", false),
            Refusal::NotAllowedByBoundary => ("implicitDeny", false),
            Refusal::DeniedByIdentity | Refusal::DeniedBySession | Refusal::DeniedByResource => ("explicitDeny", true),
            Refusal::NotAllowedByIdentity | Refusal::NotAllowedBySession | Refusal::NotAllowedByResource => {
                ("implicitDeny", true)
            }
        },
    };
    let mut result = json!({
        "EvalActionName": question.action, "EvalResourceName": question.resource, "EvalDecision": name,
        "MatchedStatements": [], "MissingContextValues": missing,
    });
    if has_boundary {
        result["PermissionsBoundaryDecisionDetail"] = json!({ "AllowedByPermissionsBoundary": by_boundary });
    }
    result
}

/// The context that a caller gives; the principal is known anyway.
fn given(entries: Option<&Value>, source: &str) -> Context {
    let mut context = Context::default();
    context.set("aws:PrincipalArn", source);
    for entry in entries.and_then(Value::as_array).into_iter().flatten() {
        let key = entry.get("ContextKeyName").and_then(Value::as_str).unwrap_or_default();
        // Values are compared as texts, whatever their type is said to be.
        let _kind = entry.get("ContextKeyType");
        context.set_all(key, strings::list(entry.get("ContextKeyValues")));
    }
    context
}

/// Condition keys that the policies ask for and the context does not have.
fn missing(identity: &[Named], boundary: &[Named], context: &Context) -> Vec<String> {
    let statements = identity.iter().chain(boundary).flat_map(|policy| &policy.document.statements);
    let mut keys = BTreeSet::new();
    for condition in statements.flat_map(|statement| &statement.conditions) {
        if context.get(condition.key()).is_none() {
            keys.insert(condition.key().to_owned());
        }
    }
    keys.into_iter().collect()
}
