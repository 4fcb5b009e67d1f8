//! The Kubernetes objects of a stack, each with its address and what must exist before it.

use std::collections::BTreeMap;

use heck::ToSnakeCase as _;
use serde_json::{Value, json};

use crate::model::{AuthenticationRef, Consumer, Identity, Stack, Trigger, Workload};
use crate::templates::{Result, parse_yaml, render_yaml};

/// Label that says to which stack an object belongs.
pub const LABEL_STACK: &str = "sluice.dev/stack";
/// Label that says who manages an object; its value is `sluice`.
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// What is known only where the stack lands. Every text may be a reference of the caller's engine.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// Account that owns the roles; empty where none is known, and pods then leave their identity to the cluster's webhook.
    pub account_id: String,
    /// Queue URL by workload name, as pods use it.
    pub queue_urls: BTreeMap<String, String>,
    /// AWS endpoint as pods see it; `None` for AWS itself, and where the cluster's webhook sets it.
    pub endpoint_for_pods: Option<String>,
}

/// One object.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// `kubernetes_deployment.myproject/myapp`; without a namespace for cluster-wide kinds.
    pub address: String,
    /// The object, with apiVersion, kind and our labels.
    pub object: Value,
    /// Fields that are set when it is created and left to others afterwards.
    pub initial: Option<Value>,
    /// Addresses (within the same set) of what must exist before it, and outlive it.
    pub depends_on: Vec<String>,
}

/// All objects of the stack. `crds` is the text of the CRD documents, which another crate owns.
///
/// # Errors
///
/// [`Error::Parse`](crate::Error::Parse) if `crds` is no YAML. [`Error::Render`](crate::Error::Render) or
/// [`Error::Parse`](crate::Error::Parse) if an embedded template is broken: a mistake of this program.
pub fn all(stack: &Stack, site: &Site, crds: &str) -> Result<Vec<Manifest>> {
    let mut manifests = operator_in(&stack.namespaces(), stack, site, crds)?;
    for workload in &stack.workloads {
        manifests.extend(self::workload(stack, site, workload)?);
    }
    link(&mut manifests);
    Ok(manifests)
}

/// The objects of one workload. Where Jobs do its work, there is no Deployment: its pods are those of the ScaledJob.
///
/// # Errors
///
/// Those of [`all`], without what is said of the CRDs.
pub fn workload(stack: &Stack, site: &Site, workload: &Workload) -> Result<Vec<Manifest>> {
    let data = data(stack, site, &[], Some(workload));
    let (mut manifests, mut pods) = (Vec::new(), Value::Null);
    for mut object in render_yaml("kubernetes/workload.yaml", &data)? {
        let is_deployment = object["kind"] == "Deployment";
        prefer_own_variables(&mut object, workload);
        if is_deployment && workload.job.is_some() {
            pods = object["spec"]["template"].take();
            pods["spec"]["restartPolicy"] = "Never".into();
            continue;
        }
        let initial = is_deployment.then(|| json!({ "spec": { "replicas": workload.scaling.min_replicas } }));
        manifests.push(Manifest { initial, ..own(stack, object) });
    }
    for mut object in render_yaml("kubernetes/scaling.yaml", &data)? {
        if object["kind"] == "ScaledJob" {
            object["spec"]["jobTargetRef"]["template"] = pods.take();
        }
        manifests.push(own(stack, object));
    }
    Ok(manifests)
}

/// The objects that the operator needs, with its own namespace.
///
/// # Errors
///
/// Those of [`all`].
pub fn operator(stack: &Stack, site: &Site, crds: &str) -> Result<Vec<Manifest>> {
    operator_in(&[stack.operator.namespace.as_str()], stack, site, crds)
}

fn operator_in(namespaces: &[&str], stack: &Stack, site: &Site, crds: &str) -> Result<Vec<Manifest>> {
    let data = data(stack, site, namespaces, None);
    let mut objects = render_yaml("kubernetes/namespaces.yaml", &data)?;
    objects.extend(parse_yaml("kubernetes/crds.yaml", crds)?);
    for name in ["kubernetes/operator-rbac.yaml", "kubernetes/operator.yaml", "kubernetes/metrics.yaml"] {
        objects.extend(render_yaml(name, &data)?);
    }
    let mut manifests: Vec<Manifest> = objects.into_iter().map(|object| own(stack, object)).collect();
    link(&mut manifests);
    Ok(manifests)
}

/// Marks the object as ours.
fn own(stack: &Stack, mut object: Value) -> Manifest {
    object["metadata"]["labels"][LABEL_MANAGED_BY] = "sluice".into();
    object["metadata"]["labels"][LABEL_STACK] = stack.name.clone().into();
    Manifest { address: address(&object), object, initial: None, depends_on: Vec::new() }
}

fn data(stack: &Stack, site: &Site, namespaces: &[&str], workload: Option<&Workload>) -> Value {
    let names = stack.names();
    // Without an account there are no roles to name.
    // Without a queue there are none: no pod calls AWS by them.
    let role_arn = |role: &str| match site.account_id.as_str() {
        "" => String::new(),
        _ if !stack.has_queue() => String::new(),
        account_id => names.role_arn(account_id, role),
    };
    json!({
        "region": stack.region,
        "namespaces": namespaces,
        "endpoint": site.endpoint_for_pods,
        "scaler_role_arn": role_arn(&names.scaler_role),
        "operator": {
            "namespace": stack.operator.namespace,
            "service_account": stack.operator.service_account,
            "image": stack.operator.image,
            "replicas": stack.operator.replicas,
            "role_arn": role_arn(&names.operator_role),
        },
        "workload": workload.map(|workload| {
            let role = names.workload(&workload.name).map_or_else(String::new, |names| role_arn(&names.role));
            workload_data(stack, workload, &role, site)
        }),
    })
}

fn workload_data(stack: &Stack, workload: &Workload, role_arn: &str, site: &Site) -> Value {
    let queue_url = site.queue_urls.get(&workload.name).map_or("", String::as_str);
    let variable = |(name, value): (&String, &String)| json!({ "name": name, "value": escaped(value) });
    let words = |words: &Option<Vec<String>>| -> Option<Vec<String>> {
        words.as_ref().map(|words| words.iter().map(|word| escaped(word)).collect())
    };
    let sample = (workload.consumer == Consumer::Sample).then(|| worker_args(workload));
    json!({
        "name": workload.name,
        "namespace": workload.namespace,
        "image": workload.image,
        "role_arn": role_arn,
        "queue_url": queue_url,
        "identity": match workload.identity {
            Identity::Operator => "operator",
            Identity::Workload => "workload",
            Identity::Role => "role",
        },
        "has_queue": workload.queue.is_some(),
        "scaling": workload.scaling,
        "triggers": workload.triggers.iter().map(|one| trigger(stack, workload, one, queue_url)).collect::<Vec<_>>(),
        "job": workload.job,
        "is_sample": workload.consumer == Consumer::Sample,
        "command": words(&workload.command),
        "args": words(&workload.args).or(sample),
        // A message in work is finished or handed back before the kill.
        "grace_period_seconds": 30.max(workload.worker.work_seconds + 10),
        "env": workload.env.iter().map(variable).collect::<Vec<_>>(),
        "cpu": workload.cpu,
        "memory": workload.memory,
    })
}

/// A user's own `${…}` must reach the cluster as it is, not as a reference of the engine.
fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}

/// A trigger with what it needs to read the workload's own queue, if that is what it reads.
fn trigger(stack: &Stack, workload: &Workload, trigger: &Trigger, queue_url: &str) -> Trigger {
    let mut trigger = trigger.clone();
    for text in trigger.metadata.values_mut() {
        *text = escaped(text);
    }
    if trigger.reads_queue {
        trigger.metadata.insert("queueURL".to_owned(), queue_url.to_owned());
        trigger.metadata.entry("awsRegion".to_owned()).or_insert_with(|| stack.region.clone());
        trigger.authentication_ref = Some(AuthenticationRef { name: workload.name.clone(), kind: None });
    }
    trigger
}

/// A variable that the workload says itself is not given as well: one name twice is refused by server-side apply.
fn prefer_own_variables(object: &mut Value, workload: &Workload) {
    let Some(env) = object.pointer_mut("/spec/template/spec/containers/0/env").and_then(Value::as_array_mut) else {
        return;
    };
    let own = env.split_off(env.len() - workload.env.len().min(env.len()));
    env.retain(|given| !own.iter().any(|said| said["name"] == given["name"]));
    env.extend(own);
}

/// Sluice's own consumer; the queue's URL comes from the variable `QUEUE_URL`.
fn worker_args(workload: &Workload) -> Vec<String> {
    let worker = &workload.worker;
    let hidden = workload.queue.as_ref().map_or(0, |queue| queue.visibility_timeout_seconds);
    let flags = [
        ("--work-seconds", worker.work_seconds.to_string()),
        ("--wait-seconds", worker.wait_seconds.to_string()),
        // What the queue says; the worker itself does not go below the shortest that it can extend in time.
        ("--visibility-seconds", hidden.max(2).to_string()),
        ("--parallelism", worker.parallelism.to_string()),
        ("--failure-rate", worker.failure_rate.to_string()),
    ];
    let flags = flags.into_iter().map(|(flag, value)| format!("{flag}={value}"));
    std::iter::once("worker".to_owned()).chain(flags).collect()
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The object's address: kind in Terraform's spelling, then namespace and name.
pub fn address(object: &Value) -> String {
    let (namespace, name) = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
    let separator = if namespace.is_empty() { "" } else { "/" };
    format!("kubernetes_{}.{namespace}{separator}{name}", text(object, "/kind").to_snake_case())
}

/// Fills in what depends on what. Removal runs the other way, so a ScaledObject goes while the operator that must take
/// off its finalizer still lives.
fn link(manifests: &mut [Manifest]) {
    let kinds: Vec<(String, String, String)> = manifests
        .iter()
        .map(|manifest| {
            let object = &manifest.object;
            (text(object, "/kind").to_owned(), text(object, "/metadata/namespace").to_owned(), manifest.address.clone())
        })
        .collect();
    let operator = |address: &str| address.starts_with("kubernetes_deployment.") && address.ends_with("/keda-operator");
    for manifest in manifests {
        let object = &manifest.object;
        let (kind, namespace) = (text(object, "/kind"), text(object, "/metadata/namespace"));
        let custom = text(object, "/apiVersion").starts_with("keda.sh/");
        let of_operator = operator(&manifest.address);
        let needs = |(other, their_namespace, address): &&(String, String, String)| match other.as_str() {
            "Namespace" => address.ends_with(&format!(".{namespace}")) && !namespace.is_empty(),
            "CustomResourceDefinition" => custom || of_operator,
            "ServiceAccount" | "Service" if runs_pods(kind) => their_namespace == namespace,
            "ClusterRole" => kind == "ClusterRoleBinding",
            "Role" => kind == "RoleBinding" && their_namespace == namespace,
            "ClusterRoleBinding" | "RoleBinding" => of_operator,
            "Deployment" => (custom || kind == "APIService") && operator(address) || follows(object, address),
            "APIService" => kind == "ScaledObject",
            "TriggerAuthentication" => scales(kind) && their_namespace == namespace,
            _ => false,
        };
        let own = manifest.address.clone();
        let found = kinds.iter().filter(needs).map(|(_, _, address)| address.clone());
        manifest.depends_on = found.filter(|address| *address != own).collect();
    }
}

/// Whether pods follow from objects of the kind, which need a ServiceAccount then, roles, and nodes to run on.
pub fn runs_pods(kind: &str) -> bool {
    matches!(kind, "Deployment" | "ScaledJob")
}

/// Whether objects of the kind have triggers.
fn scales(kind: &str) -> bool {
    matches!(kind, "ScaledObject" | "ScaledJob")
}

/// Whether the object is the ScaledObject of the Deployment at `address`.
fn follows(object: &Value, address: &str) -> bool {
    let (namespace, target) = (text(object, "/metadata/namespace"), text(object, "/spec/scaleTargetRef/name"));
    text(object, "/kind") == "ScaledObject" && address == format!("kubernetes_deployment.{namespace}/{target}")
}
