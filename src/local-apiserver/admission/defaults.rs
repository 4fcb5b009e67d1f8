//! Default values of built-in kinds, as `pkg/apis/*/v1/defaults.go` sets them.

use serde_json::{Value, json};

use crate::kinds::Resource;
use crate::object::{metadata, zero};

/// Counts the templates that a DaemonSet has had, from one.
pub(super) const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

fn set(object: &mut Value, field: &str, value: Value) {
    if object[field].is_null() {
        object[field] = value;
    }
}

pub(crate) fn apply(resource: &Resource, object: &mut Value) {
    let kind = resource.built_in_kind();
    set_all(kind, object);
    complete(resource, object);
}

/// What every object of a built-in kind has.
pub(crate) fn complete(resource: &Resource, object: &mut Value) {
    if resource.row.is_none() {
        return;
    }
    // What is shown of every object comes back with it, and must then be no change.
    zero::fill(resource, object);
    // Looking for a field to change makes it; what is not there stays away.
    metadata::drop_nulls(object);
}

fn set_all(kind: &str, object: &mut Value) {
    match kind {
        "Pod" => pod(&mut object["spec"]),
        "Namespace" => namespace(object),
        "Deployment" => deployment(object),
        "ReplicaSet" => {
            set(&mut object["spec"], "replicas", 1.into());
            template(object);
        }
        "StatefulSet" => stateful_set(object),
        "DaemonSet" => {
            set(&mut object["metadata"]["annotations"], TEMPLATE_GENERATION, "1".into());
            set(&mut object["spec"], "revisionHistoryLimit", 10.into());
            strategy(&mut object["spec"]["updateStrategy"], &[("maxUnavailable", 1), ("maxSurge", 0)]);
            template(object);
        }
        "Job" => job(object),
        "CronJob" => cron_job(&mut object["spec"]),
        "APIService" if object["spec"]["service"].is_object() => {
            set(&mut object["spec"]["service"], "port", 443.into());
        }
        "Service" => service(&mut object["spec"]),
        "HorizontalPodAutoscaler" => autoscaler(&mut object["spec"]),
        "ClusterRoleBinding" | "RoleBinding" => binding(object),
        "PersistentVolumeClaim" => set(&mut object["spec"], "volumeMode", "Filesystem".into()),
        "PersistentVolume" => volume(&mut object["spec"]),
        "StorageClass" => {
            set(object, "reclaimPolicy", "Delete".into());
            set(object, "volumeBindingMode", "Immediate".into());
        }
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => webhooks(object),
        "NetworkPolicy" => network_policy(&mut object["spec"]),
        "LimitRange" => limit_range(&mut object["spec"]),
        "PriorityClass" => set(object, "preemptionPolicy", "PreemptLowerPriority".into()),
        "EndpointSlice" => endpoint_slice(object),
        "Endpoints" => {
            for subset in object["subsets"].as_array_mut().into_iter().flatten() {
                protocols(&mut subset["ports"]);
            }
        }
        "Secret" => {
            set(object, "type", "Opaque".into());
            string_data(object);
        }
        _ => {}
    }
}

fn webhooks(configuration: &mut Value) {
    let mutating = configuration["kind"] == "MutatingWebhookConfiguration";
    for hook in configuration["webhooks"].as_array_mut().into_iter().flatten() {
        set(hook, "failurePolicy", "Fail".into());
        set(hook, "matchPolicy", "Equivalent".into());
        set(hook, "namespaceSelector", json!({}));
        set(hook, "objectSelector", json!({}));
        set(hook, "timeoutSeconds", 10.into());
        if mutating {
            set(hook, "reinvocationPolicy", "Never".into());
        }
        if hook["clientConfig"]["service"].is_object() {
            set(&mut hook["clientConfig"]["service"], "port", 443.into());
        }
        for rule in hook.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten() {
            set(rule, "scope", "*".into());
        }
    }
}

fn string_data(object: &mut Value) {
    use base64::Engine;
    let Some(Value::Object(texts)) = object.as_object_mut().and_then(|map| map.remove("stringData")) else { return };
    if !object["data"].is_object() {
        object["data"] = json!({});
    }
    for (key, value) in texts {
        let encoded = base64::engine::general_purpose::STANDARD.encode(value.as_str().unwrap_or_default());
        object["data"][key] = encoded.into();
    }
}

fn template(object: &mut Value) {
    let template = &mut object["spec"]["template"];
    if !template.is_object() {
        return;
    }
    if !template["metadata"].is_object() {
        template["metadata"] = json!({});
    }
    if template["spec"].is_object() {
        pod_spec(&mut template["spec"]);
    }
}

fn deployment(object: &mut Value) {
    let spec = &mut object["spec"];
    set(spec, "replicas", 1.into());
    set(spec, "revisionHistoryLimit", 10.into());
    set(spec, "progressDeadlineSeconds", 600.into());
    if !spec["strategy"].is_object() {
        spec["strategy"] = json!({});
    }
    let strategy = &mut spec["strategy"];
    set(strategy, "type", "RollingUpdate".into());
    if strategy["type"] == "RollingUpdate" {
        if !strategy["rollingUpdate"].is_object() {
            strategy["rollingUpdate"] = json!({});
        }
        set(&mut strategy["rollingUpdate"], "maxSurge", "25%".into());
        set(&mut strategy["rollingUpdate"], "maxUnavailable", "25%".into());
    }
    template(object);
}

/// An `updateStrategy`: rolling unless it says otherwise.
fn strategy(strategy: &mut Value, rolling: &[(&str, i64)]) {
    if !strategy.is_object() {
        *strategy = json!({});
    }
    set(strategy, "type", "RollingUpdate".into());
    if strategy["type"] == "RollingUpdate" {
        if !strategy["rollingUpdate"].is_object() {
            strategy["rollingUpdate"] = json!({});
        }
        for (field, value) in rolling {
            set(&mut strategy["rollingUpdate"], field, (*value).into());
        }
    }
}

fn stateful_set(object: &mut Value) {
    let spec = &mut object["spec"];
    set(spec, "replicas", 1.into());
    set(spec, "podManagementPolicy", "OrderedReady".into());
    set(spec, "revisionHistoryLimit", 10.into());
    strategy(&mut spec["updateStrategy"], &[("partition", 0)]);
    if !spec["persistentVolumeClaimRetentionPolicy"].is_object() {
        spec["persistentVolumeClaimRetentionPolicy"] = json!({});
    }
    for moment in ["whenDeleted", "whenScaled"] {
        set(&mut spec["persistentVolumeClaimRetentionPolicy"], moment, "Retain".into());
    }
    for claim in spec["volumeClaimTemplates"].as_array_mut().into_iter().flatten() {
        set(claim, "apiVersion", "v1".into());
        set(claim, "kind", "PersistentVolumeClaim".into());
        set(&mut claim["spec"], "volumeMode", "Filesystem".into());
        if claim["status"].is_null() {
            claim["status"] = json!({"phase": "Pending"});
        }
    }
    template(object);
}

fn job(object: &mut Value) {
    let spec = &mut object["spec"];
    // A limit for each index takes the place of the limit for all.
    let limit = if spec["backoffLimitPerIndex"].is_null() { 6 } else { i32::MAX };
    set(spec, "backoffLimit", limit.into());
    if spec["completions"].is_null() && spec["parallelism"].is_null() {
        spec["completions"] = 1.into();
    }
    set(spec, "parallelism", 1.into());
    set(spec, "completionMode", "NonIndexed".into());
    set(spec, "suspend", false.into());
    set(spec, "manualSelector", false.into());
    let replaced = if spec["podFailurePolicy"].is_null() { "TerminatingOrFailed" } else { "Failed" };
    set(spec, "podReplacementPolicy", replaced.into());
    let rules = spec.pointer_mut("/podFailurePolicy/rules").and_then(Value::as_array_mut);
    let patterns = rules.into_iter().flatten().filter_map(|rule| rule.get_mut("onPodConditions")?.as_array_mut());
    for pattern in patterns.flatten() {
        set(pattern, "status", "True".into());
    }
    template(object);
    let labels = object["spec"]["template"]["metadata"]["labels"].clone();
    if !labels.is_null() && object["metadata"]["labels"].as_object().is_none_or(serde_json::Map::is_empty) {
        object["metadata"]["labels"] = labels;
    }
}

/// The selector and labels by which a new Job finds its pods.
pub(crate) fn job_selector(object: &mut Value) {
    let uid = object["metadata"]["uid"].clone();
    let name = object["metadata"]["name"].clone();
    let spec = &mut object["spec"];
    if spec["selector"].is_null() && spec["manualSelector"] != true {
        spec["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
        if !spec["template"]["metadata"].is_object() {
            spec["template"]["metadata"] = json!({});
        }
        let labels = &mut spec["template"]["metadata"]["labels"];
        let before = labels.clone();
        for (key, value) in [("controller-uid", &uid), ("job-name", &name)] {
            labels[key] = value.clone();
            labels[format!("batch.kubernetes.io/{key}")] = value.clone();
        }
        let labels = labels.clone();
        // A Job that took its labels from its template shares them in the real server, additions and all.
        if before.is_object() && object["metadata"]["labels"] == before {
            object["metadata"]["labels"] = labels;
        }
    }
}

fn cron_job(spec: &mut Value) {
    set(spec, "concurrencyPolicy", "Allow".into());
    set(spec, "suspend", false.into());
    set(spec, "successfulJobsHistoryLimit", 3.into());
    set(spec, "failedJobsHistoryLimit", 1.into());
    if spec["jobTemplate"]["spec"]["template"].is_object() {
        template(&mut spec["jobTemplate"]);
    }
}

fn autoscaler(spec: &mut Value) {
    set(spec, "minReplicas", 1.into());
    if spec["metrics"].as_array().is_none_or(Vec::is_empty) {
        spec["metrics"] = json!([
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
        ]);
    }
    for (direction, policies) in [
        (
            "scaleUp",
            json!([{"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}]),
        ),
        ("scaleDown", json!([{"type": "Percent", "value": 100, "periodSeconds": 15}])),
    ] {
        // Once one direction is given, the other gets its defaults too, as the real server does.
        if spec["behavior"].is_object() {
            if !spec["behavior"][direction].is_object() {
                spec["behavior"][direction] = json!({});
            }
            let rules = &mut spec["behavior"][direction];
            set(rules, "policies", policies);
            set(rules, "selectPolicy", "Max".into());
            if direction == "scaleUp" {
                set(rules, "stabilizationWindowSeconds", 0.into());
            }
        }
    }
}

fn binding(object: &mut Value) {
    set(&mut object["roleRef"], "apiGroup", "rbac.authorization.k8s.io".into());
    for subject in object["subjects"].as_array_mut().into_iter().flatten() {
        if matches!(subject["kind"].as_str(), Some("User" | "Group")) {
            set(subject, "apiGroup", "rbac.authorization.k8s.io".into());
        }
    }
}

fn network_policy(spec: &mut Value) {
    let egress = spec["egress"].as_array().is_some_and(|rules| !rules.is_empty());
    set(spec, "policyTypes", if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) });
    for direction in ["ingress", "egress"] {
        for rule in spec[direction].as_array_mut().into_iter().flatten() {
            protocols(&mut rule["ports"]);
        }
    }
}

/// A container's default limit is its maximum, its default request that limit, or else the minimum.
fn limit_range(spec: &mut Value) {
    for limit in spec["limits"].as_array_mut().into_iter().flatten() {
        if limit["type"] != "Container" {
            continue;
        }
        for (field, from) in [("default", "max"), ("defaultRequest", "default"), ("defaultRequest", "min")] {
            for (name, amount) in limit[from].as_object().cloned().into_iter().flatten() {
                if !limit[field].is_object() {
                    limit[field] = json!({});
                }
                set(&mut limit[field], &name, amount);
            }
        }
    }
}

fn service(spec: &mut Value) {
    set(spec, "type", "ClusterIP".into());
    set(spec, "sessionAffinity", "None".into());
    if spec["type"] != "ExternalName" {
        set(spec, "internalTrafficPolicy", "Cluster".into());
    }
    protocols(&mut spec["ports"]);
    for port in spec["ports"].as_array_mut().into_iter().flatten() {
        let number = port["port"].clone();
        set(port, "targetPort", number);
    }
}

fn endpoint_slice(object: &mut Value) {
    for port in object["ports"].as_array_mut().into_iter().flatten() {
        set(port, "name", "".into());
    }
    protocols(&mut object["ports"]);
    for endpoint in object["endpoints"].as_array_mut().into_iter().flatten() {
        set(endpoint, "conditions", json!({}));
    }
}

/// Ports are TCP unless they say otherwise.
fn protocols(ports: &mut Value) {
    for port in ports.as_array_mut().into_iter().flatten() {
        set(port, "protocol", "TCP".into());
    }
}

/// Volumes that people make stay when their claim goes.
fn volume(spec: &mut Value) {
    set(spec, "volumeMode", "Filesystem".into());
    set(spec, "persistentVolumeReclaimPolicy", "Retain".into());
    if spec["hostPath"].is_object() {
        set(&mut spec["hostPath"], "type", "".into());
    }
}

fn namespace(object: &mut Value) {
    let name = object["metadata"]["name"].clone();
    if name.is_string() {
        object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
    }
}

/// Defaults that a pod has and a template does not.
fn pod(spec: &mut Value) {
    set(spec, "enableServiceLinks", true.into());
    for field in ["containers", "initContainers"] {
        for container in spec[field].as_array_mut().into_iter().flatten() {
            requests_from_limits(&mut container["resources"]);
        }
    }
    pod_spec(spec);
}

/// Defaults of a pod's spec.
fn pod_spec(spec: &mut Value) {
    set(spec, "restartPolicy", "Always".into());
    set(spec, "terminationGracePeriodSeconds", 30.into());
    set(spec, "dnsPolicy", "ClusterFirst".into());
    set(spec, "schedulerName", "default-scheduler".into());
    set(spec, "securityContext", json!({}));
    if let Some(name) = spec["serviceAccountName"].as_str().map(str::to_owned) {
        set(spec, "serviceAccount", name.into());
    }
    for field in ["containers", "initContainers"] {
        spec[field].as_array_mut().into_iter().flatten().for_each(container);
    }
    for volume in spec["volumes"].as_array_mut().into_iter().flatten() {
        volume_defaults(volume);
    }
}

fn volume_defaults(volume: &mut Value) {
    for kind in ["secret", "configMap", "projected", "downwardAPI"] {
        if volume[kind].is_object() {
            set(&mut volume[kind], "defaultMode", 420.into());
        }
    }
    if volume["projected"].is_object() {
        for source in volume["projected"]["sources"].as_array_mut().into_iter().flatten() {
            if source["serviceAccountToken"].is_object() {
                set(&mut source["serviceAccountToken"], "expirationSeconds", 3600.into());
            }
        }
    }
}

fn container(container: &mut Value) {
    let image = container["image"].as_str().unwrap_or_default();
    let tag = image.rsplit('/').next().unwrap_or_default().split_once(':').map(|(_, tag)| tag);
    let latest = !image.contains('@') && tag.is_none_or(|tag| tag == "latest");
    set(container, "imagePullPolicy", if latest { "Always" } else { "IfNotPresent" }.into());
    set(container, "terminationMessagePath", "/dev/termination-log".into());
    set(container, "terminationMessagePolicy", "File".into());
    set(container, "resources", json!({}));
    protocols(&mut container["ports"]);
    for variable in container["env"].as_array_mut().into_iter().flatten() {
        if variable["valueFrom"]["fieldRef"].is_object() {
            set(&mut variable["valueFrom"]["fieldRef"], "apiVersion", "v1".into());
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = &mut container[name];
        if !probe.is_object() {
            continue;
        }
        for (field, value) in
            [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
        {
            set(probe, field, value.into());
        }
        if probe["httpGet"].is_object() {
            set(&mut probe["httpGet"], "path", "/".into());
            set(&mut probe["httpGet"], "scheme", "HTTP".into());
        }
    }
}

fn requests_from_limits(resources: &mut Value) {
    let Some(limits) = resources["limits"].as_object().cloned() else {
        return;
    };
    if !resources["requests"].is_object() {
        resources["requests"] = json!({});
    }
    for (name, amount) in limits {
        set(&mut resources["requests"], &name, amount);
    }
}
