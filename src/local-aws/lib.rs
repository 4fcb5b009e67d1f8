//! The local AWS cloud: SQS, STS, IAM, EKS, ECR and CloudWatch Logs (and tag search, quotas, and what EC2 says of the network) on
//! one plain-HTTP loopback endpoint.
//!
//! Entry point: [`serve`]. Requests cross a socket in AWS's own protocols, are authenticated by SigV4 and authorised
//! by IAM before a service sees them. Clusters are started and ended by whoever holds the other end of
//! [`control_plane`]'s channel.
//!
//! Invariants:
//! - `policy` decides from plain values: no clock, socket, file or environment.
//! - Every call is authorised; a refusal is remembered with its reasons (`/_sluice/denials`), never with credentials.
//! - Every parameter is read, refused by name or listed as moot (`coverage`, held by a test against the service models).
//! - Each service keeps its state behind its own mutex, and no lock is held across an await.
//! - Durations (visibility, delays, EKS states) follow the clock's scale; signatures and tokens live in real time.
//!
//! This crate must not know Kubernetes, the AWS SDK, files, or who runs it.

mod access_denied;
mod access_key;
mod authentication;
mod authorization;
mod caller;
mod cloud;
mod cloudwatch_logs;
pub mod control_plane;
mod coverage;
mod credential;
mod denials;
mod ec2;
mod ecr;
mod eks;
mod error;
mod fault;
mod fault_profile;
mod iam;
mod identifier;
mod intake;
mod issuer;
mod logs;
mod model;
mod policy;
mod protocol;
mod questions;
mod quotas;
mod request;
mod server;
mod sqs;
mod strings;
mod sts;
mod tagging;
#[cfg(test)]
mod tests;
mod trail;
mod validation;
mod wire;

pub use access_key::AccessKey;
use clock::Clock;
pub use error::{Error, Result};
pub use logs::Logs;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What [`serve`] needs.
#[derive(Debug)]
pub struct Options {
    /// A bound loopback listener; all services answer on it.
    pub listener: std::net::TcpListener,
    /// The one region of this cloud.
    pub region: String,
    /// The one account of this cloud, twelve digits.
    pub account_id: String,
    /// The key of the IAM user `sluice`, who has AdministratorAccess.
    pub administrator: AccessKey,
    /// The time that durations follow.
    pub clock: Clock,
    /// PEM certificates that HTTPS OIDC issuers are trusted by.
    pub trust_roots_pem: String,
    /// What is late, busy or refused, as on AWS.
    pub faults: local_faults::Faults,
    /// What begins while it runs, at the request of whoever plays a scenario.
    pub incidents: local_faults::Incidents,
    /// Where requests to start, change and stop clusters' control planes go.
    pub control_planes: mpsc::Sender<control_plane::Request>,
    /// Where what is written down of calls goes.
    pub logs: Logs,
}

/// Serves until `stop`; open long polls are answered empty then.
///
/// # Errors
///
/// [`Error::TrustRoots`] if the certificates that issuers are trusted by cannot be used. [`Error::Listener`] if the
/// listener cannot be used.
pub async fn serve(options: Options, stop: CancellationToken) -> Result<()> {
    let Options {
        listener,
        region,
        account_id,
        administrator,
        clock,
        trust_roots_pem,
        faults,
        incidents,
        control_planes,
        logs,
    } = options;
    let issuers = issuer::Issuers::new(&trust_roots_pem, clock.clone())?;
    let cloud = cloud::Cloud::new(cloud::Settings {
        region,
        account_id,
        administrator,
        clock,
        issuers,
        faults,
        incidents,
        control_planes,
        logs,
        stop: stop.clone(),
    });
    server::run(listener, cloud, stop).await
}
