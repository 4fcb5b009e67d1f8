//! The types that a schema gives to values, as far as rules can be refused by them.

use serde_json::{Value, json};

/// What an expression may be.
#[derive(Debug, Clone)]
pub(super) enum Type<'a> {
    /// Not known before it is evaluated.
    Dyn,
    Bool,
    Int,
    Double,
    Text,
    Bytes,
    Timestamp,
    Duration,
    List(Box<Type<'a>>),
    Map(Box<Type<'a>>),
    /// An object with declared fields.
    Object(&'a Value),
    Optional(Box<Type<'a>>),
}

impl<'a> Type<'a> {
    pub(super) fn of(schema: &'a Value) -> Self {
        if schema["x-kubernetes-int-or-string"] == true {
            return Self::Dyn;
        }
        match schema["type"].as_str().unwrap_or_default() {
            "boolean" => Self::Bool,
            "integer" => Self::Int,
            "number" => Self::Double,
            "string" => match schema["format"].as_str().unwrap_or_default() {
                "date-time" | "date" => Self::Timestamp,
                "duration" => Self::Duration,
                "byte" => Self::Bytes,
                _ => Self::Text,
            },
            "array" => Self::List(Box::new(Self::of(&schema["items"]))),
            "object" if schema["additionalProperties"].is_object() => {
                Self::Map(Box::new(Self::of(&schema["additionalProperties"])))
            }
            "object" if schema["properties"].is_object() || schema["x-kubernetes-preserve-unknown-fields"] != true => {
                Self::Object(schema)
            }
            _ => Self::Dyn,
        }
    }

    /// The type of a field of it; `None` if it has no such field.
    pub(super) fn field(&self, name: &str) -> Option<Self> {
        match self {
            Self::Object(schema) => {
                let mut fields = schema["properties"].as_object().into_iter().flatten();
                fields.find(|(field, _)| escaped(field) == name).map(|(_, schema)| Self::of(schema))
            }
            Self::Map(inner) => Some((**inner).clone()),
            Self::Optional(inner) => inner.field(name).map(|found| Self::Optional(Box::new(found))),
            Self::Dyn => Some(Self::Dyn),
            _ => None,
        }
    }

    /// What `all`, `map` and their like go through: items of lists, keys of maps.
    pub(super) fn element(&self) -> Self {
        match self {
            Self::List(inner) => (**inner).clone(),
            Self::Map(_) => Self::Text,
            _ => Self::Dyn,
        }
    }

    /// The name under which refusals show a scalar; none for what is not compared here.
    pub(super) fn scalar(&self) -> Option<&'static str> {
        Some(match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Double => "double",
            Self::Text => "string",
            Self::Bytes => "bytes",
            Self::Timestamp => "timestamp",
            Self::Duration => "duration",
            _ => return None,
        })
    }
}

/// A schema with what every object shows of itself to rules: its type and its name.
pub(super) fn with_object_meta(schema: &Value) -> Value {
    let text = json!({"type": "string"});
    let mut schema = schema.clone();
    for field in ["apiVersion", "kind"] {
        schema["properties"][field] = text.clone();
    }
    schema["properties"]["metadata"] = json!({"type": "object", "properties": {"name": text, "generateName": text}});
    schema
}

/// Words of the language that cannot be names of fields as they are.
const RESERVED: &[&str] = &[
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// A field's name as rules write it.
pub(super) fn escaped(name: &str) -> String {
    if RESERVED.contains(&name) {
        return format!("__{name}__");
    }
    name.replace("__", "__underscores__").replace('.', "__dot__").replace('-', "__dash__").replace('/', "__slash__")
}
