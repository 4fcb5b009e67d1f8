//! The number in a text. It may be one of a Secret, so no error shows any of it.

use keda::quantity;
use serde_json::Value;

use crate::metadata::Metadata;
use crate::path;

/// `format` with `valueLocation`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Format {
    Number,
    /// Parts of a GJSON path.
    Json(Vec<String>),
    Yaml(Vec<String>),
}

/// `valueType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Float,
    /// What is behind the point does not count.
    Integer,
    Quantity,
}

/// Where the number is, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extraction {
    format: Format,
    type_: Type,
}

impl Extraction {
    /// `None`, with noted problems, if the metadata make none.
    pub(super) fn read(metadata: &mut Metadata<'_>) -> Option<Self> {
        let location = metadata.text("valueLocation");
        let format = match (metadata.text("format").unwrap_or("number"), location) {
            ("number", None) => Ok(Format::Number),
            ("number", Some(_)) => Err("valueLocation is only supported with json or yaml format".to_owned()),
            (format @ ("json" | "yaml"), None) => Err(format!("valueLocation is required for {format} format")),
            ("json", Some(location)) => path::gjson(location).map(Format::Json),
            ("yaml", Some(location)) => Ok(Format::Yaml(path::plain(location))),
            (other, _) => Err(format!("format={other:?} must be number, json or yaml")),
        };
        let type_ = match metadata.text("valueType").unwrap_or("float64") {
            "float64" => Ok(Type::Float),
            "int64" => Ok(Type::Integer),
            "quantity" => Ok(Type::Quantity),
            other => Err(format!("valueType={other:?} must be float64, int64 or quantity")),
        };
        match (format, type_) {
            (Ok(format), Ok(type_)) => Some(Self { format, type_ }),
            (format, type_) => {
                for problem in [format.err(), type_.err()].into_iter().flatten() {
                    metadata.problem(problem);
                }
                None
            }
        }
    }

    /// The number that the text has.
    pub(super) fn number(&self, text: &str) -> Result<f64, String> {
        match &self.format {
            Format::Number => self.written(text),
            Format::Json(keys) => {
                let whole: Value = serde_json::from_str(text).map_err(|_| "its value is no JSON".to_owned())?;
                self.at(&whole, keys, "json")
            }
            Format::Yaml(keys) => {
                let whole: Value = serde_saphyr::from_str(text).map_err(|_| "its value is no YAML".to_owned())?;
                self.at(&whole, keys, "yaml")
            }
        }
    }

    fn at(&self, whole: &Value, keys: &[String], format: &str) -> Result<f64, String> {
        let place = keys.join(".");
        let found = path::found(whole, keys).ok_or_else(|| format!("path {place} not found in {format}"))?;
        let number = match (&*found, &self.format, self.type_) {
            (Value::Number(number), ..) => number.as_f64().map(|number| self.cut(number)),
            // As in KEDA, a text in JSON is a quantity whatever number is wanted, and is none where a whole one is.
            (Value::String(text), Format::Json(_), Type::Float) | (Value::String(text), _, Type::Quantity) => {
                quantity::number(text)
            }
            (Value::String(text), Format::Yaml(_), _) => self.written(text).ok(),
            _ => None,
        };
        number.ok_or_else(|| {
            format!("valueLocation {place} must point to value of type number or a string representing a Quantity")
        })
    }

    fn written(&self, text: &str) -> Result<f64, String> {
        let text = text.trim();
        let number = match self.type_ {
            Type::Quantity => quantity::number(text),
            Type::Float | Type::Integer => text.parse::<f64>().ok().filter(|number| number.is_finite()),
        };
        let wanted = match self.type_ {
            Type::Float => "float64",
            Type::Integer => "int64",
            Type::Quantity => "quantity",
        };
        number.map(|number| self.cut(number)).ok_or_else(|| format!("error parsing value as {wanted}"))
    }

    fn cut(&self, number: f64) -> f64 {
        if self.type_ == Type::Integer { number.trunc() } else { number }
    }
}
