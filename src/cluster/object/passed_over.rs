//! Pods that Fargate has passed over: they are removed, so that their ReplicaSet makes new ones.
//!
//! A pod is given to Fargate when it is made, by a webhook that lags behind a profile's ACTIVE, and the scheduler tries it once.
//! One that came too early stays Pending for ever (eksctl-io/eksctl 3615, aws/karpenter-provider-aws 7455,
//! aws/containers-roadmap 2654); the EKS User Guide's advice is to delete it.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::Moment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, Preconditions};
use provision::Context;

use crate::connection::Session;

/// How long a pod may be left without a node before each of the replacements; a profile that counts by then takes the new one.
const PATIENCE: [Duration; 4] =
    [Duration::from_secs(20), Duration::from_secs(40), Duration::from_mins(1), Duration::from_mins(1)];

/// What the schedulers say of such a pod.
const SAID: [&str; 4] = [
    "no nodes available to schedule pods",
    "eks.amazonaws.com/compute-type: fargate",
    "blocked for new launches",
    "no active Fargate profile matches",
];

/// What one wait has seen of them.
#[derive(Debug, Default)]
pub(super) struct PassedOver {
    since: BTreeMap<String, Moment>,
    replacements: usize,
}

impl PassedOver {
    /// Removes pods that were passed over for long enough. Gives those that are worth a look: none that was passed over and may
    /// still be replaced.
    pub(super) async fn replaced(
        &mut self,
        session: &Session,
        pods: Vec<Pod>,
        context: &Context,
    ) -> kube::Result<Vec<Pod>> {
        let Some(patience) = PATIENCE.get(self.replacements) else { return Ok(pods) };
        let (passed_over, others): (Vec<Pod>, Vec<Pod>) = pods.into_iter().partition(is_passed_over);
        let mut any = false;
        for pod in passed_over {
            let uid = pod.metadata.uid.clone().unwrap_or_default();
            let since = *self.since.entry(uid.clone()).or_insert_with(|| context.clock.moment());
            if context.clock.elapsed(since) < *patience {
                continue;
            }
            let (Some(namespace), Some(name)) = (pod.metadata.namespace, pod.metadata.name) else { continue };
            let api: Api<Pod> = Api::namespaced(session.client.clone(), &namespace);
            let exactly = Preconditions { uid: Some(uid), resource_version: None };
            let params = DeleteParams { preconditions: Some(exactly), ..DeleteParams::default() };
            match api.delete(&name, &params).await {
                Err(kube::Error::Api(status)) if status.is_not_found() || status.code == 409 => {}
                outcome => drop(outcome?),
            }
            any = true;
            context
                .progress
                .note(format!("removed pod {namespace}/{name}: Fargate has passed it over, and a new one is tried"));
        }
        self.replacements += usize::from(any);
        Ok(others)
    }
}

fn is_passed_over(pod: &Pod) -> bool {
    let has_node = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let said = conditions
        .into_iter()
        .filter(|condition| condition.type_ == "PodScheduled" && condition.status == "False")
        .filter_map(|condition| condition.message.as_deref())
        .any(|message| SAID.iter().any(|said| message.contains(said)));
    !has_node && pod.metadata.deletion_timestamp.is_none() && said
}
