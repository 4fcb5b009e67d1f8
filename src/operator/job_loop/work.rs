//! The Jobs themselves: read, made, deleted.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use keda::api::ScaledJob;
use keda::job::{self, Count};
use keda::naming::SCALED_JOB_LABEL;
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, PostParams, Preconditions, PropagationPolicy};

use super::JobLoop;
use crate::error::is_not_found;

impl JobLoop {
    /// The object's Jobs as they are now.
    pub(super) async fn jobs(&self) -> kube::Result<Vec<Job>> {
        Ok(self.api::<Job>().list(&self.own()).await?.items)
    }

    /// How many there are now. Which of them are pending is looked at only where the strategy goes by it.
    pub(super) async fn count(&self, object: &ScaledJob) -> kube::Result<Count> {
        let jobs = self.jobs().await?;
        let is_any_running = jobs.iter().any(|job| !job::is_finished(job));
        let strategy = object.spec.scaling_strategy.clone().unwrap_or_default();
        if !(is_any_running && job::needs_pending(&object.spec)) {
            return Ok(Count { pending: 0, ..job::count(&jobs, &[], &[]) });
        }
        let pods = self.api::<Pod>().list(&self.own()).await?.items;
        Ok(job::count(&jobs, &pods, &strategy.pending_pod_conditions))
    }

    /// Makes one Job.
    pub(super) async fn make(&self, object: &ScaledJob) -> kube::Result<()> {
        let kind = ApiResource::erase::<Job>(&());
        let api: Api<DynamicObject> = Api::namespaced_with(self.context.client.clone(), &self.key.namespace, &kind);
        let made = serde_json::from_value(job::manifest(object)).map_err(kube::Error::SerdeError)?;
        api.create(&PostParams::default(), &made).await.map(drop)
    }

    /// Deletes a Job, and no other of its name.
    pub(super) async fn delete(&self, job: &Job, propagation: PropagationPolicy) -> kube::Result<()> {
        let only = Preconditions { uid: job.metadata.uid.clone(), ..Preconditions::default() };
        let params = DeleteParams {
            propagation_policy: Some(propagation),
            preconditions: Some(only),
            ..DeleteParams::default()
        };
        match self.api::<Job>().delete(job.metadata.name.as_deref().unwrap_or_default(), &params).await {
            Err(error) if !is_not_found(&error) => Err(error),
            _ => Ok(()),
        }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.context.client.clone(), &self.key.namespace)
    }

    fn own(&self) -> ListParams {
        ListParams::default().labels(&format!("{SCALED_JOB_LABEL}={}", self.key.name))
    }
}
