//! Scalars as Go's types read and write them: what is stored is their normal form, not the text that was sent.
//!
//! The forms are those of kubernetes/apimachinery (`pkg/api/resource`, `pkg/apis/meta/v1/{time,micro_time}.go`) and were
//! compared with a real API server.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;

use crate::quantity::Quantity;

/// The Go type of a scalar whose text has more than one spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Quantity,
    Time,
    MicroTime,
    Bytes,
}

impl Scalar {
    /// By the name of a schema's type (empty if it has none) and its format.
    pub(super) fn of(name: Option<&str>, schema: &Value) -> Option<Self> {
        match name {
            Some("Quantity") => Some(Self::Quantity),
            Some("Time") => Some(Self::Time),
            Some("MicroTime") => Some(Self::MicroTime),
            _ if schema["format"] == "byte" => Some(Self::Bytes),
            _ => None,
        }
    }

    /// The normal form of a value; none for a value of another type, which is for the caller to name.
    ///
    /// # Errors
    ///
    /// The decoder's words for what cannot be read.
    pub(super) fn normal(self, value: &Value) -> Result<Option<Value>, String> {
        let text = match value {
            Value::String(text) => text.clone(),
            // A quantity is read from the text that stands in the JSON, whatever it is.
            other if self == Self::Quantity => other.to_string(),
            _ => return Ok(None),
        };
        let normal = match self {
            Self::Quantity => Quantity::parse(text.trim())?.to_string(),
            Self::Time => time(&text, "2006-01-02T15:04:05Z07:00")?.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            Self::MicroTime => {
                time(&text, "2006-01-02T15:04:05.000000Z07:00")?.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
            }
            Self::Bytes => bytes(&text)?,
        };
        Ok(Some(normal.into()))
    }
}

/// Base64 without line breaks.
fn bytes(text: &str) -> Result<String, String> {
    let bare: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    if STANDARD.decode(&bare).is_ok() {
        return Ok(bare);
    }
    let invalid = |c: char| !c.is_ascii_alphanumeric() && !"+/=".contains(c);
    Err(format!("illegal base64 data at input byte {}", text.find(invalid).unwrap_or(text.len())))
}

/// A moment in a layout of Go's `time` package, or its words for a text that is none.
fn time(text: &str, layout: &str) -> Result<Timestamp, String> {
    let whole = |why: String| format!("parsing time {text:?}{why}");
    let failed = |rest: &str, part: &str| whole(format!(" as {layout:?}: cannot parse {rest:?} as {part:?}"));
    let parts = [
        ("2006", 4, 9999, ""),
        ("-", 0, 0, ""),
        ("01", 2, 12, "month"),
        ("-", 0, 0, ""),
        ("02", 2, 31, ""),
        ("T", 0, 0, ""),
        ("15", 2, 23, "hour"),
        (":", 0, 0, ""),
        ("04", 2, 59, "minute"),
        (":", 0, 0, ""),
        ("05", 2, 59, "second"),
    ];
    let mut rest = text;
    for (part, digits, most, name) in parts {
        if digits == 0 {
            rest = rest.strip_prefix(part).ok_or_else(|| failed(rest, part))?;
            continue;
        }
        let number = rest.get(..digits).filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        let number = number.ok_or_else(|| failed(rest, part))?;
        let value: u32 = number.parse().map_err(|_| failed(rest, part))?;
        if !name.is_empty() && (value > most || (name == "month" && value == 0)) {
            return Err(whole(format!(": {name} out of range")));
        }
        rest = &rest[digits..];
    }
    let digits =
        rest.strip_prefix(['.', ',']).map_or(0, |rest| rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
    if layout.contains(".000000") {
        if digits < 6 {
            return Err(failed(rest, ".000000"));
        }
        rest = &rest[7..];
    } else if digits > 0 {
        rest = &rest[1 + digits..];
    }
    check_zone(rest).map_err(|rest| failed(rest, "Z07:00"))?;
    text.parse().map_err(|_| whole(": day out of range".to_owned()))
}

/// `Z`, or an offset as `+01:00`, and nothing after it; the text that is none.
fn check_zone(text: &str) -> Result<(), &str> {
    if text == "Z" {
        return Ok(());
    }
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let fits = bytes.len() == 6 && matches!(bytes[0], b'+' | b'-') && bytes[3] == b':';
    if fits && [1, 2, 4, 5].into_iter().all(digit) { Ok(()) } else { Err(text) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn normal(scalar: Scalar, value: &Value) -> String {
        match scalar.normal(value) {
            Ok(Some(value)) => value.as_str().unwrap_or_default().to_owned(),
            Ok(None) => "another type".to_owned(),
            Err(why) => why,
        }
    }

    #[test]
    fn quantities_are_read_from_texts_and_numbers_and_written_in_their_canonical_form() {
        for (value, form) in [
            (json!(1), "1"),
            (json!(0.5), "500m"),
            (json!(1_000_000_000), "1G"),
            (json!(2e9), "2G"),
            (json!("1000m"), "1"),
            (json!("  2"), "2"),
            (json!("1.5Gi"), "1536Mi"),
            (json!("2000Mi"), "2000Mi"),
        ] {
            assert_eq!(normal(Scalar::Quantity, &value), form, "{value}");
        }
        for value in [json!("abc"), json!(true), json!([1]), json!({"a": 1})] {
            let why = normal(Scalar::Quantity, &value);
            assert!(why.starts_with("quantities must match the regular expression"), "{value}: {why}");
        }
    }

    #[test]
    fn times_are_written_in_utc_and_refused_in_the_words_of_go() {
        let micro = "2006-01-02T15:04:05.000000Z07:00";
        for (text, form) in [
            ("2020-01-01T01:00:00.123456+01:00", "2020-01-01T00:00:00.123456Z".to_owned()),
            ("2020-01-01T01:00:00+01:00", format!("as {micro:?}: cannot parse \"+01:00\" as \".000000\"")),
            ("2020-01-01T01:00:00.123456789+01:00", format!("as {micro:?}: cannot parse \"789+01:00\" as \"Z07:00\"")),
            ("foo", format!("as {micro:?}: cannot parse \"foo\" as \"2006\"")),
            ("", format!("as {micro:?}: cannot parse \"\" as \"2006\"")),
            ("2020-01-01", format!("as {micro:?}: cannot parse \"\" as \"T\"")),
            ("2020-01-01 00:00:00Z", format!("as {micro:?}: cannot parse \" 00:00:00Z\" as \"T\"")),
            ("2020-01-01T00:00:00Zx", format!("as {micro:?}: cannot parse \"Zx\" as \".000000\"")),
            ("2020-13-01T00:00:00Z", ": month out of range".to_owned()),
            ("2020-01-01T25:00:00Z", ": hour out of range".to_owned()),
            ("2020-01-01T00:60:00Z", ": minute out of range".to_owned()),
            ("2020-01-01T00:00:61Z", ": second out of range".to_owned()),
            ("2020-02-30T00:00:00.000000Z", ": day out of range".to_owned()),
        ] {
            let found = normal(Scalar::MicroTime, &json!(text));
            assert!(found.ends_with(&form), "{text}: {found}");
        }
        assert_eq!(normal(Scalar::Time, &json!("2020-01-01T01:00:00.9+01:00")), "2020-01-01T00:00:00Z");
        assert_eq!(normal(Scalar::Time, &json!("2020-01-01T00:00:00Z")), "2020-01-01T00:00:00Z");
        assert_eq!(normal(Scalar::Time, &json!(5)), "another type");
    }

    #[test]
    fn bytes_have_no_line_breaks() {
        assert_eq!(normal(Scalar::Bytes, &json!("Y\r\nQ==\n")), "YQ==");
        assert_eq!(normal(Scalar::Bytes, &json!("no!")), "illegal base64 data at input byte 2");
    }
}
