//! Calls that are repeated with the same `clientRequestToken`: they do nothing again and get the answer of the first.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::faults::invalid;
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

/// A call that may be the repetition of an earlier one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repeatable<'a> {
    /// The caller's ARN.
    pub(super) caller: &'a str,
    pub(super) operation: &'a str,
    pub(super) path: &'a str,
    pub(super) body: &'a Value,
    pub(super) now: Timestamp,
}

impl Repeatable<'_> {
    /// Caller and token; none without a token.
    fn key(&self) -> Option<(String, String)> {
        let token = self.body.get("clientRequestToken")?.as_str().filter(|token| !token.is_empty())?;
        Some((self.caller.to_owned(), token.to_owned()))
    }
}

impl Answers {
    /// The answer that the same call got before; an error if the token was used for another one.
    pub(super) fn find(&mut self, call: Repeatable<'_>) -> Result<Option<Value>, Fault> {
        let Some(key) = call.key() else { return Ok(None) };
        self.0.retain(|_, one| one.at + REMEMBERED > call.now);
        match self.0.get(&key) {
            None => Ok(None),
            Some(one) if one.operation == call.operation && one.path == call.path && one.body == *call.body => {
                Ok(Some(one.answer.clone()))
            }
            Some(one) => Err(invalid(format!(
                "The clientRequestToken {} was used for a {} with other parameters.",
                key.1, one.operation
            ))),
        }
    }

    pub(super) fn remember(&mut self, call: Repeatable<'_>, answer: &Value) {
        let Some(key) = call.key() else { return };
        let answered = Answered {
            at: call.now,
            operation: call.operation.to_owned(),
            path: call.path.to_owned(),
            body: call.body.clone(),
            answer: answer.clone(),
        };
        self.0.insert(key, answered);
    }
}
