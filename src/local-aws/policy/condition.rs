//! The `Condition` element: operators, their negations, `IfExists` and the set operators.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value;

use super::context::Context;
use super::pattern;
use super::strings::strings;

/// One operator with one key and its values.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    /// As written, such as `ForAnyValue:StringLikeIfExists`.
    spelled: String,
    test: Test,
    negated: bool,
    set: Option<Set>,
    if_exists: bool,
    key: String,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    Any,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Arn,
    Bool,
    Binary,
    Numeric(std::cmp::Ordering, bool),
    Date(std::cmp::Ordering, bool),
    IpAddress,
    Null,
}

impl Condition {
    /// The condition key that it asks for, as written.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn parse_all(element: Option<&Value>) -> Result<Vec<Self>, String> {
        let Some(element) = element else { return Ok(Vec::new()) };
        let operators = element.as_object().ok_or("Syntax errors in policy: Condition must be an object.")?;
        let mut conditions = Vec::new();
        for (operator, keys) in operators {
            let keys = keys.as_object().ok_or("Syntax errors in policy: a condition operator must hold keys.")?;
            for (key, values) in keys {
                if !key.contains(':') {
                    return Err("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.".into());
                }
                conditions.push(Self::parse(operator, key, strings(values, key)?)?);
            }
        }
        Ok(conditions)
    }

    fn parse(spelled: &str, key: &str, values: Vec<String>) -> Result<Self, String> {
        let (set, rest) = match spelled.split_once(':') {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("ForAnyValue") => (Some(Set::Any), rest),
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("ForAllValues") => (Some(Set::All), rest),
            Some(_) => return Err(format!("Invalid Condition type : {spelled}.")),
            None => (None, spelled),
        };
        let lower = rest.to_lowercase();
        let (name, if_exists) = lower.strip_suffix("ifexists").map_or((lower.as_str(), false), |name| (name, true));
        let (test, negated) = operator(name).ok_or_else(|| format!("Invalid Condition type : {spelled}."))?;
        Ok(Self { spelled: spelled.to_owned(), test, negated, set, if_exists, key: key.to_owned(), values })
    }

    /// `Ok` if it holds; otherwise what was expected and what was found.
    pub(super) fn check(&self, context: &Context) -> Result<(), String> {
        let found = context.get(&self.key).filter(|values| !values.is_empty());
        if self.holds(found, context) {
            return Ok(());
        }
        let found = found.map_or_else(|| "the request has no such key".to_owned(), |values| values.join(", "));
        Err(format!("condition {} {} expected {}, got {found}", self.spelled, self.key, self.values.join(" or ")))
    }

    fn holds(&self, found: Option<&[String]>, context: &Context) -> bool {
        if self.test == Test::Null {
            let expected = self.values.iter().any(|value| value.eq_ignore_ascii_case("true"));
            return found.is_none() == expected;
        }
        let Some(found) = found else {
            return match self.set {
                Some(Set::All) => true,
                Some(Set::Any) => self.if_exists,
                None => self.if_exists || self.negated,
            };
        };
        let matches = |value: &String| self.values.iter().any(|expected| self.one(expected, value, context));
        match (self.set, self.negated) {
            (Some(Set::All), negated) => found.iter().all(|value| matches(value) != negated),
            (Some(Set::Any), negated) => found.iter().any(|value| matches(value) != negated),
            (None, false) => found.iter().any(matches),
            (None, true) => !found.iter().any(matches),
        }
    }

    fn one(&self, expected: &str, found: &str, context: &Context) -> bool {
        match self.test {
            Test::StringEquals => pattern::expand(expected, context).is_some_and(|text| text == found),
            Test::StringEqualsIgnoreCase => {
                pattern::expand(expected, context).is_some_and(|text| text.to_lowercase() == found.to_lowercase())
            }
            Test::StringLike => pattern::matches(expected, found, context),
            Test::Arn => {
                (expected == "*" || pattern::arn_parts(expected).len() == pattern::ARN_PARTS)
                    && pattern::matches_arn(expected, found, context)
            }
            Test::Bool => expected.eq_ignore_ascii_case(found),
            Test::Binary => expected == found,
            Test::Numeric(order, or_equal) => match (expected.parse::<f64>(), found.parse::<f64>()) {
                (Ok(expected), Ok(found)) => compare(found.partial_cmp(&expected), order, or_equal),
                _ => false,
            },
            Test::Date(order, or_equal) => match (date(expected), date(found)) {
                (Some(expected), Some(found)) => compare(Some(found.cmp(&expected)), order, or_equal),
                _ => false,
            },
            Test::IpAddress => in_network(expected, found),
            Test::Null => false,
        }
    }
}

fn operator(name: &str) -> Option<(Test, bool)> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    Some(match name {
        "stringequals" => (Test::StringEquals, false),
        "stringnotequals" => (Test::StringEquals, true),
        "stringequalsignorecase" => (Test::StringEqualsIgnoreCase, false),
        "stringnotequalsignorecase" => (Test::StringEqualsIgnoreCase, true),
        "stringlike" => (Test::StringLike, false),
        "stringnotlike" => (Test::StringLike, true),
        "arnequals" | "arnlike" => (Test::Arn, false),
        "arnnotequals" | "arnnotlike" => (Test::Arn, true),
        "bool" => (Test::Bool, false),
        "binaryequals" => (Test::Binary, false),
        "numericequals" => (Test::Numeric(Equal, true), false),
        "numericnotequals" => (Test::Numeric(Equal, true), true),
        "numericlessthan" => (Test::Numeric(Less, false), false),
        "numericlessthanequals" => (Test::Numeric(Less, true), false),
        "numericgreaterthan" => (Test::Numeric(Greater, false), false),
        "numericgreaterthanequals" => (Test::Numeric(Greater, true), false),
        "dateequals" => (Test::Date(Equal, true), false),
        "datenotequals" => (Test::Date(Equal, true), true),
        "datelessthan" => (Test::Date(Less, false), false),
        "datelessthanequals" => (Test::Date(Less, true), false),
        "dategreaterthan" => (Test::Date(Greater, false), false),
        "dategreaterthanequals" => (Test::Date(Greater, true), false),
        "ipaddress" => (Test::IpAddress, false),
        "notipaddress" => (Test::IpAddress, true),
        "null" => (Test::Null, false),
        _ => return None,
    })
}

fn compare(found: Option<std::cmp::Ordering>, wanted: std::cmp::Ordering, or_equal: bool) -> bool {
    found.is_some_and(|found| found == wanted || (or_equal && found == std::cmp::Ordering::Equal))
}

fn date(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Timestamp::from_second(seconds).ok();
    }
    text.parse::<Timestamp>().ok().or_else(|| format!("{text}T00:00:00Z").parse().ok())
}

fn in_network(network: &str, address: &str) -> bool {
    let (base, length) = network.split_once('/').map_or((network, None), |(base, bits)| (base, bits.parse().ok()));
    match (base.parse::<IpAddr>(), address.parse::<IpAddr>()) {
        (Ok(IpAddr::V4(base)), Ok(IpAddr::V4(address))) => {
            let mask = u32::MAX.checked_shl(32 - length.unwrap_or(32).min(32)).unwrap_or(0);
            u32::from(base) & mask == u32::from(address) & mask
        }
        (Ok(IpAddr::V6(base)), Ok(IpAddr::V6(address))) => {
            let mask = u128::MAX.checked_shl(128 - length.unwrap_or(128).min(128)).unwrap_or(0);
            u128::from(base) & mask == u128::from(address) & mask
        }
        _ => false,
    }
}
