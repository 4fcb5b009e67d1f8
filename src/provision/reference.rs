//! `${kind.name.attribute}` inside desired values: finding and filling in. Pure.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::address::{Address, is_identifier};
use crate::resource::Attributes;

/// What stands for a value that only the apply will know.
pub const UNKNOWN: &str = "(known after apply)";

/// One attribute of one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Whose.
    pub address: Address,
    /// Which; `id` is the object's identifier.
    pub attribute: String,
}

enum Part<'a> {
    Text(&'a str),
    Reference(Reference),
}

fn parse_reference(inside: &str) -> Option<Reference> {
    let (address, attribute) = inside.rsplit_once('.')?;
    let address = address.parse().ok()?;
    is_identifier(attribute).then(|| Reference { address, attribute: attribute.to_owned() })
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut rest, mut plain) = (text, 0);
    while let Some(found) = rest[plain..].find("${") {
        let start = plain + found;
        if rest[..start].ends_with('$') {
            // `$${` is a literal `${`: drop one dollar.
            parts.push(Part::Text(&rest[..start - 1]));
            parts.push(Part::Text("${"));
            (rest, plain) = (&rest[start + 2..], 0);
            continue;
        }
        let inside = rest[start + 2..].split_once('}').and_then(|(inside, _)| Some((inside, parse_reference(inside)?)));
        if let Some((inside, reference)) = inside {
            parts.push(Part::Text(&rest[..start]));
            parts.push(Part::Reference(reference));
            (rest, plain) = (&rest[start + inside.len() + 3..], 0);
        } else {
            plain = start + 2;
        }
    }
    parts.push(Part::Text(rest));
    parts.retain(|part| !matches!(part, Part::Text("")));
    parts
}

/// Every reference in `attributes`.
pub(crate) fn references(attributes: &Attributes) -> BTreeSet<Reference> {
    let mut found = BTreeSet::new();
    for value in attributes.values() {
        collect(value, &mut found);
    }
    found
}

fn collect(value: &Value, found: &mut BTreeSet<Reference>) {
    let mut text = |text: &str| {
        found.extend(parts(text).into_iter().filter_map(|part| match part {
            Part::Reference(reference) => Some(reference),
            Part::Text(_) => None,
        }));
    };
    match value {
        Value::String(string) => text(string),
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(map) => {
            map.keys().for_each(|key| text(key));
            map.values().for_each(|item| collect(item, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `attributes` with every reference filled in by `lookup`; where it knows nothing, [`UNKNOWN`] takes the string's place.
pub(crate) fn resolve(attributes: &Attributes, lookup: &dyn Fn(&Reference) -> Option<Value>) -> Attributes {
    attributes.iter().map(|(name, value)| (name.clone(), fill(value, lookup))).collect()
}

/// Whether anything in `value` is still unknown.
pub(crate) fn is_unknown(value: &Value) -> bool {
    match value {
        Value::String(text) => text == UNKNOWN,
        Value::Array(items) => items.iter().any(is_unknown),
        Value::Object(map) => map.iter().any(|(key, item)| key.contains(UNKNOWN) || is_unknown(item)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn fill(value: &Value, lookup: &dyn Fn(&Reference) -> Option<Value>) -> Value {
    match value {
        Value::String(text) => fill_text(text, lookup),
        Value::Array(items) => Value::Array(items.iter().map(|item| fill(item, lookup)).collect()),
        Value::Object(map) => {
            let entry = |(key, item): (&String, &Value)| (fill_key(key, lookup), fill(item, lookup));
            Value::Object(map.iter().map(entry).collect::<Map<_, _>>())
        }
        plain => plain.clone(),
    }
}

fn fill_text(text: &str, lookup: &dyn Fn(&Reference) -> Option<Value>) -> Value {
    if !text.contains("${") {
        return Value::String(text.to_owned());
    }
    let parts = parts(text);
    if let [Part::Reference(reference)] = parts.as_slice() {
        return lookup(reference).unwrap_or_else(|| UNKNOWN.into());
    }
    let mut filled = String::with_capacity(text.len());
    for part in &parts {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Reference(reference) => match lookup(reference) {
                Some(value) if !is_unknown(&value) => filled.push_str(&as_text(&value)),
                _ => return UNKNOWN.into(),
            },
        }
    }
    Value::String(filled)
}

/// A key keeps its known parts: two keys of the same unknown host (`…:aud`, `…:sub`) must not become one.
fn fill_key(key: &str, lookup: &dyn Fn(&Reference) -> Option<Value>) -> String {
    let part = |part: Part<'_>| match part {
        Part::Text(text) => text.to_owned(),
        Part::Reference(reference) => lookup(&reference).map_or_else(|| UNKNOWN.to_owned(), |value| as_text(&value)),
    };
    parts(key).into_iter().map(part).collect()
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(value: Value) -> Value {
        let attributes = Attributes::from([("a".to_owned(), value)]);
        let lookup =
            |reference: &Reference| match (reference.address.to_string().as_str(), reference.attribute.as_str()) {
                ("k.n", "host") => Some(json!("h")),
                ("k.n", "ports") => Some(json!([1, 2])),
                _ => None,
            };
        resolve(&attributes, &lookup).remove("a").unwrap()
    }

    #[test]
    fn a_lone_reference_takes_the_value_and_an_embedded_one_its_text() {
        assert_eq!(filled(json!("${k.n.ports}")), json!([1, 2]));
        assert_eq!(filled(json!({"${k.n.host}:sub": "x${k.n.host}y"})), json!({"h:sub": "xhy"}));
    }

    #[test]
    fn other_dollar_braces_are_left_alone() {
        for text in ["${aws:username}", "${FOO}", "$(POD_IP)", "${", "a ${} b", "${a.b c.d}"] {
            assert_eq!(filled(json!(text)), json!(text));
        }
        assert_eq!(filled(json!("$${k.n.host}")), json!("${k.n.host}"));
        assert_eq!(filled(json!("${FOO} ${k.n.host}")), json!("${FOO} h"));
    }

    #[test]
    fn an_unknown_part_makes_the_string_unknown_and_nothing_else() {
        let value = filled(json!({"x": "a${k.m.host}", "y": "b"}));
        assert_eq!(value, json!({"x": UNKNOWN, "y": "b"}));
        assert!(is_unknown(&value));
    }

    #[test]
    fn keys_of_the_same_unknown_host_stay_apart() {
        let value = filled(json!({"${k.m.host}:aud": "a", "${k.m.host}:sub": "b"}));
        assert_eq!(value, json!({format!("{UNKNOWN}:aud"): "a", format!("{UNKNOWN}:sub"): "b"}));
        assert!(is_unknown(&value));
    }
}
