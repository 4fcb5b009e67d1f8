//! A Deployment whose pods somebody waits for, without being the one who makes it: whether waiting still helps, and what
//! there is to see if it does not.

use std::time::Duration;

use clock::Moment;
use serde_json::Value;

use crate::Result;
use crate::address::Name;
use crate::connection::Cluster;
use crate::diagnosis::{self, Diagnosis, Logs};
use crate::error::Error;
use crate::hope::Hope;

/// How long a Deployment may be missing: whoever replaces it deletes it and makes it again.
const MISSING: Duration = Duration::from_mins(2);

/// What a wait for the pods of a Deployment has seen so far.
#[derive(Debug)]
pub struct Rollout {
    cluster: Cluster,
    name: Name,
    hope: Hope,
    /// Since when it does not exist.
    missing: Option<Moment>,
}

impl Rollout {
    /// The Deployment `namespace`/`name`; nothing is looked at yet.
    pub fn new(cluster: &Cluster, namespace: &str, name: &str) -> Self {
        let name = Name {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        };
        Self { cluster: cluster.clone(), name, hope: Hope::default(), missing: None }
    }

    /// The ScaledJob `namespace`/`name`, whose Jobs have pods. It is there to be diagnosed; nobody waits for its pods.
    pub fn of_jobs(cluster: &Cluster, namespace: &str, name: &str) -> Self {
        let name = Name {
            api_version: "keda.sh/v1alpha1".to_owned(),
            kind: "ScaledJob".to_owned(),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        };
        Self { cluster: cluster.clone(), name, hope: Hope::default(), missing: None }
    }

    /// `Deployment namespace/name`, or `ScaledJob namespace/name`.
    pub fn about(&self) -> String {
        self.name.for_people()
    }

    /// Looks once: why waiting for its pods does not help any more, if that is so. One that wants no pods is waited
    /// for by nobody.
    ///
    /// # Errors
    ///
    /// Those of [`Cluster::client`], [`Error::Unreachable`] if no answer comes, and [`Error::Refused`] if the API
    /// server refuses. A look that failed says nothing either way.
    pub async fn lost(&mut self) -> Result<Option<String>> {
        let session = self.cluster.session().await?;
        let failed = |action: &str, error: &kube::Error| {
            Error::from_kube(&session.server, &format!("{action} {}", self.name.for_people()), error)
        };
        let Some(api) = self.name.api(&session).await? else { return Ok(None) };
        let found = api.get_opt(&self.name.name).await.map_err(|error| failed("read", &error))?;
        let clock = self.cluster.clock();
        let Some(found) = found else {
            let since = *self.missing.get_or_insert_with(|| clock.moment());
            let text = format!("{} does not exist any more", self.name.for_people());
            return Ok((clock.elapsed(since) >= MISSING).then_some(text));
        };
        self.missing = None;
        let live = serde_json::to_value(found).unwrap_or_default();
        if self.name.kind != "Deployment" {
            return Ok(None);
        }
        if live.pointer("/spec/replicas").and_then(Value::as_i64) == Some(0) {
            self.hope = Hope::default();
            return Ok(None);
        }
        let pods =
            diagnosis::newest_pods(&session, &live).await.map_err(|error| failed("look at the pods of", &error))?;
        Ok(self.hope.lost(&live, &pods, clock))
    }

    /// What there is to see of it and its pods now: reasons, the last Warning, the end of a log, which is also that of a pod
    /// that is ready where none ails.
    pub async fn diagnose(&self) -> Diagnosis {
        match self.cluster.session().await {
            Ok(session) => diagnosis::of(&session, &self.name, Logs::Any).await,
            Err(error) => {
                Diagnosis { evidence: vec![format!("nothing more can be seen: {error}")], ..Diagnosis::default() }
            }
        }
    }
}
