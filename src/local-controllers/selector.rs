//! Label selectors: the structured form of objects and the text form of the scale subresource.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::object::{items, text};

/// Whether `labels` satisfy a metav1.LabelSelector. A missing selector selects nothing, an empty one everything.
pub(crate) fn selects(selector: Option<&Value>, labels: &BTreeMap<String, String>) -> bool {
    let Some(selector) = selector.filter(|selector| selector.is_object()) else { return false };
    let wanted = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let exact = |(key, value): (&String, &Value)| labels.get(key).map(String::as_str) == value.as_str();
    wanted.clone().all(exact) && items(selector, "/matchExpressions").iter().all(|one| expression_holds(one, labels))
}

fn expression_holds(expression: &Value, labels: &BTreeMap<String, String>) -> bool {
    let found = labels.get(text(expression, "/key"));
    let listed = |value: &String| items(expression, "/values").iter().any(|one| one.as_str() == Some(value));
    match text(expression, "/operator") {
        "In" => found.is_some_and(listed),
        "NotIn" => !found.is_some_and(listed),
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        _ => false,
    }
}

/// Whether `labels` carry every entry of `wanted` (Service selectors are such maps).
pub(crate) fn carries(labels: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// The text form of a selector, as query parameter `labelSelector` takes it.
pub(crate) fn to_query(selector: &Value) -> String {
    let exact = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let exact = exact.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    let expressions = items(selector, "/matchExpressions").iter().map(|expression| {
        let key = text(expression, "/key");
        let values: Vec<_> = items(expression, "/values").iter().filter_map(Value::as_str).collect();
        match text(expression, "/operator") {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        }
    });
    // Go's labels.Selector keeps its requirements sorted by key.
    let mut all: Vec<_> = exact.chain(expressions).collect();
    all.sort_by(|one, other| key_in(one).cmp(key_in(other)));
    all.join(",")
}

/// The key that a requirement is about.
fn key_in(requirement: &str) -> &str {
    requirement.trim_start_matches('!').split(['=', ' ']).next().unwrap_or_default()
}

/// A selector as Go prints it with `%+v`, which is how HPA messages name it.
pub(crate) fn in_go_syntax(selector: Option<&Value>) -> String {
    let Some(selector) = selector.filter(|selector| selector.is_object()) else { return "nil".to_owned() };
    let exact = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let exact = exact.map(|(key, value)| format!("{key}: {},", value.as_str().unwrap_or_default()));
    let exact = exact.collect::<Vec<_>>().concat();
    let expressions = items(selector, "/matchExpressions")
        .iter()
        .map(|one| {
            let values: Vec<_> = items(one, "/values").iter().filter_map(Value::as_str).collect();
            let (key, operator) = (text(one, "/key"), text(one, "/operator"));
            format!("LabelSelectorRequirement{{Key:{key},Operator:{operator},Values:[{}],}},", values.join(" "))
        })
        .collect::<Vec<_>>()
        .concat();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{exact}}},\
         MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
}

/// Whether `labels` satisfy a selector in text form (`a=b,c in (d,e),!f`), as `status.selector` of a scale has it.
pub(crate) fn text_selects(selector: &str, labels: &BTreeMap<String, String>) -> bool {
    requirements(selector).iter().all(|requirement| requirement_holds(requirement, labels))
}

/// Splits at the commas that are outside parentheses.
fn requirements(selector: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for letter in selector.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(letter);
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn requirement_holds(requirement: &str, labels: &BTreeMap<String, String>) -> bool {
    let value = |key: &str| labels.get(key.trim()).map(String::as_str);
    if let Some((key, set)) = requirement.split_once(" notin ") {
        return !value(key).is_some_and(|found| in_set(set, found));
    }
    if let Some((key, set)) = requirement.split_once(" in ") {
        return value(key).is_some_and(|found| in_set(set, found));
    }
    if let Some((key, wanted)) = requirement.split_once("!=") {
        return value(key) != Some(wanted.trim());
    }
    if let Some((key, wanted)) = requirement.split_once("==").or_else(|| requirement.split_once('=')) {
        return value(key) == Some(wanted.trim());
    }
    match requirement.strip_prefix('!') {
        Some(key) => value(key).is_none(),
        None => value(requirement).is_some(),
    }
}

fn in_set(set: &str, found: &str) -> bool {
    set.trim().trim_matches(['(', ')']).split(',').any(|one| one.trim() == found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_missing_selector_selects_nothing_and_an_empty_one_everything() {
        assert!(!selects(None, &labels(&[("a", "b")])));
        assert!(selects(Some(&json!({})), &labels(&[("a", "b")])));
    }

    #[test]
    fn expressions_follow_their_operators() {
        let selector = json!({"matchLabels": {"app": "web"}, "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["a", "b"]},
            {"key": "old", "operator": "DoesNotExist"},
        ]});
        assert!(selects(Some(&selector), &labels(&[("app", "web"), ("tier", "b")])));
        assert!(!selects(Some(&selector), &labels(&[("app", "web"), ("tier", "c")])));
        assert!(!selects(Some(&selector), &labels(&[("app", "web"), ("tier", "a"), ("old", "")])));
        assert_eq!(to_query(&selector), "app=web,!old,tier in (a,b)");
    }

    #[test]
    fn text_form_is_understood() {
        let found = labels(&[("app", "web"), ("tier", "b")]);
        assert!(text_selects("app=web,tier in (a,b),!old", &found));
        assert!(text_selects("app==web,tier!=c,tier notin (x, y),tier", &found));
        assert!(!text_selects("app=web,tier notin (a,b)", &found));
    }

    #[test]
    fn go_syntax_is_that_of_hpa_messages() {
        let selector = json!({"matchLabels": {"scaledobject.keda.sh/name": "myapp"}});
        assert_eq!(
            in_go_syntax(Some(&selector)),
            "&LabelSelector{MatchLabels:map[string]string{scaledobject.keda.sh/name: myapp,},\
             MatchExpressions:[]LabelSelectorRequirement{},}"
        );
        assert_eq!(in_go_syntax(None), "nil");
    }
}
