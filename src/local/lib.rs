//! The local cloud: the AWS endpoint and the clusters that it starts, as one process on loopback.
//!
//! Entry points: [`cloud::run`] is the process itself; [`process`] finds, starts and ends it from outside;
//! [`container::exec`] is what every container passes through on its way to its program.
//!
//! Invariants:
//! - All that it writes lies in the folder that it is given, and its secrets in files of mode 0600.
//! - It listens on loopback only.
//! - No container outlives it, however it ends.
//!
//! This crate must not know what the product does with the cloud; others meet it over sockets alone.

mod authority;
pub mod cloud;
mod env;
pub mod files;
pub mod images;
mod planes;
mod pod_network;
pub mod process;
mod profiles;
mod walls;

pub use local_container as container;
pub use local_faults::Faults;

/// What can go wrong with the local cloud as a process.
#[expect(clippy::error_impl_error, reason = "one error enum per crate, and it is called Error everywhere")]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the local cloud could not be read or written.
    #[error("failed to {action} {}: {source}", path.display())]
    File {
        /// What was tried, such as `write`.
        action: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The AWS endpoint's address cannot be had.
    #[error("failed to listen on {address}: {source}; choose another port with --port, or 0 for a free one")]
    Address {
        /// The address asked for.
        address: std::net::SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// Another local cloud runs in the same folder.
    #[error("a local cloud of this stack already runs as process {pid} at {endpoint}; end it with `sluice local stop`")]
    Running {
        /// Its process id.
        pid: i32,
        /// Its AWS endpoint.
        endpoint: String,
    },
    /// Another local cloud starts or ends in the same folder.
    #[error("another local cloud starts or ends in {}; try again when it has", path.display())]
    Starting {
        /// The folder.
        path: std::path::PathBuf,
    },
    /// The record of the local cloud cannot be understood.
    #[error("failed to understand {}: {reason}; remove it if no local cloud is running", path.display())]
    Record {
        /// The file.
        path: std::path::PathBuf,
        /// The parser's words.
        reason: String,
    },
    /// The process ended, or gave no sign of life, while it was waited for.
    #[error("failed to start the local cloud: {reason}; its log is {}", log.display())]
    Start {
        /// What was seen.
        reason: String,
        /// Its log file.
        log: std::path::PathBuf,
    },
    /// The process did not end when it was asked to.
    #[error("failed to end the local cloud, process {pid}: {reason}")]
    Stop {
        /// The process.
        pid: i32,
        /// What was seen.
        reason: String,
    },
    /// The walls of pods that were asked for cannot be had.
    #[error("{0}")]
    Walls(String),
    /// A certificate could not be made.
    #[error("failed to make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The AWS endpoint failed.
    #[error(transparent)]
    Aws(#[from] local_aws::Error),
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
