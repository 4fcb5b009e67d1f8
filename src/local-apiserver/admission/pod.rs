//! Pod admission: the ServiceAccount plugin and EKS's pod identity webhook.

use serde_json::{Value, json};

use super::limit_range;
use crate::request::resource_request::ResourceRequest;
use crate::status::Status;

/// Where the API's own token is mounted.
const API_ACCESS: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Where the web identity token is mounted.
const IDENTITY: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount";
/// Annotations of the webhook.
const ROLE: &str = "eks.amazonaws.com/role-arn";
const AUDIENCE: &str = "eks.amazonaws.com/audience";
const EXPIRATION: &str = "eks.amazonaws.com/token-expiration";
const REGIONAL: &str = "eks.amazonaws.com/sts-regional-endpoints";
const SKIP: &str = "eks.amazonaws.com/skip-containers";
/// The variable that AWS's SDKs take all endpoints from.
const AWS_ENDPOINT: &str = "AWS_ENDPOINT_URL";
/// On a pod or its ServiceAccount, `false` keeps AWS_ENDPOINT_URL out of the pod's containers: they speak to AWS itself.
const ENDPOINT: &str = "sluice.dev/aws-endpoint";

pub(crate) fn admit(request: &ResourceRequest<'_>, pod: &mut Value) -> Result<(), Status> {
    let namespace = &request.target.namespace;
    if !pod["spec"].is_object() {
        return Ok(());
    }
    let name = match pod["spec"]["serviceAccountName"].as_str().filter(|name| !name.is_empty()) {
        Some(name) => name.to_owned(),
        None => "default".to_owned(),
    };
    let pod_name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let Some(account) = request.cluster.get("serviceaccounts", namespace, &name) else {
        let why = format!("error looking up service account {namespace}/{name}: serviceaccount \"{name}\" not found");
        return Err(Status::forbidden("", "pods", pod_name, &why));
    };
    pod["spec"]["serviceAccountName"] = name.clone().into();
    pod["spec"]["serviceAccount"] = name.into();
    if !request.cluster.infancy.forgets_identity(&account) {
        identity(request, pod, &account);
    }
    let automount =
        pod["spec"]["automountServiceAccountToken"].as_bool().or(account["automountServiceAccountToken"].as_bool());
    if automount != Some(false) {
        api_access(pod);
    }
    if pod["spec"]["imagePullSecrets"].is_null() && account["imagePullSecrets"].is_array() {
        pod["spec"]["imagePullSecrets"] = account["imagePullSecrets"].clone();
    }
    limit_range::fill_in(request, pod);
    prioritise(request, pod)?;
    // A pod gets at least a second to end.
    if pod["spec"]["terminationGracePeriodSeconds"].as_i64().is_some_and(|seconds| seconds < 0) {
        pod["spec"]["terminationGracePeriodSeconds"] = 1.into();
    }
    tolerate(pod);
    check_runtime(pod)?;
    pod["status"] = json!({"phase": "Pending", "qosClass": qos(&pod["spec"])});
    Ok(())
}

/// The RuntimeClass plugin: pods run in one way only, so that there is no class to name, and no overhead that one could have.
fn check_runtime(pod: &Value) -> Result<(), Status> {
    let spec = &pod["spec"];
    let why = match spec["runtimeClassName"].as_str() {
        Some(name) => format!("pod rejected: RuntimeClass \"{name}\" not found"),
        None if spec["overhead"].as_object().is_some_and(|overhead| !overhead.is_empty()) => {
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead".to_owned()
        }
        None => return Ok(()),
    };
    Err(Status::forbidden("", "pods", pod["metadata"]["name"].as_str().unwrap_or_default(), &why))
}

/// Priority and preemption by the pod's class, or by the one for pods that name none.
fn prioritise(request: &ResourceRequest<'_>, pod: &mut Value) -> Result<(), Status> {
    let name = pod["spec"]["priorityClassName"].as_str().unwrap_or_default();
    let class = if name.is_empty() {
        let (classes, _) = request.cluster.store.list("priorityclasses.scheduling.k8s.io", None);
        classes.into_iter().find(|class| class["globalDefault"] == true)
    } else {
        request.cluster.get("priorityclasses.scheduling.k8s.io", "", name)
    };
    let priority = match (&class, name) {
        (Some(class), _) => class["value"].as_i64().unwrap_or(0),
        (None, "") => 0,
        (None, "system-node-critical") => 2_000_001_000,
        (None, "system-cluster-critical") => 2_000_000_000,
        (None, _) => {
            let why = format!("no PriorityClass with name {name} was found");
            return Err(Status::forbidden("", "pods", pod["metadata"]["name"].as_str().unwrap_or_default(), &why));
        }
    };
    let policy = class.as_ref().and_then(|class| class["preemptionPolicy"].as_str()).unwrap_or("PreemptLowerPriority");
    if let Some(class) = &class {
        pod["spec"]["priorityClassName"] = class["metadata"]["name"].clone();
    }
    pod["spec"]["priority"] = priority.into();
    pod["spec"]["preemptionPolicy"] = policy.into();
    Ok(())
}

fn push(object: &mut Value, field: &str, item: Value) {
    if !object[field].is_array() {
        object[field] = json!([]);
    }
    if let Some(items) = object[field].as_array_mut() {
        items.push(item);
    }
}

fn containers(pod: &mut Value) -> impl Iterator<Item = &mut Value> {
    let spec = pod["spec"].as_object_mut().into_iter().flatten();
    spec.filter(|(key, _)| matches!(key.as_str(), "containers" | "initContainers"))
        .flat_map(|(_, list)| list.as_array_mut().into_iter().flatten())
}

fn mounts(container: &Value, path: &str) -> bool {
    container["volumeMounts"].as_array().into_iter().flatten().any(|mount| mount["mountPath"] == path)
}

fn api_access(pod: &mut Value) {
    let random = uuid::Uuid::new_v4().simple().to_string();
    let name = format!("kube-api-access-{}", &random[..5]);
    let mut used = false;
    for container in containers(pod).filter(|container| !mounts(container, API_ACCESS)) {
        push(container, "volumeMounts", json!({"name": name, "mountPath": API_ACCESS, "readOnly": true}));
        used = true;
    }
    if used {
        let namespace =
            json!({"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}});
        let volume = json!({"name": name, "projected": {"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [namespace]}},
        ]}});
        push(&mut pod["spec"], "volumes", volume);
    }
}

/// Carries the ServiceAccount's word on the endpoint over to the pod, which is all that the node sees.
fn endpoint_is_wanted(pod: &mut Value, account: &Value) -> bool {
    let said = &account["metadata"]["annotations"][ENDPOINT];
    if pod["metadata"]["annotations"][ENDPOINT].is_null() && said.is_string() {
        pod["metadata"]["annotations"][ENDPOINT] = said.clone();
    }
    pod["metadata"]["annotations"][ENDPOINT] != "false"
}

/// What the pod identity webhook adds for an annotated ServiceAccount, and the endpoint of this AWS besides.
fn identity(request: &ResourceRequest<'_>, pod: &mut Value, account: &Value) {
    let endpoint = endpoint_is_wanted(pod, account).then(|| request.cluster.sts_endpoint.clone());
    let annotations = &account["metadata"]["annotations"];
    let Some(role) = annotations[ROLE].as_str() else { return };
    let audience = annotations[AUDIENCE].as_str().unwrap_or("sts.amazonaws.com");
    let seconds = |object: &Value| {
        object["metadata"]["annotations"][EXPIRATION].as_str().and_then(|text| text.parse::<i64>().ok())
    };
    let expiration = seconds(pod).or_else(|| seconds(account)).unwrap_or(86_400).max(600);
    let skipped = pod["metadata"]["annotations"][SKIP].as_str().unwrap_or_default().to_owned();
    let regional = if annotations[REGIONAL] == "false" { None } else { Some("regional") };
    let region = request.cluster.region.clone();
    let variables = [
        ("AWS_STS_REGIONAL_ENDPOINTS", regional.map(str::to_owned)),
        ("AWS_DEFAULT_REGION", Some(region.clone())),
        ("AWS_REGION", Some(region)),
        ("AWS_ROLE_ARN", Some(role.to_owned())),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", Some(format!("{IDENTITY}/token"))),
        (AWS_ENDPOINT, endpoint),
    ];
    for container in containers(pod) {
        let own = container["name"].as_str().unwrap_or_default();
        if skipped.split(',').any(|name| name.trim() == own) {
            continue;
        }
        // Single variables go before whole sources, so one given here would hide what a ConfigMap or Secret may say. The node
        // gives the endpoint to whoever does not say it.
        let has_sources = container["envFrom"].as_array().is_some_and(|sources| !sources.is_empty());
        for (name, value) in &variables {
            let held = container["env"].as_array().into_iter().flatten().any(|variable| variable["name"] == *name);
            let held = held || (*name == AWS_ENDPOINT && has_sources);
            if let Some(value) = value.as_ref().filter(|_| !held) {
                push(container, "env", json!({"name": name, "value": value}));
            }
        }
        if !mounts(container, IDENTITY) {
            push(container, "volumeMounts", json!({"name": "aws-iam-token", "mountPath": IDENTITY, "readOnly": true}));
        }
    }
    let present =
        pod["spec"]["volumes"].as_array().into_iter().flatten().any(|volume| volume["name"] == "aws-iam-token");
    if !present {
        let token = json!({"audience": audience, "expirationSeconds": expiration, "path": "token"});
        let volume = json!({"name": "aws-iam-token", "projected": {"defaultMode": 420, "sources": [{"serviceAccountToken": token}]}});
        push(&mut pod["spec"], "volumes", volume);
    }
}

fn tolerate(pod: &mut Value) {
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let present = pod["spec"]["tolerations"].as_array().into_iter().flatten().any(|held| held["key"] == key);
        if !present {
            let toleration = json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
            push(&mut pod["spec"], "tolerations", toleration);
        }
    }
}

/// The quality of service class that a pod's spec gives it.
pub(super) fn qos(spec: &Value) -> &'static str {
    let containers: Vec<&Value> = spec["containers"].as_array().into_iter().flatten().collect();
    let amounts = |container: &Value, field: &str, name: &str| container["resources"][field][name].clone();
    let empty = containers.iter().all(|c| c["resources"]["requests"].is_null() && c["resources"]["limits"].is_null());
    let guaranteed = ["cpu", "memory"].iter().all(|name| {
        containers.iter().all(|c| {
            !amounts(c, "limits", name).is_null() && amounts(c, "limits", name) == amounts(c, "requests", name)
        })
    });
    if empty {
        "BestEffort"
    } else if guaranteed {
        "Guaranteed"
    } else {
        "Burstable"
    }
}
