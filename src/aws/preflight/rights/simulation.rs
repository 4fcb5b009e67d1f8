//! A question to IAM's simulator, and its answer.

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};

use crate::cloud::Cloud;
use crate::error::{Error, Result};
use crate::permissions::Scope;

const OPERATION: &str = "iam:SimulatePrincipalPolicy";

/// Each of the actions on each of the resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) scope: Scope,
    pub(super) actions: Vec<&'static str>,
    pub(super) resources: Vec<String>,
    /// Condition keys and their values.
    pub(super) context: Vec<(String, String)>,
}

/// How one action on one resource would end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Decision {
    Allowed,
    NotAllowed,
    NotAllowedByBoundary,
    Denied,
    DeniedByOrganization,
}

/// One action on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) scope: Scope,
    pub(super) action: String,
    pub(super) resource: String,
    pub(super) decision: Decision,
    /// Condition keys that a policy asks for and the question did not give.
    pub(super) missing: Vec<String>,
}

impl Verdict {
    pub(super) fn is_allowed(&self) -> bool {
        self.decision == Decision::Allowed
    }
}

/// IAM's answer for whoever the policies of `source` are attached to.
pub(super) async fn ask(cloud: &Cloud, source: &str, question: &Question) -> Result<Vec<Verdict>> {
    let Question { scope, actions, resources, context } = question;
    let entry = |(key, value): &(String, String)| {
        let kind = ContextKeyTypeEnum::String;
        ContextEntry::builder().context_key_name(key).context_key_values(value).context_key_type(kind).build()
    };
    let actions = actions.iter().map(|action| (*action).to_owned());
    let call = cloud
        .iam
        .simulate_principal_policy()
        .policy_source_arn(source)
        .set_action_names(Some(actions.collect()))
        .set_resource_arns(Some(resources.clone()))
        .set_context_entries(Some(context.iter().map(entry).collect()));
    let (mut found, mut marker) = (Vec::new(), None);
    loop {
        let answer =
            call.clone().set_marker(marker).send().await.map_err(|error| Error::from_sdk(OPERATION, &error))?;
        found.extend(answer.evaluation_results.unwrap_or_default().iter().flat_map(|result| verdicts(*scope, result)));
        marker = answer.marker.filter(|_| answer.is_truncated);
        if marker.is_none() {
            break;
        }
    }
    let pairs = question.actions.len() * resources.len();
    if found.len() < pairs {
        return Err(Error::answer(OPERATION, format!("it decides {} of {pairs} questions", found.len())));
    }
    Ok(found)
}

/// One for each resource: IAM answers either way.
fn verdicts(scope: Scope, result: &EvaluationResult) -> Vec<Verdict> {
    let action = result.eval_action_name().to_owned();
    let organization = result.organizations_decision_detail().is_some_and(|detail| !detail.allowed_by_organizations());
    let verdict =
        |resource: &str, decision: &PolicyEvaluationDecisionType, missing: &[String], is_bounded: bool| Verdict {
            scope,
            action: action.clone(),
            resource: resource.to_owned(),
            missing: missing.to_vec(),
            decision: match decision {
                PolicyEvaluationDecisionType::Allowed => Decision::Allowed,
                _ if organization => Decision::DeniedByOrganization,
                PolicyEvaluationDecisionType::ExplicitDeny => Decision::Denied,
                _ if is_bounded => Decision::NotAllowedByBoundary,
                _ => Decision::NotAllowed,
            },
        };
    let of_resources = result.resource_specific_results();
    if of_resources.is_empty() {
        let bounded =
            result.permissions_boundary_decision_detail().is_some_and(|one| !one.allowed_by_permissions_boundary());
        let resource = result.eval_resource_name().unwrap_or("*");
        return vec![verdict(resource, result.eval_decision(), result.missing_context_values(), bounded)];
    }
    let each = of_resources.iter().map(|one| {
        let bounded =
            one.permissions_boundary_decision_detail().is_some_and(|one| !one.allowed_by_permissions_boundary());
        verdict(one.eval_resource_name(), one.eval_resource_decision(), one.missing_context_values(), bounded)
    });
    each.collect()
}
