//! The operator: looks after ScaledObjects and ScaledJobs and serves the metrics of the former to the HPA, as KEDA does.
//!
//! Entry point: [`run`]. The way of the data: watches fill [`caches`]; the leader's [`controller`] keeps one
//! [`scale_loop`] per ScaledObject, which reads its triggers ([`sources`]), lets `keda::decision` decide and scales the
//! [`target`] between 0 and 1; the HPA asks [`metrics_api`] for the same metrics and scales between 1 and N. One [`job_loop`] per
//! ScaledJob reads its triggers alike, lets `keda::job` decide and makes Jobs.
//!
//! Invariants: only the leader writes ([`mandate`]; certificates apart, which all replicas share); a failed reading never scales in;
//! what must survive a restart lies in the objects' status, never in memory; one object's trouble is reported in its status
//! and does not touch another.
//!
//! This crate must not know AWS (its scalers do), how it was deployed, or on which target it runs.

mod admission;
mod authentication;
mod authentications;
mod backoff;
mod caches;
mod certificates;
mod client;
mod context;
mod controller;
pub mod declared;
pub mod env;
mod environment;
mod error;
mod events;
mod failures;
mod few;
mod finalizers;
mod generations;
mod health;
mod inputs;
mod job_loop;
mod jobs;
mod key;
mod kubernetes;
mod lease;
mod life;
mod listening;
mod mandate;
mod masters;
mod metrics_api;
mod owner;
mod phase;
mod scale_loop;
#[cfg(test)]
mod scripted;
mod settings;
mod sources;
mod spread;
mod status;
mod stop;
mod target;
mod telemetry;
mod totals;
mod users;
mod wake;
mod x509;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
pub use error::{Error, Result};
pub use listening::Listening;
pub use scalers::aws_identity::Identities;
pub use scalers::env::web_identity_token_file;
pub use settings::{LeaseTiming, Settings};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::caches::Caches;
use crate::certificates::Renewal;
use crate::client::Clients;
use crate::context::Context;
use crate::health::Readiness;
use crate::lease::Elector;
use crate::mandate::Mandate;
use crate::telemetry::Telemetry;

/// Pause between attempts to get ready, real time.
const RETRY_PERIOD: Duration = Duration::from_secs(1);

/// Runs until `stop` is cancelled and what was begun is finished, or until leadership is lost.
///
/// The API server is the one of the pod or of `KUBECONFIG`; triggers call AWS as `identities` say.
///
/// # Errors
///
/// [`Error::Configuration`] if no API server is configured, and [`Error::Kubernetes`] if no client can be made for it.
/// [`Error::Listen`] if a port is taken. [`Error::LeadershipLost`] if another replica has taken the lead, or the lease
/// was not renewed in time. [`Error::Ended`] if a part ended by itself.
pub async fn run(settings: Settings, identities: Identities, clock: Clock, stop: CancellationToken) -> Result<()> {
    for variable in &settings.unserved {
        tracing::warn!(variable, "this environment variable of KEDA's has no effect here");
    }
    let telemetry = Arc::new(Telemetry::new());
    let Clients { calls: client, election, watches } = Clients::infer(telemetry.requests()).await?;
    let metrics_api = SocketAddr::new(settings.metrics_api_address.unwrap_or(settings.bind), settings.metrics_api_port);
    let metrics = health::listen("the external metrics API", metrics_api).await?;
    let listen = async |purpose, listening: Listening| match listening.within(settings.bind) {
        Some(address) => health::listen(purpose, address).await.map(Some),
        None => Ok(None),
    };
    let prometheus = listen("Prometheus metrics", settings.telemetry).await?;
    let probes = listen("health probes", settings.health).await?;

    let (caches, watching) = Caches::new(&watches, &settings);
    let mandate = Mandate::new(clock.clone());
    let guarded = mandate.guarded(&client);
    let context = Arc::new(Context::new(guarded, caches, identities, &settings, clock.clone(), Arc::clone(&telemetry)));
    let readiness = Readiness::default();
    let mut renewal = Renewal::new(client.clone(), &settings, clock.clone());
    let serving = renewal.serving();
    // Each part is a task of its own: what one has to do costs no other a look, least of all the renewal of the lease.
    let mut parts = Parts::default();
    parts.begin("the watches", watching);
    parts.begin("the sweep of triggers", sources::sweep(Arc::clone(&context)));
    let certified = clock.clone();
    parts.begin("the renewal of certificates", async move {
        while let Err(error) = renewal.prepare().await {
            tracing::warn!(error = %error, "no certificates yet; trying again");
            certified.sleep(certified.to_system(RETRY_PERIOD)).await;
        }
        renewal.keep().await;
    });
    let (served, ready, reviewer) = (Arc::clone(&context), readiness.clone(), client.clone());
    parts.begin("the external metrics API", async move {
        served.caches.synced().await;
        ready.set();
        metrics_api::serve(metrics, serving, served, reviewer).await;
    });
    if let Some(prometheus) = prometheus {
        parts.begin("the metrics server", health::serve_telemetry(prometheus, telemetry));
    }
    if let Some(probes) = probes {
        parts.begin("the health server", health::serve_health(probes, readiness));
    }
    let elector = Elector::new(election, &settings, clock, mandate);
    tokio::select! {
        ended = elector.run(&stop, |stop| lead(context, stop)) => ended,
        ended = parts.ended() => Err(ended),
    }
}

/// What runs beside the election for as long as the process. Dropped, all of it ends.
#[derive(Default)]
struct Parts(JoinSet<&'static str>);

impl Parts {
    fn begin(&mut self, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(async move {
            part.await;
            name
        });
    }

    /// Returns when one has ended, which none should. A panic in one goes on here.
    async fn ended(&mut self) -> Error {
        match self.0.join_next().await {
            Some(Ok(name)) => Error::Ended(name),
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Some(Err(_)) | None => Error::Ended("a part"),
        }
    }
}

/// What only the leader does.
async fn lead(context: Arc<Context>, stop: CancellationToken) {
    context.telemetry.leading(true);
    tokio::select! {
        () = context.caches.synced() => {}
        () = stop.cancelled() => return,
    }
    let keeping = authentications::run(Arc::clone(&context), stop.clone());
    tokio::join!(controller::run(Arc::clone(&context), stop), keeping);
    context.telemetry.leading(false);
}
