//! Where the number is in an answer, by the format of the answer.

use keda::quantity;
use serde_json::Value;

use super::xml;
use crate::path;

/// `valueLocation`, understood for one format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Location {
    /// Parts of a GJSON path.
    Json(Vec<String>),
    Yaml(Vec<String>),
    Xml(Vec<String>),
    /// The name of a metric, and labels with their values.
    Prometheus {
        name: String,
        labels: Vec<(String, String)>,
    },
}

type Result<T> = std::result::Result<T, String>;

impl Location {
    /// The place that `written` names in an answer of `format`.
    pub(super) fn new(format: &str, written: &str) -> Result<Self> {
        let keys = || path::plain(written);
        match format {
            "json" => path::gjson(written).map(Self::Json),
            "yaml" => Ok(Self::Yaml(keys())),
            "xml" => Ok(Self::Xml(keys())),
            "prometheus" => selector(written),
            _ => Err(format!("format={format:?} must be json, xml, yaml or prometheus")),
        }
    }

    /// The number at this place.
    pub(super) fn number(&self, body: &[u8]) -> Result<f64> {
        let text = std::str::from_utf8(body).map_err(|_| "the answer is no UTF-8".to_owned())?;
        match self {
            Self::Json(keys) => {
                let whole: Value =
                    serde_json::from_str(text).map_err(|error| format!("the answer is no JSON: {error}"))?;
                of_value(path::found(&whole, keys).as_deref(), keys)
            }
            Self::Yaml(keys) => {
                let whole: Value =
                    serde_saphyr::from_str(text).map_err(|error| format!("the answer is no YAML: {error}"))?;
                of_value(path::found(&whole, keys).as_deref(), keys)
            }
            Self::Xml(keys) => {
                let text = xml::text(text, keys)?;
                let text = text.ok_or_else(|| format!("the answer has nothing at {}", keys.join(".")))?;
                quantity::number(text.trim()).ok_or_else(|| no_quantity(keys))
            }
            Self::Prometheus { name, labels } => exposed(text, name, labels),
        }
    }
}

fn of_value(value: Option<&Value>, keys: &[String]) -> Result<f64> {
    let type_name = match value {
        Some(Value::Number(number)) => return number.as_f64().ok_or_else(|| no_quantity(keys)),
        Some(Value::String(text)) => return quantity::number(text).ok_or_else(|| no_quantity(keys)),
        None => "nothing",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Array(_)) => "an array",
        Some(Value::Object(_)) => "an object",
    };
    let place = keys.join(".");
    Err(format!(
        "valueLocation {place:?} must point to a numeric value or a string parseable as a Quantity, got {type_name}"
    ))
}

fn no_quantity(keys: &[String]) -> String {
    format!("valueLocation {:?} points to a text that is not parseable as a Quantity", keys.join("."))
}

/// `name{label="value", …}`.
fn selector(written: &str) -> Result<Location> {
    let wrong =
        || format!("valueLocation={written:?} is no metric with labels; write one such as queue_length{{queue=\"a\"}}");
    let (name, rest) = written.split_once('{').unwrap_or((written, "}"));
    let inside = rest.trim_end().strip_suffix('}').ok_or_else(wrong)?;
    let labels = labels(inside).ok_or_else(wrong)?;
    let name = name.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(wrong());
    }
    Ok(Location::Prometheus { name: name.to_owned(), labels })
}

/// `a="b",c="d"`, with the escapes of the text format; `None` if it is something else, such as a match by expression.
fn labels(text: &str) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return None;
        }
        let mut characters = after.trim_start().strip_prefix('"')?.char_indices();
        let quoted = after.trim_start().get(1..)?;
        let (mut value, mut end) = (String::new(), None);
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    end = Some(at + 1);
                    break;
                }
                '\\' => match characters.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                _ => value.push(c),
            }
        }
        rest = quoted.get(end?..)?.trim_start();
        found.push((name.to_owned(), value));
        rest = match rest.strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    Some(found)
}

/// The first sample of the text format with that name and these labels.
fn exposed(text: &str, name: &str, wanted: &[(String, String)]) -> Result<f64> {
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let Some(rest) = line.strip_prefix(name) else { continue };
        let rest = rest.trim_start();
        let (inside, values) = match rest.strip_prefix('{') {
            Some(rest) => {
                rest.rsplit_once('}').ok_or_else(|| format!("the answer has a line without an end: {name}"))?
            }
            // Another name that begins so.
            None if line.as_bytes().get(name.len()).is_some_and(|c| !c.is_ascii_whitespace()) => continue,
            None => ("", rest),
        };
        let has = labels(inside).ok_or_else(|| format!("the labels of {name} cannot be read"))?;
        if !wanted.iter().all(|label| has.contains(label)) {
            continue;
        }
        let value = values.split_whitespace().next().unwrap_or_default();
        let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
        return number.ok_or_else(|| format!("the value {value:?} of {name} is no number"));
    }
    Err(format!("the answer has no metric {name} with these labels"))
}
