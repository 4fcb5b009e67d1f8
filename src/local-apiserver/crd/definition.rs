//! Whether a definition is one: names, versions, schemas, columns and scale paths, in the real server's words.

use serde_json::Value;

use super::{conversion, rules, validation};
use crate::status::FieldError;

/// The collection of definitions.
pub(crate) const COLLECTION: &str = "customresourcedefinitions.apiextensions.k8s.io";
const TYPES: &[&str] = &["array", "boolean", "integer", "number", "object", "string"];
const COLUMN_TYPES: &[&str] = &["boolean", "date", "integer", "number", "string"];
/// Parts of a schema that say nothing where they are false or empty, and are not kept then.
const OPTIONAL: &[&str] = &[
    "uniqueItems",
    "nullable",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "required",
    "description",
    "title",
    "format",
    "pattern",
];

/// Fields of a version that may be selected by.
const SELECTABLE_MAX: usize = 8;

/// Mistakes in a definition.
pub(crate) fn check(crd: &Value) -> Vec<FieldError> {
    let spec = &crd["spec"];
    let mut errors = Vec::new();
    let (group, plural) =
        (spec["group"].as_str().unwrap_or_default(), spec["names"]["plural"].as_str().unwrap_or_default());
    let name = crd["metadata"]["name"].as_str().unwrap_or_default();
    if name != format!("{plural}.{group}") {
        errors.push(FieldError::invalid("metadata.name", &name.into(), "must be spec.names.plural+\".\"+spec.group"));
    }
    for field in ["kind", "plural"] {
        if spec["names"][field].as_str().unwrap_or_default().is_empty() {
            errors.push(FieldError::required(format!("spec.names.{field}"), ""));
        }
    }
    if !matches!(spec["scope"].as_str(), Some("Namespaced" | "Cluster")) {
        errors.push(FieldError::unsupported(
            "spec.scope",
            &spec["scope"],
            &["Cluster".to_owned(), "Namespaced".to_owned()],
        ));
    }
    conversion::check(spec, &mut errors);
    let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let stored = versions.iter().filter(|version| version["storage"] == true).count();
    if stored != 1 {
        let shown: Vec<String> = versions.iter().map(shown_version).collect();
        let detail = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid_shown("spec.versions", &format!("[{}]", shown.join(",")), detail));
    }
    for (index, version) in versions.iter().enumerate() {
        check_schema(version, &field_path(versions, index, "schema", "validation"), index, &mut errors);
        check_selectable(version, &field_path(versions, index, "selectableFields", ""), &mut errors);
        check_columns(version, &field_path(versions, index, "additionalPrinterColumns", ""), &mut errors);
        check_scale(version, &field_path(versions, index, "subresources", ""), &mut errors);
        if versions.iter().all(|other| {
            ["schema", "additionalPrinterColumns", "subresources", "selectableFields"]
                .iter()
                .all(|part| other[*part] == version[*part])
        }) {
            break;
        }
    }
    if stored == 0 {
        let detail = "must have at least one stored version";
        errors.push(FieldError::invalid("status.storedVersions", &Value::Null, detail));
    }
    errors
}

/// Where a part of a version stands: what all versions have in common, the real server keeps and names above them.
fn field_path(versions: &[Value], index: usize, part: &str, shared: &str) -> String {
    if versions.iter().any(|version| version[part] != versions[index][part]) {
        return format!("spec.versions[{index}].{part}");
    }
    format!("spec.{}", if shared.is_empty() { part } else { shared })
}

fn shown_version(version: &Value) -> String {
    format!(
        "{{\"Name\":{},\"Served\":{},\"Storage\":{},\"Deprecated\":{},\"DeprecationWarning\":{},\"Schema\":null,\
         \"Subresources\":null,\"AdditionalPrinterColumns\":null,\"SelectableFields\":null}}",
        version["name"],
        version["served"] == true,
        version["storage"] == true,
        version["deprecated"] == true,
        version["deprecationWarning"],
    )
}

fn check_schema(version: &Value, base: &str, index: usize, errors: &mut Vec<FieldError>) {
    let schema = &version["schema"]["openAPIV3Schema"];
    if schema.is_null() {
        errors.push(FieldError::required(format!("spec.versions[{index}].schema.openAPIV3Schema"), ""));
        return;
    }
    let before = errors.len();
    let path = format!("{base}.openAPIV3Schema");
    let root = &schema["type"];
    let given = root.as_str().unwrap_or_default();
    if !version["subresources"]["status"].is_null() && !given.is_empty() && given != "object" {
        let detail =
            "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled";
        errors.push(FieldError::invalid(format!("{path}.type"), root, detail));
    }
    let mut structural = Vec::new();
    match given {
        "object" => {}
        "" => structural.push(FieldError::required(format!("{path}.type"), "must not be empty at the root")),
        _ => structural.push(FieldError::invalid(format!("{path}.type"), root, "must be object at the root")),
    }
    check_node(schema, &path, &mut structural);
    structural.sort_by_key(ToString::to_string);
    errors.extend(structural);
    if errors.len() == before {
        check_defaults(schema, &path, errors);
        errors.extend(rules::check(schema, &path));
    }
}

/// Fields that objects may be selected by are single values of the schema.
fn check_selectable(version: &Value, base: &str, errors: &mut Vec<FieldError>) {
    let schema = &version["schema"]["openAPIV3Schema"];
    let mut seen: Vec<&str> = Vec::new();
    for (index, field) in version["selectableFields"].as_array().into_iter().flatten().enumerate() {
        let at = format!("{base}[{index}].jsonPath");
        let path = field["jsonPath"].as_str().unwrap_or_default();
        if path.is_empty() {
            errors.push(FieldError::required(at, ""));
            continue;
        }
        let shown = Value::from(path);
        let found = if path.starts_with('.') && !path.contains('[') { rules::field_at(schema, path) } else { None };
        let Some(found) = found else {
            let why = if path.starts_with('.') {
                "does not refer to a valid field".to_owned()
            } else {
                format!("expected [ or . but got: {}", path.split(['.', '[']).next().unwrap_or_default())
            };
            errors.push(FieldError::invalid(at, &shown, &format!("is an invalid path: {why}")));
            continue;
        };
        if path.starts_with(".metadata") {
            errors.push(FieldError::invalid(at.as_str(), &shown, "must not point to fields in metadata"));
        }
        if !matches!(found["type"].as_str(), Some("string" | "boolean" | "integer")) {
            let detail = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
            errors.push(FieldError::invalid(at.as_str(), &shown, detail));
        }
        if seen.contains(&path) {
            errors.push(FieldError::duplicate(at, &shown));
        } else {
            seen.push(path);
        }
    }
    if seen.len() > SELECTABLE_MAX {
        errors.push(FieldError::too_many(base, seen.len(), SELECTABLE_MAX));
    }
}

/// The schemas inside a schema: the kind of place, its path, the schema.
fn children<'a>(schema: &'a Value, path: &str) -> Vec<(&'static str, String, &'a Value)> {
    let mut found: Vec<(&str, String, &Value)> = Vec::new();
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        found.push(("object fields", format!("{path}.properties[{name}]"), inner));
    }
    if schema["additionalProperties"].is_object() {
        found.push(("object fields", format!("{path}.additionalProperties"), &schema["additionalProperties"]));
    }
    if schema["items"].is_object() {
        found.push(("array items", format!("{path}.items"), &schema["items"]));
    }
    found
}

fn check_node(schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if let Some(given) = schema["type"].as_str().filter(|given| !given.is_empty() && !TYPES.contains(given)) {
        let supported: Vec<String> = TYPES.iter().map(ToString::to_string).collect();
        errors.push(FieldError::unsupported(format!("{path}.type"), &given.into(), &supported));
    }
    if schema["x-kubernetes-list-type"] == "map"
        && schema["x-kubernetes-list-map-keys"].as_array().is_none_or(Vec::is_empty)
    {
        let detail = "must not be empty if x-kubernetes-list-type is map";
        errors.push(FieldError::required(format!("{path}.x-kubernetes-list-map-keys"), detail));
    }
    for (kind, at, inner) in children(schema, path) {
        let free = ["x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"];
        if inner["type"].as_str().unwrap_or_default().is_empty() && !free.iter().any(|field| inner[*field] == true) {
            let detail = format!("must not be empty for specified {kind}");
            errors.push(FieldError::required(format!("{at}.type"), &detail));
        }
        check_node(inner, &at, errors);
    }
}

fn check_defaults(schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if !schema["default"].is_null() {
        errors.extend(validation::check(schema, &schema["default"], &format!("{path}.default")));
    }
    for (_, at, inner) in children(schema, path) {
        check_defaults(inner, &at, errors);
    }
}

fn check_columns(version: &Value, base: &str, errors: &mut Vec<FieldError>) {
    for (index, column) in version["additionalPrinterColumns"].as_array().into_iter().flatten().enumerate() {
        let text = |field: &str| column[field].as_str().unwrap_or_default();
        let known = format!("must be one of {}", COLUMN_TYPES.join(","));
        if text("name").is_empty() {
            errors.push(FieldError::required(format!("{base}[{index}].name"), ""));
        }
        if text("type").is_empty() {
            errors.push(FieldError::required(format!("{base}[{index}].type"), &known));
        } else if !COLUMN_TYPES.contains(&text("type")) {
            errors.push(FieldError::invalid(format!("{base}[{index}].type"), &column["type"], &known));
        }
        if text("jsonPath").is_empty() {
            errors.push(FieldError::required(format!("{base}[{index}].JSONPath"), ""));
        }
    }
}

fn check_scale(version: &Value, base: &str, errors: &mut Vec<FieldError>) {
    let scale = &version["subresources"]["scale"];
    if !scale.is_object() {
        return;
    }
    let either = "should be a json path under either .spec or .status";
    for (field, roots, elsewhere) in [
        ("specReplicasPath", &[".spec."][..], "should be a json path under .spec"),
        ("statusReplicasPath", &[".status."], "should be a json path under .status"),
        ("labelSelectorPath", &[".spec.", ".status."], either),
    ] {
        let at = format!("{base}.scale.{field}");
        let given = scale[field].as_str().unwrap_or_default();
        let simple = given.strip_prefix('.').is_some_and(|rest| {
            rest.split('.').all(|part| !part.is_empty() && !part.contains(['[', ']', '*', '\'', '"']))
        });
        if given.is_empty() {
            if field != "labelSelectorPath" {
                errors.push(FieldError::required(at, ""));
            }
        } else if !simple {
            errors.push(FieldError::invalid(at, &given.into(), "must be a simple json path starting with ."));
        } else if !roots.iter().any(|root| given.starts_with(root)) {
            errors.push(FieldError::invalid(at, &given.into(), elsewhere));
        }
    }
}

/// Takes out what says nothing, as a typed server does when it reads a schema.
pub(crate) fn tidy(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    map.retain(|name, value| {
        let says_nothing = match value {
            Value::Bool(held) => !*held,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            _ => false,
        };
        !(says_nothing && OPTIONAL.contains(&name.as_str()))
    });
    for (name, value) in map {
        match (name.as_str(), value) {
            ("properties" | "patternProperties" | "definitions", Value::Object(inner)) => {
                inner.values_mut().for_each(tidy);
            }
            ("allOf" | "anyOf" | "oneOf", Value::Array(inner)) => inner.iter_mut().for_each(tidy),
            ("items" | "additionalProperties" | "not", inner) => tidy(inner),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn definition(version: &Value) -> Value {
        let mut held = json!({"name": "v1", "served": true, "storage": true});
        held.as_object_mut().unwrap().extend(version.as_object().cloned().unwrap_or_else(Map::new));
        let names = json!({"plural": "things", "kind": "Thing"});
        json!({
            "metadata": {"name": "things.example.com"},
            "spec": {"group": "example.com", "scope": "Cluster", "names": names, "versions": [held]},
        })
    }

    fn found(version: &Value) -> Vec<String> {
        check(&definition(version)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn schemas_are_structural_and_their_defaults_fit_them() {
        let schema =
            |properties: &Value| json!({"schema": {"openAPIV3Schema": {"type": "object", "properties": properties}}});
        assert!(found(&schema(&json!({"a": {"type": "integer", "default": 1}}))).is_empty());
        assert_eq!(
            found(&schema(&json!({"a": {"items": {}}}))),
            [
                "spec.validation.openAPIV3Schema.properties[a].items.type: Required value: must not be empty for specified array items",
                "spec.validation.openAPIV3Schema.properties[a].type: Required value: must not be empty for specified object fields",
            ]
        );
        assert_eq!(
            found(&schema(&json!({"a": {"type": "integer", "default": "x"}}))),
            [
                "spec.validation.openAPIV3Schema.properties[a].default: Invalid value: \"string\":  in body must be of type integer: \"string\""
            ]
        );
    }

    #[test]
    fn a_schema_keeps_only_what_says_something() {
        let mut schema = json!({"type": "array", "uniqueItems": false, "properties": {"nullable": {"type": "boolean", "nullable": false, "default": false}}});
        tidy(&mut schema);
        assert_eq!(schema, json!({"type": "array", "properties": {"nullable": {"type": "boolean", "default": false}}}));
    }
}
