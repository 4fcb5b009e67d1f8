//! Horizontal pod autoscalers.

use serde_json::Value;

use super::checks::{at_least, is_set, listed, text};
use crate::quantity::Quantity;
use crate::status::FieldError;

const SOURCES: [(&str, &str); 5] = [
    ("ContainerResource", "containerResource"),
    ("External", "external"),
    ("Object", "object"),
    ("Pods", "pods"),
    ("Resource", "resource"),
];
/// The order in which several sources of one metric are looked at.
const SOURCE_ORDER: [&str; 5] = ["object", "external", "pods", "resource", "containerResource"];
const WINDOW_SECONDS_MAX: i64 = 3600;
const PERIOD_SECONDS_MAX: i64 = 1800;

pub(super) fn check(spec: &Value, errors: &mut Vec<FieldError>) {
    let (minimum, maximum) = (spec["minReplicas"].as_i64().unwrap_or(1), spec["maxReplicas"].as_i64().unwrap_or(0));
    if minimum < 1 {
        errors.push(FieldError::invalid("spec.minReplicas", &minimum.into(), "must be greater than or equal to 1"));
    }
    if maximum < 1 {
        errors.push(FieldError::invalid("spec.maxReplicas", &maximum.into(), "must be greater than 0"));
    }
    if maximum < minimum {
        let detail = "must be greater than or equal to `minReplicas`";
        errors.push(FieldError::invalid("spec.maxReplicas", &maximum.into(), detail));
    }
    target(&spec["scaleTargetRef"], "spec.scaleTargetRef", errors);
    for (index, metric) in spec["metrics"].as_array().into_iter().flatten().enumerate() {
        check_metric(metric, &format!("spec.metrics[{index}]"), errors);
    }
    let outside = |metric: &Value| matches!(text(&metric["type"]), "Object" | "External");
    if minimum == 0 && !spec["metrics"].as_array().into_iter().flatten().any(outside) {
        let detail = "must specify at least one Object or External metric to support scaling to zero replicas";
        errors.push(FieldError::forbidden("spec.metrics", detail));
    }
    for direction in ["scaleUp", "scaleDown"] {
        let rules = &spec["behavior"][direction];
        if rules.is_object() {
            check_rules(rules, &format!("spec.behavior.{direction}"), errors);
        }
    }
}

fn target(reference: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for field in ["kind", "name"] {
        if text(&reference[field]).is_empty() {
            errors.push(FieldError::required(format!("{path}.{field}"), ""));
        }
    }
    if path == "spec.scaleTargetRef" && !text(&reference["apiVersion"]).contains('/') {
        let given = text(&reference["apiVersion"]).into();
        errors.push(FieldError::invalid(format!("{path}.apiVersion"), &given, "apiVersion must specify API group"));
    }
}

fn check_metric(metric: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let kind = text(&metric["type"]);
    if kind.is_empty() {
        errors.push(FieldError::required(format!("{path}.type"), "must specify a metric source type"));
    }
    let expected = SOURCES.iter().find(|(name, _)| *name == kind).map(|(_, field)| *field);
    if expected.is_none() {
        // Said by the check of the type, and again where the type's source is looked for.
        let supported = SOURCES.map(|(name, _)| name);
        let error = FieldError::unsupported(format!("{path}.type"), &kind.into(), &listed(&supported));
        errors.extend([error.clone(), error]);
    }
    let present: Vec<&str> = SOURCE_ORDER.into_iter().filter(|source| is_set(&metric[source])).collect();
    if let Some(first) = present.first() {
        check_source(first, &metric[first], &format!("{path}.{first}"), errors);
    }
    if let Some(expected) = expected.filter(|expected| !present.contains(expected)) {
        let detail = "must populate information for the given metric source";
        errors.push(FieldError::required(format!("{path}.{expected}"), detail));
    }
    if present.len() > 1 {
        for other in present.into_iter().filter(|source| Some(*source) != expected) {
            let detail = "must populate the given metric source only";
            errors.push(FieldError::forbidden(format!("{path}.{other}"), detail));
        }
    }
}

fn check_source(kind: &str, source: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let goal = &source["target"];
    let has = |field: &str| is_set(&goal[field]);
    let at = |field: &str| format!("{path}.{field}");
    let mut require = |missing: bool, field: &str, detail: &str| {
        if missing {
            errors.push(FieldError::required(at(field), detail));
        }
    };
    match kind {
        "resource" | "containerResource" => {
            require(text(&source["name"]).is_empty(), "name", "must specify a resource name");
            let no_container = kind == "containerResource" && text(&source["container"]).is_empty();
            require(no_container, "container", "must specify a container");
        }
        _ => require(text(&source["metric"]["name"]).is_empty(), "metric.name", "must specify a metric name"),
    }
    check_goal(goal, &at("target"), errors);
    match kind {
        "external" | "object" => {
            if !has("value") && !has("averageValue") {
                let detail = "must set either a target value for metric or a per-pod target";
                errors.push(FieldError::required(at("target.averageValue"), detail));
            }
            if kind == "external" && has("value") && has("averageValue") {
                let detail = "may not set both a target value for metric and a per-pod target";
                errors.push(FieldError::forbidden(at("target.value"), detail));
            }
        }
        "pods" => {
            if Quantity::of(&goal["averageValue"]).is_none_or(|value| value.nanos() <= 0) {
                let detail = "must specify a positive target averageValue";
                errors.push(FieldError::required(at("target.averageValue"), detail));
            }
        }
        _ => {
            if !has("averageUtilization") && !has("averageValue") {
                let detail = "must set either a target raw value or a target utilization";
                errors.push(FieldError::required(at("target.averageUtilization"), detail));
            }
            if has("averageUtilization") && has("averageValue") {
                let detail = "may not set both a target raw value and a target utilization";
                errors.push(FieldError::forbidden(at("target.averageValue"), detail));
            }
        }
    }
}

fn check_goal(goal: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let kind = text(&goal["type"]);
    if kind.is_empty() {
        errors.push(FieldError::required(format!("{path}.type"), "must specify a metric target type"));
    }
    if !matches!(kind, "Utilization" | "Value" | "AverageValue") {
        let detail = "must be either Utilization, Value, or AverageValue";
        errors.push(FieldError::invalid(format!("{path}.type"), &kind.into(), detail));
    }
    let percent = &goal["averageUtilization"];
    if percent.as_i64().is_some_and(|percent| percent < 1) {
        errors.push(FieldError::invalid(format!("{path}.averageUtilization"), percent, "must be greater than 0"));
    }
    for field in ["value", "averageValue"] {
        if Quantity::of(&goal[field]).is_some_and(|value| value.nanos() <= 0) {
            errors.push(FieldError::invalid(format!("{path}.{field}"), &goal[field], "must be positive"));
        }
    }
}

fn check_rules(rules: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let window = &rules["stabilizationWindowSeconds"];
    at_least(0, window, &format!("{path}.stabilizationWindowSeconds"), "must be greater than or equal to zero", errors);
    if window.as_i64().is_some_and(|seconds| seconds > WINDOW_SECONDS_MAX) {
        let detail = format!("must be less than or equal to {WINDOW_SECONDS_MAX}");
        errors.push(FieldError::invalid(format!("{path}.stabilizationWindowSeconds"), window, &detail));
    }
    let select = &rules["selectPolicy"];
    if is_set(select) && !matches!(text(select), "Disabled" | "Max" | "Min") {
        let supported = listed(&["Disabled", "Max", "Min"]);
        errors.push(FieldError::unsupported(format!("{path}.selectPolicy"), select, &supported));
    }
    let policies = rules["policies"].as_array().map(Vec::as_slice).unwrap_or_default();
    if policies.is_empty() {
        errors.push(FieldError::required(format!("{path}.policies"), "must specify at least one Policy"));
    }
    for (index, policy) in policies.iter().enumerate() {
        let at = |field: &str| format!("{path}.policies[{index}].{field}");
        if !matches!(text(&policy["type"]), "Percent" | "Pods") {
            let supported = listed(&["Percent", "Pods"]);
            errors.push(FieldError::unsupported(at("type"), &text(&policy["type"]).into(), &supported));
        }
        for field in ["value", "periodSeconds"] {
            let number = policy[field].as_i64().unwrap_or(0);
            if number <= 0 {
                errors.push(FieldError::invalid(at(field), &number.into(), "must be greater than zero"));
            }
        }
        let period = &policy["periodSeconds"];
        if period.as_i64().is_some_and(|seconds| seconds > PERIOD_SECONDS_MAX) {
            let detail = format!("must be less than or equal to {PERIOD_SECONDS_MAX}");
            errors.push(FieldError::invalid(at("periodSeconds"), period, &detail));
        }
    }
}
