//! When two IAM policy documents mean the same although they are written differently.

use serde_json::{Map, Value, json};

/// Whether both documents (text or JSON) have one canonical form: single values are one-element lists, lists are sorted,
/// statements are sorted, an account stands for its root ARN.
pub(crate) fn same(desired: &Value, actual: &Value) -> bool {
    match (canonical(desired), canonical(actual)) {
        (Some(desired), Some(actual)) => desired == actual,
        _ => false,
    }
}

fn canonical(document: &Value) -> Option<Value> {
    let parsed = match document {
        Value::String(text) => serde_json::from_str(text).ok()?,
        other => other.clone(),
    };
    let Value::Object(mut map) = parsed else { return None };
    let statements = match map.remove("Statement")? {
        Value::Array(items) => items,
        one => vec![one],
    };
    let mut statements: Vec<Value> = statements.into_iter().map(statement).collect::<Option<_>>()?;
    statements.sort_by_key(ToString::to_string);
    let version = map.remove("Version").unwrap_or_else(|| json!("2008-10-17"));
    Some(json!({ "Version": version, "Statement": statements }))
}

fn statement(statement: Value) -> Option<Value> {
    let Value::Object(map) = statement else { return None };
    let entry = |(name, value): (String, Value)| {
        let value = match name.as_str() {
            "Action" | "NotAction" => set(value, str::to_ascii_lowercase),
            "Resource" | "NotResource" => set(value, str::to_owned),
            "Principal" | "NotPrincipal" => principal(value),
            "Condition" => condition(value),
            _ => value,
        };
        (name, value)
    };
    Some(Value::Object(map.into_iter().map(entry).collect()))
}

fn set(value: Value, spelling: fn(&str) -> String) -> Value {
    let items = match value {
        Value::Array(items) => items,
        one => vec![one],
    };
    let plain = |item: &Value| item.as_str().map_or_else(|| item.to_string(), spelling);
    let mut texts: Vec<String> = items.iter().map(plain).collect();
    texts.sort();
    texts.dedup();
    json!(texts)
}

fn principal(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let entry = |(kind, value): (String, Value)| {
                let spelling = if kind == "AWS" { account_root } else { str::to_owned };
                (kind, set(value, spelling))
            };
            Value::Object(map.into_iter().map(entry).collect::<Map<_, _>>())
        }
        everybody => json!({ "AWS": set(everybody, str::to_owned) }),
    }
}

fn account_root(text: &str) -> String {
    let is_account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_account { format!("arn:aws:iam::{text}:root") } else { text.to_owned() }
}

fn condition(value: Value) -> Value {
    let Value::Object(operators) = value else { return value };
    let operator = |(name, keys): (String, Value)| {
        let Value::Object(keys) = keys else { return (name, keys) };
        // Condition keys do not depend on case.
        let keys = keys.into_iter().map(|(key, value)| (key.to_ascii_lowercase(), set(value, str::to_owned)));
        (name, Value::Object(keys.collect()))
    };
    Value::Object(operators.into_iter().map(operator).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_and_order_do_not_matter() {
        let desired = json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": "sqs:GetQueueAttributes", "Resource": ["b", "a"],
            "Principal": {"AWS": "111122223333"}, "Condition": {"Bool": {"aws:SecureTransport": true}}}});
        let actual = json!({"Statement": [{
            "Effect": "Allow", "Action": ["SQS:getqueueattributes"], "Resource": ["a", "b"],
            "Principal": {"AWS": ["arn:aws:iam::111122223333:root"]},
            "Condition": {"Bool": {"aws:securetransport": ["true"]}}}], "Version": "2012-10-17"});
        assert!(same(&desired, &json!(actual.to_string())));
    }

    #[test]
    fn another_effect_subject_or_version_matters() {
        let document = |effect: &str, sub: &str, version: &str| {
            json!({"Version": version, "Statement": [{"Effect": effect, "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"x:sub": sub}}}]})
        };
        let base = document("Allow", "a", "2012-10-17");
        for other in [
            document("Deny", "a", "2012-10-17"),
            document("Allow", "A", "2012-10-17"),
            document("Allow", "a", "2008-10-17"),
            json!("no document"),
        ] {
            assert!(!same(&base, &other), "{other}");
        }
    }
}
