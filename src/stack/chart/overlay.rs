//! What the chart's values decide, as `templates/chart/overlay.yaml` says it.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use crate::chart::NAMESPACE;
use crate::chart::text::Writer;
use crate::templates::{Error, Result};

/// Of every object.
const LABELS: &str = r#"include "keda.labels" . | fromYaml"#;
const ANNOTATIONS: &str = ".Values.additionalAnnotations";
const RELEASE_NAMESPACE: &str = ".Release.Namespace | quote";

/// The rules for all objects.
pub(super) struct Overlay {
    rules: Vec<Rule>,
}

/// What of an object the values decide. The expressions are Go's, by the path of a field.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Rule {
    /// `KIND` or `KIND/NAME`.
    object: String,
    r#if: Option<String>,
    set: IndexMap<String, String>,
    yaml: IndexMap<String, String>,
    with: IndexMap<String, String>,
    if_field: IndexMap<String, String>,
    drop: Vec<String>,
    append: IndexMap<String, String>,
}

/// What becomes of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// `key: {{ expression }}`
    Set(String),
    /// The same for more than a scalar.
    Yaml(String),
    /// There only if the expression has a value.
    With(String),
    Dropped,
}

/// A change by its expression.
type Make = fn(String) -> Change;

/// What becomes of the fields of one object, by JSON pointer.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) fields: BTreeMap<String, Change>,
    /// Conditions of fields.
    pub(super) conditions: BTreeMap<String, String>,
    /// Lines at the end of a list or an object.
    pub(super) appended: BTreeMap<String, String>,
}

impl Overlay {
    pub(super) fn read(text: &str) -> Result<Self> {
        let broken = |error: serde_saphyr::Error| unreadable(&error.without_snippet().to_string());
        Ok(Self { rules: serde_saphyr::from_str(text).map_err(broken)? })
    }

    /// One document of the chart.
    pub(super) fn apply(&self, object: &Value) -> Result<String> {
        let mut object = object.clone();
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        let name = format!("{kind}/{}", object["metadata"]["name"].as_str().unwrap_or_default());
        let default = Rule::default();
        let rule = self.rules.iter().find(|rule| rule.object == name || rule.object == kind).unwrap_or(&default);
        let changes = rule.changes(&mut object).map_err(|cause| unreadable(&format!("{name}: {cause}")))?;
        let mut document = Writer::new(&changes).document(&object);
        if let Some(condition) = &rule.r#if {
            document = format!("{{{{- if {condition} }}}}\n{document}{{{{- end }}}}\n");
        }
        Ok(document)
    }
}

impl Rule {
    /// The changes of an object. Fields that are not there yet get a place in it.
    fn changes(&self, object: &mut Value) -> Result<Changes, String> {
        let mut changes = Changes::default();
        let always = [
            ("/metadata/labels", Change::Yaml(LABELS.into())),
            ("/metadata/annotations", Change::With(ANNOTATIONS.into())),
        ];
        for (path, change) in always {
            changes.set(object, path, &change)?;
        }
        for path in namespaces(object) {
            changes.fields.insert(path, Change::Set(RELEASE_NAMESPACE.to_owned()));
        }
        let groups: [(&IndexMap<String, String>, Make); 3] =
            [(&self.set, Change::Set), (&self.yaml, Change::Yaml), (&self.with, Change::With)];
        for (group, make) in groups {
            for (path, expression) in group {
                changes.set(object, path, &make(expression.clone()))?;
            }
        }
        for path in &self.drop {
            changes.fields.extend(existing(object, path)?.into_iter().map(|at| (at, Change::Dropped)));
        }
        for (path, condition) in &self.if_field {
            changes.conditions.extend(existing(object, path)?.into_iter().map(|at| (at, condition.clone())));
        }
        for (path, lines) in &self.append {
            changes.appended.extend(existing(object, path)?.into_iter().map(|at| (at, lines.clone())));
        }
        Ok(changes)
    }
}

impl Changes {
    fn set(&mut self, object: &mut Value, path: &str, change: &Change) -> Result<(), String> {
        let (parent, key) = path.rsplit_once('/').ok_or_else(|| format!("{path} is no path"))?;
        for parent in existing(object, parent)? {
            let key = match object.pointer_mut(&parent) {
                Some(Value::Object(fields)) => {
                    fields.entry(key.replace("~1", "/")).or_insert(Value::Null);
                    key
                }
                _ => return Err(format!("{path}: {parent} is no object")),
            };
            self.fields.insert(format!("{parent}/{key}"), change.clone());
        }
        Ok(())
    }
}

/// The pointers that a path leads to.
fn existing(object: &Value, path: &str) -> Result<Vec<String>, String> {
    let mut found = vec![String::new()];
    for segment in segments(path) {
        let mut next = Vec::new();
        for at in found {
            let value = object.pointer(&at).unwrap_or(&Value::Null);
            match (value, segment.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'))) {
                (Value::Array(items), None) if segment == "*" => {
                    next.extend((0..items.len()).map(|index| format!("{at}/{index}")));
                }
                (Value::Array(items), Some(wanted)) => {
                    let (field, text) = wanted.split_once(':').unwrap_or((wanted, ""));
                    let position = items.iter().position(|item| has(&item[field], text));
                    next.extend(position.map(|index| format!("{at}/{index}")));
                }
                _ => next.extend(value.pointer(&format!("/{segment}")).map(|_| format!("{at}/{segment}"))),
            }
        }
        found = next;
    }
    if found.is_empty() { Err(format!("{path} leads to nothing")) } else { Ok(found) }
}

/// The parts of a path. A slash inside parentheses belongs to what is looked for.
fn segments(path: &str) -> Vec<&str> {
    let (mut found, mut start, mut depth) = (Vec::new(), None, 0_usize);
    for (index, letter) in path.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '/' if depth == 0 => {
                found.extend(start.map(|start: usize| &path[start..index]));
                start = Some(index + 1);
            }
            _ => {}
        }
    }
    found.extend(start.map(|start| &path[start..]));
    found
}

fn has(value: &Value, text: &str) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| item == text),
        other => other == text,
    }
}

/// Where the object names the operator's namespace.
fn namespaces(value: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                    if key == "namespace" && value == NAMESPACE {
                        found.push(at);
                    } else {
                        walk(value, &at, found);
                    }
                }
            }
            Value::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    walk(value, &format!("{at}/{index}"), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}

fn unreadable(cause: &str) -> Error {
    Error::Parse { name: "chart/overlay.yaml".to_owned(), cause: cause.to_owned() }
}
