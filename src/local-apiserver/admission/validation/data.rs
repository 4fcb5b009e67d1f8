//! ConfigMaps and Secrets.

use serde_json::Value;

use crate::admission::names;
use crate::kinds::Resource;
use crate::status::FieldError;

pub(super) fn check(resource: &Resource, old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    for field in ["data", "binaryData"] {
        for key in object[field].as_object().into_iter().flatten().map(|(key, _)| key) {
            let wrong = names::config_key(key);
            errors.extend(
                wrong.map(|detail| FieldError::invalid(format!("{field}[{key}]"), &key.as_str().into(), &detail)),
            );
        }
    }
    if resource.kind == "Secret" {
        required_keys(object, errors);
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

/// What a Secret must hold by its type.
fn required_keys(object: &Value, errors: &mut Vec<FieldError>) {
    let keys: &[&str] = match object["type"].as_str().unwrap_or_default() {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        "kubernetes.io/basic-auth" if object["data"]["username"].is_null() && object["data"]["password"].is_null() => {
            &["username", "password"]
        }
        _ => &[],
    };
    for key in keys.iter().filter(|key| object["data"][**key].is_null()) {
        errors.push(FieldError::required(format!("data[{key}]"), ""));
    }
}
