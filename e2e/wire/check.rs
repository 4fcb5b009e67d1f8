//! A whole wire log against the service models.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use super::exchange::{Answer, Exchange};
use super::model::Models;
use super::shape::Side;
use super::{errors, shape};

/// The beginnings of what AWS's own answers have against the models: a batch of which nothing failed says nothing of failures
/// (aws/aws-sdk issues 536 and 657), and an internet gateway that is attached is `available` (Amazon EC2 API Reference,
/// "InternetGatewayAttachment"), which the enumeration lacks.
const OF_AWS: [&str; 3] = [
    "ec2:DescribeInternetGateways: answer: InternetGateways[0].Attachments[0].State (AttachmentStatus): \"available\" is none of ",
    "sqs:SendMessageBatch: answer: the whole (SendMessageBatchResult): lacks the required member Failed",
    "sqs:SendMessageBatch: answer: the whole (SendMessageBatchResult): lacks the required member Successful",
];

/// How often an operation was seen.
#[derive(Debug, Default)]
pub(super) struct Count {
    outputs: usize,
    errors: BTreeSet<String>,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) exchanges: usize,
    /// By `service:Operation`.
    pub(super) operations: BTreeMap<String, Count>,
    /// Each once, with how often.
    pub(crate) violations: BTreeMap<String, usize>,
    /// What IAM allowed, by caller: operation and action.
    pub(crate) allowed: BTreeMap<String, BTreeSet<(String, String)>>,
}

impl Checked {
    /// For people.
    pub(crate) fn summary(&self) -> String {
        let errors: usize = self.operations.values().map(|count| count.errors.len()).sum();
        let mut text = format!(
            "contract: {} requests and their answers, {} operations, {errors} kinds of errors: {} violations",
            self.exchanges,
            self.operations.len(),
            self.violations.len()
        );
        for (violation, count) in &self.violations {
            let _ = write!(text, "\n  {count} × {violation}");
        }
        text
    }

    /// The codes of all errors that were answered.
    pub(crate) fn errors(&self) -> BTreeSet<&str> {
        self.operations.values().flat_map(|count| count.errors.iter().map(String::as_str)).collect()
    }

    fn add(&mut self, models: &Models, line: &Value) {
        self.exchanges += 1;
        let exchange = match Exchange::read(models, line) {
            Ok(exchange) => exchange,
            Err(unreadable) => return self.violated(unreadable),
        };
        let full = format!("{}:{}", exchange.service, exchange.operation);
        if let Some(caller) = exchange.caller {
            let allowed = exchange.authorized.iter().filter(|(_, _, is_allowed)| *is_allowed);
            let allowed = allowed.map(|(action, _, _)| (full.clone(), (*action).to_owned()));
            self.allowed.entry(caller.to_owned()).or_default().extend(allowed);
        }
        let (Some(model), count) = (models.of(exchange.service), self.operations.entry(full.clone()).or_default())
        else {
            return;
        };
        let Some(operation) = model.operation(&exchange.operation) else { return };
        let mut found = Vec::new();
        // What a service refuses as a mistake of its caller may be one.
        let input = operation.input().map(|input| shape::violations(model, Side::Request, input, &exchange.input));
        found.extend(input.into_iter().flatten().map(|what| format!("{full}: request: {what}")));
        match &exchange.answer {
            Answer::Output(value) => {
                count.outputs += 1;
                let output = operation.output().map(|output| shape::violations(model, Side::Answer, output, value));
                found.extend(output.into_iter().flatten().map(|what| format!("{full}: answer: {what}")));
            }
            Answer::Error(code, body) => {
                count.errors.insert(code.clone());
                let of = (exchange.service, exchange.operation.as_str(), operation);
                let wrong = errors::violations(model, of, (exchange.status, code, body));
                found.extend(wrong.into_iter().map(|what| format!("{full}: answer: {what}")));
            }
        }
        let found = found.into_iter().filter(|one| !OF_AWS.iter().any(|known| one.starts_with(known)));
        found.for_each(|one| self.violated(one));
    }

    fn violated(&mut self, what: String) {
        *self.violations.entry(what).or_default() += 1;
    }
}

/// Checks a wire log.
pub(crate) fn check(log: &str) -> Checked {
    let (models, mut checked) = (Models::load(), Checked::default());
    for line in log.lines() {
        checked.add(&models, &serde_json::from_str(line).unwrap());
    }
    checked
}

/// The same where the answers are somebody else's. Services of which there is no extract are left out.
pub(crate) fn requests(log: &str) -> Checked {
    let mut checked = check(log);
    checked.violations.retain(|what, _| !what.contains(": answer: ") && !what.starts_with("there is no extract"));
    checked
}
