//! Calls that are repeated with the same `clientRequestToken`: they do nothing again and get the answer of the first.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Ask, invalid};
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

fn key(ask: &Ask<'_>) -> Option<(String, String)> {
    let token = ask.body.get("clientRequestToken")?.as_str().filter(|token| !token.is_empty())?;
    Some((ask.call.caller.arn().to_owned(), token.to_owned()))
}

impl Answers {
    /// The answer that the same call got before; an error if the token was used for another one.
    pub(super) fn find(&mut self, ask: &Ask<'_>, operation: &str) -> Result<Option<Value>, Fault> {
        let Some(key) = key(ask) else { return Ok(None) };
        self.0.retain(|_, one| one.at + REMEMBERED > ask.call.now);
        match self.0.get(&key) {
            None => Ok(None),
            Some(one) if one.operation == operation && one.path == ask.request.path && one.body == ask.body => {
                Ok(Some(one.answer.clone()))
            }
            Some(one) => Err(invalid(format!(
                "The clientRequestToken {} was used for a {} with other parameters.",
                key.1, one.operation
            ))),
        }
    }

    pub(super) fn remember(&mut self, ask: &Ask<'_>, operation: &str, answer: &Value) {
        if let Some(key) = key(ask) {
            let (path, body, answer) = (ask.request.path.clone(), ask.body.clone(), answer.clone());
            self.0.insert(key, Answered { at: ask.call.now, operation: operation.to_owned(), path, body, answer });
        }
    }
}
