//! The ScaledJobs as a view or a check needs them, each with its Jobs counted.

use k8s_openapi::api::batch::v1::Job;
use kube::api::{Api, DynamicObject, ListParams};
use serde::Serialize;

use super::scaled_object::{conditions, kind};
use crate::Result;
use crate::connection::{Cluster, Session};
use crate::generated::SCALED_JOB_LABEL;
use crate::read::{Condition, failed, pods};

/// Jobs that KEDA allows where a ScaledJob names no maximum.
const MAX_DEFAULT: i64 = 100;

/// A ScaledJob: what it asks for, its status, and its Jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScaledJob {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Jobs that run whatever the triggers say.
    pub min: i64,
    /// Most Jobs at once.
    pub max: i64,
    /// Conditions.
    pub conditions: Vec<Condition>,
    /// Its Jobs.
    pub jobs: Jobs,
    /// Why pods of its Jobs do not run.
    pub waiting: Vec<String>,
}

/// How many Jobs there are, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Jobs {
    /// Neither complete nor failed.
    pub running: usize,
    /// Complete.
    pub complete: usize,
    /// Failed.
    pub failed: usize,
}

impl Jobs {
    fn of(jobs: &[Job]) -> Self {
        let mut counted = Self::default();
        for job in jobs {
            match ended(job) {
                None => counted.running += 1,
                Some(true) => counted.complete += 1,
                Some(false) => counted.failed += 1,
            }
        }
        counted
    }
}

/// Whether the Job ended well; `None` if it has not ended.
fn ended(job: &Job) -> Option<bool> {
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let mut of_end = conditions.filter(|condition| condition.status == "True");
    of_end.find_map(|condition| match condition.type_.as_str() {
        "Complete" => Some(true),
        "Failed" => Some(false),
        _ => None,
    })
}

/// All ScaledJobs of the cluster by namespace and name; none if their kind does not exist.
///
/// # Errors
///
/// Those of [`Cluster::client`], [`Error::Unreachable`](crate::Error::Unreachable) if no answer comes, and
/// [`Error::Refused`](crate::Error::Refused) if the API server refuses; also where its Jobs or their pods cannot be read.
pub async fn scaled_jobs(cluster: &Cluster) -> Result<Vec<ScaledJob>> {
    let session = cluster.session().await?;
    let Some(api) = kind("ScaledJob", None, "").api_everywhere(&session).await? else { return Ok(Vec::new()) };
    let list = api.list(&ListParams::default()).await.map_err(failed(&session, "list ScaledJobs", "", ""))?;
    let mut found = Vec::with_capacity(list.items.len());
    for object in &list.items {
        found.push(view(cluster, &session, object).await?);
    }
    found.sort_by(|left, right| (&left.namespace, &left.name).cmp(&(&right.namespace, &right.name)));
    Ok(found)
}

async fn view(cluster: &Cluster, session: &Session, object: &DynamicObject) -> Result<ScaledJob> {
    let (spec, status) = (&object.data["spec"], &object.data["status"]);
    let namespace = object.metadata.namespace.clone().unwrap_or_default();
    let name = object.metadata.name.clone().unwrap_or_default();
    let selector = format!("{SCALED_JOB_LABEL}={name}");
    let api: Api<Job> = Api::namespaced(session.client.clone(), &namespace);
    let listed = api.list(&ListParams::default().labels(&selector)).await;
    let jobs = Jobs::of(&listed.map_err(failed(session, "list Jobs", &namespace, &selector))?.items);
    let mut waiting = Vec::new();
    if jobs.running > 0 {
        waiting.extend(pods(cluster, &namespace, &selector).await?.into_iter().filter_map(|pod| pod.waiting));
        waiting.sort();
        waiting.dedup();
    }
    Ok(ScaledJob {
        namespace,
        name,
        min: spec["minReplicaCount"].as_i64().unwrap_or(0),
        max: spec["maxReplicaCount"].as_i64().unwrap_or(MAX_DEFAULT),
        conditions: conditions(status),
        jobs,
        waiting,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_runs_until_it_is_complete_or_failed() {
        let job = |type_: &str, status: &str| -> Job {
            serde_json::from_value(json!({
                "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "a" },
                "status": { "conditions": [{ "type": type_, "status": status }] },
            }))
            .unwrap()
        };
        let bare: Job =
            serde_json::from_value(json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": {} })).unwrap();
        let jobs = [
            bare,
            job("Complete", "True"),
            job("SuccessCriteriaMet", "True"),
            job("Failed", "False"),
            job("Failed", "True"),
            job("Suspended", "True"),
        ];
        assert_eq!(Jobs::of(&jobs), Jobs { running: 4, complete: 1, failed: 1 });
    }
}
