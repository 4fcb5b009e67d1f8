//! Reading STS's parameters.

use serde_json::Value;

use crate::fault::Fault;
use crate::validation::member;

/// A whole number among the parameters, within `range`.
pub(super) fn between(input: &Value, name: &str, range: std::ops::RangeInclusive<i64>) -> Result<Option<i64>, Fault> {
    let Some(text) = input.get(name).and_then(Value::as_str) else { return Ok(None) };
    let member = member(name);
    let error = |message: String| Err(Fault::sender("ValidationError", message));
    let limit = |relation: &str, bound: i64| {
        format!(
            "1 validation error detected: Value '{text}' at '{member}' failed to satisfy constraint: Member must have \
             value {relation} than or equal to {bound}"
        )
    };
    match text.parse::<i64>() {
        Err(_) => error(format!("Value '{text}' at '{member}' must be a number")),
        Ok(number) if number < *range.start() => error(limit("greater", *range.start())),
        Ok(number) if number > *range.end() => error(limit("less", *range.end())),
        Ok(number) => Ok(Some(number)),
    }
}

/// `MinimumSessionTokenSize` in bytes.
pub(super) fn token_size(input: &Value) -> Result<usize, Fault> {
    Ok(between(input, "MinimumSessionTokenSize", 0..=4096)?.unwrap_or_default() as usize)
}

/// This cloud has no MFA devices, so that none can vouch for a call.
pub(super) fn no_mfa(input: &Value) -> Result<(), Fault> {
    let given = |name: &str| input.get(name).and_then(Value::as_str);
    match given("SerialNumber").or_else(|| given("TokenCode")) {
        None => Ok(()),
        Some(_) => Err(Fault::access_denied(format!(
            "MultiFactorAuthentication failed, unable to validate MFA code: the local cloud has no MFA devices, so there is none {}.",
            given("SerialNumber").unwrap_or("for TokenCode")
        ))),
    }
}

/// A role session's name: 2 to 64 characters of letters, digits and `_+=,.@-`.
pub(super) fn check_name(name: &str) -> Result<(), Fault> {
    let fine = name.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c));
    let problem = match name.len() {
        _ if !fine => "Member must satisfy regular expression pattern: [\\w+=,.@-]*",
        0..2 => "Member must have length greater than or equal to 2",
        65.. => "Member must have length less than or equal to 64",
        _ => return Ok(()),
    };
    Err(Fault::sender(
        "ValidationError",
        format!(
            "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: {problem}"
        ),
    ))
}

/// `DurationSeconds`: 900 up to the role's maximum; one hour if a role session asks.
pub(super) fn duration(input: &Value, role_max: i64, chained: bool) -> Result<i64, Fault> {
    let error = |message: &str| Err(Fault::sender("ValidationError", message));
    match between(input, "DurationSeconds", 900..=43_200)? {
        None => Ok(3600),
        Some(seconds) if chained && seconds > 3600 => {
            error("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
        }
        Some(seconds) if seconds > role_max => {
            error("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
        }
        Some(seconds) => Ok(seconds),
    }
}
