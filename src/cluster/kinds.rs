//! The kinds that stacks make, and whose turn it is when their objects are removed.

use std::collections::BTreeSet;

use crate::address::Name;

/// Every kind: API version and name.
pub(crate) const KINDS: [(&str, &str); 16] = [
    ("keda.sh/v1alpha1", "ScaledObject"),
    ("keda.sh/v1alpha1", "ScaledJob"),
    ("keda.sh/v1alpha1", "TriggerAuthentication"),
    ("keda.sh/v1alpha1", "ClusterTriggerAuthentication"),
    ("apiregistration.k8s.io/v1", "APIService"),
    ("apps/v1", "Deployment"),
    // Of the preflight, if it was killed.
    ("v1", "Pod"),
    ("policy/v1", "PodDisruptionBudget"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("v1", "Namespace"),
];

/// The operator's Deployment, as in KEDA's own manifests. It takes off [`FINALIZER`].
pub(crate) const OPERATOR: &str = "keda-operator";
/// What the operator holds deleted objects of `keda.sh` with until it has cleaned up after them.
pub(crate) const FINALIZER: &str = "finalizer.keda.sh";

/// The namespaces that operators of the stack live in: what is there goes after what needs an operator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperatorHomes(BTreeSet<String>);

impl OperatorHomes {
    /// The namespaces of those `addresses` that are an operator's Deployment, and `declared`.
    pub fn of<'a>(declared: &str, addresses: impl IntoIterator<Item = &'a provision::Address>) -> Self {
        let home = |address: &provision::Address| {
            let (namespace, name) = address.name().split_once('/')?;
            (address.kind() == "kubernetes_deployment" && name == OPERATOR).then(|| namespace.to_owned())
        };
        let homes = addresses.into_iter().filter_map(home);
        Self(homes.chain([declared.to_owned()]).collect())
    }

    /// Whether the object is an operator. Two of them would act on the same objects, each with a lease of its own namespace.
    pub(crate) fn is_operator(&self, name: &Name) -> bool {
        let at_home = name.namespace.as_ref().is_some_and(|namespace| self.0.contains(namespace));
        at_home && name.kind == "Deployment" && name.name == OPERATOR
    }

    /// The turn of an object: what the operator must still clean up after, then what would stall the end of namespaces
    /// (an API that nobody serves), the workloads, their namespaces, and only then the operator and what it needs.
    pub(crate) fn turn(&self, name: &Name) -> u8 {
        let at_home = name.namespace.as_ref().is_some_and(|namespace| self.0.contains(namespace));
        match name.kind.as_str() {
            "ScaledObject" | "ScaledJob" | "Pod" => 0,
            "TriggerAuthentication" | "ClusterTriggerAuthentication" => 1,
            "APIService" => 2,
            "Deployment" if self.is_operator(name) => 6,
            "Deployment" => 3,
            "Namespace" if self.0.contains(&name.name) => 8,
            "Namespace" => 5,
            "CustomResourceDefinition" => 9,
            _ if at_home || name.namespace.is_none() || name.namespace.as_deref() == Some("kube-system") => 7,
            _ => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(kind: &str, namespace: Option<&str>, name: &str) -> u8 {
        let old: provision::Address = "kubernetes_deployment.scaling/keda-operator".parse().unwrap();
        let name = Name {
            api_version: String::new(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        OperatorHomes::of("keda", [&old]).turn(&name)
    }

    #[test]
    fn an_operator_goes_after_all_that_needs_it_and_before_all_that_it_needs() {
        for home in ["keda", "scaling"] {
            let operator = turn("Deployment", Some(home), OPERATOR);
            let before = [
                turn("ScaledObject", Some("shop"), "orders"),
                turn("ScaledObject", Some(home), "orders"),
                turn("TriggerAuthentication", Some("shop"), "orders"),
                turn("APIService", None, "v1beta1.external.metrics.k8s.io"),
                turn("Deployment", Some("shop"), "orders"),
                turn("Deployment", Some(home), "orders"),
                turn("ServiceAccount", Some("shop"), "orders"),
                turn("Namespace", None, "shop"),
            ];
            let after = [
                turn("ServiceAccount", Some(home), "keda-operator"),
                turn("ClusterRoleBinding", None, "keda-operator"),
                turn("RoleBinding", Some("kube-system"), "keda-auth-reader"),
                turn("Namespace", None, home),
                turn("CustomResourceDefinition", None, "scaledobjects.keda.sh"),
            ];
            assert!(before.iter().all(|turn| *turn < operator), "{before:?} {operator}");
            assert!(after.iter().all(|turn| *turn > operator), "{operator} {after:?}");
        }
        // A foreign Deployment of that name elsewhere is a workload like any other.
        assert_eq!(turn("Deployment", Some("shop"), OPERATOR), turn("Deployment", Some("shop"), "orders"));
    }

    #[test]
    fn what_a_namespace_holds_goes_before_it() {
        assert!(turn("ServiceAccount", Some("shop"), "orders") < turn("Namespace", None, "shop"));
        assert!(turn("Deployment", Some("shop"), "orders") < turn("ServiceAccount", Some("shop"), "orders"));
        assert!(turn("Service", Some("keda"), "metrics") < turn("Namespace", None, "keda"));
    }
}
