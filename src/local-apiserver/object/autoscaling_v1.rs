//! autoscaling/v1, which `kubectl autoscale` writes: HorizontalPodAutoscalers are stored as autoscaling/v2, and what v1 has
//! no fields for travels in annotations, as the real conversion does it.

use serde_json::{Value, json};

use super::metadata;

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const CURRENT: &str = "autoscaling.alpha.kubernetes.io/current-metrics";

fn take(object: &mut Value, section: &str, field: &str) -> Value {
    object[section].as_object_mut().and_then(|map| map.remove(field)).unwrap_or_default()
}

fn annotate(object: &mut Value, name: &str, value: &Value) {
    if !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty()) {
        let annotations = metadata::map(object).entry("annotations").or_insert_with(|| json!({}));
        annotations[name] = value.to_string().into();
    }
}

fn take_annotation(object: &mut Value, name: &str) -> Value {
    let annotations = metadata::map(object).get_mut("annotations").and_then(Value::as_object_mut);
    let text = annotations.and_then(|map| map.remove(name)).unwrap_or_default();
    text.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// The utilisation of the first CPU metric, which v1 has a field for.
fn cpu_utilization(metric: &Value, side: &str) -> Option<i64> {
    let resource = &metric["resource"];
    (metric["type"] == "Resource" && resource["name"] == "cpu")
        .then(|| resource[side]["averageUtilization"].as_i64())
        .flatten()
}

fn split(metrics: Value, side: &str) -> (Option<i64>, Vec<Value>) {
    let mut rest = match metrics {
        Value::Array(items) => items,
        _ => Vec::new(),
    };
    let at = rest.iter().position(|metric| cpu_utilization(metric, side).is_some());
    let cpu = at.and_then(|at| cpu_utilization(&rest.remove(at), side));
    (cpu, rest)
}

/// A stored object as v1 shows it.
pub(super) fn from_v2(object: &mut Value) {
    let (cpu, rest) = split(take(object, "spec", "metrics"), "target");
    if let Some(cpu) = cpu {
        object["spec"]["targetCPUUtilizationPercentage"] = cpu.into();
    }
    annotate(object, METRICS, &rest.iter().map(older_metric).collect());
    let behavior = take(object, "spec", "behavior");
    annotate(object, BEHAVIOR, &behavior);
    let (cpu, rest) = split(take(object, "status", "currentMetrics"), "current");
    if let Some(cpu) = cpu {
        object["status"]["currentCPUUtilizationPercentage"] = cpu.into();
    }
    annotate(object, CURRENT, &rest.into());
    // Its status always says how many there are.
    if object["status"].is_object() && object["status"]["currentReplicas"].is_null() {
        object["status"]["currentReplicas"] = 0.into();
    }
    let conditions = take(object, "status", "conditions");
    annotate(object, CONDITIONS, &conditions);
}

/// A v1 object as it is stored.
pub(super) fn to_v2(object: &mut Value) {
    let mut metrics = Vec::new();
    if let Some(cpu) = take(object, "spec", "targetCPUUtilizationPercentage").as_i64() {
        let target = json!({"type": "Utilization", "averageUtilization": cpu});
        metrics.push(json!({"type": "Resource", "resource": {"name": "cpu", "target": target}}));
    }
    let others = take_annotation(object, METRICS);
    metrics.extend(others.as_array().into_iter().flatten().map(newer_metric));
    if !metrics.is_empty() {
        object["spec"]["metrics"] = metrics.into();
    }
    let behavior = take_annotation(object, BEHAVIOR);
    if behavior.is_object() {
        object["spec"]["behavior"] = behavior;
    }
    // Status is the controller's, which writes v2.
    take_annotation(object, CONDITIONS);
    take_annotation(object, CURRENT);
    take(object, "status", "currentCPUUtilizationPercentage");
    // Only the older version shows that there is none.
    if object["status"]["currentReplicas"] == 0 {
        take(object, "status", "currentReplicas");
    }
}

fn older_metric(metric: &Value) -> Value {
    let external = &metric["external"];
    if metric["type"] != "External" {
        return metric.clone();
    }
    let mut older = json!({"metricName": external["metric"]["name"]});
    for (field, value) in [
        ("metricSelector", &external["metric"]["selector"]),
        ("targetValue", &external["target"]["value"]),
        ("targetAverageValue", &external["target"]["averageValue"]),
    ] {
        if !value.is_null() {
            older[field] = value.clone();
        }
    }
    json!({"type": "External", "external": older})
}

fn newer_metric(metric: &Value) -> Value {
    let external = &metric["external"];
    if metric["type"] != "External" {
        return metric.clone();
    }
    let mut newer = json!({"metric": {"name": external["metricName"]}});
    if external["metricSelector"].is_object() {
        newer["metric"]["selector"] = external["metricSelector"].clone();
    }
    newer["target"] = if external["targetAverageValue"].is_null() {
        json!({"type": "Value", "value": external["targetValue"]})
    } else {
        json!({"type": "AverageValue", "averageValue": external["targetAverageValue"]})
    };
    json!({"type": "External", "external": newer})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_autoscaler_survives_the_way_through_v1() {
        let external = json!({"type": "External", "external": {
            "metric": {"name": "m", "selector": {"matchLabels": {"a": "b"}}},
            "target": {"type": "AverageValue", "averageValue": "3"}}});
        let cpu = json!({"type": "Resource", "resource": {"name": "cpu",
            "target": {"type": "Utilization", "averageUtilization": 50}}});
        let stored = json!({
            "metadata": {"name": "h", "annotations": {"own": "1"}},
            "spec": {"maxReplicas": 3, "metrics": [cpu, external], "behavior": {"scaleDown": {"selectPolicy": "Max"}}},
            "status": {"currentReplicas": 1},
        });
        let mut object = stored.clone();
        from_v2(&mut object);
        assert_eq!(object["spec"], json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": 50}));
        assert!(object["metadata"]["annotations"][METRICS].as_str().unwrap().contains("\"targetAverageValue\":\"3\""));
        to_v2(&mut object);
        assert_eq!(object, stored);
    }
}
