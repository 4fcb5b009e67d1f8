//! Receives that are repeated because their answer was lost.
//!
//! Source: SQS API Reference, ReceiveMessage: ReceiveRequestAttemptId.

use std::collections::HashMap;
use std::time::Duration;

use clock::Moment;
use serde_json::Value;

use super::input::{invalid, text};
use super::message::Message;
use crate::fault::Fault;

/// How long an attempt's id stands for its messages.
const REMEMBERED: Duration = Duration::from_mins(5);
const ID_LENGTH_MAX: usize = 128;

/// The attempts of a queue by their ids.
#[derive(Debug, Default)]
pub(super) struct Attempts(HashMap<String, Attempt>);

#[derive(Debug)]
struct Attempt {
    at: Moment,
    received: Vec<Received>,
}

/// A message as the attempt left it: any other receipt or time means that something has happened to it since.
#[derive(Debug)]
struct Received {
    arrival: u64,
    receipt: String,
    visible: Moment,
}

/// The attempt's id; only a FIFO queue takes one.
pub(super) fn id(fifo: bool, input: &Value) -> Result<Option<&str>, Fault> {
    let name = "ReceiveRequestAttemptId";
    let Some(id) = text(input, name) else { return Ok(None) };
    if !fifo {
        return Err(invalid(format!(
            "Value {id} for parameter {name} is invalid. Reason: The request include parameter that is not valid for this queue type."
        )));
    }
    if id.is_empty() || id.len() > ID_LENGTH_MAX || !id.chars().all(|c| c.is_ascii_graphic()) {
        return Err(invalid(format!(
            "Value {id} for parameter {name} is invalid. Reason: {name} can only include alphanumeric and punctuation characters. 1 to {ID_LENGTH_MAX} in length."
        )));
    }
    Ok(Some(id))
}

impl Attempts {
    /// The messages of an earlier attempt of this id, with the same receipts, hidden for `visibility` from now on.
    ///
    /// `None` if there was none lately, or if one of its messages was deleted, given back, hidden otherwise or received anew.
    pub(super) fn repeat(
        &mut self,
        messages: &mut std::collections::BTreeMap<u64, Message>,
        id: &str,
        visibility: Duration,
        now: Moment,
    ) -> Option<Vec<(u64, Message)>> {
        self.0.retain(|_, attempt| attempt.at.plus(REMEMBERED) > now);
        let attempt = self.0.get_mut(id)?;
        let untouched = attempt.received.iter().all(|one| {
            messages.get(&one.arrival).is_some_and(|message| {
                message.receipt.as_ref() == Some(&one.receipt) && message.visible == one.visible && one.visible > now
            })
        });
        if !untouched {
            self.0.remove(id);
            return None;
        }
        let mut again = Vec::new();
        for one in &mut attempt.received {
            let message = messages.get_mut(&one.arrival)?;
            message.visible = now.plus(visibility);
            one.visible = message.visible;
            again.push((one.arrival, message.clone()));
        }
        Some(again)
    }

    /// Remembers what an attempt got.
    pub(super) fn remember<'a>(&mut self, id: &str, now: Moment, received: impl Iterator<Item = (u64, &'a Message)>) {
        let received: Vec<_> = received
            .filter_map(|(arrival, message)| {
                Some(Received { arrival, receipt: message.receipt.clone()?, visible: message.visible })
            })
            .collect();
        // An attempt that got nothing has nothing to repeat.
        if !received.is_empty() {
            self.0.insert(id.to_owned(), Attempt { at: now, received });
        }
    }
}
