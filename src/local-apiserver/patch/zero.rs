//! Fields that every object of a kind has, as Go's struct values are never absent.
//!
//! `managedFields` show it: whoever gives a value to such a field did not make the field.

use serde_json::{Value, json};

use crate::kinds::Resource;

/// The object with these fields where it has none.
pub(crate) fn filled(resource: &Resource, object: &Value) -> Value {
    let mut filled = object.clone();
    if resource.custom.is_none() {
        fill(&mut filled, &of(resource));
    }
    filled
}

fn fill(object: &mut Value, zero: &Value) {
    match (object, zero) {
        (Value::Object(map), Value::Object(fields)) => {
            for (name, value) in fields {
                fill(map.entry(name.as_str()).or_insert(Value::Null), value);
            }
        }
        (object @ Value::Null, zero) => *object = zero.clone(),
        _ => {}
    }
}

fn template() -> Value {
    json!({"metadata": {}, "spec": {"containers": null}})
}

fn of(resource: &Resource) -> Value {
    match resource.kind.as_str() {
        "Pod" => json!({"spec": {"containers": null}, "status": {}}),
        "Deployment" => json!({"spec": {"selector": null, "template": template(), "strategy": {}}, "status": {}}),
        "ReplicaSet" => json!({"spec": {"selector": null, "template": template()}, "status": {"replicas": 0}}),
        "StatefulSet" => json!({
            "spec": {"selector": null, "template": template(), "serviceName": "", "updateStrategy": {}},
            "status": {"replicas": 0, "availableReplicas": 0},
        }),
        "DaemonSet" => json!({
            "spec": {"selector": null, "template": template(), "updateStrategy": {}},
            "status": {
                "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0,
            },
        }),
        "Job" => json!({"spec": {"template": template()}, "status": {}}),
        "CronJob" => json!({
            "spec": {"schedule": "", "jobTemplate": {"metadata": {}, "spec": {"template": template()}}}, "status": {},
        }),
        "Service" => json!({"spec": {}, "status": {"loadBalancer": {}}}),
        "Namespace" | "ResourceQuota" | "Node" => json!({"spec": {}, "status": {}}),
        "LimitRange" | "Lease" => json!({"spec": {}}),
        "Role" | "ClusterRole" => json!({"rules": null}),
        "RoleBinding" | "ClusterRoleBinding" => json!({"roleRef": {"apiGroup": "", "kind": "", "name": ""}}),
        "HorizontalPodAutoscaler" => json!({
            "spec": {"scaleTargetRef": {"kind": "", "name": ""}, "maxReplicas": 0},
            "status": {"desiredReplicas": 0, "currentMetrics": null},
        }),
        "PodDisruptionBudget" => json!({
            "spec": {},
            "status": {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0},
        }),
        "EndpointSlice" => json!({"addressType": "", "endpoints": null, "ports": null}),
        "PriorityClass" => json!({"value": 0}),
        "Event" => json!({
            "involvedObject": {}, "source": {}, "reportingComponent": "", "reportingInstance": "", "eventTime": null,
            "firstTimestamp": null, "lastTimestamp": null,
        }),
        "APIService" => json!({"spec": {"groupPriorityMinimum": 0, "versionPriority": 0}, "status": {}}),
        "CustomResourceDefinition" => json!({
            "spec": {"group": "", "names": {"plural": "", "kind": ""}, "scope": "", "versions": null}, "status": {},
        }),
        _ => json!({}),
    }
}
