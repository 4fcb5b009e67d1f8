//! A file as a tree of located YAML values, before anything is known about its keys.
//!
//! A tree instead of derived structs, since all problems are to be reported at once and each value has to remember
//! whether the file, a variable or a flag said it.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use crate::problem::{Origin, Problem};

/// A value laid over the file by a flag or an environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Key path, such as `cluster.version` or `workloads[0].image`.
    pub key: String,
    /// The value as typed; read as YAML, so `[a, b]` is a list.
    pub value: String,
    /// Whatever is not the file.
    pub origin: Origin,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands.
    pub origin: Origin,
}

/// A value of YAML.
#[derive(Debug, Clone)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map of keys.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub name: String,
    /// Where the key stands.
    pub origin: Origin,
    /// Its value.
    pub node: Node,
}

impl Node {
    /// Whether it is a map without a key.
    pub fn says_nothing(&self) -> bool {
        matches!(&self.value, Value::Map(entries) if entries.is_empty())
    }
}

impl Value {
    /// The kind of the value in words of YAML.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number with a fraction",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map of keys",
        }
    }
}

/// The file's tree; an empty file is an empty map.
///
/// # Errors
///
/// The place at which the text is no YAML.
pub fn parse(file: Option<&str>, text: &str) -> Result<Node, Box<Problem>> {
    let empty = Node { value: Value::Map(Vec::new()), origin: Origin::Default };
    if text.trim().is_empty() {
        return Ok(empty);
    }
    match serde_saphyr::from_str::<Spanned<Value>>(text) {
        Ok(spanned) if matches!(spanned.value, Value::Null) => Ok(empty),
        Ok(spanned) => Ok(located(spanned)),
        Err(error) => {
            let (line, column) = error.location().map_or((1, 1), |location| (location.line(), location.column()));
            let cause = error.without_snippet().to_string();
            Err(Box::new(Problem {
                file: file.map(str::to_owned),
                origin: Origin::File { line, column },
                key: String::new(),
                cause: format!("this is not readable YAML: {}", cause.lines().next().unwrap_or_default()),
                next_step: "correct the text at this place".to_owned(),
            }))
        }
    }
}

fn located(spanned: Spanned<Value>) -> Node {
    Node { value: spanned.value, origin: location(spanned.referenced) }
}

fn location(location: serde_saphyr::Location) -> Origin {
    Origin::File { line: location.line(), column: location.column() }
}

/// Lays one override over the tree.
///
/// # Errors
///
/// That its key leads nowhere.
pub fn lay_over(root: &mut Node, over: &Override) -> Result<(), Box<Problem>> {
    let refuse = |cause: String, next_step: &str| {
        let (origin, key) = (over.origin.clone(), over.key.clone());
        Box::new(Problem { file: None, origin, key, cause, next_step: next_step.to_owned() })
    };
    let value = match serde_saphyr::from_str::<Spanned<Value>>(&over.value) {
        Ok(spanned) => stamped(spanned.value, &over.origin),
        // What is no YAML is text all the same: a flag's value needs no quoting rules.
        Err(_) => Value::Text(over.value.clone()),
    };
    // One that leads nowhere leaves nothing half-made behind, which would be a second mistake.
    let mut changed = root.clone();
    let mut node = &mut changed;
    for step in steps(&over.key) {
        node = match step {
            Step::Key(name) => child(node, name, &over.origin),
            Step::Index(index) => item(node, index, &over.origin),
        }
        .ok_or_else(|| refuse("no such place in the stack".to_owned(), "list items are added one after another"))?;
    }
    *node = Node { value, origin: over.origin.clone() };
    *root = changed;
    Ok(())
}

enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

fn steps(path: &str) -> impl Iterator<Item = Step<'_>> {
    path.split(['.', '[']).map(|part| match part.strip_suffix(']').map(str::parse) {
        Some(Ok(index)) => Step::Index(index),
        _ => Step::Key(part),
    })
}

fn child<'a>(node: &'a mut Node, name: &str, origin: &Origin) -> Option<&'a mut Node> {
    if matches!(node.value, Value::Null) {
        node.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut node.value else {
        return None;
    };
    let index = entries.iter().position(|entry| entry.name == name).unwrap_or_else(|| {
        let node = Node { value: Value::Null, origin: origin.clone() };
        entries.push(Entry { name: name.to_owned(), origin: origin.clone(), node });
        entries.len() - 1
    });
    entries.get_mut(index).map(|entry| &mut entry.node)
}

fn item<'a>(node: &'a mut Node, index: usize, origin: &Origin) -> Option<&'a mut Node> {
    if matches!(node.value, Value::Null) {
        node.value = Value::List(Vec::new());
    }
    let Value::List(items) = &mut node.value else {
        return None;
    };
    if index == items.len() {
        items.push(Node { value: Value::Map(Vec::new()), origin: origin.clone() });
    }
    items.get_mut(index)
}

fn stamped(value: Value, origin: &Origin) -> Value {
    let stamp = |node: Node| Node { value: stamped(node.value, origin), origin: origin.clone() };
    match value {
        Value::List(items) => Value::List(items.into_iter().map(stamp).collect()),
        Value::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|entry| Entry { name: entry.name, origin: origin.clone(), node: stamp(entry.node) })
                .collect(),
        ),
        plain => plain,
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or_else(|_| Value::Text(value.to_string()), Value::Integer))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Value>>()? {
            list.push(located(item));
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((name, node)) = map.next_entry::<Spanned<String>, Spanned<Value>>()? {
            entries.push(Entry { name: name.value, origin: location(name.referenced), node: located(node) });
        }
        Ok(Value::Map(entries))
    }
}
