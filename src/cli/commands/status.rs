//! `sluice status`: one screen of what is up, as far as it can be read.
//!
//! It starts nothing and changes nothing. A part that cannot be read is said to be unreadable, with the reason, and
//! makes the command fail; it is never shown as zero or as absent.

mod screen;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use aws::cloud::Cloud;
use aws::queue::{Counts, Queue};
use cluster::Cluster;
use cluster::read::{self, Deployment, EndingNamespace, Hpa};
use local::files::Record;
use local::process;
use provision::{Reading, store};
use serde::Serialize;
use serde_json::json;

use crate::arguments::TargetName;
use crate::assembly;
use crate::diagnostic::{Outcome, one};
use crate::engine;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::target::{self, Missing, Target};
use crate::view::View;
use crate::waiting;

/// The operator's Deployment in its namespace, as the stack's manifests name it.
const OPERATOR: &str = "keda-operator";

/// What a look at one part gave.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Seen<T> {
    /// It is there.
    Is(T),
    /// It is certainly not there.
    Absent,
    /// Nobody can say; why.
    Unreadable(String),
}

impl<T> Seen<T> {
    fn of<E: Display>(read: Result<Option<T>, E>) -> Self {
        match read {
            Ok(Some(found)) => Self::Is(found),
            Ok(None) => Self::Absent,
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }

    fn is_unreadable(&self) -> bool {
        matches!(self, Self::Unreadable(_))
    }
}

/// All that is reported.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Status {
    stack: String,
    target: &'static str,
    region: String,
    /// Only where the cloud is Sluice's own.
    local_cloud: Option<Seen<Record>>,
    recorded: Seen<Recorded>,
    cluster: Seen<ControlPlane>,
    queues: Vec<QueueStatus>,
    /// Namespaces of the stack that are being deleted.
    ending_namespaces: Seen<Vec<EndingNamespace>>,
    operator: Seen<Deployment>,
    scaled_objects: Seen<Vec<Scaled>>,
    scaled_jobs: Seen<Vec<read::ScaledJob>>,
}

/// What the state file holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Recorded {
    resources: usize,
    /// Steps that had begun when the last run ended.
    unfinished: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct ControlPlane {
    name: String,
    /// `None` for a cluster of the user's own, whose life is not the stack's.
    status: Option<String>,
    version: String,
    endpoint: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct QueueStatus {
    name: String,
    counts: Seen<Counts>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Scaled {
    object: read::ScaledObject,
    replicas: Seen<Deployment>,
    hpa: Seen<Hpa>,
}

pub(crate) async fn run(settings: &Settings, view: &View) -> Outcome {
    let mut status = nothing(settings);
    if settings.target == TargetName::Local {
        // A cloud that was killed left a record, but its process is gone, and all that was in it with it.
        status.local_cloud = Some(Seen::of(process::find(&target::location(settings).folder)));
    }
    if !matches!(status.local_cloud, Some(Seen::Absent | Seen::Unreadable(_))) {
        let target = target::open(settings, Missing::Refuse, view).await?;
        waiting::during(view, "Reading what is up", look(&mut status, settings, &target)).await;
    }
    view.event("status", json!({ "status": serde_json::to_value(&status).map_err(one)? }));
    for (tone, line) in screen::lines(&status) {
        view.print(tone, line);
    }
    Ok(if status.is_read() { Exit::Done } else { Exit::Failed })
}

/// The status of a stack of which nothing exists.
fn nothing(settings: &Settings) -> Status {
    let stack = &settings.stack;
    let state = store::load(&settings.state()).map(|state| {
        let state = state.filter(|state| !state.resources.is_empty())?;
        let unfinished = state.resources.values().filter(|entry| entry.pending.is_some()).count();
        Some(Recorded { resources: state.resources.len(), unfinished })
    });
    let queue = |named: stack::WorkloadNames| QueueStatus { name: named.queue, counts: Seen::Absent };
    Status {
        stack: stack.name.clone(),
        target: match settings.target {
            TargetName::Local => "local",
            TargetName::Localstack => "localstack",
            TargetName::Aws => "aws",
        },
        region: stack.region.clone(),
        local_cloud: None,
        recorded: Seen::of(state),
        cluster: Seen::Absent,
        queues: stack.names().workloads.into_iter().map(queue).collect(),
        ending_namespaces: Seen::Absent,
        operator: Seen::Absent,
        scaled_objects: Seen::Absent,
        scaled_jobs: Seen::Absent,
    }
}

async fn look(status: &mut Status, settings: &Settings, target: &Target) {
    let stack = &settings.stack;
    let cloud = Arc::new(Cloud::new(&target.session, &stack.name, "status", "", &BTreeMap::new()));
    status.cluster = control_plane(&cloud, settings, target).await;
    for (named, reported) in stack.names().workloads.iter().zip(&mut status.queues) {
        reported.counts = counts(&cloud, named, target).await;
    }
    match &status.cluster {
        Seen::Absent => {}
        Seen::Unreadable(_) => {
            let why = "the cluster could not be read".to_owned();
            status.ending_namespaces = Seen::Unreadable(why.clone());
            status.operator = Seen::Unreadable(why.clone());
            status.scaled_objects = Seen::Unreadable(why.clone());
            status.scaled_jobs = Seen::Unreadable(why);
        }
        Seen::Is(_) => {
            let cluster = engine::connection(settings, target, &cloud);
            let ending = read::ending_namespaces(&cluster, &stack.namespaces()).await;
            status.ending_namespaces = Seen::of(ending.map(|ending| Some(ending).filter(|some| !some.is_empty())));
            status.operator = Seen::of(read::deployment(&cluster, &stack.operator.namespace, OPERATOR).await);
            status.scaled_objects = scaled(&cluster).await;
            let jobs = read::scaled_jobs(&cluster).await;
            status.scaled_jobs = Seen::of(jobs.map(|jobs| Some(jobs).filter(|some| !some.is_empty())));
        }
    }
}

async fn control_plane(cloud: &Arc<Cloud>, settings: &Settings, target: &Target) -> Seen<ControlPlane> {
    if let Some(existing) = &target.existing {
        let name = format!("context {}", existing.context);
        return match cluster::existing::version(&existing.cluster).await {
            Ok((server, version)) => Seen::Is(ControlPlane { name, status: None, version, endpoint: Some(server) }),
            Err(error) => Seen::Unreadable(error.to_string()),
        };
    }
    let name = &settings.stack.cluster.name;
    let object = match engine::read(cloud, &assembly::cluster_address(), name, &target.clock).await {
        Ok(Reading::Present(object)) => object,
        Ok(Reading::Absent) => return Seen::Absent,
        Ok(Reading::Foreign(why)) => return Seen::Unreadable(format!("it is not this stack's: {why}")),
        Err(error) => return Seen::Unreadable(error),
    };
    let text = |attribute: &str| object.text(attribute).map(str::to_owned);
    Seen::Is(ControlPlane {
        name: name.clone(),
        status: Some(text("status").unwrap_or_else(|| "of unknown state".to_owned())),
        version: text("version").unwrap_or_else(|| "of unknown version".to_owned()),
        endpoint: text("endpoint"),
    })
}

/// By the queue's name, not by the state: the state may be lost, or from before a kill.
async fn counts(cloud: &Arc<Cloud>, named: &stack::WorkloadNames, target: &Target) -> Seen<Counts> {
    let address = assembly::queue_address(&named.workload);
    match engine::read(cloud, &address, &named.queue, &target.clock).await {
        Ok(Reading::Absent) => Seen::Absent,
        Ok(Reading::Foreign(why)) => Seen::Unreadable(format!("it is not this stack's: {why}")),
        Ok(Reading::Present(object)) => match object.text("url") {
            Some(url) => Seen::of(Queue::new(&target.session, url).counts().await.map(Some)),
            None => Seen::Unreadable("it has no URL".to_owned()),
        },
        Err(error) => Seen::Unreadable(error),
    }
}

async fn scaled(cluster: &Cluster) -> Seen<Vec<Scaled>> {
    let objects = match read::scaled_objects(cluster).await {
        Ok(objects) if objects.is_empty() => return Seen::Absent,
        Ok(objects) => objects,
        Err(error) => return Seen::Unreadable(error.to_string()),
    };
    let mut scaled = Vec::with_capacity(objects.len());
    for object in objects {
        let replicas = Seen::of(read::deployment(cluster, &object.namespace, &object.target).await);
        let hpa = match &object.hpa {
            Some(name) => Seen::of(read::hpa(cluster, &object.namespace, name).await),
            None => Seen::Absent,
        };
        scaled.push(Scaled { object, replicas, hpa });
    }
    Seen::Is(scaled)
}

impl Status {
    /// Whether every part could be read.
    fn is_read(&self) -> bool {
        let inner = match &self.scaled_objects {
            Seen::Is(scaled) => scaled.iter().any(|one| one.replicas.is_unreadable() || one.hpa.is_unreadable()),
            Seen::Absent | Seen::Unreadable(_) => false,
        };
        let unreadable = inner
            || self.local_cloud.as_ref().is_some_and(Seen::is_unreadable)
            || self.recorded.is_unreadable()
            || self.cluster.is_unreadable()
            || self.queues.iter().any(|queue| queue.counts.is_unreadable())
            || self.ending_namespaces.is_unreadable()
            || self.operator.is_unreadable()
            || self.scaled_objects.is_unreadable()
            || self.scaled_jobs.is_unreadable();
        !unreadable
    }

    /// Whether all that could be there is certainly not.
    fn is_nothing(&self) -> bool {
        self.is_read()
            && !matches!(&self.cluster, Seen::Is(cluster) if cluster.status.is_some())
            && self.operator == Seen::Absent
            && self.queues.iter().all(|queue| queue.counts == Seen::Absent)
            && self.recorded == Seen::Absent
    }
}
