//! ConfigMaps and Secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::admission::names;
use crate::kinds::Resource;
use crate::status::FieldError;

/// What a ConfigMap or Secret may hold (1 MiB).
const BYTES_MAX: usize = 1024 * 1024;

/// A Secret's value as refusals show it.
const REDACTED: &str = "\"<secret contents redacted>\"";

pub(super) fn check(resource: &Resource, old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    let is_secret = resource.kind == "Secret";
    let mut size = 0;
    for field in ["data", "binaryData"] {
        for (key, value) in object[field].as_object().into_iter().flatten() {
            let (path, shown) = (format!("{field}[{key}]"), Value::from(key.as_str()));
            errors.extend(names::config_key(key).iter().map(|why| FieldError::invalid(path.as_str(), &shown, why)));
            if !is_secret && field == "data" && !object["binaryData"][key].is_null() {
                errors.push(FieldError::invalid(path, &shown, "duplicate of key present in binaryData"));
            }
            let encoded = is_secret || field == "binaryData";
            size += if encoded { decoded(value).len() } else { value.as_str().unwrap_or_default().len() };
        }
    }
    if size > BYTES_MAX {
        // A ConfigMap is refused as a whole, which the real server shows so.
        errors.push(FieldError::too_long(if is_secret { "data" } else { "[]" }, BYTES_MAX));
    }
    if is_secret {
        by_type(object, errors);
    }
    let Some(old) = old else { return };
    if resource.kind == "Secret" && old["type"] != object["type"] {
        errors.push(FieldError::invalid("type", &object["type"], "field is immutable"));
    }
    if old["immutable"] == true {
        let detail = "field is immutable when `immutable` is set";
        if object["immutable"] != true {
            errors.push(FieldError::forbidden("immutable", detail));
        }
        for field in ["data", "binaryData"] {
            if old[field] != object[field] {
                errors.push(FieldError::forbidden(field, detail));
            }
        }
    }
}

fn decoded(value: &Value) -> Vec<u8> {
    let text: String = value.as_str().unwrap_or_default().chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    STANDARD.decode(text).unwrap_or_default()
}

/// What a Secret must hold by its type.
fn by_type(object: &Value, errors: &mut Vec<FieldError>) {
    let lacks = |key: &str| object["data"][key].is_null();
    let keys: &[&str] = match object["type"].as_str().unwrap_or_default() {
        "kubernetes.io/service-account-token" => {
            const NAME: &str = "kubernetes.io/service-account.name";
            if object["metadata"]["annotations"][NAME].as_str().is_none_or(str::is_empty) {
                errors.push(FieldError::required(format!("metadata.annotations[{NAME}]"), ""));
            }
            &[]
        }
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/ssh-auth" if decoded(&object["data"]["ssh-privatekey"]).is_empty() => {
            errors.push(FieldError::required("data[ssh-privatekey]", ""));
            &[]
        }
        "kubernetes.io/basic-auth" if lacks("username") && lacks("password") => &["username", "password"],
        _ => &[],
    };
    for key in keys {
        if lacks(key) {
            errors.push(FieldError::required(format!("data[{key}]"), ""));
        } else if key.starts_with(".docker")
            && let Some(why) = not_an_object(&decoded(&object["data"][key]))
        {
            errors.push(FieldError::invalid_shown(format!("data[{key}]"), REDACTED, &why));
        }
    }
}

/// Why bytes are no JSON object, in the words of Go's decoder.
fn not_an_object(bytes: &[u8]) -> Option<String> {
    let error = match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(_) | Value::Null) => return None,
        Ok(other) => {
            let found = match other {
                Value::Array(_) => "array",
                Value::String(_) => "string",
                Value::Bool(_) => "bool",
                _ => "number",
            };
            return Some(format!("json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"));
        }
        Err(error) if error.is_eof() => return Some("unexpected end of JSON input".to_owned()),
        Err(error) => error,
    };
    let line = bytes.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let found = |index: usize| line.get(index).map(|byte| char::from(*byte));
    let at = error.column().saturating_sub(1);
    let words = error.to_string();
    let context = if words.starts_with("expected ident") {
        // A literal that is none: Go names the letter that it waits for.
        let literals = ["null", "true", "false"];
        let so_far = |literal: &&&str| {
            (1..literal.len()).rev().find(|n| at >= *n && line[at - n..at] == literal.as_bytes()[..*n])
        };
        literals.iter().find_map(|literal| {
            so_far(&literal).map(|held| format!("in literal {literal} (expecting '{}')", &literal[held..=held]))
        })
    } else {
        [
            ("trailing characters", "after top-level value"),
            ("key must be a string", "looking for beginning of object key string"),
            ("expected `,` or `}`", "after object key:value pair"),
            ("expected `,` or `]`", "after array element"),
            ("expected `:`", "after object key"),
            ("control character", "in string literal"),
            ("invalid escape", "in string escape code"),
            ("invalid number", "in numeric literal"),
        ]
        .iter()
        .find(|(start, _)| words.starts_with(start))
        .map(|(_, context)| (*context).to_owned())
    };
    let context = context.unwrap_or_else(|| "looking for beginning of value".to_owned());
    Some(format!("invalid character '{}' {context}", found(at).unwrap_or(' ')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_is_refused_in_gos_words() {
        for (text, why) in [
            ("not json", Some("invalid character 'o' in literal null (expecting 'u')")),
            ("hello", Some("invalid character 'h' looking for beginning of value")),
            ("{\"a\": 1} x", Some("invalid character 'x' after top-level value")),
            ("{\"a\" 1}", Some("invalid character '1' after object key")),
            ("{a: 1}", Some("invalid character 'a' looking for beginning of object key string")),
            ("{\"a\": 1 2}", Some("invalid character '2' after object key:value pair")),
            ("{\"a\":", Some("unexpected end of JSON input")),
            ("", Some("unexpected end of JSON input")),
            ("[]", Some("json: cannot unmarshal array into Go value of type map[string]interface {}")),
            ("{\"auths\": {}}", None),
        ] {
            assert_eq!(not_an_object(text.as_bytes()).as_deref(), why, "{text}");
        }
    }
}
