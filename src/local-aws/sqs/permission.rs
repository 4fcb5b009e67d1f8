//! The two operations that write single statements of a queue's policy.
//!
//! Source: SQS API Reference, AddPermission and RemovePermission.

use serde_json::{Value, json};

use super::input::{invalid, missing, required, strings};
use super::policy::{ACTIONS_MAX, Policy, over_limit, too_many_actions};
use super::queue::Queue;
use crate::cloud::Cloud;
use crate::fault::Fault;

const LABEL_LENGTH_MAX: usize = 80;

/// What AddPermission can give to other accounts.
const SHARED: [&str; 9] = [
    "*",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
];

fn label(input: &Value) -> Result<&str, Fault> {
    let label = required(input, "Label")?;
    let plain = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if plain && (1..=LABEL_LENGTH_MAX).contains(&label.len()) {
        return Ok(label);
    }
    Err(invalid(format!(
        "Value {label} for parameter Label is invalid. Reason: Can only include alphanumeric characters, hyphens, or underscores. 1 to {LABEL_LENGTH_MAX} in length."
    )))
}

/// One text, or a list of several.
fn one_or_many(mut texts: Vec<String>) -> Value {
    if texts.len() == 1 { json!(texts.remove(0)) } else { json!(texts) }
}

fn statement(queue: &Queue, label: &str, input: &Value) -> Result<Value, Fault> {
    let (accounts, actions) = (strings(input, "AWSAccountIds"), strings(input, "Actions"));
    let account = |text: &String| text.len() == 12 && text.chars().all(|c| c.is_ascii_digit());
    if accounts.is_empty() || !accounts.iter().all(account) {
        let shown = accounts.join(", ");
        return Err(invalid(format!(
            "Value [{shown}] for parameter PrincipalId is invalid. Reason: Unable to verify."
        )));
    }
    if actions.is_empty() {
        return Err(missing("Actions"));
    }
    if actions.len() > ACTIONS_MAX {
        return Err(over_limit(too_many_actions(actions.len())));
    }
    if let Some(other) = actions.iter().find(|one| !SHARED.contains(&one.as_str())) {
        return Err(invalid(format!(
            "Value SQS:{other} for parameter ActionName is invalid. Reason: Only the queue owner is allowed to invoke this action."
        )));
    }
    let principals = accounts.iter().map(|account| format!("arn:aws:iam::{account}:root")).collect();
    let actions = actions.iter().map(|action| format!("SQS:{action}")).collect();
    Ok(json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": { "AWS": one_or_many(principals) },
        "Action": one_or_many(actions),
        "Resource": queue.arn,
    }))
}

pub(super) fn add(cloud: &Cloud, name: &str, input: &Value) -> Result<Value, Fault> {
    let label = label(input)?;
    let mut store = cloud.sqs();
    let queue = store.queue(name)?;
    let statement = statement(queue, label, input)?;
    let policy = match &queue.settings.policy {
        None => {
            let id = format!("{}/SQSDefaultPolicy", queue.arn);
            let text = json!({ "Version": "2008-10-17", "Id": id, "Statement": [statement] }).to_string();
            Policy::parse(name, &text)?
        }
        Some(policy) => {
            let mut statements = policy.statements();
            if statements.iter().any(|one| one["Sid"] == label) {
                return Err(invalid(format!("Value {label} for parameter Label is invalid. Reason: Already exists.")));
            }
            statements.push(statement);
            policy.with(name, statements)?
        }
    };
    queue.settings.policy = Some(policy);
    queue.modified_at = cloud.clock.now();
    Ok(json!({}))
}

pub(super) fn remove(cloud: &Cloud, name: &str, input: &Value) -> Result<Value, Fault> {
    let label = label(input)?;
    let mut store = cloud.sqs();
    let queue = store.queue(name)?;
    let none = || invalid(format!("Value {label} for parameter Label is invalid. Reason: can't find label."));
    let policy = queue.settings.policy.as_ref().ok_or_else(none)?;
    let mut statements = policy.statements();
    let before = statements.len();
    statements.retain(|one| one["Sid"] != label);
    if statements.len() == before {
        return Err(none());
    }
    let policy = if statements.is_empty() { None } else { Some(policy.with(name, statements)?) };
    queue.settings.policy = policy;
    queue.modified_at = cloud.clock.now();
    Ok(json!({}))
}
