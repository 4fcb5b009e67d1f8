//! Pod logs as a stream of lines.

use futures::{AsyncBufReadExt, Stream, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, LogParams};

use super::failed;
use crate::Result;
use crate::connection::Cluster;
use crate::error::Error;

/// Which lines.
#[derive(Debug, Clone, Default)]
pub struct LogOptions {
    /// Container; the only one without it.
    pub container: Option<String>,
    /// Stay until the container ends, rather than ending with what is there.
    pub follow: bool,
    /// Put the time of writing before each line.
    pub timestamps: bool,
    /// The container before its last restart.
    pub previous: bool,
}

/// The lines of a pod's log. The stream ends when the container does, or with an error when the connection breaks.
///
/// # Errors
///
/// Those of [`Cluster::client`], [`Error::Unreachable`] if no answer comes, and [`Error::Refused`] if the API server
/// refuses. Of the stream: [`Error::Unreachable`] if the connection breaks.
pub async fn follow(
    cluster: &Cluster,
    namespace: &str,
    pod: &str,
    options: &LogOptions,
) -> Result<impl Stream<Item = Result<String>> + Send + use<>> {
    let session = cluster.session().await?;
    let api: Api<Pod> = Api::namespaced(session.client.clone(), namespace);
    let params = LogParams {
        container: options.container.clone(),
        follow: options.follow,
        timestamps: options.timestamps,
        previous: options.previous,
        ..LogParams::default()
    };
    let reader = api.log_stream(pod, &params).await.map_err(failed(&session, "read the log of pod", namespace, pod))?;
    let (server, action) = (session.server, format!("follow the log of pod {namespace}/{pod}"));
    Ok(reader.lines().map(move |line| {
        line.map_err(|error| Error::Unreachable {
            server: server.clone(),
            action: action.clone(),
            cause: error.to_string(),
        })
    }))
}
