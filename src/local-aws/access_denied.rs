//! The text of AccessDenied.

use crate::caller::Caller;
use crate::policy::Refusal;

/// AWS's words for a refusal.
pub(crate) fn text(caller: &Caller, action: &str, resource: &str, refusal: Refusal) -> String {
    if matches!(caller, Caller::Anonymous) {
        return format!("Access to the resource {resource} is denied.");
    }
    let arn = caller.arn();
    // SQS writes its actions in lower case here.
    let lower = action.to_lowercase();
    let action = if action.starts_with("sqs:") { lower.as_str() } else { action };
    let reason = match refusal {
        Refusal::DeniedByIdentity => "with an explicit deny in an identity-based policy".to_owned(),
        Refusal::DeniedByBoundary => "with an explicit deny in a permissions boundary".to_owned(),
        Refusal::DeniedBySession => "with an explicit deny in a session policy".to_owned(),
        Refusal::DeniedByResource => "with an explicit deny in a resource-based policy".to_owned(),
        Refusal::NotAllowedByIdentity => format!("because no identity-based policy allows the {action} action"),
        Refusal::NotAllowedByBoundary => format!("because no permissions boundary allows the {action} action"),
        Refusal::NotAllowedBySession => format!("because no session policy allows the {action} action"),
        // AWS says no more than this for AssumeRole.
        Refusal::NotAllowedByResource => {
            return format!("User: {arn} is not authorized to perform: {action} on resource: {resource}");
        }
    };
    format!("User: {arn} is not authorized to perform: {action} on resource: {resource} {reason}")
}
