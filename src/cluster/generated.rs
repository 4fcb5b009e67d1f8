//! Names that controllers generate, and whose they are: an Event outlives the pod that it is about, and then its name is all
//! that says to which Deployment that pod belonged.
//!
//! A ReplicaSet is called `DEPLOYMENT-HASH`, its pods `REPLICASET-SUFFIX`; hash and suffix consist of letters that make no
//! words (k8s.io/apimachinery `util/rand`), and what a name is generated from is cut off at 58 letters (k8s.io/apiserver
//! `storage/names`).

/// Label of the Jobs of a ScaledJob, and of their pods; its value is the ScaledJob's name (KEDA, `scale_jobs.go`).
pub const SCALED_JOB_LABEL: &str = "scaledjob.keda.sh/name";

/// Letters of generated parts.
const LETTERS: &str = "bcdfghjklmnpqrstvwxz2456789";
/// Letters of a hash of a pod template, a number of 32 bits in decimal.
const HASH_MAX: usize = 10;
/// Letters of a generated name's end.
const SUFFIX: usize = 5;
/// Letters that stay of what a name is generated from.
const BASE_MAX: usize = 58;

fn is_generated(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|letter| LETTERS.contains(letter))
}

/// Whether a ReplicaSet of this name is the Deployment's.
pub fn is_replica_set_of(deployment: &str, name: &str) -> bool {
    let hash = name.strip_prefix(deployment).and_then(|rest| rest.strip_prefix('-'));
    hash.is_some_and(|hash| hash.len() <= HASH_MAX && is_generated(hash))
}

/// Whether a pod of this name is one of the Deployment's.
pub fn is_pod_of(deployment: &str, name: &str) -> bool {
    let Some((base, suffix)) = name.split_at_checked(name.len().saturating_sub(SUFFIX)) else { return false };
    if !is_generated(suffix) {
        return false;
    }
    match base.strip_suffix('-') {
        Some(set) if is_replica_set_of(deployment, set) => true,
        // Of a long name the hash, or its end, was cut off.
        _ if base.len() == BASE_MAX => base
            .strip_prefix(deployment)
            .map_or_else(|| deployment.starts_with(base), |rest| rest.is_empty() || rest.starts_with('-')),
        _ => false,
    }
}

/// Whether a Job of this name may be the ScaledJob's, or a pod of this name the Job's: each is called after what makes it.
pub fn is_named_after(maker: &str, name: &str) -> bool {
    let Some((base, suffix)) = name.split_at_checked(name.len().saturating_sub(SUFFIX)) else { return false };
    let whole = format!("{maker}-");
    is_generated(suffix) && base == whole.get(..BASE_MAX).unwrap_or(&whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_belongs_to_one_of_two_deployments_of_which_one_is_named_like_the_other() {
        assert!(is_pod_of("orders", "orders-5d4f8c7b96-x7k2p"));
        assert!(is_pod_of("orders-eu", "orders-eu-5d4f8c7b96-x7k2p"));
        for other in [
            "orders-eu-5d4f8c7b96-x7k2p",
            "orders-0",
            "orders-job-x7k2p",
            "orders",
            "ordersx-5d4f8c7b96-x7k2p",
            "",
            "é",
        ] {
            assert!(!is_pod_of("orders", other), "{other}");
        }
        assert!(is_replica_set_of("orders", "orders-5d4f8c7b96"));
        assert!(!is_replica_set_of("orders", "orders-eu-5d4f8c7b96"));
    }

    #[test]
    fn a_job_is_called_after_its_scaled_job_and_a_pod_after_its_job() {
        assert!(is_named_after("orders", "orders-6ghtf") && is_named_after("orders-6ghtf", "orders-6ghtf-mnqlv"));
        for other in ["orders-nightly", "orders-eu-6ghtf", "orders6ghtf", "orders-6ghta", "orders-", "", "é"] {
            assert!(!is_named_after("orders", other), "{other}");
        }
        let (long, job) = ("a".repeat(63), format!("{}6ghtf", "a".repeat(58)));
        assert!(is_named_after(&long, &job) && is_named_after(&job, &format!("{}mnqlv", &job[..58])));
    }

    #[test]
    fn a_long_name_is_cut_off_before_the_suffix() {
        let deployment = "a".repeat(60);
        assert!(is_pod_of(&deployment, &format!("{}x7k2p", "a".repeat(58))));
        let deployment = "a".repeat(50);
        assert!(is_pod_of(&deployment, &format!("{deployment}-5d4f8c7x7k2p")));
    }
}
