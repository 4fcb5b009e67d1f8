//! The options of the programs inside pods.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use operator::Listening;

use super::keda_flags::KedaFlags;

/// `reach`.
#[derive(Debug, Args)]
pub struct Reach {
    /// An http or https URL
    pub url: String,
}

/// `operator`.
#[derive(Debug, Args)]
pub struct Operator {
    /// Something else than running it
    #[command(subcommand)]
    pub command: Option<OperatorCommand>,
    /// Where it listens
    #[command(flatten)]
    pub servers: Servers,
    /// What it reads from its disk
    #[command(flatten)]
    pub files: Files,
    /// What KEDA's operator takes
    #[command(flatten)]
    pub keda: KedaFlags,
}

/// Where the operator listens, by the flags of KEDA's operator and of its metrics adapter, for a pod in the host's network.
#[derive(Debug, Args)]
pub struct Servers {
    /// Address of the external metrics API instead of all of the pod's
    #[arg(long, value_name = "IP")]
    pub bind_address: Option<IpAddr>,
    /// Port of the external metrics API
    #[arg(long, value_name = "PORT", default_value_t = 6443, value_parser = clap::value_parser!(u16).range(1..))]
    pub secure_port: u16,
    /// Where Prometheus' /metrics is served: `:PORT`, `IP:PORT`, or 0 for nowhere
    #[arg(long, value_name = "ADDRESS", default_value = ":8080")]
    pub metrics_bind_address: Listening,
    /// Where /healthz and /readyz are served, in the same form
    #[arg(long, value_name = "ADDRESS", default_value = ":8081")]
    pub health_probe_bind_address: Listening,
}

/// What the operator reads from its disk for triggers, by the flags of KEDA's operator.
#[derive(Debug, Args)]
pub struct Files {
    /// Folder with certificates of CAs that triggers trust beside those of the system; may be repeated
    #[arg(long, value_name = "FOLDER", default_value = "/custom/ca")]
    pub ca_dir: Vec<PathBuf>,
    /// Folder of the files that filePath of a ClusterTriggerAuthentication names
    #[arg(long, value_name = "FOLDER")]
    pub filepath_auth_root_path: Option<PathBuf>,
}

/// What else than running it.
#[derive(Debug, Subcommand)]
pub enum OperatorCommand {
    /// Print everything that the operator needs, for `kubectl apply -f -`; the same that `up` makes
    Manifests(Manifests),
    /// Write everything that the operator needs as a Helm chart, which takes the values of KEDA's
    Chart(Chart),
}

/// `operator chart`.
#[derive(Debug, Args)]
pub struct Chart {
    /// Where the folder `keda` and the package `keda-VERSION.tgz` are written
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub folder: PathBuf,
}

/// `operator manifests`.
#[derive(Debug, Args)]
pub struct Manifests {
    /// The AWS account of its role; without it the ServiceAccount names no role
    #[arg(long, value_name = "ID", value_parser = account_id)]
    pub account_id: Option<String>,
}

pub(super) fn account_id(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an account has twelve digits".to_owned())
    }
}

/// `worker`.
#[derive(Debug, Args)]
pub struct Worker {
    /// The queue
    #[arg(long, env = "QUEUE_URL", value_name = "URL")]
    pub queue_url: String,
    /// Seconds of work per message
    #[arg(long, default_value_t = 20, value_name = "SECONDS")]
    pub work_seconds: u64,
    /// Seconds of one long poll
    #[arg(long, default_value_t = 20, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=20))]
    pub wait_seconds: u64,
    /// Seconds that a received message is hidden from others; extended while it is worked on
    #[arg(long, default_value_t = 120, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(2..=43_200))]
    pub visibility_seconds: u64,
    /// Messages worked on at the same time
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub parallelism: u16,
    /// Share of messages whose work fails, 0 to 1
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    pub failure_rate: f64,
    /// Seconds that work may go on after the signal to stop
    #[arg(long, default_value_t = 25, value_name = "SECONDS")]
    pub grace_seconds: u64,
    /// Takes one message and ends, as a Job does; one whose work fails goes back, and the exit code is 1
    #[arg(long, env = "ONE_MESSAGE", value_parser = clap::builder::FalseyValueParser::new())]
    pub one_message: bool,
    /// Decides which messages fail
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}
