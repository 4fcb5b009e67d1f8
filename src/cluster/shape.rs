//! The part of a live object that a manifest speaks about or spoke about before, so that the two can be compared field by
//! field.
//!
//! The live object also holds defaults, status and other writers' fields; those are no difference. What we own of it and
//! no longer want is one. Where two writings mean the same (`250m` and `0.25`, an empty value and none), the live one takes
//! the manifest's form.

use serde_json::{Map, Value};

use crate::ownership::{self, field, item};

/// Keys that distinguish the items of a list, as the API's own merge keys do, strongest first.
const MERGE_KEYS: [&str; 6] = ["name", "mountPath", "containerPort", "port", "type", "kind"];

/// What says which of a live object's fields were ours before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Past<'a> {
    /// The fields that we own by the API server's record.
    pub(crate) owned: &'a Value,
    /// What we recorded of it; knows more where the API server's record knows a list or a map only as a whole.
    pub(crate) recorded: &'a Value,
}

impl Past<'_> {
    /// Nothing was.
    pub(crate) const NONE: Past<'static> = Past { owned: &Value::Null, recorded: &Value::Null };

    fn field(self, name: &str) -> Self {
        Self { owned: field(self.owned, name), recorded: &self.recorded[name] }
    }

    /// The part of a value that is wanted no longer which was ours; what is empty is as good as removed.
    fn part(self, live: &Value) -> Option<Value> {
        let recorded =
            || (!self.recorded.is_null()).then(|| projected(self.recorded, Some(live), Past::NONE)).flatten();
        ownership::part(self.owned, live).or_else(recorded).filter(|part| !is_empty(part))
    }
}

/// The live value reduced to the fields of `desired` and those that were ours; `None` if there is nothing of it.
pub(crate) fn projected(desired: &Value, live: Option<&Value>, past: Past<'_>) -> Option<Value> {
    let Some(live) = live.filter(|live| !live.is_null()) else {
        // Servers leave out what is empty.
        return is_empty(desired).then(|| desired.clone());
    };
    Some(match (desired, live) {
        (Value::Object(desired), Value::Object(live)) => {
            let wanted = |(key, value): (&String, &Value)| {
                Some((key.clone(), projected(value, live.get(key), past.field(key))?))
            };
            let mut fields: Map<_, _> = desired.iter().filter_map(wanted).collect();
            let left = live.iter().filter(|(key, _)| !desired.contains_key(*key));
            fields.extend(left.filter_map(|(key, value)| Some((key.clone(), past.field(key).part(value)?))));
            Value::Object(fields)
        }
        (Value::Array(desired), Value::Array(live)) => projected_list(desired, live, past),
        (desired, live) if same_scalar(desired, live) => desired.clone(),
        (_, live) => live.clone(),
    })
}

fn projected_list(desired: &[Value], live: &[Value], past: Past<'_>) -> Value {
    let recorded = past.recorded.as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(key) = merge_key(desired, live) else {
        if desired.len() != live.len() {
            return Value::Array(live.to_vec());
        }
        let past_of = |index: usize, live: &Value| Past {
            owned: item(past.owned, live),
            recorded: recorded.get(index).filter(|_| recorded.len() == desired.len()).unwrap_or(&Value::Null),
        };
        let pairs = desired.iter().zip(live).enumerate();
        return pairs.filter_map(|(index, (one, live))| projected(one, Some(live), past_of(index, live))).collect();
    };
    let position = |list: &'_ [Value], one: &Value| list.iter().position(|other| other.get(key) == one.get(key));
    let past_of = |live: &Value| Past {
        owned: item(past.owned, live),
        recorded: position(recorded, live).and_then(|index| recorded.get(index)).unwrap_or(&Value::Null),
    };
    let wanted = desired.iter().filter_map(|one| {
        let live = live.get(position(live, one)?)?;
        projected(one, Some(live), past_of(live))
    });
    let left = live.iter().filter(|live| position(desired, live).is_none()).filter_map(|live| past_of(live).part(live));
    wanted.chain(left).collect()
}

/// The key that every item of both lists has, with different values in each list.
fn merge_key(desired: &[Value], live: &[Value]) -> Option<&'static str> {
    let distinguishes = |list: &[Value], key: &str| {
        let values: Vec<_> = list.iter().filter_map(|item| item.get(key)).collect();
        values.len() == list.len() && values.iter().enumerate().all(|(index, value)| !values[..index].contains(value))
    };
    MERGE_KEYS.into_iter().find(|key| distinguishes(desired, key) && distinguishes(live, key))
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

    /// With nothing that is owned besides.
    fn shown(desired: &Value, live: &Value) -> Option<Value> {
        projected(desired, Some(live), Past::NONE)
    }

    #[test]
    fn defaults_and_other_writers_are_no_difference() {
        let desired = json!({"spec": {"template": {"containers": [{"name": "a", "image": "x"}]}}});
        let live = json!({
            "spec": {"replicas": 3, "template": {"containers": [{"name": "a", "image": "x", "imagePullPolicy": "Always"}]}},
            "status": {"replicas": 3},
        });
        assert_eq!(shown(&desired, &live), Some(desired));
    }

    #[test]
    fn a_changed_field_shows_the_live_value() {
        let desired = json!({"spec": {"max": 3, "min": 0}});
        let live = json!({"spec": {"max": 5}});
        assert_eq!(shown(&desired, &live), Some(json!({"spec": {"max": 5}})));
    }

    #[test]
    fn quantities_are_equal_in_any_form() {
        let resources = json!({"cpu": "0.25", "memory": "1024Mi", "limit": "1"});
        let live = json!({"cpu": "250m", "memory": "1Gi", "limit": 1});
        assert_eq!(shown(&resources, &live), Some(resources));
        assert!(!same_scalar(&json!("0.25"), &json!("260m")));
        assert!(!same_scalar(&json!("3"), &json!("03")));
    }

    #[test]
    fn list_items_are_paired_by_name_and_extra_ones_ignored() {
        let desired = json!([{"name": "B", "value": "2"}, {"name": "A", "value": ""}]);
        let live = json!([{"name": "A"}, {"name": "C", "value": "3"}, {"name": "B", "value": "2"}]);
        assert_eq!(shown(&desired, &live), Some(desired));
    }

    #[test]
    fn a_missing_item_and_a_longer_plain_list_are_differences() {
        let desired = json!([{"name": "A"}, {"name": "B"}]);
        assert_eq!(shown(&desired, &json!([{"name": "A"}])), Some(json!([{"name": "A"}])));
        assert_eq!(shown(&json!(["get"]), &json!(["get", "list"])), Some(json!(["get", "list"])));
    }

    #[test]
    fn what_is_empty_may_be_missing() {
        let desired = json!({"a": "", "b": {}, "c": false, "d": 0});
        assert_eq!(shown(&desired, &json!({})), Some(json!({"a": "", "b": {}, "c": false})));
    }

    #[test]
    fn what_we_applied_before_and_no_longer_want_is_a_difference() {
        let owned = json!({
            "f:labels": { "f:mine": {}, "f:kept": {} },
            "f:env": { "k:{\"name\":\"A\"}": { ".": {}, "f:name": {}, "f:value": {} },
                       "k:{\"name\":\"B\"}": { ".": {}, "f:name": {}, "f:value": {} } },
            "f:empty": { ".": {} },
        });
        let live = json!({
            "labels": { "mine": "1", "kept": "2", "theirs": "3" }, "empty": {},
            "env": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }, { "name": "C", "value": "3" }],
        });
        let desired = json!({ "labels": { "kept": "2" }, "env": [{ "name": "B", "value": "2" }] });
        let expected = json!({
            "labels": { "mine": "1", "kept": "2" },
            "env": [{ "name": "B", "value": "2" }, { "name": "A", "value": "1" }],
        });
        assert_eq!(projected(&desired, Some(&live), Past { owned: &owned, recorded: &Value::Null }), Some(expected));
        assert_eq!(shown(&desired, &live), Some(desired));
    }

    #[test]
    fn what_was_recorded_as_ours_inside_a_list_that_is_owned_as_a_whole_is_a_difference_too() {
        let owned = json!({ "f:triggers": {} });
        let trigger = |metadata: Value| json!({ "triggers": [{ "type": "aws-sqs-queue", "metadata": metadata }] });
        let recorded = trigger(json!({ "queueLength": "3", "activationQueueLength": "5" }));
        // The server's default is nobody's wish.
        let mut live = recorded.clone();
        live["triggers"][0]["useCachedMetrics"] = false.into();
        let desired = trigger(json!({ "queueLength": "3" }));
        let past = Past { owned: &owned, recorded: &recorded };
        assert_eq!(projected(&desired, Some(&live), past), Some(recorded.clone()));
        assert_eq!(projected(&desired, Some(&live), Past { recorded: &Value::Null, ..past }), Some(desired));
    }
}
