//! The query protocol's parameters: `Tags.member.1.Key=a` and its like, unflattened into a tree.

use serde_json::{Map, Value};

/// Nested objects and lists from dotted names; all leaves are strings.
pub(crate) fn tree(pairs: impl Iterator<Item = (String, String)>) -> Value {
    let mut root = Value::Object(Map::new());
    for (key, value) in pairs {
        let mut node = &mut root;
        for part in key.split('.') {
            if !node.is_object() {
                *node = Value::Object(Map::new());
            }
            let Value::Object(map) = node else { break };
            node = map.entry(part.to_owned()).or_insert(Value::Null);
        }
        *node = Value::String(value);
    }
    lists(root)
}

/// Objects whose keys are all numbers become lists in that order; a lone `member` or `entry` level vanishes.
fn lists(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    if map.len() == 1
        && let Some(inner) = map.get("member").or_else(|| map.get("entry")).filter(|inner| inner.is_object())
    {
        return lists(inner.clone());
    }
    let numbered: Option<Vec<(u32, &Value)>> =
        map.iter().map(|(key, value)| Some((key.parse().ok()?, value))).collect();
    match numbered {
        Some(mut items) if !items.is_empty() => {
            items.sort_by_key(|(index, _)| *index);
            Value::Array(items.into_iter().map(|(_, item)| lists(item.clone())).collect())
        }
        _ => Value::Object(map.into_iter().map(|(key, value)| (key, lists(value))).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::pairs;
    use serde_json::json;

    #[test]
    fn members_become_lists_in_numeric_order() {
        let text = "Action=TagRole&Tags.member.2.Key=b&Tags.member.10.Key=c&Tags.member.1.Key=a%2Fb&Empty=";
        assert_eq!(
            tree(pairs(text)),
            json!({ "Action": "TagRole", "Tags": [{ "Key": "a/b" }, { "Key": "b" }, { "Key": "c" }], "Empty": "" })
        );
    }
}
