//! The part of a live object that a manifest speaks about, so that the two can be compared field by field.
//!
//! The live object also holds defaults, status and other writers' fields; those are no difference. Where two writings
//! mean the same (`250m` and `0.25`, an empty value and none), the live one takes the manifest's form.

use serde_json::{Map, Value};

/// Keys that tell the items of a list apart, as the API's own merge keys do, strongest first.
const MERGE_KEYS: [&str; 6] = ["name", "mountPath", "containerPort", "port", "type", "kind"];

/// The live object without what only the server writes.
pub(crate) fn cleaned(live: &Value) -> Value {
    let mut live = live.clone();
    if let Some(object) = live.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = live.get_mut("metadata").and_then(Value::as_object_mut) {
        for key in ["managedFields", "resourceVersion", "generation", "creationTimestamp", "selfLink"] {
            metadata.remove(key);
        }
    }
    live
}

/// The live value reduced to the fields of `desired`; `None` if there is nothing of it.
pub(crate) fn projected(desired: &Value, live: Option<&Value>) -> Option<Value> {
    let Some(live) = live.filter(|live| !live.is_null()) else {
        // Servers leave out what is empty.
        return is_empty(desired).then(|| desired.clone());
    };
    Some(match (desired, live) {
        (Value::Object(desired), Value::Object(live)) => {
            let field = |(key, value): (&String, &Value)| Some((key.clone(), projected(value, live.get(key))?));
            Value::Object(desired.iter().filter_map(field).collect::<Map<_, _>>())
        }
        (Value::Array(desired), Value::Array(live)) => projected_list(desired, live),
        (desired, live) if same_scalar(desired, live) => desired.clone(),
        (_, live) => live.clone(),
    })
}

fn projected_list(desired: &[Value], live: &[Value]) -> Value {
    let Some(key) = merge_key(desired, live) else {
        if desired.len() != live.len() {
            return Value::Array(live.to_vec());
        }
        let pairs = desired.iter().zip(live);
        return pairs.filter_map(|(desired, live)| projected(desired, Some(live))).collect();
    };
    let twin = |item: &Value| live.iter().find(|live| live.get(key) == item.get(key));
    desired.iter().filter_map(|item| projected(item, Some(twin(item)?))).collect()
}

/// The key that every item of both lists has, with different values in each list.
fn merge_key(desired: &[Value], live: &[Value]) -> Option<&'static str> {
    let tells_apart = |list: &[Value], key: &str| {
        let values: Vec<_> = list.iter().filter_map(|item| item.get(key)).collect();
        values.len() == list.len() && values.iter().enumerate().all(|(index, value)| !values[..index].contains(value))
    };
    MERGE_KEYS.into_iter().find(|key| tells_apart(desired, key) && tells_apart(live, key))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        _ => false,
    }
}

/// Whether two scalars mean the same: equal, equal numbers, or equal quantities.
pub(crate) fn same_scalar(left: &Value, right: &Value) -> bool {
    if left == right {
        return true;
    }
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        // Only text can be a quantity that the server has rewritten; plain digits in both are compared as text.
        (Value::String(left), Value::String(right)) if has_suffix(left) || has_suffix(right) => {
            quantity(left).is_some() && quantity(left) == quantity(right)
        }
        (Value::String(text), Value::Number(number)) | (Value::Number(number), Value::String(text)) => {
            quantity(text).is_some() && quantity(text) == quantity(&number.to_string())
        }
        _ => false,
    }
}

fn has_suffix(text: &str) -> bool {
    text.ends_with(|letter: char| letter.is_ascii_alphabetic()) || text.contains('.')
}

/// A Kubernetes quantity in thousandths.
fn quantity(text: &str) -> Option<i128> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let milli: i128 = match &text[digits.len()..] {
        "m" => 1,
        "" => 1000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "Ki" => 1000 << 10,
        "Mi" => 1000 << 20,
        "Gi" => 1000 << 30,
        "Ti" => 1000 << 40,
        _ => return None,
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let power = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let scaled: i128 = format!("{whole}{fraction}").parse().ok()?;
    Some(scaled.checked_mul(milli)? / power)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_and_other_writers_are_no_difference() {
        let desired = json!({"spec": {"template": {"containers": [{"name": "a", "image": "x"}]}}});
        let live = json!({
            "spec": {"replicas": 3, "template": {"containers": [{"name": "a", "image": "x", "imagePullPolicy": "Always"}]}},
            "status": {"replicas": 3},
        });
        assert_eq!(projected(&desired, Some(&live)), Some(desired));
    }

    #[test]
    fn a_changed_field_shows_the_live_value() {
        let desired = json!({"spec": {"max": 3, "min": 0}});
        let live = json!({"spec": {"max": 5}});
        assert_eq!(projected(&desired, Some(&live)), Some(json!({"spec": {"max": 5}})));
    }

    #[test]
    fn quantities_are_equal_in_any_form() {
        let resources = json!({"cpu": "0.25", "memory": "1024Mi", "limit": "1"});
        let live = json!({"cpu": "250m", "memory": "1Gi", "limit": 1});
        assert_eq!(projected(&resources, Some(&live)), Some(resources));
        assert!(!same_scalar(&json!("0.25"), &json!("260m")));
        assert!(!same_scalar(&json!("3"), &json!("03")));
    }

    #[test]
    fn list_items_are_paired_by_name_and_extra_ones_ignored() {
        let desired = json!([{"name": "B", "value": "2"}, {"name": "A", "value": ""}]);
        let live = json!([{"name": "A"}, {"name": "C", "value": "3"}, {"name": "B", "value": "2"}]);
        assert_eq!(projected(&desired, Some(&live)), Some(desired));
    }

    #[test]
    fn a_missing_item_and_a_longer_plain_list_are_differences() {
        let desired = json!([{"name": "A"}, {"name": "B"}]);
        assert_eq!(projected(&desired, Some(&json!([{"name": "A"}]))), Some(json!([{"name": "A"}])));
        assert_eq!(projected(&json!(["get"]), Some(&json!(["get", "list"]))), Some(json!(["get", "list"])));
    }

    #[test]
    fn what_is_empty_may_be_missing() {
        let desired = json!({"a": "", "b": {}, "c": false, "d": 0});
        assert_eq!(projected(&desired, Some(&json!({}))), Some(json!({"a": "", "b": {}, "c": false})));
    }
}
