//! A Kubernetes API server in this process: the real wire protocol over TLS on loopback, objects in memory.
//!
//! Entry point: [`start`]. Programs of this process may use [`Client`], which goes through the very same handlers
//! (authorisation, admission, validation) without the socket.
//!
//! Invariants: every object is a `serde_json::Value`; every change has its own resource version; no lock is held across
//! an await; nothing is answered that is not honoured.
//!
//! This crate must not know what the objects mean to controllers, nor anything of the product that runs in the cluster.

mod admission;
mod aggregation;
mod any_server;
mod audit;
mod authentication;
mod authorization;
mod client;
mod cluster;
mod crd;
mod crd_finalizer;
mod cron;
mod error;
mod handlers;
mod kinds;
mod logs;
mod object;
mod openapi;
mod options;
mod patch;
mod protobuf;
mod quantity;
mod request;
mod selector;
mod server;
mod status;
mod store;
mod table;
mod tokens;
mod user;
mod watch;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use any_server::AnyServer;
pub use client::Client;
pub use cron::Schedule;
pub use error::{Error, Result};
use local_eks::AccessEntry;
pub use options::Options;
pub use patch::PatchType;
pub use quantity::Quantity;
pub use status::Status;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
pub use user::User;
pub use watch::Event;

use crate::cluster::Cluster;

/// A running server. Dropping it does not stop it; call [`ApiServer::stop`].
#[derive(Debug)]
pub struct ApiServer {
    cluster: Arc<Cluster>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl ApiServer {
    /// A client in this process that acts as `user`.
    pub fn client(&self, user: User) -> Client {
        Client::new(self.cluster.clone(), user)
    }

    /// Replaces the EKS access entries.
    pub fn set_access(&self, access: Vec<AccessEntry>) {
        self.cluster.set_access(access);
    }

    /// EKS says from now on that the cluster is ACTIVE: what its faults make late counts from here. Later calls change nothing.
    pub fn activate(&self) {
        let Some(late) = self.cluster.infancy.activate() else { return };
        let (cluster, stop) = (Arc::clone(&self.cluster), self.stop.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = cluster.clock.sleep(late) => cluster.infancy.gate.open(),
                () = stop.cancelled() => {}
            }
        });
    }

    /// Stops serving; returns when all connections are closed.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Starts a server, with its bootstrap objects stored, and serves until [`ApiServer::stop`]. To be called inside a runtime.
///
/// # Errors
///
/// [`Error::Certificate`] if the certificate or its key cannot be used. [`Error::Listener`] if the listener cannot be
/// used. [`Error::Keys`] if the cluster's own keys cannot be made. [`Error::Bootstrap`] if a bootstrap object is
/// refused.
pub fn start(options: Options) -> Result<ApiServer> {
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let server = server::open(&options)?;
    let cluster = Arc::new(Cluster::new(options, stop.clone())?);
    cluster::bootstrap::store(&cluster).map_err(Error::Bootstrap)?;
    let server = server.behind(cluster.infancy.gate.clone());
    tasks.spawn(server::serve(server, cluster.clone(), stop.clone()));
    tasks.spawn(aggregation::availability::keep(cluster.clone()));
    tasks.spawn(crd_finalizer::keep(cluster.clone()));
    tasks.spawn(tokens::secrets::keep(cluster.clone()));
    Ok(ApiServer { cluster, stop, tasks })
}
