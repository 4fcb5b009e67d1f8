//! Deployments and the like: what keeps pods.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::checks::{is_set, not_negative, text};
use super::pod;
use crate::kinds::Resource;
use crate::status::FieldError;

pub(super) const MISMATCH: &str = "`selector` does not match template `labels`";

pub(super) fn check(resource: &Resource, old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    let spec = &object["spec"];
    let selector = &spec["selector"];
    let labels = &spec["template"]["metadata"]["labels"];
    not_negative(&spec["replicas"], "spec.replicas", errors);
    if selector.is_null() {
        if resource.kind != "DaemonSet" {
            errors.push(FieldError::required("spec.selector", ""));
        }
        errors.push(FieldError::invalid("spec.template.metadata.labels", labels, MISMATCH));
    } else {
        if selector.as_object().is_some_and(|map| map.values().all(is_empty)) {
            let detail = format!("empty selector is invalid for {}", resource.kind.to_lowercase());
            errors.push(FieldError::invalid("spec.selector", selector, &detail));
        }
        if !selects(selector, labels) {
            errors.push(FieldError::invalid("spec.template.metadata.labels", labels, MISMATCH));
        }
        if old.is_some_and(|old| old["spec"]["selector"] != *selector) {
            errors.push(FieldError::invalid("spec.selector", selector, "field is immutable"));
        }
    }
    let template = with_claims(&spec["template"], &spec["volumeClaimTemplates"]);
    pod::template(&template, "spec.template", true, errors);
    if let Some(old) = old.filter(|_| resource.kind == "StatefulSet") {
        stateful_set_update(&old["spec"], spec, errors);
    }
    if resource.kind == "Deployment" {
        strategy(&spec["strategy"], errors);
    }
    for field in ["minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"] {
        not_negative(&spec[field], &format!("spec.{field}"), errors);
    }
}

/// The template as the pods of a StatefulSet have it: each of its claims is a volume of the claim's name.
fn with_claims<'a>(template: &'a Value, claims: &Value) -> Cow<'a, Value> {
    let mut template = Cow::Borrowed(template);
    for claim in claims.as_array().into_iter().flatten() {
        let name = &claim["metadata"]["name"];
        let volumes = template["spec"]["volumes"].as_array();
        if template["spec"].is_object() && !volumes.into_iter().flatten().any(|volume| volume["name"] == *name) {
            let volume = json!({ "name": name, "persistentVolumeClaim": { "claimName": name } });
            match &mut template.to_mut()["spec"]["volumes"] {
                Value::Array(volumes) => volumes.push(volume),
                volumes => *volumes = json!([volume]),
            }
        }
    }
    template
}

/// What may change of a StatefulSet.
const CHANGEABLE: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

fn stateful_set_update(old: &Value, new: &Value, errors: &mut Vec<FieldError>) {
    let fixed = |spec: &Value| {
        let mut spec = spec.as_object().cloned().unwrap_or_default();
        spec.retain(|field, value| !CHANGEABLE.contains(&field.as_str()) && !value.is_null());
        spec
    };
    if fixed(old) != fixed(new) {
        let names: Vec<String> = CHANGEABLE.iter().map(|field| format!("'{field}'")).collect();
        let names = format!("{} and {}", names[..6].join(", "), names[6]);
        let detail = format!("updates to statefulset spec for fields other than {names} are forbidden");
        errors.push(FieldError::forbidden("spec", &detail));
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_none_or(Map::is_empty) && value.as_array().is_none_or(Vec::is_empty)
}

/// Whether the labels are those that the selector names.
pub(super) fn selects(selector: &Value, labels: &Value) -> bool {
    selector["matchLabels"].as_object().is_none_or(|wanted| wanted.iter().all(|(key, value)| labels[key] == *value))
}

fn strategy(strategy: &Value, errors: &mut Vec<FieldError>) {
    let path = "spec.strategy";
    let rolling = &strategy["rollingUpdate"];
    match text(&strategy["type"]) {
        "Recreate" => {
            if is_set(rolling) {
                let detail = "may not be specified when strategy `type` is 'Recreate'";
                errors.push(FieldError::forbidden(format!("{path}.rollingUpdate"), detail));
            }
        }
        "RollingUpdate" => rolling_update(rolling, &format!("{path}.rollingUpdate"), errors),
        invalid => {
            // Shown as the struct that the real server keeps.
            let rolling = json!({"MaxUnavailable": rolling["maxUnavailable"], "MaxSurge": rolling["maxSurge"]});
            let rolling = if is_set(&strategy["rollingUpdate"]) { rolling.to_string() } else { "null".to_owned() };
            let shown = format!("{{\"Type\":\"{invalid}\",\"RollingUpdate\":{rolling}}}");
            let supported = super::checks::listed(&["Recreate", "RollingUpdate"]);
            errors.push(FieldError::unsupported_shown(path, &shown, &supported));
        }
    }
}

fn rolling_update(rolling: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let fields = ["maxUnavailable", "maxSurge"];
    for field in fields {
        number_or_percentage(&rolling[field], &format!("{path}.{field}"), errors);
    }
    let is_zero = |value: &Value| value == 0 || value == "0%";
    if fields.iter().all(|field| is_zero(&rolling[field])) {
        let detail = "may not be 0 when `maxSurge` is 0";
        errors.push(FieldError::invalid(format!("{path}.maxUnavailable"), &rolling["maxUnavailable"], detail));
    }
    let percent = text(&rolling["maxUnavailable"]).strip_suffix('%').and_then(|text| text.parse::<i64>().ok());
    if percent.is_some_and(|percent| percent > 100) {
        let detail = "must not be greater than 100%";
        errors.push(FieldError::invalid(format!("{path}.maxUnavailable"), &rolling["maxUnavailable"], detail));
    }
}

fn number_or_percentage(value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    not_negative(value, path, errors);
    let Some(given) = value.as_str() else { return };
    let digits = given.strip_suffix('%').unwrap_or_default();
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
        let detail = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
        errors.push(FieldError::invalid(path, value, detail));
    }
}

/// What a ControllerRevision holds never changes.
pub(super) fn revision(old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    not_negative(&object["revision"], "revision", errors);
    let data = &object["data"];
    match old {
        Some(old) if old["data"] != *data => errors.push(FieldError::invalid("data", data, "field is immutable")),
        None if data.is_null() => errors.push(FieldError::required("data", "data is mandatory")),
        None if !data.is_object() => errors.push(FieldError::required("data", "data must be a valid JSON object")),
        _ => {}
    }
}

pub(super) fn budget(spec: &Value, errors: &mut Vec<FieldError>) {
    if is_set(&spec["minAvailable"]) && is_set(&spec["maxUnavailable"]) {
        // Shown as the struct that the real server keeps.
        let shown = format!(
            "{{\"MinAvailable\":{},\"Selector\":{},\"MaxUnavailable\":{},\"UnhealthyPodEvictionPolicy\":{}}}",
            spec["minAvailable"], spec["selector"], spec["maxUnavailable"], spec["unhealthyPodEvictionPolicy"]
        );
        let detail = "minAvailable and maxUnavailable cannot be both set";
        errors.push(FieldError::invalid_shown("spec", &shown, detail));
    }
    for field in ["minAvailable", "maxUnavailable"] {
        number_or_percentage(&spec[field], &format!("spec.{field}"), errors);
    }
}
