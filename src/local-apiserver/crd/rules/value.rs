//! Values of JSON as rules see them, by the types of their schema.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube_cel::cel::objects::{Key, Map};
use kube_cel::cel::parser::Parser;
use kube_cel::cel::{Context, Value as CelValue};
use serde_json::Value;

use super::types;

/// `value` as its schema says it; texts that are not of their format stay texts.
pub(super) fn convert(value: &Value, schema: &Value, base: &Context<'_>) -> CelValue {
    let loose = schema["x-kubernetes-int-or-string"] == true;
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(flag) => CelValue::Bool(*flag),
        Value::Number(number) if schema["type"] == "number" && !loose => {
            CelValue::Float(number.as_f64().unwrap_or_default())
        }
        Value::Number(number) => {
            number.as_i64().map_or_else(|| CelValue::Float(number.as_f64().unwrap_or_default()), CelValue::Int)
        }
        Value::String(text) if loose => CelValue::String(Arc::new(text.clone())),
        Value::String(text) => convert_text(text, schema["format"].as_str().unwrap_or_default(), base),
        Value::Array(items) => {
            CelValue::List(Arc::new(items.iter().map(|item| convert(item, &schema["items"], base)).collect()))
        }
        Value::Object(map) => {
            // Keys of maps are data, and stand as they are.
            let is_map = schema["additionalProperties"].is_object();
            let mut converted = HashMap::with_capacity(map.len());
            for (name, inner) in map {
                let property = &schema["properties"][name];
                let property = if property.is_null() { &schema["additionalProperties"] } else { property };
                let key = if is_map { name.clone() } else { types::escaped(name) };
                converted.insert(Key::String(Arc::new(key)), convert(inner, property, base));
            }
            CelValue::Map(Map { map: Arc::new(converted) })
        }
    }
}

fn convert_text(text: &str, format: &str, base: &Context<'_>) -> CelValue {
    let plain = || CelValue::String(Arc::new(text.to_owned()));
    let through = |function: &str, text: &str| {
        let mut scope = base.new_inner_scope();
        scope.add_variable_from_value("text", CelValue::String(Arc::new(text.to_owned())));
        let call = Parser::new().parse(&format!("{function}(text)")).ok()?;
        scope.resolve(&call).ok()
    };
    match format {
        "date-time" => through("timestamp", text).unwrap_or_else(plain),
        "date" => through("timestamp", &format!("{text}T00:00:00Z")).unwrap_or_else(plain),
        "duration" => through("duration", text).unwrap_or_else(plain),
        "byte" => STANDARD.decode(text).map_or_else(|_| plain(), |bytes| CelValue::Bytes(Arc::new(bytes))),
        _ => plain(),
    }
}
