//! The cells of built-in kinds.

mod admission;
mod autoscaler;
mod cell;
mod network;
mod pod;
mod volume;

use serde_json::{Value, json};

use self::cell::{count, each, joined, number, selector, text_or};
use super::age::{age, human};
use crate::kinds::Resource;

/// The cells of an object, one per column of its kind.
pub(crate) fn cells(resource: &Resource, object: &Value, now: jiff::Timestamp) -> Vec<Value> {
    let name = object["metadata"]["name"].clone();
    let created = json!(age(&object["metadata"]["creationTimestamp"], now));
    let (spec, status) = (&object["spec"], &object["status"]);
    match resource.built_in_kind() {
        "Pod" => pod::cells(object, created, now),
        "HorizontalPodAutoscaler" => autoscaler::cells(object, created),
        "Event" => event(object, now),
        "DaemonSet" => daemon_set(object, created),
        "ControllerRevision" => controller_revision(object, created),
        "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet" | "Job" => {
            workload(resource, object, created, now)
        }
        "Service" => service(object, created),
        "Node" => node(object, created),
        "Namespace" => vec![name, status["phase"].clone(), created],
        "Secret" => vec![name, object["type"].clone(), count(&object["data"]).into(), created],
        "ConfigMap" => vec![name, (count(&object["data"]) + count(&object["binaryData"])).into(), created],
        "Lease" => vec![name, spec["holderIdentity"].clone(), created],
        "APIService" => api_service(object, created),
        "CustomResourceDefinition" | "Role" | "ClusterRole" | "LimitRange" => {
            vec![name, object["metadata"]["creationTimestamp"].clone()]
        }
        "RoleBinding" | "ClusterRoleBinding" => binding(object, created),
        "EndpointSlice" => endpoint_slice(object, created),
        "Endpoints" => vec![name, endpoints(object), created],
        "PodDisruptionBudget" => {
            let shown =
                |value: &Value| if value.is_null() { json!("N/A") } else { json!(value.to_string().trim_matches('"')) };
            vec![
                name,
                shown(&spec["minAvailable"]),
                shown(&spec["maxUnavailable"]),
                number(&status["disruptionsAllowed"]).into(),
                created,
            ]
        }
        "PriorityClass" => {
            let default = object["globalDefault"] == true;
            vec![
                name,
                object["value"].clone(),
                default.into(),
                created,
                text_or(&object["preemptionPolicy"], "PreemptLowerPriority").into(),
            ]
        }
        "CronJob" => cron_job(object, created, now),
        "PersistentVolume" => volume::volume(object, created),
        "PersistentVolumeClaim" => volume::claim(object, created),
        "StorageClass" => volume::class(object, created),
        "Ingress" => network::ingress(object, created),
        "IngressClass" => network::ingress_class(object, created),
        "NetworkPolicy" => vec![name, selector(&spec["podSelector"]), created],
        "ResourceQuota" => quota(object, created),
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => admission::webhooks(object, created),
        "ValidatingAdmissionPolicy" => admission::policy(object, created),
        "ValidatingAdmissionPolicyBinding" => admission::binding(object, created),
        _ => vec![name, created],
    }
}

/// What is used of each limit; limits of limits stand apart.
fn quota(object: &Value, created: Value) -> Vec<Value> {
    let status = &object["status"];
    let hard = status["hard"].as_object().into_iter().flatten();
    let shown = |(name, most): (&String, &Value)| {
        format!("{name}: {}/{}", text_or(&status["used"][name], "0"), text_or(most, "0"))
    };
    let (limits, requests): (Vec<_>, Vec<_>) = hard.partition(|(name, _)| name.starts_with("limits."));
    let joined = |parts: Vec<_>| Value::from(parts.into_iter().map(shown).collect::<Vec<_>>().join(", "));
    vec![object["metadata"]["name"].clone(), joined(requests), joined(limits), created]
}

fn cron_job(object: &Value, created: Value, now: jiff::Timestamp) -> Vec<Value> {
    let (spec, last) = (&object["spec"], &object["status"]["lastScheduleTime"]);
    let job = &spec["jobTemplate"]["spec"];
    let containers = &job["template"]["spec"]["containers"];
    vec![
        object["metadata"]["name"].clone(),
        spec["schedule"].clone(),
        text_or(&spec["timeZone"], "<none>").into(),
        if spec["suspend"] == true { "True" } else { "False" }.into(),
        object["status"]["active"].as_array().map_or(0, Vec::len).into(),
        if last.is_null() { json!("<none>") } else { json!(age(last, now)) },
        created,
        joined(containers, "name"),
        joined(containers, "image"),
        selector(&job["selector"]),
    ]
}

fn daemon_set(object: &Value, created: Value) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let pod = &spec["template"]["spec"];
    let fields = [
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    ];
    let mut cells = vec![object["metadata"]["name"].clone()];
    cells.extend(fields.map(|field| number(&status[field]).into()));
    cells.extend([
        selector(&pod["nodeSelector"]),
        created,
        joined(&pod["containers"], "name"),
        joined(&pod["containers"], "image"),
        selector(&spec["selector"]),
    ]);
    cells
}

fn controller_revision(object: &Value, created: Value) -> Vec<Value> {
    let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let mut controller = owners.filter(|owner| owner["controller"] == true).map(|owner| {
        let version = text_or(&owner["apiVersion"], "");
        let group = version.split_once('/').map(|(group, _)| format!(".{group}")).unwrap_or_default();
        format!("{}{group}/{}", text_or(&owner["kind"], "").to_lowercase(), text_or(&owner["name"], ""))
    });
    let controller = controller.next_back().unwrap_or_else(|| "<none>".to_owned());
    vec![object["metadata"]["name"].clone(), controller.into(), number(&object["revision"]).into(), created]
}

fn workload(resource: &Resource, object: &Value, created: Value, now: jiff::Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let containers = &spec["template"]["spec"]["containers"];
    let (names, images) = (joined(containers, "name"), joined(containers, "image"));
    let name = object["metadata"]["name"].clone();
    let ready = format!("{}/{}", number(&status["readyReplicas"]), number(&spec["replicas"]));
    match resource.built_in_kind() {
        "Deployment" => vec![
            name,
            ready.into(),
            number(&status["updatedReplicas"]).into(),
            number(&status["availableReplicas"]).into(),
            created,
            names,
            images,
            selector(&spec["selector"]),
        ],
        "ReplicaSet" | "ReplicationController" => vec![
            name,
            number(&spec["replicas"]).into(),
            number(&status["replicas"]).into(),
            number(&status["readyReplicas"]).into(),
            created,
            names,
            images,
            selector(&spec["selector"]),
        ],
        "StatefulSet" => vec![name, ready.into(), created, names, images],
        _ => {
            let done = |kind: &str| {
                status["conditions"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|held| held["type"] == kind && held["status"] == "True")
            };
            let state = if done("Complete") {
                "Complete"
            } else if done("Failed") {
                "Failed"
            } else if object["metadata"]["deletionTimestamp"].is_string() {
                "Terminating"
            } else {
                let others = ["Suspended", "FailureTarget", "SuccessCriteriaMet"];
                others.into_iter().find(|kind| done(kind)).unwrap_or("Running")
            };
            let completions = match spec["completions"].as_i64() {
                Some(wanted) => format!("{}/{wanted}", number(&status["succeeded"])),
                None => match number(&spec["parallelism"]) {
                    0 | 1 => format!("{}/1", number(&status["succeeded"])),
                    several => format!("{}/1 of {several}", number(&status["succeeded"])),
                },
            };
            let at = |field: &str| status[field].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
            let duration =
                at("startTime").map(|start| human(at("completionTime").unwrap_or(now).as_second() - start.as_second()));
            vec![
                name,
                state.into(),
                completions.into(),
                duration.unwrap_or_default().into(),
                created,
                names,
                images,
                selector(&spec["selector"]),
            ]
        }
    }
}

fn service(object: &Value, created: Value) -> Vec<Value> {
    let spec = &object["spec"];
    let ports: Vec<String> = spec["ports"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|port| {
            let node = port["nodePort"].as_i64().map(|node| format!(":{node}")).unwrap_or_default();
            format!("{}{node}/{}", number(&port["port"]), text_or(&port["protocol"], "TCP"))
        })
        .collect();
    let ports = if ports.is_empty() { "<none>".to_owned() } else { ports.join(",") };
    let external = match spec["type"].as_str() {
        Some("ExternalName") => text_or(&spec["externalName"], "<none>"),
        Some("LoadBalancer") => "<pending>".to_owned(),
        _ => "<none>".to_owned(),
    };
    let cluster = text_or(&spec["clusterIP"], "<none>");
    vec![
        object["metadata"]["name"].clone(),
        spec["type"].clone(),
        cluster.into(),
        external.into(),
        ports.into(),
        created,
        selector(&spec["selector"]),
    ]
}

fn node(object: &Value, created: Value) -> Vec<Value> {
    let (status, info) = (&object["status"], &object["status"]["nodeInfo"]);
    let ready = status["conditions"].as_array().into_iter().flatten().find(|held| held["type"] == "Ready");
    let mut state = match ready.and_then(|held| held["status"].as_str()) {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if object["spec"]["unschedulable"] == true {
        state.push_str(",SchedulingDisabled");
    }
    let address = |kind: &str| {
        let all = status["addresses"].as_array().into_iter().flatten();
        all.filter(|held| held["type"] == kind).find_map(|held| held["address"].as_str()).unwrap_or("<none>").to_owned()
    };
    let roles: Vec<&str> = object["metadata"]["labels"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/"))
        .collect();
    let roles = if roles.is_empty() { "<none>".to_owned() } else { roles.join(",") };
    vec![
        object["metadata"]["name"].clone(),
        state.into(),
        roles.into(),
        created,
        info["kubeletVersion"].clone(),
        address("InternalIP").into(),
        address("ExternalIP").into(),
        text_or(&info["osImage"], "<unknown>").into(),
        text_or(&info["kernelVersion"], "<unknown>").into(),
        text_or(&info["containerRuntimeVersion"], "<unknown>").into(),
    ]
}

fn event(object: &Value, now: jiff::Timestamp) -> Vec<Value> {
    let first = [&object["firstTimestamp"], &object["eventTime"]];
    let last = [&object["series"]["lastObservedTime"], &object["lastTimestamp"], first[0], first[1]];
    let pick = |times: &[&Value]| {
        times.iter().find(|time| time.is_string()).map_or("<unknown>".to_owned(), |time| age(time, now))
    };
    let involved = &object["involvedObject"];
    let on = format!("{}/{}", text_or(&involved["kind"], "").to_lowercase(), text_or(&involved["name"], ""));
    let source = text_or(&object["source"]["component"], &text_or(&object["reportingComponent"], ""));
    let host = object["source"]["host"].as_str().map(|host| format!("{source}, {host}"));
    let count = object["series"]["count"].as_i64().or(object["count"].as_i64()).unwrap_or(1);
    vec![
        pick(&last).into(),
        object["type"].clone(),
        object["reason"].clone(),
        on.into(),
        text_or(&involved["fieldPath"], "").into(),
        host.unwrap_or(source).into(),
        text_or(&object["message"], "").trim().into(),
        pick(&first).into(),
        count.into(),
        object["metadata"]["name"].clone(),
    ]
}

fn api_service(object: &Value, created: Value) -> Vec<Value> {
    let service = &object["spec"]["service"];
    let target = match service["name"].as_str() {
        Some(name) => format!("{}/{name}", text_or(&service["namespace"], "")),
        None => "Local".to_owned(),
    };
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let mut available =
        conditions.filter(|held| held["type"] == "Available").map(|held| match held["status"].as_str() {
            Some("True") => "True".to_owned(),
            other => format!("{} ({})", other.unwrap_or("Unknown"), text_or(&held["reason"], "")),
        });
    let available = available.next_back().unwrap_or_else(|| "Unknown".to_owned());
    vec![object["metadata"]["name"].clone(), target.into(), available.into(), created]
}

fn binding(object: &Value, created: Value) -> Vec<Value> {
    let role = &object["roleRef"];
    let subjects = |kind: &str| {
        let all = object["subjects"].as_array().into_iter().flatten().filter(|held| held["kind"] == kind);
        let names: Vec<String> = all
            .map(|held| match held["namespace"].as_str() {
                Some(namespace) => format!("{namespace}/{}", text_or(&held["name"], "")),
                None => text_or(&held["name"], ""),
            })
            .collect();
        Value::from(names.join(", "))
    };
    let role = format!("{}/{}", text_or(&role["kind"], ""), text_or(&role["name"], ""));
    vec![
        object["metadata"]["name"].clone(),
        role.into(),
        created,
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}

fn endpoint_slice(object: &Value, created: Value) -> Vec<Value> {
    let ports: Vec<String> =
        object["ports"].as_array().into_iter().flatten().map(|port| number(&port["port"]).to_string()).collect();
    let addresses: Vec<&str> = object["endpoints"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|endpoint| endpoint["addresses"].as_array().into_iter().flatten().filter_map(Value::as_str))
        .collect();
    let shown = |parts: String| if parts.is_empty() { json!("<unset>") } else { json!(parts) };
    let name = object["metadata"]["name"].clone();
    vec![name, object["addressType"].clone(), shown(ports.join(",")), shown(addresses.join(",")), created]
}

fn endpoints(object: &Value) -> Value {
    let mut all = Vec::new();
    for subset in object["subsets"].as_array().into_iter().flatten() {
        for address in each(&subset["addresses"], "ip") {
            all.extend(
                subset["ports"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|port| format!("{address}:{}", number(&port["port"]))),
            );
        }
    }
    if all.is_empty() { "<none>".into() } else { all.join(",").into() }
}
