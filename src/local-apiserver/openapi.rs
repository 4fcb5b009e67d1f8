//! OpenAPI: schemas of the built-in kinds, and their checks.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::kinds::{GROUP_VERSIONS, Resource};
use crate::quantity::Quantity;

/// Where the schemas refer to each other.
pub(crate) const REFERENCE: &str = "#/components/schemas/";

struct Schemas {
    /// Root schema by group, version and kind.
    roots: BTreeMap<(&'static str, &'static str, &'static str), Value>,
    definitions: Map<String, Value>,
}

static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
    let mut settings = SchemaSettings::openapi3();
    settings.transforms.clear();
    let mut generator = SchemaGenerator::new(settings);
    let mut roots = BTreeMap::new();
    for of in GROUP_VERSIONS {
        for row in of.rows {
            if let Some(schema) = row.schema {
                roots.insert((of.group, of.version, row.kind), schema(&mut generator));
            }
        }
    }
    let mut definitions = generator.take_definitions(false);
    definitions.values_mut().for_each(publish);
    Schemas { roots, definitions }
});

/// Writes a schema as Kubernetes publishes it: a reference with a description stands in `allOf` (else clients do not see
/// the description), and no object must have metadata.
fn publish(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.values_mut().for_each(publish);
            if let Some(Value::Array(required)) = map.get_mut("required") {
                required.retain(|field| field != "metadata");
            }
            if map.len() > 1
                && let Some(reference) = map.remove("$ref")
            {
                map.insert("allOf".to_owned(), json!([{"$ref": reference}]));
                map.insert("default".to_owned(), json!({}));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(publish),
        _ => {}
    }
}

/// Finds unknown fields (and removes them) and the first value of a wrong type.
pub(crate) fn check(
    group: &str,
    version: &str,
    kind: &str,
    object: &mut Value,
    unknown: &mut Vec<String>,
    invalid: &mut Option<String>,
) {
    let Some((_, schema)) = SCHEMAS.roots.iter().find(|((g, v, k), _)| *g == group && *v == version && *k == kind)
    else {
        return;
    };
    let owner = kind.to_owned();
    walk(schema, object, &FieldPath { path: "", owner: &owner }, unknown, invalid);
}

fn name_of(schema: &Value) -> Option<&str> {
    let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
    reference.and_then(|reference| reference.rsplit('/').next())
}

fn resolved(schema: &Value) -> &Value {
    name_of(schema).and_then(|name| SCHEMAS.definitions.get(name)).unwrap_or(schema)
}

/// What the schema of a built-in kind says of the field at a path (names of fields; list elements are left out).
pub(crate) struct Field<'a> {
    /// The type that has the field, such as `PodSpec`; empty for a map.
    pub(crate) owner: &'a str,
    /// The type of its value, or of the elements of its list; empty for scalars and maps.
    pub(crate) kind: &'a str,
    /// A field of a struct, not a key of a map.
    pub(crate) declared: bool,
}

/// Finds the field at a path; none where no schema is known or the schema has no such field.
pub(crate) fn field(resource: &Resource, path: &[&str]) -> Option<Field<'static>> {
    let key = (resource.group.as_str(), resource.version.as_str(), resource.kind.as_str());
    let mut schema = SCHEMAS.roots.iter().find(|(held, _)| **held == key).map(|(_, schema)| schema)?;
    let (mut owner, mut declared) = ("", false);
    for name in path {
        schema = element(schema);
        owner = short_name(schema);
        let inner = resolved(schema);
        (schema, declared) = match (inner["properties"].get(name), &inner["additionalProperties"]) {
            (Some(property), _) => (property, true),
            (None, additional @ Value::Object(_)) => (additional, false),
            _ => return None,
        };
    }
    Some(Field { owner, kind: short_name(element(schema)), declared })
}

/// What the schemas say of a type's field.
pub(crate) fn description(owner: &str, field: &str) -> &'static str {
    let own = |(name, _): &(&String, &Value)| name.rsplit('.').next() == Some(owner);
    let found = SCHEMAS.definitions.iter().filter(own).map(|(_, schema)| &schema["properties"][field]["description"]);
    found.filter_map(Value::as_str).next_back().unwrap_or_default()
}

/// The fields of a type.
#[cfg(test)]
pub(crate) fn properties(owner: &str) -> std::collections::BTreeSet<&'static str> {
    let own = |(name, _): &(&String, &Value)| name.rsplit('.').next() == Some(owner);
    let found = SCHEMAS.definitions.iter().filter(own).filter_map(|(_, schema)| schema["properties"].as_object());
    found.flat_map(Map::keys).map(String::as_str).collect()
}

/// The schema of a list's elements; any other schema itself.
fn element(schema: &Value) -> &Value {
    let inner = resolved(schema);
    if inner["type"] == "array" { &inner["items"] } else { schema }
}

fn short_name(schema: &Value) -> &str {
    name_of(schema).and_then(|name| name.rsplit('.').next()).unwrap_or_default()
}

/// Where a value stands: the path of its field, and the Go struct that has the field.
struct FieldPath<'a> {
    path: &'a str,
    owner: &'a str,
}

fn walk(
    schema: &Value,
    value: &mut Value,
    field_path: &FieldPath<'_>,
    unknown: &mut Vec<String>,
    invalid: &mut Option<String>,
) {
    let own = name_of(schema).and_then(|name| name.rsplit('.').next());
    let schema = resolved(schema);
    let wanted = schema["type"].as_str();
    let mut wrong = |found: &str| {
        invalid.get_or_insert_with(|| mismatch(found, field_path, wanted, schema["format"].as_str()));
    };
    match value {
        Value::Object(_) if wanted.is_some_and(|wanted| wanted != "object") => wrong("object"),
        Value::Array(_) if wanted.is_some_and(|wanted| wanted != "array") => wrong("array"),
        Value::String(_) if wanted.is_some_and(|wanted| wanted != "string") => wrong("string"),
        Value::Bool(_) if wanted.is_some_and(|wanted| wanted != "boolean") => wrong("bool"),
        Value::Number(number) if wanted == Some("integer") && number.is_f64() => wrong(&format!("number {number}")),
        Value::String(text) if own == Some("Quantity") => {
            if let Err(why) = Quantity::parse(text) {
                invalid.get_or_insert_with(|| why.to_owned());
            }
        }
        Value::String(text) if schema["format"] == "byte" => {
            if let Some(at) = not_base64(text) {
                invalid.get_or_insert_with(|| format!("illegal base64 data at input byte {at}"));
            }
        }
        Value::Number(_)
            if matches!(wanted, Some("string" | "boolean" | "array" | "object")) && !schema_takes_numbers(schema) =>
        {
            wrong("number");
        }
        Value::Object(map) => {
            walk_map(
                schema,
                map,
                &FieldPath { owner: own.unwrap_or(field_path.owner), ..*field_path },
                unknown,
                invalid,
            );
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                let path = format!("{}[{index}]", field_path.path);
                walk(&schema["items"], item, &FieldPath { path: &path, owner: field_path.owner }, unknown, invalid);
            }
        }
        _ => {}
    }
}

fn walk_map(
    schema: &Value,
    map: &mut Map<String, Value>,
    field_path: &FieldPath<'_>,
    unknown: &mut Vec<String>,
    invalid: &mut Option<String>,
) {
    let Some(properties) = schema["properties"].as_object() else {
        if schema["additionalProperties"].is_object() {
            // Go names the map, not its key.
            map.values_mut()
                .for_each(|inner| walk(&schema["additionalProperties"], inner, field_path, unknown, invalid));
        }
        return;
    };
    map.retain(|name, inner| {
        let path = if field_path.path.is_empty() { name.clone() } else { format!("{}.{name}", field_path.path) };
        if let Some(property) = properties.get(name) {
            walk(property, inner, &FieldPath { path: &path, owner: field_path.owner }, unknown, invalid);
            return true;
        }
        unknown.push(path);
        false
    });
}

/// Where a text stops being base64, if it does.
fn not_base64(text: &str) -> Option<usize> {
    let bare: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    base64::engine::general_purpose::STANDARD.decode(&bare).err()?;
    let invalid = |c: char| !c.is_ascii_alphanumeric() && !"+/=".contains(c);
    Some(text.find(invalid).unwrap_or(text.len()))
}

/// IntOrString and Quantity are strings in the schema, and may be written as numbers.
fn schema_takes_numbers(schema: &Value) -> bool {
    schema["x-kubernetes-int-or-string"] == true
        || schema["format"] == "int-or-string"
        || schema["description"]
            .as_str()
            .is_some_and(|text| text.starts_with("Quantity is") || text.starts_with("IntOrString is"))
}

/// The words of Go's JSON decoder.
fn mismatch(found: &str, field_path: &FieldPath<'_>, wanted: Option<&str>, format: Option<&str>) -> String {
    let wanted = match wanted {
        Some("integer") => format.unwrap_or("int32"),
        Some("boolean") => "bool",
        Some("object") => "map",
        Some(other) => other,
        None => "value",
    };
    let path: String =
        field_path.path.split('.').map(|part| part.split('[').next().unwrap_or(part)).collect::<Vec<_>>().join(".");
    format!("json: cannot unmarshal {found} into Go struct field {}.{path} of type {wanted}", field_path.owner)
}

/// Group, version and kind of a resource, as schemas and operations name them.
pub(crate) fn gvk(resource: &Resource) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": resource.kind})
}

/// Adds a kind's schema and all that it refers to; the name under which it is found.
pub(crate) fn add_schema(resource: &Resource, schemas: &mut Map<String, Value>) -> String {
    let key = (resource.group.as_str(), resource.version.as_str(), resource.kind.as_str());
    let own = SCHEMAS.roots.iter().find(|(held, _)| **held == key).map(|(_, schema)| schema);
    let name = own
        .and_then(|schema| schema["$ref"].as_str())
        .and_then(|reference| reference.strip_prefix(REFERENCE))
        .map_or_else(|| format!("{}.{}.{}", resource.group, resource.version, resource.kind), str::to_owned);
    let schema = if let Some(version) = &resource.custom {
        version.schema.clone()
    } else {
        if let Some(own) = own {
            add_referred(own, schemas);
        }
        schemas.get(&name).cloned()
    };
    let mut schema = schema.unwrap_or_else(|| json!({"type": "object"}));
    schema["x-kubernetes-group-version-kind"] = json!([gvk(resource)]);
    schemas.insert(name.clone(), schema);
    name
}

fn add_referred(schema: &Value, schemas: &mut Map<String, Value>) {
    match schema {
        Value::Object(map) => {
            if let Some(name) =
                map.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix(REFERENCE))
                && !schemas.contains_key(name)
                && let Some(definition) = SCHEMAS.definitions.get(name)
            {
                schemas.insert(name.to_owned(), definition.clone());
                add_referred(definition, schemas);
            }
            map.values().for_each(|inner| add_referred(inner, schemas));
        }
        Value::Array(items) => items.iter().for_each(|item| add_referred(item, schemas)),
        _ => {}
    }
}
