//! The operator: looks after ScaledObjects and serves their metrics to the HPA, as KEDA does.
//!
//! Entry point: [`run`]. The way of the data: watches fill [`caches`]; the leader's [`controller`] keeps one
//! [`scale_loop`] per ScaledObject, which reads its triggers ([`sources`]), lets `keda::decision` decide and scales the
//! [`target`] between 0 and 1; the HPA asks [`metrics_api`] for the same metrics and scales between 1 and N.
//!
//! Invariants: only the leader writes ([`mandate`]; certificates apart, which all replicas share); a failed reading never scales in;
//! what must survive a restart lies in the objects' status, never in memory; one object's trouble is reported in its status
//! and does not touch another.
//!
//! This crate must not know AWS (its scalers do), how it was deployed, or on which target it runs.

mod authentication;
mod authentications;
mod backoff;
mod caches;
mod certificates;
mod client;
mod context;
mod controller;
pub mod env;
mod environment;
mod error;
mod events;
mod failures;
mod finalizers;
mod generations;
mod health;
mod inputs;
mod key;
mod lease;
mod mandate;
mod masters;
mod metrics_api;
mod owner;
mod pods;
mod scale_loop;
#[cfg(test)]
mod scripted;
mod settings;
mod sources;
mod status;
mod stop;
mod target;
mod telemetry;
mod totals;
mod users;
mod x509;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
pub use error::{Error, Result};
pub use scalers::aws_identity::Identities;
pub use scalers::env::web_identity_token_file;
pub use settings::{LeaseTiming, Settings};
use tokio_util::sync::CancellationToken;

use crate::caches::Caches;
use crate::certificates::Renewal;
use crate::client::Clients;
use crate::context::Context;
use crate::health::Readiness;
use crate::lease::Elector;
use crate::mandate::Mandate;

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
    let Clients { calls: client, watches } = Clients::infer().await?;
    let listen = async |purpose, port| health::listen(purpose, SocketAddr::new(settings.bind, port)).await;
    let metrics = listen("the external metrics API", settings.metrics_api_port).await?;
    let telemetry = listen("Prometheus metrics", settings.telemetry_port).await?;
    let probes = listen("health probes", settings.health_port).await?;

    let (caches, watching) = Caches::new(&watches, &settings);
    let mandate = Mandate::new(clock.clone());
    let guarded = mandate.guarded(&client);
    let context = Arc::new(Context::new(guarded, caches, identities, &settings, clock.clone()));
    let readiness = Readiness::default();
    let mut renewal = Renewal::new(client.clone(), &settings, clock.clone());
    let serving = renewal.serving();
    let certificates = async {
        while let Err(error) = renewal.prepare().await {
            tracing::warn!(error = %error, "no certificates yet; trying again");
            clock.sleep(clock.to_system(RETRY_PERIOD)).await;
        }
        renewal.keep().await;
    };
    let metrics = async {
        context.caches.synced().await;
        readiness.set();
        metrics_api::serve(metrics, serving, Arc::clone(&context), client.clone()).await;
    };
    let elector = Elector::new(client.clone(), &settings, clock.clone(), mandate);
    let leading = elector.run(&stop, |stop| lead(Arc::clone(&context), stop));
    tokio::select! {
        ended = leading => ended,
        () = watching => Err(Error::Ended("the watches")),
        () = sources::sweep(&context) => Err(Error::Ended("the sweep of triggers")),
        () = certificates => Err(Error::Ended("the renewal of certificates")),
        () = metrics => Err(Error::Ended("the external metrics API")),
        ended = health::serve_telemetry(telemetry, Arc::clone(&context.telemetry)) => ended,
        ended = health::serve_health(probes, readiness.clone()) => ended,
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
