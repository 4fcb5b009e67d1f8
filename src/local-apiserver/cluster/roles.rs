//! The default ClusterRoles: those for people, and those that controllers and aggregated servers are bound to.

use serde_json::{Value, json};

pub(super) const RBAC: &str = "rbac.authorization.k8s.io";
const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "delete", "deletecollection", "patch", "update"];
const CORE: &[&str] = &[
    "configmaps",
    "endpoints",
    "events",
    "persistentvolumeclaims",
    "pods",
    "pods/status",
    "pods/log",
    "replicationcontrollers",
    "resourcequotas",
    "limitranges",
    "serviceaccounts",
    "services",
    "services/status",
];
const APPS: &[&str] = &[
    "controllerrevisions",
    "daemonsets",
    "daemonsets/status",
    "deployments",
    "deployments/scale",
    "deployments/status",
    "replicasets",
    "replicasets/scale",
    "replicasets/status",
    "statefulsets",
    "statefulsets/scale",
    "statefulsets/status",
];
const HEALTH: &[&str] = &["/healthz", "/livez", "/readyz", "/version", "/version/"];
const DISCOVERY: &[&str] = &[
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
    "/version/",
];
const ISSUER: &[&str] =
    &["/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks", "/openid/v1/jwks/"];

/// One PolicyRule.
pub(super) fn rule(groups: &[&str], resources: &[&str], verbs: &[&str], names: &[&str]) -> Value {
    let mut rule = json!({"apiGroups": groups, "resources": resources, "verbs": verbs});
    if !names.is_empty() {
        rule["resourceNames"] = json!(names);
    }
    rule
}

fn paths(urls: &[&str]) -> Value {
    json!({"nonResourceURLs": urls, "verbs": ["get"]})
}

fn workloads(verbs: &[&str]) -> Vec<Value> {
    vec![
        rule(&[""], CORE, verbs, &[]),
        rule(&["apps"], APPS, verbs, &[]),
        rule(&["autoscaling"], &["horizontalpodautoscalers", "horizontalpodautoscalers/status"], verbs, &[]),
        rule(&["batch"], &["cronjobs", "cronjobs/status", "jobs", "jobs/status"], verbs, &[]),
        rule(&["networking.k8s.io"], &["ingresses", "ingresses/status", "networkpolicies"], verbs, &[]),
        rule(&["policy"], &["poddisruptionbudgets", "poddisruptionbudgets/status"], verbs, &[]),
        rule(&["discovery.k8s.io"], &["endpointslices"], verbs, &[]),
        rule(&["events.k8s.io"], &["events"], verbs, &[]),
    ]
}

fn view() -> Vec<Value> {
    let mut rules = workloads(READ);
    rules.push(rule(&[""], &["namespaces", "namespaces/status"], READ, &[]));
    rules
}

fn edit() -> Vec<Value> {
    let both = [READ, WRITE].concat();
    let mut rules = view();
    rules.extend(workloads(WRITE));
    rules.push(rule(&[""], &["secrets"], &both, &[]));
    rules.push(rule(&[""], &["pods/eviction", "serviceaccounts/token"], &["create"], &[]));
    rules.push(rule(&["coordination.k8s.io"], &["leases"], &both, &[]));
    rules.push(rule(&[""], &["serviceaccounts"], &["impersonate"], &[]));
    rules
}

fn admin() -> Vec<Value> {
    let mut rules = edit();
    rules.push(rule(&[RBAC], &["roles", "rolebindings"], &[READ, WRITE].concat(), &[]));
    rules.push(rule(&["authorization.k8s.io"], &["localsubjectaccessreviews"], &["create"], &[]));
    rules
}

fn autoscaler() -> Vec<Value> {
    vec![
        rule(&["autoscaling"], &["horizontalpodautoscalers"], READ, &[]),
        rule(&["autoscaling"], &["horizontalpodautoscalers/status"], &["update"], &[]),
        rule(&["*"], &["*/scale"], &["get", "update"], &[]),
        rule(&["", "metrics.k8s.io"], &["pods"], &["list", "watch"], &[]),
        rule(&["custom.metrics.k8s.io", "external.metrics.k8s.io"], &["*"], READ, &[]),
        rule(&["", "events.k8s.io"], &["events"], &["create", "patch", "update"], &[]),
    ]
}

/// All of them, by name.
pub(super) fn cluster_roles() -> Vec<(&'static str, Vec<Value>)> {
    let everything = vec![rule(&["*"], &["*"], &["*"], &[]), json!({"nonResourceURLs": ["*"], "verbs": ["*"]})];
    let own_reviews = &["selfsubjectaccessreviews", "selfsubjectrulesreviews"];
    vec![
        ("cluster-admin", everything),
        ("admin", admin()),
        ("edit", edit()),
        ("view", view()),
        ("system:discovery", vec![paths(DISCOVERY)]),
        ("system:public-info-viewer", vec![paths(HEALTH)]),
        ("system:service-account-issuer-discovery", vec![paths(ISSUER)]),
        (
            "system:basic-user",
            vec![
                rule(&["authorization.k8s.io"], own_reviews, &["create"], &[]),
                rule(&["authentication.k8s.io"], &["selfsubjectreviews"], &["create"], &[]),
            ],
        ),
        (
            "system:auth-delegator",
            vec![
                rule(&["authentication.k8s.io"], &["tokenreviews"], &["create"], &[]),
                rule(&["authorization.k8s.io"], &["subjectaccessreviews"], &["create"], &[]),
            ],
        ),
        ("system:controller:horizontal-pod-autoscaler", autoscaler()),
    ]
}
