//! What the stack wants of an account, as the preflight of AWS asks it.

use aws::preflight::{Cluster, Wanted};
use stack::{Names, Stack};

use crate::assembly;
use crate::permissions;
use crate::settings::Settings;
use crate::target::Target;

/// CoreDNS runs twice.
const COREDNS: u32 = 2;
/// Fargate's sizes, in thousandths of a virtual CPU (EKS User Guide, "Understand Fargate Pod configuration details").
const SIZES: [u32; 7] = [250, 500, 1000, 2000, 4000, 8000, 16000];

pub(super) fn of(settings: &Settings, target: &Target) -> Wanted {
    let (stack, names) = (&settings.stack, settings.stack.names());
    let has_own = target.existing.is_none();
    Wanted {
        site: permissions::site(settings, &target.account_id),
        stack: stack.name.clone(),
        caller_arn: target.caller_arn.clone(),
        roles: roles(stack, &names, has_own),
        fargate_profile: names.fargate_profile.clone(),
        has_admins: !stack.cluster.admins.is_empty(),
        cluster: has_own.then(|| cluster(stack, target)),
    }
}

fn roles(stack: &Stack, names: &Names, has_own: bool) -> Vec<String> {
    let of_eks = [&names.cluster_role, &names.fargate_role].into_iter().filter(|_| has_own);
    let own = [&names.operator_role, &names.scaler_role].into_iter().filter(|_| stack.has_queue());
    of_eks.chain(own).chain(names.workloads.iter().map(|workload| &workload.role)).cloned().collect()
}

fn cluster(stack: &Stack, target: &Target) -> Cluster {
    let workloads = stack.workloads.iter().map(|workload| (workload.scaling.max_replicas, millicpu(&workload.cpu)));
    // Operator and CoreDNS ask for less than the smallest size.
    let all = workloads.chain([(stack.operator.replicas, SIZES[0]), (COREDNS, SIZES[0])]);
    let (pods, millicpu) = all.fold((0, 0), |(pods, sum), (count, each)| (pods + count, sum + count * each));
    Cluster {
        version: stack.cluster.version.clone(),
        vpc: stack.cluster.vpc.clone().filter(|_| target.subnets.is_empty()),
        makes_network: stack.cluster.makes_network,
        subnets: assembly::subnets(stack, target).to_vec(),
        pods,
        millicpu,
    }
}

/// The size that Fargate gives a pod with this request, a Kubernetes quantity.
fn millicpu(quantity: &str) -> u32 {
    let wanted = match quantity.strip_suffix('m') {
        Some(thousandths) => thousandths.parse().unwrap_or_default(),
        None => quantity.parse::<f64>().map(|cores| (cores * 1000.0).ceil() as u32).unwrap_or_default(),
    };
    SIZES.into_iter().find(|size| *size >= wanted).unwrap_or(SIZES[SIZES.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_takes_the_next_size_of_fargate() {
        for (quantity, size) in
            [("250m", 250), ("0.25", 250), ("251m", 500), ("1", 1000), ("1.5", 2000), ("100", 16000), ("", 250)]
        {
            assert_eq!(millicpu(quantity), size, "{quantity}");
        }
    }
}
