//! The names of a stack as the table of permissions needs them.

use aws::permissions::Site;

use crate::settings::Settings;
use crate::target;

/// The stack in an account; `*` where it is not known.
pub(crate) fn site(settings: &Settings, account_id: &str) -> Site {
    let names = settings.stack.names();
    Site {
        partition: names.partition().to_owned(),
        region: settings.stack.region.clone(),
        account_id: account_id.to_owned(),
        cluster: names.cluster.clone(),
        path: settings.stack.roles.path.clone(),
        passed_roles: vec![names.cluster_role.clone(), names.fargate_role.clone()],
        repository: settings.stack.ecr.repository.clone(),
        network: settings.stack.cluster.makes_network,
        key: settings.stack.cluster.secrets_key.clone(),
        queues: names.workloads.iter().map(|workload| workload.queue.clone()).collect(),
        // Issuers of other clusters have hosts of their own.
        issuers: target::has_foreign_issuers(settings).then(|| "*".to_owned()),
    }
}
