//! Calls that are repeated with the same `clientRequestToken`: they do nothing again and get the answer of the first.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{RequestContext, invalid};
use crate::fault::Fault;

/// How long a token stands for its call.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// The answers by caller and token.
#[derive(Debug, Default)]
pub(super) struct Answers(HashMap<(String, String), Answered>);

#[derive(Debug)]
struct Answered {
    at: Timestamp,
    operation: String,
    path: String,
    body: Value,
    answer: Value,
}

fn key(context: &RequestContext<'_>) -> Option<(String, String)> {
    let token = context.body.get("clientRequestToken")?.as_str().filter(|token| !token.is_empty())?;
    Some((context.call.caller.arn().to_owned(), token.to_owned()))
}

impl Answers {
    /// The answer that the same call got before; an error if the token was used for another one.
    pub(super) fn find(&mut self, context: &RequestContext<'_>, operation: &str) -> Result<Option<Value>, Fault> {
        let Some(key) = key(context) else { return Ok(None) };
        self.0.retain(|_, one| one.at + REMEMBERED > context.call.now);
        match self.0.get(&key) {
            None => Ok(None),
            Some(one) if one.operation == operation && one.path == context.request.path && one.body == context.body => {
                Ok(Some(one.answer.clone()))
            }
            Some(one) => Err(invalid(format!(
                "The clientRequestToken {} was used for a {} with other parameters.",
                key.1, one.operation
            ))),
        }
    }

    pub(super) fn remember(&mut self, context: &RequestContext<'_>, operation: &str, answer: &Value) {
        if let Some(key) = key(context) {
            let (path, body, answer) = (context.request.path.clone(), context.body.clone(), answer.clone());
            self.0.insert(key, Answered { at: context.call.now, operation: operation.to_owned(), path, body, answer });
        }
    }
}
