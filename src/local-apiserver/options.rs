//! What a server needs to start.

use std::path::PathBuf;

use clock::Clock;
use local_faults::Faults;
use local_server::Lines;

/// What a server needs to start.
#[derive(Debug)]
pub struct Options {
    /// A bound loopback listener.
    pub listener: std::net::TcpListener,
    /// Serving certificate (chain), PEM.
    pub certificate_pem: String,
    /// Its private key, PEM.
    pub key_pem: String,
    /// The CA that clients trust, PEM.
    pub ca_pem: String,
    /// OIDC issuer of ServiceAccount tokens; its path is served here too.
    pub issuer: String,
    /// `http://127.0.0.1:PORT` of the AWS endpoint: the STS that EKS bearer tokens must point at, and what the pod identity
    /// webhook gives to pods.
    pub sts_endpoint: String,
    /// The EKS cluster's name, which bearer tokens must carry.
    pub cluster_name: String,
    /// AWS region, for the pod identity webhook.
    pub region: String,
    /// `1.35`.
    pub version: String,
    /// Source of time.
    pub clock: Clock,
    /// What is late or refused, as on AWS.
    pub faults: Faults,
    /// Where container logs are.
    pub pods_dir: PathBuf,
    /// Where the audit log goes; without it nothing is logged.
    pub audit: Option<Lines>,
}
