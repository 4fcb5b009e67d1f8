//! A queue's policy: its limits, its normal form, and the two operations that write single statements of it.
//!
//! Sources: SQS Developer Guide, "Amazon SQS policy quotas"; SQS API Reference, AddPermission and RemovePermission.

use std::sync::Arc;

use serde_json::{Value, json};

use super::input::{invalid, required, strings};
use super::queue::Queue;
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::policy::{Document, Kind, Named, Size, compact};

const BYTES_MAX: usize = 8192;
const STATEMENTS_MAX: usize = 20;
const PRINCIPALS_MAX: usize = 50;
const CONDITIONS_MAX: usize = 10;
const ACTIONS_MAX: usize = 7;
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

#[derive(Debug, Clone)]
pub(super) struct Policy {
    /// Compact JSON, in the order in which it was written.
    pub(super) text: String,
    pub(super) named: Named,
}

fn over_limit(message: String) -> Fault {
    Fault::new(403, "OverLimit", message)
}

impl Policy {
    pub(super) fn parse(queue: &str, text: &str) -> Result<Self, Fault> {
        let document = Document::parse(text, Kind::Resource).map_err(|why| {
            Fault::sender("InvalidAttributeValue", format!("Invalid value for the parameter Policy. Reason: {why}"))
        })?;
        let text = compact(text);
        check_size(&document.size(), text.len())?;
        let named = Named { name: format!("the policy of queue {queue}"), document: Arc::new(document) };
        Ok(Self { text, named })
    }

    fn statements(&self) -> Vec<Value> {
        let value: Value = serde_json::from_str(&self.text).unwrap_or_default();
        match value.get("Statement") {
            Some(Value::Array(list)) => list.clone(),
            Some(single) => vec![single.clone()],
            None => Vec::new(),
        }
    }

    /// The same policy with other statements.
    fn with(&self, queue: &str, statements: Vec<Value>) -> Result<Self, Fault> {
        let mut value: Value = serde_json::from_str(&self.text).unwrap_or_default();
        value["Statement"] = Value::Array(statements);
        Self::parse(queue, &value.to_string())
    }
}

fn check_size(size: &Size, bytes: usize) -> Result<(), Fault> {
    if bytes > BYTES_MAX {
        return Err(over_limit(format!(
            "{bytes} bytes were found in the submitted policy, max allowed is {BYTES_MAX}"
        )));
    }
    for (count, most, what) in [
        (size.statements, STATEMENTS_MAX, "statements"),
        (size.principals, PRINCIPALS_MAX, "principals"),
        (size.conditions, CONDITIONS_MAX, "conditions"),
    ] {
        if count > most {
            return Err(over_limit(format!(
                "{count} {what} were found in the submitted policy, max allowed is {most}"
            )));
        }
    }
    if size.actions_of_one > ACTIONS_MAX {
        return Err(over_limit(too_many_actions(size.actions_of_one)));
    }
    Ok(())
}

fn too_many_actions(count: usize) -> String {
    format!("{count} Actions were found, maximum allowed is {ACTIONS_MAX}.")
}

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
        return Err(super::input::missing("Actions"));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(statements: &Value) -> String {
        let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        Policy::parse("orders", &text)
            .map_or_else(|fault| format!("{}: {}", fault.code, fault.message), |_| String::new())
    }

    fn one(change: &Value) -> Value {
        let mut statement =
            json!({ "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*" });
        statement.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        statement
    }

    #[test]
    fn a_policy_has_its_limits() {
        let accounts = |count: usize| one(&json!({ "Principal": { "AWS": vec!["111122223333"; count] } }));
        let keys = |count: usize| -> Value {
            (0..count).map(|n| (format!("aws:RequestTag/{n}"), json!("x"))).collect::<serde_json::Map<_, _>>().into()
        };
        let condition = |count| one(&json!({ "Condition": { "StringEquals": keys(count) } }));
        let actions = |count: usize| one(&json!({ "Action": vec!["sqs:SendMessage"; count] }));
        let wide = |length: usize| one(&json!({ "Resource": "q".repeat(length) }));
        for (most, over, words) in [
            (json!([actions(7)]), json!([actions(8)]), "8 Actions were found, maximum allowed is 7."),
            (json!(vec![one(&json!({})); 20]), json!(vec![one(&json!({})); 21]), "21 statements were found"),
            (json!([accounts(25), accounts(25)]), json!([accounts(25), accounts(26)]), "51 principals were found"),
            (json!([condition(4), condition(6)]), json!([condition(5), condition(6)]), "11 conditions were found"),
            (json!([wide(8000)]), json!([wide(8192)]), "bytes were found"),
        ] {
            assert_eq!(refused(&most), "");
            let message = refused(&over);
            assert!(message.starts_with("OverLimit: ") && message.contains(words), "{message}");
        }
    }
}
