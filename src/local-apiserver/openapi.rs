//! OpenAPI: schemas of the built-in kinds, and what their decoder refuses and writes in another form.

mod scalar;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use k8s_openapi::api;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::DeleteOptions;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use self::scalar::Scalar;
use crate::kinds::{GROUP_VERSIONS, Resource};

/// Where the schemas refer to each other.
pub(crate) const REFERENCE: &str = "#/components/schemas/";

type Body = (&'static str, &'static str, &'static str, fn(&mut SchemaGenerator) -> Value);

/// What calls carry that is no stored object: group, version, kind, and the schema.
const BODIES: [Body; 11] = [
    ("", "v1", "Binding", body::<api::core::v1::Binding>),
    ("", "v1", "DeleteOptions", body::<DeleteOptions>),
    ("authentication.k8s.io", "v1", "SelfSubjectReview", body::<api::authentication::v1::SelfSubjectReview>),
    ("authentication.k8s.io", "v1", "TokenRequest", body::<api::authentication::v1::TokenRequest>),
    ("authentication.k8s.io", "v1", "TokenReview", body::<api::authentication::v1::TokenReview>),
    (
        "authorization.k8s.io",
        "v1",
        "LocalSubjectAccessReview",
        body::<api::authorization::v1::LocalSubjectAccessReview>,
    ),
    ("authorization.k8s.io", "v1", "SelfSubjectAccessReview", body::<api::authorization::v1::SelfSubjectAccessReview>),
    ("authorization.k8s.io", "v1", "SelfSubjectRulesReview", body::<api::authorization::v1::SelfSubjectRulesReview>),
    ("authorization.k8s.io", "v1", "SubjectAccessReview", body::<api::authorization::v1::SubjectAccessReview>),
    ("autoscaling", "v1", "Scale", body::<api::autoscaling::v1::Scale>),
    ("policy", "v1", "Eviction", body::<api::policy::v1::Eviction>),
];

fn body<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

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
    for (group, version, kind, schema) in BODIES {
        roots.entry((group, version, kind)).or_insert_with(|| schema(&mut generator));
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

/// What was found while an object was read.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Fields that the kind does not have.
    pub(crate) unknown: Vec<String>,
    /// Why the first value that cannot be read cannot.
    pub(crate) invalid: Option<String>,
}

/// How an object comes to its Go type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// From JSON.
    Decoded,
    /// From a merged value (strategic merge patch, server-side apply): integers wrap.
    Converted,
}

/// Reads an object as its Go type does: removes unknown fields, writes scalars in their normal form, and finds the first
/// value that cannot be read.
pub(crate) fn check(resource: &Resource, reading: Reading, object: &mut Value) -> Findings {
    read((&resource.group, &resource.version, &resource.kind), reading, object)
}

/// The same for the body of a call, by its group, version and kind.
pub(crate) fn read(key: (&str, &str, &str), reading: Reading, object: &mut Value) -> Findings {
    let mut findings = Findings::default();
    if let Some((_, schema)) = SCHEMAS.roots.iter().find(|(held, _)| **held == key) {
        walk(schema, object, &FieldPath { path: "", owner: key.2, reading }, &mut findings);
    }
    findings
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
    reading: Reading,
}

fn walk(schema: &Value, value: &mut Value, field_path: &FieldPath<'_>, findings: &mut Findings) {
    let own = name_of(schema).and_then(|name| name.rsplit('.').next());
    let unresolved = schema;
    let schema = resolved(schema);
    let wanted = schema["type"].as_str();
    if value.is_null() {
        return;
    }
    if let Some(scalar) = Scalar::of(own, schema) {
        match scalar.normal(value) {
            Ok(Some(normal)) => return *value = normal,
            Ok(None) => {}
            Err(why) => {
                findings.invalid.get_or_insert(why);
                return;
            }
        }
    }
    let mut wrong = |found: &str| {
        findings.invalid.get_or_insert_with(|| mismatch(found, field_path, unresolved));
    };
    match value {
        Value::Object(_) if wanted.is_some_and(|wanted| wanted != "object") => wrong("object"),
        Value::Array(_) if wanted.is_some_and(|wanted| wanted != "array") => wrong("array"),
        Value::String(_) if wanted.is_some_and(|wanted| wanted != "string") => wrong("string"),
        Value::Bool(_) if wanted.is_some_and(|wanted| wanted != "boolean") => wrong("bool"),
        Value::Number(number) if wanted == Some("integer") => match (number.as_i64(), field_path.reading) {
            (None, _) => wrong(&format!("number {number}")),
            (Some(_), _) if schema["format"] != "int32" => {}
            (Some(whole), Reading::Converted) => *value = i64_as_i32(whole).into(),
            (Some(whole), Reading::Decoded) => {
                if i32::try_from(whole).is_err() {
                    wrong(&format!("number {whole}"));
                }
            }
        },
        Value::Number(_)
            if matches!(wanted, Some("string" | "boolean" | "array" | "object")) && !schema_takes_numbers(schema) =>
        {
            wrong("number");
        }
        Value::Object(map) => {
            walk_map(schema, map, &FieldPath { owner: own.unwrap_or(field_path.owner), ..*field_path }, findings);
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                let path = format!("{}[{index}]", field_path.path);
                walk(&schema["items"], item, &FieldPath { path: &path, ..*field_path }, findings);
            }
        }
        _ => {}
    }
}

/// The lower half, as Go's conversion to int32 takes it.
#[expect(clippy::cast_possible_truncation, reason = "Go's conversion truncates")]
fn i64_as_i32(whole: i64) -> i32 {
    whole as i32
}

fn walk_map(schema: &Value, map: &mut Map<String, Value>, field_path: &FieldPath<'_>, findings: &mut Findings) {
    let Some(properties) = schema["properties"].as_object() else {
        let values = &schema["additionalProperties"];
        if values.is_object() {
            let zero = zero_of(values);
            for inner in map.values_mut() {
                // A key without a value has its type's zero; a field without a value is not there.
                if inner.is_null() {
                    inner.clone_from(&zero);
                }
                // Go names the map, not its key.
                walk(values, inner, field_path, findings);
            }
        }
        return;
    };
    map.retain(|name, inner| {
        let path = if field_path.path.is_empty() { name.clone() } else { format!("{}.{name}", field_path.path) };
        if let Some(property) = properties.get(name) {
            walk(property, inner, &FieldPath { path: &path, ..*field_path }, findings);
            return !is_left_out(property, inner) || required(schema, name);
        }
        findings.unknown.push(path);
        false
    });
}

/// Whether Go leaves out an optional field with this value: a map without anything in it, and not a struct. Lists are left
/// out as well, but only when they are stored: defaults and validation see them.
fn is_left_out(schema: &Value, value: &Value) -> bool {
    let empty = value.as_object().is_some_and(Map::is_empty);
    empty && resolved(schema)["additionalProperties"].is_object()
}

fn required(schema: &Value, field: &str) -> bool {
    schema["required"].as_array().is_some_and(|names| names.iter().any(|name| name == field))
}

/// The zero of a map's values: null for all but texts and quantities.
fn zero_of(schema: &Value) -> Value {
    let own = name_of(schema).and_then(|name| name.rsplit('.').next());
    let schema = resolved(schema);
    match Scalar::of(own, schema) {
        Some(Scalar::Quantity) => "0".into(),
        None if schema["type"] == "string" => "".into(),
        Some(Scalar::Time | Scalar::MicroTime | Scalar::Bytes) | None => Value::Null,
    }
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
fn mismatch(found: &str, field_path: &FieldPath<'_>, wanted: &Value) -> String {
    let path: String =
        field_path.path.split('.').map(|part| part.split('[').next().unwrap_or(part)).collect::<Vec<_>>().join(".");
    let wanted = go_type(wanted);
    format!("json: cannot unmarshal {found} into Go struct field {}.{path} of type {wanted}", field_path.owner)
}

/// The Go type that a schema was made from.
fn go_type(schema: &Value) -> String {
    let inner = resolved(schema);
    match (inner["type"].as_str(), name_of(schema)) {
        (Some("object"), Some(name)) => {
            let mut parts = name.rsplit('.');
            let (kind, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            format!("{version}.{kind}")
        }
        (Some("object"), None) => "map".to_owned(),
        (Some("array"), _) => format!("[]{}", go_type(&inner["items"])),
        (Some("integer"), _) => inner["format"].as_str().unwrap_or("int32").to_owned(),
        (Some("boolean"), _) => "bool".to_owned(),
        (Some("number"), _) => "float64".to_owned(),
        (Some(other), _) => other.to_owned(),
        (None, _) => "value".to_owned(),
    }
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
