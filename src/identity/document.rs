//! A policy document as it is written: one statement or a list, one text or a list.

use serde_json::{Map, Value};

use crate::condition::Condition;
use crate::error::{Error, Result};

/// An identity policy, a trust policy, a permissions boundary or a policy of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    name: String,
    pub(crate) statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Such as `statement ReadQueueDepth of policy p`.
    pub(crate) name: String,
    pub(crate) is_deny: bool,
    /// `None` in an identity's policy, which is about its owner.
    pub(crate) principals: Option<Principals>,
    pub(crate) actions: Listed,
    /// `None` in a trust policy, which is about its role.
    pub(crate) resources: Option<Listed>,
    pub(crate) conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Principals {
    /// `*`.
    Anyone,
    /// Kind (`AWS`, `Federated`, `Service`) and name.
    These(Vec<(String, String)>),
    /// `NotPrincipal`.
    AllBut,
}

/// Patterns, or all but these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) patterns: Vec<String>,
    pub(crate) is_negated: bool,
}

impl Document {
    /// Reads a document; `name` is what it is called in findings, such as `the trust policy of role r`.
    ///
    /// # Errors
    ///
    /// [`Error::Document`] if it does not have the form of a policy (IAM User Guide, "Grammar of the IAM JSON policy language").
    pub fn parse(name: impl Into<String>, document: &Value) -> Result<Self> {
        let name = name.into();
        let wrong = |problem: String| Error::Document { document: name.clone(), problem };
        let statements = match &document["Statement"] {
            Value::Array(all) => all.iter().collect(),
            one @ Value::Object(_) => vec![one],
            _ => return Err(wrong("it has no Statement".to_owned())),
        };
        let read = |(index, value): (usize, &&Value)| {
            let place = match value["Sid"].as_str() {
                Some(sid) if !sid.is_empty() => format!("statement {sid}"),
                _ => format!("statement {}", index + 1),
            };
            let map = value.as_object().ok_or_else(|| wrong(format!("{place} is no object")))?;
            statement(format!("{place} of {name}"), map).map_err(|problem| wrong(format!("{place}: {problem}")))
        };
        let statements = statements.iter().enumerate().map(read).collect::<Result<_>>()?;
        Ok(Self { name, statements })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn statement(name: String, map: &Map<String, Value>) -> std::result::Result<Statement, String> {
    let is_deny = match map.get("Effect").and_then(Value::as_str) {
        Some("Allow") => false,
        Some("Deny") => true,
        _ => return Err("Effect must be Allow or Deny".to_owned()),
    };
    let principals = match (map.get("Principal"), map.get("NotPrincipal")) {
        (Some(one), _) => Some(principals(one)?),
        (None, Some(_)) => Some(Principals::AllBut),
        (None, None) => None,
    };
    Ok(Statement {
        name,
        is_deny,
        principals,
        actions: listed(map, "Action")?.ok_or("it has neither Action nor NotAction")?,
        resources: listed(map, "Resource")?,
        conditions: match map.get("Condition") {
            None => Vec::new(),
            Some(conditions) => crate::condition::parse(conditions)?,
        },
    })
}

fn principals(value: &Value) -> std::result::Result<Principals, String> {
    let map = match value {
        Value::String(text) if text == "*" => return Ok(Principals::Anyone),
        Value::Object(map) => map,
        _ => return Err("Principal must be \"*\" or an object".to_owned()),
    };
    let mut these = Vec::new();
    for (kind, names) in map {
        these.extend(texts(names, "Principal")?.into_iter().map(|name| (kind.clone(), name)));
    }
    Ok(Principals::These(these))
}

fn listed(map: &Map<String, Value>, key: &str) -> std::result::Result<Option<Listed>, String> {
    let negated = format!("Not{key}");
    match (map.get(key), map.get(&negated)) {
        (Some(value), _) => Ok(Some(Listed { patterns: texts(value, key)?, is_negated: false })),
        (None, Some(value)) => Ok(Some(Listed { patterns: texts(value, &negated)?, is_negated: true })),
        (None, None) => Ok(None),
    }
}

/// One text or a list of them; numbers and truth values are taken as texts, as IAM does.
pub(crate) fn texts(value: &Value, key: &str) -> std::result::Result<Vec<String>, String> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        _ => Err(format!("{key} must be a text or a list of texts")),
    };
    match value {
        Value::Array(all) => all.iter().map(text).collect(),
        one => Ok(vec![text(one)?]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_or_many_are_read_alike_and_what_is_no_policy_is_refused_by_its_place() {
        let one = json!({ "Statement": { "Effect": "Allow", "Action": "sqs:*", "Resource": "*" } });
        let many = json!({ "Statement": [{ "Effect": "Allow", "Action": ["sqs:*"], "Resource": ["*"] }] });
        assert_eq!(Document::parse("p", &one), Document::parse("p", &many));
        for (document, problem) in [
            (json!({}), "p cannot be read: it has no Statement"),
            (json!({ "Statement": [1] }), "p cannot be read: statement 1 is no object"),
            (
                json!({ "Statement": { "Sid": "A", "Effect": "Maybe" } }),
                "p cannot be read: statement A: Effect must be Allow or Deny",
            ),
            (
                json!({ "Statement": { "Effect": "Allow" } }),
                "p cannot be read: statement 1: it has neither Action nor NotAction",
            ),
        ] {
            assert_eq!(Document::parse("p", &document).unwrap_err().to_string(), problem);
        }
    }
}
