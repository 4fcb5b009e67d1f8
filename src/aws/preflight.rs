//! Before anything is made: what AWS would refuse, or what would hang, after minutes that cost money.
//!
//! [`look`] asks and evaluates; each room has one file, in which what is read and what follows from it stand apart, so that the second
//! is tested from recorded answers. A read that is refused or fails proves nothing: the check is then [`Outcome::Unchecked`], with
//! the reason, unless the same right is needed later.

mod finding;
mod network;
mod quotas;
mod regions;
mod rights;
mod versions;
mod wanted;

use futures::future::join;

pub use finding::{Check, Finding, Outcome};
pub use wanted::{Cluster, Wanted};

use crate::cloud::Cloud;

/// All that can be known to fail, and what could not be looked at.
///
/// No error ends it: what fails is a finding.
pub async fn look(cloud: &Cloud, wanted: &Wanted) -> Vec<Finding> {
    let session = cloud.session();
    let rights = rights::look(cloud, wanted);
    let cluster = async {
        let Some(cluster) = &wanted.cluster else { return Vec::new() };
        let mut found = regions::evaluate(session.region());
        if !found.iter().any(Finding::is_problem) {
            let (network, quotas) = join(network::look(session, cluster), quotas::look(cloud, wanted, cluster)).await;
            found.extend(versions::look(session, &cluster.version).await);
            found.extend(network);
            found.extend(quotas);
        }
        found
    };
    // On the heap: what is waited for is large.
    let (mut found, cluster) = join(Box::pin(rights), Box::pin(cluster)).await;
    found.extend(cluster);
    found
}
