//! Whether the account may have what a stack adds to it.
//!
//! Codes and defaults: EKS Best Practices Guide, "Known limits and service quotas"; Fargate's are in "AWS Fargate endpoints and
//! quotas". New accounts have less of Fargate than that, so the value in force is asked for.

use futures::future::join3;

use super::finding::{Check, Finding};
use super::wanted::{Cluster, Wanted};
use crate::cloud::Cloud;
use crate::error::{Error, Result};
use crate::session::Session;
use crate::{audit, ec2, resources, service_quotas};

/// One quota.
struct Quota {
    service: &'static str,
    code: &'static str,
    /// What it counts, for people.
    what: &'static str,
}

const CLUSTERS: Quota = Quota { service: "eks", code: "L-1194D53C", what: "EKS clusters in the region" };
const PROVIDERS: Quota = Quota { service: "iam", code: "L-858F3967", what: "OIDC providers in the account" };
const VCPU: Quota = Quota { service: "fargate", code: "L-3032A538", what: "virtual CPUs of Fargate in the region" };

const VPCS: Quota = Quota { service: "vpc", code: "L-F678F1CE", what: "VPCs in the region" };
const ADDRESSES: Quota = Quota { service: "ec2", code: "L-0263D0A3", what: "Elastic IP addresses in the region" };

/// IAM itself says how many roles there are and may be.
const ROLES: Quota = Quota { service: "iam", code: "L-FE177D64", what: "IAM roles in the account" };

/// The region that Service Quotas keeps IAM's quotas in (Service Quotas User Guide, "global services").
fn home(session: &Session) -> Session {
    let home = match session.region() {
        region if region.starts_with("cn-") => "cn-north-1",
        region if region.starts_with("us-gov-") => "us-gov-west-1",
        _ => "us-east-1",
    };
    session.with_region(home)
}

/// How many roles there are, and how many there may be.
type Roles = (u64, u64);

pub(super) async fn look(cloud: &Cloud, wanted: &Wanted, cluster: &Cluster) -> Vec<Finding> {
    let session = cloud.session();
    let value =
        async |session: Session, quota: &Quota| service_quotas::value(&session, quota.service, quota.code).await;
    let limits =
        join3(value(session.clone(), &CLUSTERS), value(home(session), &PROVIDERS), value(session.clone(), &VCPU));
    let (clusters, providers, vcpu) = Box::pin(limits).await;
    let counted = join3(audit::clusters(cloud), resources::oidc_providers(cloud), roles(cloud));
    let (in_region, in_account, roles) = Box::pin(counted).await;
    let count = |list: Result<Vec<String>>| list.map(|list| list.len() as u64);
    let of_network = if cluster.makes_network { of_network(session).await } else { Vec::new() };
    let found = vec![
        evaluate(&CLUSTERS, clusters, count(in_region), 1.0),
        evaluate(&PROVIDERS, providers, count(in_account), 1.0),
        // What runs already is not counted: no operation lists it. The stack alone may be too much.
        evaluate(&VCPU, vcpu, Ok(0), f64::from(cluster.millicpu) / 1000.0),
        evaluate(
            &ROLES,
            roles.clone().map(|(_, most)| most as f64),
            roles.map(|(there, _)| there),
            wanted.roles.len() as f64,
        ),
    ];
    found.into_iter().chain(of_network).collect()
}

/// The two of which an account has five by default (VPC User Guide, "Amazon VPC quotas").
async fn of_network(session: &Session) -> Vec<Finding> {
    let value = async |quota: &Quota| service_quotas::value(session, quota.service, quota.code).await;
    let count = async |operation, set| Ok(ec2::found(session, operation, set, &[]).await?.len() as u64);
    let (vpcs, addresses) = (value(&VPCS).await, value(&ADDRESSES).await);
    vec![
        evaluate(&VPCS, vpcs, count("ec2:DescribeVpcs", "vpcSet").await, 1.0),
        evaluate(&ADDRESSES, addresses, count("ec2:DescribeAddresses", "addressesSet").await, 1.0),
    ]
}

async fn roles(cloud: &Cloud) -> Result<Roles> {
    const OPERATION: &str = "iam:GetAccountSummary";
    let answer = cloud.iam.get_account_summary().send().await.map_err(|error| Error::from_sdk(OPERATION, &error))?;
    let summary = answer.summary_map.unwrap_or_default();
    let number = |key: &str| {
        let found = summary.iter().find(|(name, _)| name.as_str() == key);
        let found = found.and_then(|(_, value)| u64::try_from(*value).ok());
        found.ok_or_else(|| Error::answer(OPERATION, format!("it has no {key}")))
    };
    Ok((number("Roles")?, number("RolesQuota")?))
}

/// Whether `more` fit beside what is there.
fn evaluate(quota: &Quota, most: Result<f64>, there: Result<u64>, more: f64) -> Finding {
    let Quota { what, .. } = quota;
    let (most, there) = match (most, there) {
        (Ok(most), Ok(there)) => (most, there as f64),
        (Err(error), _) | (_, Err(error)) => {
            return Finding::of_read(Check::Quotas, &format!("the quota of {what}"), &error, None);
        }
    };
    if there + more <= most {
        return Finding::fine(Check::Quotas, format!("{what}: {there} of {most} are counted, {more} come"));
    }
    let Quota { service, code, .. } = quota;
    let ask = format!(
        "ask for more with `aws service-quotas request-service-quota-increase --service-code {service} --quota-code {code} \
         --desired-value N`, or remove some"
    );
    Finding::problem(
        Check::Quotas,
        format!("the account may have {most} {what}, counted are {there}, and the stack needs {more} more"),
        ask,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::Outcome;

    #[test]
    fn what_fits_is_fine_to_the_last_one() {
        assert_eq!(evaluate(&CLUSTERS, Ok(100.0), Ok(99), 1.0).outcome, Outcome::Fine);
        let full = evaluate(&CLUSTERS, Ok(100.0), Ok(100), 1.0);
        assert!(full.is_problem() && full.repair.as_deref().unwrap().contains("--quota-code L-1194D53C"), "{full:?}");
        let new_account = evaluate(&VCPU, Ok(1.0), Ok(0), 1.75);
        assert!(new_account.is_problem() && new_account.text.contains("may have 1 virtual CPUs"), "{new_account:?}");
    }

    #[test]
    fn a_number_that_cannot_be_read_proves_nothing() {
        let refused = || Error::Service {
            operation: "x",
            code: "AccessDeniedException".into(),
            message: "no".into(),
            status: 403,
        };
        for found in [evaluate(&VCPU, Err(refused()), Ok(0), 1.0), evaluate(&CLUSTERS, Ok(1.0), Err(refused()), 1.0)] {
            assert_eq!(found.outcome, Outcome::Unchecked, "{found:?}");
        }
    }
}
