//! Label and field selectors of list and watch requests.

use serde_json::Value;

use crate::kinds::Resource;
use crate::status::Status;

/// A parsed pair of selectors; the empty one matches everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<(String, bool, String)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

impl Selector {
    pub(crate) fn parse(resource: &Resource, labels: Option<&str>, fields: Option<&str>) -> Result<Self, Status> {
        let labels = labels.filter(|text| !text.is_empty()).map_or(Ok(Vec::new()), parse_labels)?;
        let mut parsed = Vec::new();
        for part in fields.unwrap_or_default().split(',').filter(|part| !part.is_empty()) {
            let (key, equal, value) = if let Some((key, value)) = part.split_once("!=") {
                (key, false, value)
            } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
                (key, true, value)
            } else {
                return Err(Status::bad_request(format!("invalid selector: '{part}'; can't understand '{part}'")));
            };
            check_field(resource, key)?;
            parsed.push((key.to_owned(), equal, value.to_owned()));
        }
        Ok(Self { labels, fields: parsed })
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.labels.iter().all(|requirement| requirement.holds(labels))
            && self.fields.iter().all(|(path, equal, wanted)| (field(object, path) == *wanted) == *equal)
    }
}

/// Whether labels are those that a `metav1.LabelSelector` asks for; an empty one asks for nothing.
pub(crate) fn matches_label_selector(selector: &Value, labels: &Value) -> bool {
    let wanted = selector["matchLabels"].as_object().into_iter().flatten();
    wanted.into_iter().all(|(key, value)| labels[key] == *value)
        && selector["matchExpressions"].as_array().into_iter().flatten().all(|rule| {
            let key = rule["key"].as_str().unwrap_or_default();
            let listed = rule["values"].as_array().is_some_and(|values| values.contains(&labels[key]));
            match rule["operator"].as_str().unwrap_or_default() {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => !labels[key].is_null(),
                _ => labels[key].is_null(),
            }
        })
}

/// The name that a field selector asks for, if it asks for one.
pub(crate) fn name_required(fields: &str) -> Option<String> {
    fields.split(',').find_map(|part| {
        let (key, value) = part.split_once("==").or_else(|| part.split_once('='))?;
        (key == "metadata.name").then(|| value.to_owned())
    })
}

fn check_field(resource: &Resource, field: &str) -> Result<(), Status> {
    let own = resource.row.map_or(&[][..], |row| row.selectable);
    let declared = resource.custom.as_ref().is_some_and(|custom| custom.selectable.iter().any(|path| path == field));
    if matches!(field, "metadata.name" | "metadata.namespace") || own.contains(&field) || declared {
        return Ok(());
    }
    Err(Status::bad_request(if own.is_empty() && resource.custom.is_none() {
        format!("\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
    } else {
        format!("field label not supported: {field}")
    }))
}

impl Requirement {
    fn holds(&self, labels: &Value) -> bool {
        match self {
            Self::In(key, values) => labels[key].as_str().is_some_and(|held| values.iter().any(|v| v == held)),
            Self::NotIn(key, values) => labels[key].as_str().is_none_or(|held| values.iter().all(|v| v != held)),
            Self::Exists(key) => !labels[key].is_null(),
            Self::Absent(key) => labels[key].is_null(),
        }
    }
}

/// A field's value as field selectors compare it: absent is the empty string.
fn field(object: &Value, path: &str) -> String {
    let mut at = object;
    for part in path.split('.') {
        at = &at[part];
    }
    match at {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        _ if path == "spec.unschedulable" => "false".to_owned(),
        _ if path == "status.successful" => "0".to_owned(),
        _ => String::new(),
    }
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, Status> {
    let mut requirements = Vec::new();
    let mut depth = 0_u32;
    let parts = text.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
        requirements.push(parse_requirement(part)?);
    }
    Ok(requirements)
}

fn parse_requirement(part: &str) -> Result<Requirement, Status> {
    let parsed = split_requirement(part)?;
    let (Requirement::In(key, values) | Requirement::NotIn(key, values)) = &parsed else { return Ok(parsed) };
    let invalid = |text: &&String| text.contains(|c: char| !c.is_ascii_alphanumeric() && !"-_./".contains(c));
    match std::iter::once(key).chain(values).find(invalid) {
        Some(text) => {
            let found = text.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-_./".contains(c));
            let found = found.chars().next().unwrap_or_default();
            Err(Status::bad_request(format!("unable to parse requirement: found '{found}', expected: identifier")))
        }
        None => Ok(parsed),
    }
}

fn split_requirement(part: &str) -> Result<Requirement, Status> {
    let set = |values: &str| -> Vec<String> {
        values.trim().trim_start_matches('(').trim_end_matches(')').split(',').map(|v| v.trim().to_owned()).collect()
    };
    let key = |text: &str| text.trim().to_owned();
    if let Some((name, values)) = part.split_once(" notin ") {
        return Ok(Requirement::NotIn(key(name), set(values)));
    }
    if let Some((name, values)) = part.split_once(" in ") {
        return Ok(Requirement::In(key(name), set(values)));
    }
    if let Some((name, value)) = part.split_once("!=") {
        return Ok(Requirement::NotIn(key(name), vec![key(value)]));
    }
    if let Some((name, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Ok(Requirement::In(key(name), vec![key(value)]));
    }
    if let Some(name) = part.strip_prefix('!') {
        return Ok(Requirement::Absent(key(name)));
    }
    if part.contains(char::is_whitespace) {
        let second = part.split_whitespace().nth(1).unwrap_or_default();
        return Err(Status::bad_request(format!(
            "unable to parse requirement: found '{second}', expected: in, notin, =, ==, !=, gt, lt"
        )));
    }
    Ok(Requirement::Exists(key(part)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::BUILT_IN;
    use serde_json::json;

    fn pods() -> &'static Resource {
        BUILT_IN.iter().find(|resource| resource.kind == "Pod").unwrap()
    }

    #[test]
    fn only_an_equal_name_is_a_name() {
        let named = |fields: &str| name_required(fields);
        assert_eq!(named("a=b,metadata.name=x").as_deref(), Some("x"));
        assert_eq!(named("metadata.name==x").as_deref(), Some("x"));
        assert_eq!((named("metadata.name!=x"), named("metadata.namespace=x"), named("")), (None, None, None));
    }

    #[test]
    fn what_cannot_be_selected_by_is_refused() {
        for (labels, fields, why) in [
            ("a===", "", "unable to parse requirement: found '=', expected: identifier"),
            ("", "spec.foo=1", "field label not supported: spec.foo"),
            ("", "nonsense", "invalid selector: 'nonsense'; can't understand 'nonsense'"),
        ] {
            let refused = Selector::parse(pods(), Some(labels), Some(fields)).unwrap_err();
            assert_eq!((refused.code(), refused.message()), (400, why));
        }
        let deployments = BUILT_IN.iter().find(|resource| resource.kind == "Deployment").unwrap();
        let refused = Selector::parse(deployments, None, Some("spec.replicas=1")).unwrap_err();
        assert!(refused.message().starts_with("\"spec.replicas\" is not a known field selector"));
    }

    #[test]
    fn selectors_follow_the_documented_grammar() {
        let object =
            json!({"metadata": {"name": "x", "labels": {"app": "a", "tier": "web"}}, "status": {"phase": "Running"}});
        for (labels, fields, expected) in [
            ("app=a", "", true),
            ("app in (a, b),tier!=db", "", true),
            ("app notin (a)", "", false),
            ("!missing,tier", "", true),
            ("app", "metadata.name=x,status.phase!=Pending", true),
            ("", "spec.nodeName=", true),
            ("", "spec.nodeName!=", false),
        ] {
            let selector = Selector::parse(pods(), Some(labels), Some(fields)).unwrap();
            assert_eq!(selector.matches(&object), expected, "{labels} {fields}");
        }
    }
}
