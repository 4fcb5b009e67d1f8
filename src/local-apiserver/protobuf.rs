//! Kubernetes' protobuf encoding of request bodies: kubectl's `create` commands and Go clients send built-in kinds so.
//!
//! Only reading is needed: every client that sends protobuf also accepts JSON. The field table is generated from the
//! Go modules of Kubernetes by `protobuf/fields.py`.

mod wire;

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use wire::{Item, Reader};

/// What the body starts with, before a `runtime.Unknown`.
const MAGIC: &[u8] = b"k8s\0";

/// The media type of such bodies.
pub(crate) const CONTENT_TYPE: &str = "application/vnd.kubernetes.protobuf";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    One,
    List,
    Map,
}

/// One field of a message.
#[derive(Debug)]
struct Field {
    number: u64,
    /// `~` for a message whose fields belong to the one around it.
    name: &'static str,
    kind: &'static str,
    shape: Shape,
    /// A pointer in Go: present means set, even to zero.
    kept: bool,
}

static MESSAGES: LazyLock<HashMap<&'static str, Vec<Field>>> = LazyLock::new(|| {
    let lines = include_str!("protobuf/fields.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(' ').or(Some((line, ""))))
        .map(|(name, rest)| (name, fields(rest)))
        .collect()
});

fn fields(text: &'static str) -> Vec<Field> {
    let parsed = text.split(' ').filter_map(|field| {
        let mut parts = field.splitn(3, ':');
        let (number, name, kind) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
        let shape = match kind.as_bytes().first() {
            Some(b'*') => Shape::List,
            Some(b'%') => Shape::Map,
            _ => Shape::One,
        };
        let kept = kind.ends_with('!');
        Some(Field { number, name, kind: kind.trim_matches(['*', '%', '!']), shape, kept })
    });
    parsed.collect()
}

/// The object in a body, or why there is none.
pub(crate) fn decode(body: &[u8]) -> Result<Value, String> {
    let body = body.strip_prefix(MAGIC).ok_or("it does not start with the mark of Kubernetes' encoding")?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &body[..0]);
    for item in Reader::new(body) {
        match item? {
            (1, Item::Bytes(meta)) => {
                for item in Reader::new(meta) {
                    match item? {
                        (1, Item::Bytes(text)) => api_version = utf8(text)?,
                        (2, Item::Bytes(text)) => kind = utf8(text)?,
                        _ => {}
                    }
                }
            }
            (2, Item::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let mut object = message(&message_of(&api_version, &kind)?, raw)?;
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    Ok(object)
}

fn message_of(api_version: &str, kind: &str) -> Result<String, String> {
    let (group, version) = api_version.split_once('/').unwrap_or(("core", api_version));
    let group = group.split('.').next().unwrap_or(group);
    let name = match kind {
        "DeleteOptions" => "meta.v1.DeleteOptions".to_owned(),
        kind => format!("{group}.{version}.{kind}"),
    };
    if MESSAGES.contains_key(name.as_str()) {
        Ok(name)
    } else {
        Err(format!("{api_version} {kind} has no such encoding here"))
    }
}

fn message(name: &str, bytes: &[u8]) -> Result<Value, String> {
    if let Some(value) = special(name, bytes)? {
        return Ok(value);
    }
    let known = MESSAGES.get(name).ok_or_else(|| format!("message {name} is not known"))?;
    let mut object = Map::new();
    for item in Reader::new(bytes) {
        let (number, item) = item?;
        // A field of a newer version; JSON bodies would have it pruned as well.
        let Some(field) = known.iter().find(|field| field.number == number) else { continue };
        add(&mut object, field, &item)?;
    }
    Ok(Value::Object(object))
}

fn add(object: &mut Map<String, Value>, field: &Field, item: &Item<'_>) -> Result<(), String> {
    match field.shape {
        Shape::One if field.name == "~" => {
            if let Value::Object(inner) = value(field.kind, item)? {
                object.extend(inner);
            }
        }
        Shape::One => {
            let value = value(field.kind, item)?;
            if field.kept || !is_zero(&value) {
                object.insert(field.name.to_owned(), value);
            }
        }
        Shape::List => {
            let value = value(field.kind, item)?;
            if let Value::Array(list) = object.entry(field.name).or_insert_with(|| json!([])) {
                list.push(value);
            }
        }
        Shape::Map => {
            let (key, value) = entry(field.kind, item)?;
            object.entry(field.name).or_insert_with(|| json!({}))[key] = value;
        }
    }
    Ok(())
}

/// What Go's JSON would leave out, or what means the same as leaving it out.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

fn entry(kind: &str, item: &Item<'_>) -> Result<(String, Value), String> {
    let (mut key, mut held) = (String::new(), None);
    for part in Reader::new(item.bytes()?) {
        match part? {
            (1, Item::Bytes(text)) => key = utf8(text)?,
            (2, inner) => held = Some(value(kind, &inner)?),
            _ => {}
        }
    }
    let empty = || if matches!(kind, "string" | "bytes") { json!("") } else { json!({}) };
    Ok((key, held.unwrap_or_else(empty)))
}

fn value(kind: &str, item: &Item<'_>) -> Result<Value, String> {
    Ok(match kind {
        "string" => utf8(item.bytes()?)?.into(),
        "bytes" => STANDARD.encode(item.bytes()?).into(),
        "bool" => (item.number()? != 0).into(),
        // Negative numbers are sign-extended to 64 bits.
        "int32" | "int64" => item.number()?.cast_signed().into(),
        "double" => f64::from_bits(item.number()?).into(),
        name => return message(name, item.bytes()?),
    })
}

/// Types whose JSON is not that of their fields.
fn special(name: &str, bytes: &[u8]) -> Result<Option<Value>, String> {
    let parts = || Reader::new(bytes).collect::<Result<Vec<_>, _>>();
    let first = |wanted: u64| -> Result<Option<Item<'_>>, String> {
        Ok(parts()?.into_iter().find(|(number, _)| *number == wanted).map(|(_, item)| item))
    };
    let number = |wanted: u64| first(wanted)?.map_or(Ok(0), |item| item.number().map(u64::cast_signed));
    let text = |wanted: u64| first(wanted)?.map_or(Ok(String::new()), |item| utf8(item.bytes()?));
    Ok(Some(match name {
        "meta.v1.Time" if bytes.is_empty() => Value::Null,
        "meta.v1.Time" | "meta.v1.MicroTime" => {
            let at = jiff::Timestamp::new(number(1)?, number(2)? as i32).map_err(|error| error.to_string())?;
            let format = if name.ends_with("MicroTime") { "%Y-%m-%dT%H:%M:%S.%6fZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
            at.strftime(format).to_string().into()
        }
        "apimachinery.pkg.resource.Quantity" => text(1)?.into(),
        "apimachinery.pkg.util.intstr.IntOrString" if number(1)? == 0 => number(2)?.into(),
        "apimachinery.pkg.util.intstr.IntOrString" => text(3)?.into(),
        "meta.v1.FieldsV1" | "apimachinery.pkg.runtime.RawExtension" => match first(1)? {
            Some(item) => serde_json::from_slice(item.bytes()?).map_err(|error| error.to_string())?,
            None => Value::Null,
        },
        "authorization.v1.ExtraValue" | "authentication.v1.ExtraValue" => {
            let texts = parts()?.into_iter().map(|(_, item)| utf8(item.bytes()?));
            texts.collect::<Result<Vec<_>, _>>()?.into()
        }
        _ => return Ok(None),
    }))
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A length-delimited field; test data stays below 128 bytes a field.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(content.len()).unwrap()][..], content].concat()
    }

    fn body(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &meta), field(2, raw)].concat()
    }

    #[test]
    fn an_object_reads_as_its_json() {
        let metadata =
            [field(1, b"cm"), field(11, &[field(1, b"app"), field(2, b"x")].concat()), field(8, b"")].concat();
        let raw = [field(1, &metadata), field(2, &[field(1, b"key"), field(2, b"")].concat())].concat();
        assert_eq!(
            decode(&body("v1", "ConfigMap", &raw)).unwrap(),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm", "labels": {"app": "x"}}, "data": {"key": ""}})
        );
    }

    #[test]
    fn pointers_keep_their_zero_and_inlined_messages_disappear() {
        let seconds_zero = [3 << 3, 0];
        assert_eq!(message("meta.v1.DeleteOptions", &[1 << 3, 0]).unwrap(), json!({"gracePeriodSeconds": 0}));
        assert_eq!(message("core.v1.Probe", &seconds_zero).unwrap(), json!({}));
        let volume = [field(1, b"v"), field(2, &field(2, b""))].concat();
        assert_eq!(message("core.v1.Volume", &volume).unwrap(), json!({"name": "v", "emptyDir": {}}));
    }

    #[test]
    fn broken_bodies_are_refused_with_a_reason() {
        let cut = body("v1", "ConfigMap", &field(1, b"abc"));
        for broken in [&b"{}"[..], &cut[..cut.len() - 1], &body("v1", "Nothing", b"")] {
            assert!(decode(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn the_table_knows_every_type_that_it_names() {
        let scalars = ["string", "bytes", "bool", "int32", "int64", "double"];
        for (name, fields) in MESSAGES.iter() {
            for field in fields {
                let known = scalars.contains(&field.kind)
                    || MESSAGES.contains_key(field.kind)
                    || special(field.kind, b"").unwrap().is_some();
                assert!(known, "{name}.{} is of the unknown type {}", field.name, field.kind);
            }
        }
    }

    #[test]
    fn the_table_has_a_message_for_every_built_in_kind() {
        for resource in crate::kinds::BUILT_IN.iter().filter(|one| one.group != "apiextensions.k8s.io") {
            message_of(&resource.api_version(), &resource.kind).unwrap();
        }
    }
}
