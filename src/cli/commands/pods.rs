//! `sluice operator` and `sluice worker`: what runs inside pods.

use std::time::Duration;

use aws::session::Session;
use tokio_util::sync::CancellationToken;

use crate::arguments::pods::Worker;
use crate::diagnostic::{Outcome, one};
use crate::exit::Exit;

/// Looks after ScaledObjects until told to stop.
pub(crate) async fn operator(stop: CancellationToken) -> Outcome {
    let settings = operator::Settings::from_env().map_err(one)?;
    let session = Session::load(aws::session::Settings::default()).await.map_err(one)?;
    let clock = clock::env::clock();
    let identities = operator::Identities::new(session, operator::web_identity_token_file(), clock.clone());
    operator::run(settings, identities, clock, stop).await.map_err(one)?;
    Ok(Exit::Done)
}

/// Consumes until told to stop. Receipts go to stdout, where the pod's log takes them.
pub(crate) async fn worker(worker: Worker, stop: CancellationToken) -> Outcome {
    let settings = worker::Settings {
        work: Duration::from_secs(worker.work_seconds),
        parallelism: worker.parallelism.into(),
        failure_rate: worker.failure_rate,
        seed: worker.seed,
        wait: Duration::from_secs(worker.wait_seconds),
        grace: Duration::from_secs(worker.grace_seconds),
        pod: worker::env::pod_name(),
        ..worker::Settings::new(worker.queue_url, Box::new(std::io::stdout()))
    };
    worker::run(settings, clock::env::clock(), stop).await.map_err(one)?;
    Ok(Exit::Done)
}
