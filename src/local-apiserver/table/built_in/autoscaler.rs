//! HorizontalPodAutoscalers: the Targets column.

use jiff::Timestamp;
use serde_json::Value;

use super::cell::{created, name, number, text_or};

/// Targets shown before `+ N more...`.
const TARGETS_SHOWN: usize = 2;

pub(crate) fn cells(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let target = &spec["scaleTargetRef"];
    let minimum = spec["minReplicas"].as_i64().map_or_else(|| "<unset>".to_owned(), |number| number.to_string());
    vec![
        name(object),
        format!("{}/{}", text_or(&target["kind"], ""), text_or(&target["name"], "")).into(),
        targets(spec, status).into(),
        minimum.into(),
        number(&spec["maxReplicas"]).into(),
        number(&status["currentReplicas"]).into(),
        created(object, now),
    ]
}

fn targets(spec: &Value, status: &Value) -> String {
    let metrics = spec["metrics"].as_array().map(Vec::as_slice).unwrap_or_default();
    if metrics.is_empty() {
        return "<none>".to_owned();
    }
    let mut shown: Vec<String> = Vec::new();
    for (index, metric) in metrics.iter().enumerate() {
        shown.push(target(metric, &status["currentMetrics"][index]));
    }
    if shown.len() > TARGETS_SHOWN {
        let more = shown.len() - TARGETS_SHOWN;
        shown.truncate(TARGETS_SHOWN);
        return format!("{} + {more} more...", shown.join(", "));
    }
    shown.join(", ")
}

fn target(metric: &Value, current: &Value) -> String {
    let (field, is_resource) = match metric["type"].as_str() {
        Some("External") => ("external", false),
        Some("Pods") => ("pods", false),
        Some("Object") => ("object", false),
        Some("Resource") => ("resource", true),
        Some("ContainerResource") => ("containerResource", true),
        _ => return "<unknown type>".to_owned(),
    };
    let (wanted, held) = (&metric[field]["target"], &current[field]["current"]);
    let text = |value: &Value| value.as_str().map_or_else(|| "<unknown>".to_owned(), str::to_owned);
    if is_resource {
        let name = text_or(&metric[field]["name"], "");
        if wanted["averageValue"].is_string() {
            return format!("{name}: {}/{}", text(&held["averageValue"]), text(&wanted["averageValue"]));
        }
        let utilization =
            held["averageUtilization"].as_i64().map_or_else(|| "<unknown>".to_owned(), |number| format!("{number}%"));
        let goal =
            wanted["averageUtilization"].as_i64().map_or_else(|| "<auto>".to_owned(), |number| format!("{number}%"));
        return format!("{name}: {utilization}/{goal}");
    }
    if wanted["averageValue"].is_string() {
        let average = if field == "pods" { "" } else { " (avg)" };
        return format!("{}/{}{average}", text(&held["averageValue"]), text(&wanted["averageValue"]));
    }
    format!("{}/{}", text(&held["value"]), text(&wanted["value"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn external_averages_are_marked_as_kubectl_marks_them() {
        let spec = json!({"metrics": [{"type": "External", "external": {"target": {"averageValue": "3"}}}]});
        let status = json!({"currentMetrics": [{"type": "External", "external": {"current": {"averageValue": "3"}}}]});
        assert_eq!(targets(&spec, &status), "3/3 (avg)");
        assert_eq!(targets(&spec, &json!({})), "<unknown>/3 (avg)");
    }
}
