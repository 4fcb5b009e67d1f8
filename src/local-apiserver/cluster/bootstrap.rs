//! What a cluster holds before anybody writes to it: namespaces, default roles, the `kubernetes` service, local APIServices.

use serde_json::{Value, json};

use super::roles::{self, RBAC};
use crate::cluster::Cluster;
use crate::kinds::GROUP_VERSIONS;
use crate::kinds::row::GroupVersion;
use crate::status::Status;
use crate::store::Stale;

pub(crate) fn store(cluster: &Cluster) -> Result<(), Status> {
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
        });
        put(cluster, "namespaces", "", object)?;
    }
    let config = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"},
        "data": {
            "client-ca-file": cluster.ca_pem, "requestheader-client-ca-file": cluster.front_proxy.ca_pem,
            "requestheader-allowed-names": "[\"front-proxy-client\"]", "requestheader-username-headers": "[\"X-Remote-User\"]",
            "requestheader-group-headers": "[\"X-Remote-Group\"]", "requestheader-extra-headers-prefix": "[\"X-Remote-Extra-\"]",
        },
    });
    put(cluster, "configmaps", "kube-system", config)?;
    service(cluster)?;
    roles(cluster)?;
    api_services(cluster)
}

fn put(cluster: &Cluster, collection: &str, namespace: &str, mut object: Value) -> Result<(), Status> {
    object["metadata"]["uid"] = uuid::Uuid::new_v4().to_string().into();
    object["metadata"]["creationTimestamp"] = cluster.now_text().into();
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    match cluster.store.insert(collection, namespace, &name, object) {
        Ok(_) | Err(Stale::Exists) => Ok(()),
        Err(stale) => Err(Status::internal(format!("{stale:?} {collection} {name}"))),
    }
}

fn service(cluster: &Cluster) -> Result<(), Status> {
    let labels = json!({"component": "apiserver", "provider": "kubernetes"});
    let object = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "kubernetes", "namespace": "default", "labels": labels},
        "spec": {
            "clusterIP": "10.100.0.1", "clusterIPs": ["10.100.0.1"], "type": "ClusterIP", "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": cluster.port}],
        },
        "status": {"loadBalancer": {}},
    });
    put(cluster, "services", "default", object)?;
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": true}}],
        "ports": [{"name": "https", "port": cluster.port, "protocol": "TCP"}],
    });
    put(cluster, "endpointslices.discovery.k8s.io", "default", slice)
}

fn roles(cluster: &Cluster) -> Result<(), Status> {
    for (name, rules) in roles::cluster_roles() {
        let metadata = json!({"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}});
        let mut role =
            json!({"apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRole", "metadata": metadata, "rules": rules});
        if matches!(name, "admin" | "edit" | "view") {
            let label = format!("rbac.authorization.k8s.io/aggregate-to-{name}");
            let mut part = role.clone();
            part["metadata"]["name"] = format!("system:aggregate-to-{name}").into();
            part["metadata"]["labels"][&label] = "true".into();
            put(cluster, &format!("clusterroles.{RBAC}"), "", part)?;
            role["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]});
        }
        put(cluster, &format!("clusterroles.{RBAC}"), "", role)?;
    }
    for (role, kind, subject, namespace) in [
        ("cluster-admin", "Group", "system:masters", ""),
        ("system:discovery", "Group", "system:authenticated", ""),
        ("system:basic-user", "Group", "system:authenticated", ""),
        ("system:public-info-viewer", "Group", "system:authenticated", ""),
        ("system:service-account-issuer-discovery", "Group", "system:serviceaccounts", ""),
        ("system:controller:horizontal-pod-autoscaler", "ServiceAccount", "horizontal-pod-autoscaler", "kube-system"),
    ] {
        let mut holder = json!({"kind": kind, "name": subject});
        match namespace {
            "" => holder["apiGroup"] = RBAC.into(),
            namespace => holder["namespace"] = namespace.into(),
        }
        let binding = json!({
            "apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRoleBinding",
            "metadata": {"name": role, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}, "subjects": [holder],
        });
        put(cluster, &format!("clusterrolebindings.{RBAC}"), "", binding)?;
    }
    let reader = json!({
        "apiVersion": format!("{RBAC}/v1"), "kind": "Role",
        "metadata": {"name": "extension-apiserver-authentication-reader", "namespace": "kube-system"},
        "rules": [roles::rule(&[""], &["configmaps"], &["get", "list", "watch"], &["extension-apiserver-authentication"])],
    });
    put(cluster, &format!("roles.{RBAC}"), "kube-system", reader)
}

/// One local APIService per built-in group version.
fn api_services(cluster: &Cluster) -> Result<(), Status> {
    // The aggregator's own group is the one that it does not register.
    for of in GROUP_VERSIONS.iter().filter(|of| of.group != "apiregistration.k8s.io") {
        put(cluster, "apiservices.apiregistration.k8s.io", "", local_api_service(cluster, of))?;
    }
    Ok(())
}

fn local_api_service(cluster: &Cluster, of: &GroupVersion) -> Value {
    let (group, version) = (of.group, of.version);
    let mut spec =
        json!({"version": version, "groupPriorityMinimum": of.priority, "versionPriority": of.version_priority});
    if !group.is_empty() {
        spec["group"] = group.into();
    }
    let name = if group.is_empty() { format!("{version}.") } else { format!("{version}.{group}") };
    json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": name, "labels": {"kube-aggregator.kubernetes.io/automanaged": "onstart"}}, "spec": spec,
        "status": {"conditions": [{
            "type": "Available", "status": "True", "reason": "Local", "message": "Local APIServices are always available",
            "lastTransitionTime": cluster.now_text(),
        }]},
    })
}
