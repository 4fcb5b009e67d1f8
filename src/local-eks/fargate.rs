//! Fargate profiles: which pods run on Fargate.
//!
//! Source: EKS User Guide, "Define which Pods use AWS Fargate when launched": wildcards `*` and `?` in namespaces and labels.

use std::collections::BTreeMap;

/// An ACTIVE Fargate profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FargateProfile {
    /// The profile's name.
    pub name: String,
    /// A pod matches the profile if it matches one of these.
    pub selectors: Vec<FargateSelector>,
    /// The role that the node agent of the profile's pods has.
    pub pod_execution_role_arn: String,
}

impl FargateProfile {
    /// Whether it takes a pod of this namespace with these labels.
    pub fn takes(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        self.selectors.iter().any(|selector| selector.matches(namespace, labels))
    }
}

/// What a Fargate profile selects; `*` and `?` are wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FargateSelector {
    /// The pod's namespace.
    pub namespace: String,
    /// Labels that the pod must all have.
    pub labels: BTreeMap<String, String>,
}

impl FargateSelector {
    /// Whether a pod of this namespace with these labels is selected.
    pub fn matches(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        let has = |(key, wanted): (&String, &String)| labels.get(key).is_some_and(|found| fits(wanted, found));
        self.is_of(namespace) && self.labels.iter().all(has)
    }

    /// Whether pods of this namespace can be selected.
    pub fn is_of(&self, namespace: &str) -> bool {
        fits(&self.namespace, namespace)
    }
}

/// Whether `found` fits a pattern with `*` (any run) and `?` (any one character).
fn fits(pattern: &str, found: &str) -> bool {
    let (pattern, found): (Vec<char>, Vec<char>) = (pattern.chars().collect(), found.chars().collect());
    let (mut p, mut f) = (0, 0);
    // The last star, and how far its run goes so far: only that one is ever tried again.
    let mut star = None;
    while f < found.len() {
        match (pattern.get(p), star) {
            (Some('*'), _) => {
                star = Some((p, f));
                p += 1;
            }
            (Some(letter), _) if *letter == '?' || *letter == found[f] => {
                p += 1;
                f += 1;
            }
            (_, Some((at, run))) => {
                star = Some((at, run + 1));
                p = at + 1;
                f = run + 1;
            }
            (_, None) => return false,
        }
    }
    pattern[p..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_know_star_and_question_mark() {
        assert!(fits("*", "") && fits("a*c", "abbc") && fits("a?c", "abc") && fits("prod-*", "prod-x"));
        assert!(!fits("a?c", "ac") && !fits("prod-*", "dev-x") && !fits("a", "ab"));
    }

    #[test]
    fn many_stars_take_no_time() {
        assert!(!fits(&format!("{}b", "*a".repeat(30)), &"a".repeat(63)));
    }

    #[test]
    fn a_profile_takes_pods_by_namespace_and_all_labels_of_one_selector() {
        let labels =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let selector = |namespace: &str, wanted: &[(&str, &str)]| FargateSelector {
            namespace: namespace.into(),
            labels: labels(wanted),
        };
        let profile = FargateProfile {
            name: "default".into(),
            selectors: vec![selector("kube-system", &[]), selector("team-*", &[("app", "w*"), ("tier", "1")])],
            pod_execution_role_arn: String::new(),
        };
        let pod = labels(&[("app", "web"), ("tier", "1"), ("more", "x")]);
        assert!(profile.takes("kube-system", &labels(&[])) && profile.takes("team-a", &pod));
        assert!(!profile.takes("orders", &pod) && !profile.takes("team-a", &labels(&[("app", "web")])));
    }
}
