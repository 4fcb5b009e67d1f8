//! Webhook configurations.

use serde_json::Value;

use super::checks::{listed, text};
use crate::crd::rules;
use crate::status::FieldError;

const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SECONDS_MAX: i64 = 30;

pub(super) fn configuration(object: &Value, errors: &mut Vec<FieldError>) {
    let hooks = object["webhooks"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (index, hook) in hooks.iter().enumerate() {
        let at = format!("webhooks[{index}]");
        check_name(hook, &at, errors);
        if hooks.iter().take(index).any(|earlier| earlier["name"] == hook["name"]) {
            errors.push(FieldError::duplicate(format!("{at}.name"), &hook["name"]));
        }
        let one_of = |field: &str, supported: &[&str], errors: &mut Vec<FieldError>| {
            let given = &hook[field];
            if !given.is_null() && !supported.contains(&text(given)) {
                errors.push(FieldError::unsupported(format!("{at}.{field}"), given, &listed(supported)));
            }
        };
        one_of("failurePolicy", &["Fail", "Ignore"], errors);
        one_of("matchPolicy", &["Equivalent", "Exact"], errors);
        if text(&hook["sideEffects"]).is_empty() {
            errors.push(FieldError::required(format!("{at}.sideEffects"), "must specify one of None, NoneOnDryRun"));
        } else {
            one_of("sideEffects", &["None", "NoneOnDryRun"], errors);
        }
        one_of("reinvocationPolicy", &["IfNeeded", "Never"], errors);
        if hook["timeoutSeconds"].as_i64().is_some_and(|seconds| !(1..=SECONDS_MAX).contains(&seconds)) {
            let detail = "the timeout value must be between 1 and 30 seconds";
            errors.push(FieldError::invalid(format!("{at}.timeoutSeconds"), &hook["timeoutSeconds"], detail));
        }
        check_versions(hook, &at, errors);
        check_client(&hook["clientConfig"], &format!("{at}.clientConfig"), errors);
        check_rules(hook, &at, errors);
        check_conditions(hook, &at, errors);
    }
}

fn check_name(hook: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let name = text(&hook["name"]);
    let path = format!("{at}.name");
    if name.is_empty() {
        errors.push(FieldError::required(path, ""));
    } else if name.split('.').filter(|part| !part.is_empty()).count() < 3 {
        errors.push(FieldError::invalid(
            path,
            &name.into(),
            "should be a domain with at least three segments separated by dots",
        ));
    }
}

fn check_versions(hook: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let path = format!("{at}.admissionReviewVersions");
    let versions = hook["admissionReviewVersions"].as_array().map(Vec::as_slice).unwrap_or_default();
    if versions.is_empty() {
        errors.push(FieldError::required(path, "must specify one of v1, v1beta1"));
    } else if !versions.iter().any(|version| matches!(text(version), "v1" | "v1beta1")) {
        errors.push(FieldError::invalid(
            path,
            &hook["admissionReviewVersions"],
            "must include at least one of v1, v1beta1",
        ));
    }
}

fn check_client(client: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let url = text(&client["url"]);
    if client["url"].is_null() == client["service"].is_null() {
        errors.push(FieldError::required(at, "exactly one of url or service is required"));
    } else if !client["url"].is_null() && !url.starts_with("https://") {
        let detail = "'https' is the only allowed URL scheme; desired format: https://host[/path]";
        errors.push(FieldError::invalid(format!("{at}.url"), &url.into(), detail));
    } else if client["service"].is_object() {
        for field in ["namespace", "name"] {
            if text(&client["service"][field]).is_empty() {
                errors.push(FieldError::required(
                    format!("{at}.service.{field}"),
                    &format!("service {field} is required"),
                ));
            }
        }
    }
}

fn check_rules(hook: &Value, at: &str, errors: &mut Vec<FieldError>) {
    for (index, rule) in hook["rules"].as_array().into_iter().flatten().enumerate() {
        let at = format!("{at}.rules[{index}]");
        for field in ["operations", "apiGroups", "apiVersions", "resources"] {
            if rule[field].as_array().is_none_or(Vec::is_empty) {
                errors.push(FieldError::required(format!("{at}.{field}"), ""));
            }
        }
        for (index, operation) in rule["operations"].as_array().into_iter().flatten().enumerate() {
            if !OPERATIONS.contains(&text(operation)) {
                errors.push(FieldError::unsupported(
                    format!("{at}.operations[{index}]"),
                    operation,
                    &listed(&OPERATIONS),
                ));
            }
        }
    }
}

fn check_conditions(hook: &Value, at: &str, errors: &mut Vec<FieldError>) {
    for (index, condition) in hook["matchConditions"].as_array().into_iter().flatten().enumerate() {
        let at = format!("{at}.matchConditions[{index}]");
        if text(&condition["name"]).is_empty() {
            errors.push(FieldError::required(format!("{at}.name"), ""));
        }
        let expression = text(&condition["expression"]).trim();
        let path = format!("{at}.expression");
        if expression.is_empty() {
            errors.push(FieldError::required(path, ""));
        } else if let Err(why) = rules::parse(expression) {
            errors.push(FieldError::invalid(path, &expression.into(), &format!("compilation failed: {why}")));
        } else if expression.contains("authorizer") {
            // Nobody could ask it here.
            errors.push(FieldError::invalid(
                path,
                &expression.into(),
                "the local API server has no authorizer in conditions",
            ));
        }
    }
}
