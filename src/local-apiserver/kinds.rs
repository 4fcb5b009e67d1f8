//! What is served: the table of built-in resources, and the shape that custom ones take.

use std::sync::{Arc, LazyLock};

use serde_json::Value;

use crate::crd::rules::Rules;

/// Everything that can be done with an ordinary resource.
pub(crate) const ALL_VERBS: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// The same, in the order in which custom resources show them.
const CUSTOM_VERBS: &[&str] = &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];

/// A served resource in one version.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) list_kind: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) namespaced: bool,
    /// Has a `/status` subresource.
    pub(crate) status: bool,
    /// Where `/scale` finds its numbers.
    pub(crate) scale: Option<Scale>,
    /// Only `create`: the answer is computed and nothing is stored.
    pub(crate) virtual_only: bool,
    /// Schema and columns of a custom resource.
    pub(crate) custom: Option<Arc<CustomVersion>>,
}

/// One served version of a definition.
#[derive(Debug, Clone)]
pub(crate) struct CustomVersion {
    /// The structural schema (OpenAPI v3) of the whole object.
    pub(crate) schema: Option<Value>,
    /// Its `x-kubernetes-validations`.
    pub(crate) rules: Option<Arc<Rules>>,
    /// Fields that may be selected by, without the leading dot.
    pub(crate) selectable: Vec<String>,
    /// `additionalPrinterColumns`.
    pub(crate) columns: Vec<Value>,
    /// The uid of the definition.
    pub(crate) definition: String,
    /// The definition waits for the end of its instances; there will be no new ones.
    pub(crate) terminating: bool,
    /// Names the version in which objects are stored, as discovery shows it.
    pub(crate) storage_hash: String,
}

/// JSON paths (without the leading dot) of the scale subresource.
#[derive(Debug, Clone)]
pub(crate) struct Scale {
    pub(crate) spec_replicas: String,
    pub(crate) status_replicas: String,
    /// A string field, or a `metav1.LabelSelector`.
    pub(crate) selector: String,
}

impl Resource {
    /// `apps/v1`, or `v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The collection that holds its objects. Both groups of Event share one.
    pub(crate) fn collection(&self) -> String {
        if self.plural == "events" { "events".to_owned() } else { collection(&self.group, &self.plural) }
    }

    pub(crate) fn verbs(&self) -> &'static [&'static str] {
        match self.plural.as_str() {
            _ if self.virtual_only => &["create"],
            _ if self.custom.as_ref().is_some_and(|custom| custom.terminating) => {
                &["delete", "deletecollection", "get", "list", "watch"]
            }
            _ if self.custom.is_some() => CUSTOM_VERBS,
            // Namespaces go one by one.
            "namespaces" if self.group.is_empty() => &["create", "delete", "get", "list", "patch", "update", "watch"],
            _ => ALL_VERBS,
        }
    }

    /// Subresources besides `status` and `scale`.
    pub(crate) fn extra_subresources(&self) -> &'static [(&'static str, &'static str, &'static [&'static str])] {
        match (self.group.as_str(), self.plural.as_str()) {
            ("", "pods") => {
                &[("log", "Pod", &["get"]), ("eviction", "Eviction", &["create"]), ("binding", "Binding", &["create"])]
            }
            ("", "serviceaccounts") => &[("token", "TokenRequest", &["create"])],
            ("", "namespaces") => &[("finalize", "Namespace", &["update"])],
            _ => &[],
        }
    }
}

/// The collection's name for a group and plural.
pub(crate) fn collection(group: &str, plural: &str) -> String {
    crate::status::qualified(plural, group)
}

struct Row(
    &'static str,            // group
    &'static str,            // version
    &'static str,            // kind
    &'static str,            // plural
    &'static [&'static str], // short names
    Flags,
);

#[expect(clippy::struct_excessive_bools, reason = "a row of yes and no per kind is what discovery is made of")]
#[derive(Clone, Copy)]
struct Flags {
    namespaced: bool,
    status: bool,
    scale: bool,
    all: bool,
    virtual_only: bool,
}

const CLUSTER: Flags = Flags { namespaced: false, status: false, scale: false, all: false, virtual_only: false };
const NAMESPACED: Flags = Flags { namespaced: true, ..CLUSTER };
const REVIEW: Flags = Flags { virtual_only: true, ..CLUSTER };
const WORKLOAD: Flags = Flags { status: true, all: true, ..NAMESPACED };
const SCALED: Flags = Flags { scale: true, ..WORKLOAD };
const WITH_STATUS: Flags = Flags { status: true, ..NAMESPACED };
const CLUSTER_STATUS: Flags = Flags { status: true, ..CLUSTER };

const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";
const AUTHZ: &str = "authorization.k8s.io";
const AUTHN: &str = "authentication.k8s.io";

/// Groups and versions are listed in the order in which discovery prefers them.
const ROWS: &[Row] = &[
    Row("", "v1", "ConfigMap", "configmaps", &["cm"], NAMESPACED),
    Row("", "v1", "Endpoints", "endpoints", &["ep"], NAMESPACED),
    Row("", "v1", "Event", "events", &["ev"], NAMESPACED),
    Row("", "v1", "LimitRange", "limitranges", &["limits"], NAMESPACED),
    Row("", "v1", "Namespace", "namespaces", &["ns"], CLUSTER_STATUS),
    Row("", "v1", "Node", "nodes", &["no"], CLUSTER_STATUS),
    Row("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", &["pvc"], WITH_STATUS),
    Row("", "v1", "PersistentVolume", "persistentvolumes", &["pv"], CLUSTER_STATUS),
    Row("", "v1", "Pod", "pods", &["po"], WORKLOAD),
    Row("", "v1", "ReplicationController", "replicationcontrollers", &["rc"], SCALED),
    Row("", "v1", "ResourceQuota", "resourcequotas", &["quota"], WITH_STATUS),
    Row("", "v1", "Secret", "secrets", &[], NAMESPACED),
    Row("", "v1", "ServiceAccount", "serviceaccounts", &["sa"], NAMESPACED),
    Row("", "v1", "Service", "services", &["svc"], WORKLOAD),
    Row("apiregistration.k8s.io", "v1", "APIService", "apiservices", &[], CLUSTER_STATUS),
    Row("apps", "v1", "ControllerRevision", "controllerrevisions", &[], NAMESPACED),
    Row("apps", "v1", "DaemonSet", "daemonsets", &["ds"], WORKLOAD),
    Row("apps", "v1", "Deployment", "deployments", &["deploy"], SCALED),
    Row("apps", "v1", "ReplicaSet", "replicasets", &["rs"], SCALED),
    Row("apps", "v1", "StatefulSet", "statefulsets", &["sts"], SCALED),
    Row("events.k8s.io", "v1", "Event", "events", &["ev"], NAMESPACED),
    Row(AUTHN, "v1", "SelfSubjectReview", "selfsubjectreviews", &[], REVIEW),
    Row(AUTHN, "v1", "TokenReview", "tokenreviews", &[], REVIEW),
    Row(
        AUTHZ,
        "v1",
        "LocalSubjectAccessReview",
        "localsubjectaccessreviews",
        &[],
        Flags { namespaced: true, ..REVIEW },
    ),
    Row(AUTHZ, "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", &[], REVIEW),
    Row(AUTHZ, "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", &[], REVIEW),
    Row(AUTHZ, "v1", "SubjectAccessReview", "subjectaccessreviews", &[], REVIEW),
    Row("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", &["hpa"], WORKLOAD),
    Row("autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", &["hpa"], WORKLOAD),
    Row("batch", "v1", "CronJob", "cronjobs", &["cj"], WORKLOAD),
    Row("batch", "v1", "Job", "jobs", &[], WORKLOAD),
    Row("networking.k8s.io", "v1", "IngressClass", "ingressclasses", &[], CLUSTER),
    Row("networking.k8s.io", "v1", "Ingress", "ingresses", &["ing"], WITH_STATUS),
    Row("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", &["netpol"], NAMESPACED),
    Row("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", &["pdb"], WITH_STATUS),
    Row(RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", &[], CLUSTER),
    Row(RBAC, "v1", "ClusterRole", "clusterroles", &[], CLUSTER),
    Row(RBAC, "v1", "RoleBinding", "rolebindings", &[], NAMESPACED),
    Row(RBAC, "v1", "Role", "roles", &[], NAMESPACED),
    Row("storage.k8s.io", "v1", "StorageClass", "storageclasses", &["sc"], CLUSTER),
    Row(ADMISSION, "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", &[], CLUSTER),
    Row(ADMISSION, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", &[], CLUSTER_STATUS),
    Row(ADMISSION, "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", &[], CLUSTER),
    Row(ADMISSION, "v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", &[], CLUSTER),
    Row(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        &["crd", "crds"],
        CLUSTER_STATUS,
    ),
    Row("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", &["pc"], CLUSTER),
    Row("coordination.k8s.io", "v1", "Lease", "leases", &[], NAMESPACED),
    Row("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", &[], NAMESPACED),
];

/// The built-in resources, in discovery order.
pub(crate) static BUILT_IN: LazyLock<Vec<Arc<Resource>>> =
    LazyLock::new(|| ROWS.iter().map(|row| Arc::new(built_in(row))).collect());

fn built_in(row: &Row) -> Resource {
    let Row(group, version, kind, plural, short_names, flags) = *row;
    Resource {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        list_kind: format!("{kind}List"),
        plural: plural.to_owned(),
        singular: kind.to_lowercase(),
        short_names: short_names.iter().map(ToString::to_string).collect(),
        categories: match kind {
            "CustomResourceDefinition" | "APIService" => vec!["api-extensions".to_owned()],
            _ if group == ADMISSION => vec!["api-extensions".to_owned()],
            _ if flags.all => vec!["all".to_owned()],
            _ => Vec::new(),
        },
        namespaced: flags.namespaced,
        status: flags.status,
        scale: flags.scale.then(|| Scale {
            spec_replicas: "spec.replicas".to_owned(),
            status_replicas: "status.replicas".to_owned(),
            selector: "spec.selector".to_owned(),
        }),
        virtual_only: flags.virtual_only,
        custom: None,
    }
}
