//! A call's input before its handler sees it: held against the service's model and against what the handlers read.
//!
//! Bounds are refused with AWS's validation messages, what is not supported here by its name.

use serde_json::Value;

use crate::coverage;
use crate::fault::Fault;
use crate::model::{self, Bounds, Model, Shape};
use crate::request::Service;
use crate::validation::member as member_name;

/// Parameters of the query protocol that are not the operation's, beside those of presigned addresses.
const ENVELOPE: [&str; 2] = ["Action", "Version"];

/// Checks the input of a served operation, given in the names of the model. Numbers and flags may be texts.
pub(crate) fn check(service: Service, operation: &str, input: &Value) -> Result<(), Fault> {
    let model = model::of(service);
    let served = coverage::of(service).iter().find(|one| one.operation == operation);
    let (Some(served), Some((members, required))) = (served, model.input(operation)) else { return Ok(()) };
    let given = input
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !ENVELOPE.contains(&name.as_str()) && !name.to_lowercase().starts_with("x-amz-"));
    let mut reader = Reader { service, model, faults: Vec::new() };
    for (name, value) in given.clone() {
        let member = members.get(name).ok_or_else(|| unknown(service, operation, name))?;
        reader.read(&member.shape, value, name, operation)?;
    }
    for refusal in served.refuses.iter().filter(|one| !one.moot) {
        for value in find(input, refusal.member) {
            if is_given(value) && refusal.but.is_none_or(|but| value.as_str() != Some(but)) {
                let Refused { code, .. } = Refused::of(service);
                let message = format!(
                    "The local cloud does not support the parameter {} of {operation}: {}.",
                    refusal.member, refusal.why
                );
                return Err(Fault::sender(code, message));
            }
        }
    }
    // SQS has words of its own for what is missing, and its handlers say them.
    if service != Service::Sqs {
        for name in required.iter().filter(|name| input.get(*name).is_none_or(Value::is_null)) {
            reader.faults.push(format!(
                "Value null at '{}' failed to satisfy constraint: Member must not be null",
                member_name(name)
            ));
        }
    }
    reader.finish()
}

/// The codes that a service refuses inputs with.
struct Refused {
    /// For what is not supported.
    code: &'static str,
    /// For what is out of bounds or in no model.
    invalid: &'static str,
}

impl Refused {
    fn of(service: Service) -> Self {
        match service {
            Service::Sqs => {
                Self { code: "AWS.SimpleQueueService.UnsupportedOperation", invalid: "InvalidParameterValue" }
            }
            Service::Ec2 => Self { code: "UnsupportedOperation", invalid: "InvalidParameterValue" },
            Service::Quotas => Self { code: "IllegalArgumentException", invalid: "IllegalArgumentException" },
            Service::Iam | Service::Sts => Self { code: "ValidationError", invalid: "ValidationError" },
            Service::Eks | Service::Ecr | Service::Tagging | Service::CloudwatchLogs => {
                Self { code: "InvalidParameterException", invalid: "InvalidParameterException" }
            }
        }
    }
}

fn unknown(service: Service, operation: &str, name: &str) -> Fault {
    Fault::sender(Refused::of(service).invalid, format!("{operation} has no parameter {name}."))
}

/// Whether a value says anything: empty ones and `false` are what not to say it means.
fn is_given(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty() && text != "false",
        Value::Array(items) => items.iter().any(is_given),
        Value::Object(map) => map.values().any(is_given),
        _ => true,
    }
}

/// The values at a path of members, through lists.
fn find<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    if let Value::Array(items) = value {
        return items.iter().flat_map(|item| find(item, path)).collect();
    }
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    match (value.get(first), rest) {
        (Some(value), Some(rest)) => find(value, rest),
        (Some(value), None) => vec![value],
        (None, _) => Vec::new(),
    }
}

struct Reader {
    service: Service,
    model: &'static Model,
    /// What is out of bounds, in AWS's words.
    faults: Vec<String>,
}

impl Reader {
    /// Reads a value of a shape; `at` is its place as messages give it, `within` what it is part of.
    fn read(&mut self, shape: &str, value: &Value, at: &str, within: &str) -> Result<(), Fault> {
        let Some(shape) = self.model.shape(shape).filter(|_| !value.is_null()) else { return Ok(()) };
        let at = member_name(at);
        match (shape, value) {
            (Shape::Structure { required, members }, Value::Object(given)) => {
                for (name, value) in given {
                    let member =
                        members.get(name).ok_or_else(|| unknown(self.service, within, &format!("{at}.{name}")))?;
                    self.read(&member.shape, value, &format!("{at}.{}", member_name(name)), within)?;
                }
                for name in required.iter().filter(|name| !given.contains_key(*name)) {
                    self.fault(&format!("Value null at '{at}.{}'", member_name(name)), "Member must not be null");
                }
            }
            (Shape::List { member, bounds }, Value::Array(items)) => {
                self.length(&at, Some(value), items.len(), *bounds);
                for (number, item) in (1..).zip(items) {
                    self.read(member, item, &format!("{at}.{number}.member"), within)?;
                }
            }
            // SDKs write a map that was not filled as an empty one.
            (Shape::Map { .. }, Value::Object(map)) if map.is_empty() => {}
            (Shape::Map { key, value: of, bounds }, Value::Object(map)) => {
                self.length(&at, Some(value), map.len(), *bounds);
                for (name, value) in map {
                    self.read(key, &Value::String(name.clone()), &format!("{at}.key"), within)?;
                    self.read(of, value, &format!("{at}.{name}.member"), within)?;
                }
            }
            (Shape::String { .. }, Value::String(text)) => self.text(shape, text, &at),
            (Shape::Blob, Value::String(_)) | (Shape::Boolean, Value::Bool(_)) => {}
            (Shape::Boolean, Value::String(text))
                if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => {}
            (Shape::Integer { bounds }, value) => self.number(value, &at, *bounds)?,
            // The query protocol has no other way to write an empty list or map.
            (Shape::List { bounds, .. } | Shape::Map { bounds, .. }, Value::String(text)) if text.is_empty() => {
                self.length(&at, None, 0, *bounds);
            }
            (Shape::Structure { .. }, Value::String(text)) if text.is_empty() => {}
            (shape, _) => return Err(self.wrong_type(shape, &at)),
        }
        Ok(())
    }

    fn text(&mut self, shape: &Shape, text: &str, at: &str) {
        let Shape::String { bounds, values, sensitive, pattern, beside } = shape else { return };
        let shown = if *sensitive { format!("Value at '{at}'") } else { format!("Value '{text}' at '{at}'") };
        self.bounds(&shown, "length", text.chars().count() as i64, *bounds);
        // SQS knows more names than its model, and says in its own words which ones it does not.
        if let Some(values) =
            values.as_ref().filter(|values| self.service != Service::Sqs && !values.iter().any(|one| one == text))
        {
            self.fault(&shown, &format!("Member must satisfy enum value set: [{}]", values.join(", ")));
        }
        if let (Some(pattern), Some(beside)) = (pattern, beside)
            && !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || beside.contains(c))
        {
            // IAM's handlers have the words for its names.
            if self.service != Service::Iam {
                self.fault(&shown, &format!("Member must satisfy regular expression pattern: {pattern}"));
            }
        }
    }

    fn number(&mut self, value: &Value, at: &str, bounds: Bounds) -> Result<(), Fault> {
        let number = value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        let Some(number) = number else { return Err(self.wrong_type(&Shape::Integer { bounds }, at)) };
        if self.service != Service::Sqs {
            self.bounds(&format!("Value '{number}' at '{at}'"), "value", number, bounds);
        }
        Ok(())
    }

    fn length(&mut self, at: &str, value: Option<&Value>, length: usize, bounds: Bounds) {
        let shown = value.map_or_else(|| "[]".to_owned(), Value::to_string);
        self.bounds(&format!("Value '{shown}' at '{at}'"), "length", length as i64, bounds);
    }

    fn bounds(&mut self, shown: &str, what: &str, found: i64, bounds: Bounds) {
        if let Some(min) = bounds.min.filter(|min| found < *min) {
            self.fault(shown, &format!("Member must have {what} greater than or equal to {min}"));
        }
        if let Some(max) = bounds.max.filter(|max| found > *max) {
            self.fault(shown, &format!("Member must have {what} less than or equal to {max}"));
        }
    }

    fn fault(&mut self, shown: &str, problem: &str) {
        self.faults.push(format!("{shown} failed to satisfy constraint: {problem}"));
    }

    fn wrong_type(&self, shape: &Shape, at: &str) -> Fault {
        let kind = match shape {
            Shape::Structure { .. } | Shape::Map { .. } => "an object",
            Shape::List { .. } => "a list",
            Shape::String { .. } | Shape::Blob => "a string",
            Shape::Integer { .. } => "a whole number",
            Shape::Boolean => "true or false",
        };
        let message = format!("The parameter {at} must be {kind}.");
        match self.service {
            Service::Iam | Service::Sts => Fault::sender("ValidationError", message),
            _ => Fault::sender("MalformedInput", message),
        }
    }

    fn finish(self) -> Result<(), Fault> {
        let count = self.faults.len();
        if count == 0 {
            return Ok(());
        }
        let noun = if count == 1 { "error" } else { "errors" };
        let message = format!("{count} validation {noun} detected: {}", self.faults.join("; "));
        Err(Fault::sender(Refused::of(self.service).invalid, message))
    }
}
