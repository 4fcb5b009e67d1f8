//! `sluice operator` and `sluice worker`: what runs inside pods.

use std::time::Duration;

use aws::session::Session;
use tokio_util::sync::CancellationToken;

use crate::arguments::pods::{Operator, Reach, Worker};
use crate::diagnostic::{Diagnostic, Outcome, one};
use crate::exit::Exit;

/// Where the operator asks for credentials if no region is set for it; each trigger names its own. STS as a whole is there.
const STS_REGION: &str = "us-east-1";
/// Real time for one connection.
const REACH_LIMIT: Duration = Duration::from_secs(5);

/// Connects and hangs up.
pub(crate) async fn reach(reach: &Reach) -> Outcome {
    let refused = |text: String| vec![Diagnostic::error(text)];
    let (scheme, rest) = reach.url.split_once("://").unwrap_or(("http", &reach.url));
    let authority = rest.split('/').next().unwrap_or_default();
    let port = if scheme == "https" { 443 } else { 80 };
    let address = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:{port}") };
    let connecting = tokio::net::TcpStream::connect(&address);
    match clock::Clock::real().timeout(REACH_LIMIT, connecting).await {
        Ok(Ok(_)) => Ok(Exit::Done),
        Ok(Err(error)) => Err(refused(format!("{address}: {error}"))),
        Err(_) => Err(refused(format!("{address}: no answer within {} s", REACH_LIMIT.as_secs()))),
    }
}

/// Looks after ScaledObjects and ScaledJobs until it is stopped.
pub(crate) async fn operator(operator: Operator, stop: CancellationToken) -> Outcome {
    for flag in &operator.keda.given {
        tracing::warn!(flag, "this flag of KEDA's operator has no effect here");
    }
    let settings = operator::Settings {
        metrics_api_address: operator.servers.bind_address,
        metrics_api_port: operator.servers.secure_port,
        telemetry: operator.servers.metrics_bind_address,
        health: operator.servers.health_probe_bind_address,
        authorities: operator.files.ca_dir,
        credential_files: operator.files.filepath_auth_root_path,
        ..operator::Settings::from_env().map_err(one)?
    };
    let session = Session::load_or(aws::session::Settings::new("operator"), STS_REGION).await.map_err(one)?;
    let clock = clock::env::clock();
    let identities = operator::Identities::new(session, operator::web_identity_token_file(), clock.clone());
    Box::pin(operator::run(settings, identities, clock, stop)).await.map_err(one)?;
    Ok(Exit::Done)
}

/// Consumes until it is stopped, or one message. Receipts go to stdout, where the pod's log takes them.
pub(crate) async fn worker(worker: Worker, stop: CancellationToken) -> Outcome {
    let settings = worker::Settings {
        work: Duration::from_secs(worker.work_seconds),
        parallelism: worker.parallelism.into(),
        failure_rate: worker.failure_rate,
        seed: worker.seed,
        wait: Duration::from_secs(worker.wait_seconds),
        visibility: Duration::from_secs(worker.visibility_seconds),
        grace: Duration::from_secs(worker.grace_seconds),
        once: worker.one_message,
        pod: worker::env::pod_name(),
        ..worker::Settings::new(worker.queue_url, Box::new(std::io::stdout()))
    };
    worker::run(settings, clock::env::clock(), stop).await.map_err(one)?;
    Ok(Exit::Done)
}
