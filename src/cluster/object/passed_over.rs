//! Pods that Fargate has passed over: they are removed, so that their ReplicaSet makes new ones.
//!
//! A pod is given to Fargate when it is made, by a webhook that lags behind a profile's ACTIVE, and the scheduler tries it once.
//! One that came too early stays Pending for ever (eksctl-io/eksctl 3615, aws/karpenter-provider-aws 7455,
//! aws/containers-roadmap 2654); the EKS User Guide's advice is to delete it.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::{Clock, Moment};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, Preconditions};
use provision::Context;

use crate::connection::Session;
use crate::readiness::unscheduled;

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
    /// Why waiting does not help any more: every replacement was tried, and the last pod was passed over for as long as well.
    pub(super) fn given_up(&mut self, pods: &[Pod], clock: &Clock) -> Option<String> {
        let patience = PATIENCE.last().filter(|_| self.replacements >= PATIENCE.len())?;
        pods.iter().find_map(|pod| {
            let message = said(pod)?;
            let uid = pod.metadata.uid.clone().unwrap_or_default();
            let since = *self.since.entry(uid).or_insert_with(|| clock.moment());
            (clock.elapsed(since) >= *patience).then(|| {
                format!(
                    "{}: {message}; Fargate has passed over {} pods in a row: either no active profile of the cluster selects \
                     this namespace with these labels, or the account may launch nothing on Fargate now",
                    pod.metadata.name.as_deref().unwrap_or("a pod"),
                    self.replacements + 1
                )
            })
        })
    }

    /// Removes pods that were passed over for long enough. Gives those that are worth a look: none that was passed over and may
    /// still be replaced.
    pub(super) async fn replaced(
        &mut self,
        session: &Session,
        pods: Vec<Pod>,
        context: &Context,
    ) -> kube::Result<Vec<Pod>> {
        let Some(patience) = PATIENCE.get(self.replacements) else { return Ok(pods) };
        let (passed_over, others): (Vec<Pod>, Vec<Pod>) = pods.into_iter().partition(|pod| said(pod).is_some());
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

/// What a scheduler said of a pod that Fargate has passed over; `None` of any other.
fn said(pod: &Pod) -> Option<&str> {
    if pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let message = unscheduled(pod)?.message.as_deref();
    message.filter(|message| SAID.iter().any(|said| message.contains(said)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(uid: &str, message: &str) -> Pod {
        let condition = json!({ "type": "PodScheduled", "status": "False", "message": message });
        let pod = json!({ "metadata": { "name": "myapp-1", "uid": uid }, "status": { "conditions": [condition] } });
        serde_json::from_value(pod).unwrap()
    }

    #[test]
    fn what_eks_says_of_a_pod_that_no_profile_selects_ends_the_wait_once_the_replacements_are_used_up() {
        let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        for message in [
            "no nodes available to schedule pods",
            "0/2 nodes are available: 2 node(s) had untolerated taint {eks.amazonaws.com/compute-type: fargate}.",
        ] {
            let pods = [pod("a", message)];
            let mut passed_over = PassedOver::default();
            let look = |passed_over: &mut PassedOver, after: u64| {
                handle.advance(Duration::from_secs(after));
                passed_over.given_up(&pods, &clock)
            };
            assert_eq!(look(&mut passed_over, 3600), None, "replacements come first");
            passed_over.replacements = PATIENCE.len();
            assert_eq!(look(&mut passed_over, 0), None, "the last pod has its time as well");
            let why = look(&mut passed_over, 60).unwrap();
            assert!(why.contains(message) && why.contains("5 pods in a row") && why.contains("profile"), "{why}");
        }
    }

    #[test]
    fn a_pod_that_waits_for_something_else_is_not_passed_over() {
        assert_eq!(said(&pod("a", "Pod provisioning timed out (will retry) for pod: default/x")), None);
        assert_eq!(said(&pod("a", "pod has unbound immediate PersistentVolumeClaims")), None);
    }
}
