//! A queue's policy: its limits and its normal form.
//!
//! Source: SQS Developer Guide, "Amazon SQS policy quotas".

use std::sync::Arc;

use serde_json::Value;

use crate::fault::Fault;
use crate::policy::{Document, Kind, Named, Size, compact};

const BYTES_MAX: usize = 8192;
const STATEMENTS_MAX: usize = 20;
const PRINCIPALS_MAX: usize = 50;
const CONDITIONS_MAX: usize = 10;
pub(super) const ACTIONS_MAX: usize = 7;

#[derive(Debug, Clone)]
pub(super) struct Policy {
    /// Compact JSON, in the order in which it was written.
    pub(super) text: String,
    pub(super) named: Named,
}

pub(super) fn over_limit(message: String) -> Fault {
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

    pub(super) fn statements(&self) -> Vec<Value> {
        let value: Value = serde_json::from_str(&self.text).unwrap_or_default();
        match value.get("Statement") {
            Some(Value::Array(list)) => list.clone(),
            Some(single) => vec![single.clone()],
            None => Vec::new(),
        }
    }

    /// The same policy with other statements.
    pub(super) fn with(&self, queue: &str, statements: Vec<Value>) -> Result<Self, Fault> {
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

pub(super) fn too_many_actions(count: usize) -> String {
    format!("{count} Actions were found, maximum allowed is {ACTIONS_MAX}.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
