//! Access entries: what an IAM principal is inside a cluster.

/// What the ARN of each access policy begins with.
pub const ACCESS_POLICY_PREFIX: &str = "arn:aws:eks::aws:cluster-access-policy/";
/// The access policies by name, each with the ClusterRole whose rights it gives.
pub const ACCESS_POLICIES: [(&str, &str); 5] = [
    ("AmazonEKSAdminPolicy", "admin"),
    ("AmazonEKSAdminViewPolicy", "view"),
    ("AmazonEKSClusterAdminPolicy", "cluster-admin"),
    ("AmazonEKSEditPolicy", "edit"),
    ("AmazonEKSViewPolicy", "view"),
];

/// An access entry with its associated policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessEntry {
    /// The ARN of the IAM role or user.
    pub principal_arn: String,
    /// The Kubernetes user name; the ARN of the caller if the entry sets none.
    pub username: Option<String>,
    /// The Kubernetes groups.
    pub groups: Vec<String>,
    /// The associated access policies, which hold besides RBAC.
    pub policies: Vec<AccessPolicy>,
}

/// An associated access policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessPolicy {
    /// Such as `arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy`.
    pub arn: String,
    /// The namespaces that it is limited to, each of which may end in `*`; empty means the whole cluster.
    pub namespaces: Vec<String>,
}

impl AccessPolicy {
    /// The policy's name, such as `AmazonEKSClusterAdminPolicy`; the whole ARN of what is no access policy.
    pub fn name(&self) -> &str {
        self.arn.strip_prefix(ACCESS_POLICY_PREFIX).unwrap_or(&self.arn)
    }

    /// The ClusterRole whose rights it gives; none for what is no access policy.
    pub fn cluster_role(&self) -> Option<&'static str> {
        ACCESS_POLICIES.iter().find(|(name, _)| *name == self.name()).map(|(_, role)| *role)
    }

    /// Whether it holds in a namespace; the empty namespace stands for what is in none.
    pub fn covers(&self, namespace: &str) -> bool {
        let fits = |pattern: &String| {
            pattern
                .strip_suffix('*')
                .map_or(pattern == namespace, |prefix| !namespace.is_empty() && namespace.starts_with(prefix))
        };
        self.namespaces.is_empty() || self.namespaces.iter().any(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(namespaces: &[&str]) -> AccessPolicy {
        AccessPolicy {
            arn: format!("{ACCESS_POLICY_PREFIX}AmazonEKSViewPolicy"),
            namespaces: namespaces.iter().map(|one| (*one).to_owned()).collect(),
        }
    }

    #[test]
    fn a_policy_covers_the_cluster_or_the_namespaces_of_its_scope() {
        assert_eq!((policy(&[]).name(), policy(&[]).cluster_role()), ("AmazonEKSViewPolicy", Some("view")));
        let other = AccessPolicy { arn: "arn:aws:iam::aws:policy/AmazonEKSViewPolicy".to_owned(), ..policy(&[]) };
        assert_eq!(other.cluster_role(), None);
        for (namespaces, namespace, covered) in [
            (&[][..], "", true),
            (&[][..], "orders", true),
            (&["orders"][..], "orders", true),
            (&["orders"][..], "orders-2", false),
            (&["team-*", "orders"][..], "team-a", true),
            (&["team-*"][..], "team", false),
            (&["*"][..], "orders", true),
            (&["*"][..], "", false),
        ] {
            assert_eq!(policy(namespaces).covers(namespace), covered, "{namespaces:?} {namespace:?}");
        }
    }
}
