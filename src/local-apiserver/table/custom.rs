//! Columns of custom resources: `additionalPrinterColumns` and their JSON paths.

use serde_json::{Value, json};

use super::age::age;
use super::column::Column;

/// What the API says of the fields of metadata that are shown.
const NAME: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
const CREATED: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

pub(crate) fn columns(definitions: &[Value]) -> Vec<Column> {
    let mut columns = vec![Column { description: NAME.to_owned(), ..Column::new("Name", "string", false) }];
    if definitions.is_empty() {
        columns.push(Column { description: CREATED.to_owned(), ..Column::new("Age", "date", false) });
    }
    for definition in definitions {
        let text = |field: &str| definition[field].as_str().unwrap_or_default();
        let mut column = Column::new(text("name"), text("type"), definition["priority"].as_i64().unwrap_or(0) > 0);
        text("format").clone_into(&mut column.format);
        column.description = match text("description") {
            "" => format!("Custom resource definition column (in JSONPath format): {}", text("jsonPath")),
            own => own.to_owned(),
        };
        columns.push(column);
    }
    columns
}

pub(crate) fn cells(definitions: &[Value], object: &Value, now: jiff::Timestamp) -> Vec<Value> {
    let mut cells = vec![object["metadata"]["name"].clone()];
    if definitions.is_empty() {
        cells.push(age(&object["metadata"]["creationTimestamp"], now).into());
    }
    for definition in definitions {
        let found = find(object, definition["jsonPath"].as_str().unwrap_or_default());
        cells.push(match (definition["type"].as_str(), found.first()) {
            (_, None) => Value::Null,
            (Some("date"), Some(value)) => json!(age(value, now)),
            (Some("string"), Some(_)) => {
                let texts: Vec<String> = found.iter().map(|value| shown(value)).collect();
                json!(texts.join(","))
            }
            (Some("integer" | "number" | "boolean"), Some(value)) => (*value).clone(),
            (_, Some(value)) => json!(shown(value)),
        });
    }
    cells
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The values at a JSON path: fields, `['field']`, `[0]`, `[*]` and `[?(@.a=="b")]`.
pub(crate) fn find<'a>(object: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![object];
    let mut rest = path.trim_start_matches('$');
    while !rest.is_empty() {
        let (step, tail) = next_step(rest);
        found = found.into_iter().flat_map(|value| take(value, &step)).collect();
        rest = tail;
    }
    found.into_iter().filter(|value| !value.is_null()).collect()
}

enum Step {
    Field(String),
    Index(usize),
    All,
    Filter(String, String),
}

fn next_step(text: &str) -> (Step, &str) {
    if let Some(rest) = text.strip_prefix('[') {
        let end = rest.find(']').unwrap_or(rest.len());
        let (inside, tail) = (&rest[..end], rest.get(end + 1..).unwrap_or_default());
        if let Some(filter) = inside.strip_prefix("?(").map(|filter| filter.trim_end_matches(')')) {
            let (left, right) = filter.split_once("==").unwrap_or((filter, ""));
            let left = left.trim().trim_start_matches('@').trim_start_matches('.').to_owned();
            let right = right.trim().trim_matches(|c| c == '"' || c == '\'').to_owned();
            return (Step::Filter(left, right), tail);
        }
        return match inside.parse() {
            Ok(index) => (Step::Index(index), tail),
            Err(_) if inside == "*" => (Step::All, tail),
            Err(_) => (Step::Field(inside.trim_matches(|c| c == '"' || c == '\'').to_owned()), tail),
        };
    }
    let text = text.trim_start_matches('.');
    // A dot after a backslash belongs to the name.
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => name.extend(characters.next().map(|(_, escaped)| escaped)),
            '.' | '[' => return (Step::Field(name), &text[at..]),
            other => name.push(other),
        }
    }
    (Step::Field(name), "")
}

fn take<'a>(value: &'a Value, step: &Step) -> Vec<&'a Value> {
    match step {
        Step::Field(name) if name.is_empty() => vec![value],
        Step::Field(name) => value.get(name).into_iter().collect(),
        Step::Index(index) => value.get(index).into_iter().collect(),
        Step::All => match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(map) => map.values().collect(),
            _ => Vec::new(),
        },
        Step::Filter(field, wanted) => {
            let items = value.as_array().into_iter().flatten();
            items
                .filter(|item| find(item, &format!(".{field}")).first().is_some_and(|held| shown(held) == *wanted))
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_what_printer_columns_name() {
        let object = json!({
            "spec": {"triggers": [{"type": "a"}, {"type": "b"}]}, "metadata": {"annotations": {"x.y/z": "1"}},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        });
        assert_eq!(find(&object, r#".status.conditions[?(@.type=="Ready")].status"#), [&json!("True")]);
        assert_eq!(find(&object, ".spec.triggers[*].type"), [&json!("a"), &json!("b")]);
        assert_eq!(find(&object, ".spec.triggers[1].type"), [&json!("b")]);
        assert_eq!(find(&object, r".metadata.annotations.x\.y/z"), [&json!("1")]);
        assert!(find(&object, ".spec.none.deep").is_empty());
    }
}
