//! Conditions of a statement (IAM User Guide, "IAM JSON policy elements: Condition operators").

use std::collections::BTreeMap;

use serde_json::Value;

use crate::document::texts;
use crate::pattern;

/// What is known of a request: the values of its context keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    /// By key, in small letters.
    values: BTreeMap<String, Vec<String>>,
    /// Keys that begin so, in small letters, and have no value are certainly absent. Of others nothing is known.
    whole: Vec<String>,
}

impl Context {
    pub(crate) fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.values.entry(key.to_ascii_lowercase()).or_default().push(value.into());
        self
    }

    pub(crate) fn whole(mut self, prefix: &str) -> Self {
        self.whole.push(prefix.to_ascii_lowercase());
        self
    }
}

/// One operator on one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    operator: String,
    key: String,
    values: Vec<String>,
}

/// Whether a request meets it; why not, and what would have to be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Met {
    Yes,
    No(String),
    Unclear(String),
}

pub(crate) fn parse(value: &Value) -> Result<Vec<Condition>, String> {
    let all = value.as_object().ok_or("Condition must be an object")?;
    let mut conditions = Vec::new();
    for (operator, keys) in all {
        for (key, values) in keys.as_object().ok_or_else(|| format!("Condition {operator} must be an object"))? {
            let values = texts(values, operator)?;
            conditions.push(Condition { operator: operator.clone(), key: key.clone(), values });
        }
    }
    Ok(conditions)
}

/// An operator without what stands before and after it.
struct Operator<'a> {
    base: &'a str,
    of: Of,
    if_exists: bool,
}

/// Which of a key's values have to be as the operator says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// The one that it has.
    One,
    /// Each, if there are any.
    All,
    /// At least one.
    Any,
}

impl<'a> Operator<'a> {
    fn of(text: &'a str) -> Self {
        let (of, text) = match text.split_once(':') {
            Some(("ForAllValues", rest)) => (Of::All, rest),
            Some(("ForAnyValue", rest)) => (Of::Any, rest),
            _ => (Of::One, text),
        };
        let (if_exists, base) = text.strip_suffix("IfExists").map_or((false, text), |rest| (true, rest));
        Self { base, of, if_exists }
    }

    fn is_negated(&self) -> bool {
        self.base.contains("Not")
    }

    /// Whether one value is what one text of the policy says, negation aside; `None` if the operator is not known here.
    fn holds(&self, wanted: &str, found: &str) -> Option<bool> {
        Some(match self.base {
            "StringEquals" | "StringNotEquals" => wanted == found,
            "StringEqualsIgnoreCase" | "StringNotEqualsIgnoreCase" | "Bool" => wanted.eq_ignore_ascii_case(found),
            "StringLike" | "StringNotLike" => pattern::matches(wanted, found),
            "ArnEquals" | "ArnLike" | "ArnNotEquals" | "ArnNotLike" => pattern::matches_arn(wanted, found),
            _ => return None,
        })
    }
}

impl Condition {
    pub(crate) fn met(&self, context: &Context) -> Met {
        let operator = Operator::of(&self.operator);
        let key = self.key.to_ascii_lowercase();
        let found = context.values.get(&key);
        let is_absent = found.is_none() && context.whole.iter().any(|prefix| key.starts_with(prefix));
        if found.is_none() && !is_absent {
            return Met::Unclear(format!("it depends on {} of the request", self.key));
        }
        if operator.base == "Null" {
            let wants_absent = self.values.iter().any(|value| value.eq_ignore_ascii_case("true"));
            return if wants_absent == is_absent { Met::Yes } else { Met::No(self.missed(found)) };
        }
        let Some(found) = found else {
            // An absent key meets what is negated and what asks for all values, there being none.
            let is_met = match operator.of {
                Of::All => true,
                Of::One => operator.if_exists || operator.is_negated(),
                Of::Any => operator.if_exists,
            };
            return if is_met { Met::Yes } else { Met::No(self.missed(None)) };
        };
        if self.values.iter().any(|wanted| pattern::has_variable(wanted)) {
            return Met::Unclear(format!("{} is compared with a variable of the request", self.key));
        }
        let mut met = Vec::new();
        for value in found {
            let mut any = false;
            for wanted in &self.values {
                let Some(holds) = operator.holds(wanted, value) else {
                    return Met::Unclear(format!("the operator {} is not evaluated here", self.operator));
                };
                any |= holds;
            }
            met.push(any != operator.is_negated());
        }
        let is_met = if operator.of == Of::Any { met.contains(&true) } else { met.iter().all(|one| *one) };
        if is_met { Met::Yes } else { Met::No(self.missed(Some(found))) }
    }

    fn missed(&self, found: Option<&Vec<String>>) -> String {
        let found = found.map_or_else(|| "has none".to_owned(), |found| format!("has {}", found.join(", ")));
        format!("{} wants {} to be {}, and the request {found}", self.operator, self.key, self.values.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn met(condition: &Value) -> Met {
        let context = Context::default()
            .with("issuer:sub", "system:serviceaccount:a:b")
            .with("aws:PrincipalArn", "arn:aws:iam::111122223333:role/r")
            .with("tags", "x")
            .with("tags", "y")
            .whole("issuer:");
        parse(condition).unwrap()[0].met(&context)
    }

    #[test]
    fn operators_hold_as_iam_says() {
        for (condition, is_met) in [
            (json!({ "StringEquals": { "issuer:sub": "system:serviceaccount:a:b" } }), true),
            (json!({ "StringEquals": { "ISSUER:SUB": ["x", "system:serviceaccount:a:b"] } }), true),
            (json!({ "StringEquals": { "issuer:sub": "system:serviceaccount:a:*" } }), false),
            (json!({ "StringLike": { "issuer:sub": "system:serviceaccount:a:*" } }), true),
            (json!({ "StringNotLike": { "issuer:sub": "system:serviceaccount:a:*" } }), false),
            (json!({ "StringEqualsIgnoreCase": { "issuer:sub": "SYSTEM:serviceaccount:a:b" } }), true),
            (json!({ "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::*:role/*" } }), true),
            (json!({ "ArnEquals": { "aws:PrincipalArn": "arn:aws:iam::111122223333:role/other" } }), false),
            // A key that is certainly absent.
            (json!({ "StringEquals": { "issuer:amr": "x" } }), false),
            (json!({ "StringEqualsIfExists": { "issuer:amr": "x" } }), true),
            (json!({ "StringNotEquals": { "issuer:amr": "x" } }), true),
            (json!({ "Null": { "issuer:amr": "true" } }), true),
            (json!({ "Null": { "issuer:sub": "true" } }), false),
            // Several values.
            (json!({ "ForAnyValue:StringEquals": { "tags": ["y"] } }), true),
            (json!({ "ForAllValues:StringEquals": { "tags": ["y"] } }), false),
            (json!({ "ForAllValues:StringEquals": { "tags": ["x", "y", "z"] } }), true),
            (json!({ "ForAllValues:StringEquals": { "issuer:amr": ["x"] } }), true),
            (json!({ "ForAnyValue:StringNotEquals": { "issuer:amr": ["x"] } }), false),
        ] {
            let found = met(&condition);
            assert_eq!(found == Met::Yes, is_met, "{condition} {found:?}");
            assert!(!matches!(found, Met::Unclear(_)), "{condition} {found:?}");
        }
    }

    #[test]
    fn what_is_not_known_is_unclear_and_never_met() {
        for condition in [
            json!({ "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } }),
            json!({ "NumericLessThan": { "issuer:sub": "1" } }),
            json!({ "StringEquals": { "issuer:sub": "${aws:username}" } }),
        ] {
            assert!(matches!(met(&condition), Met::Unclear(_)), "{condition}");
        }
    }
}
