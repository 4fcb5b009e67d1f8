//! The connection: where the cluster is and who we are there, found out when first needed.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use clock::Clock;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::header::{HeaderValue, USER_AGENT};
use jiff::Timestamp;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;
use tokio::sync::Mutex;

use crate::Result;
use crate::error::Error;
use crate::patience::Patience;
use crate::renewal::{self, Lease, SignIn};

/// How this program names itself to the API server, and so in its audit log.
const AGENT: &str = concat!("sluice/", env!("CARGO_PKG_VERSION"), " (cli)");

/// Text that must not be seen; `Debug` hides it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<hidden>")
    }
}

/// A bearer token.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token.
    pub value: Secret,
    /// When it ends, real time; it is renewed one minute before.
    pub expires_at: Timestamp,
}

/// Where an API server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `https://…`.
    pub server: String,
    /// The CA in PEM, base64-encoded, as EKS and kubeconfigs give it.
    pub certificate_authority: String,
}

/// Finds the endpoint; `None` if the cluster does not exist (yet). The error's text is shown as it is.
pub type Locate = Arc<dyn Fn() -> BoxFuture<'static, Result<Option<Endpoint>, String>> + Send + Sync>;
/// Makes bearer tokens. The error's text is shown as it is.
pub type TokenSource = Arc<dyn Fn() -> BoxFuture<'static, Result<Token, String>> + Send + Sync>;

/// How to get into a cluster.
#[derive(Clone)]
pub enum Connection {
    /// By a kubeconfig.
    Kubeconfig {
        /// File; the usual search (`KUBECONFIG`, home) without it.
        file: Option<PathBuf>,
        /// Context; the current one without it.
        context: Option<String>,
    },
    /// By endpoint and bearer tokens, as EKS.
    Eks {
        /// Finds the endpoint.
        locate: Locate,
        /// Makes tokens.
        token: TokenSource,
    },
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kubeconfig { file, context } => {
                f.debug_struct("Kubeconfig").field("file", file).field("context", context).finish()
            }
            Self::Eks { .. } => f.write_str("Eks"),
        }
    }
}

/// A cluster. Cheap to clone; clones share the connection.
#[derive(Debug, Clone)]
pub struct Cluster(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    connection: Connection,
    clock: Clock,
    session: Mutex<Option<Session>>,
    ready: AtomicBool,
    patience: std::sync::Mutex<Patience>,
}

/// A client that renews its own credentials.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) server: String,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Cluster {
    /// A cluster that will be connected to when first used. The clock is for waits; tokens live in real time.
    pub fn new(connection: Connection, clock: Clock) -> Self {
        // With ring as the only provider compiled in this only makes the choice explicit; it may have been made already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (session, ready, patience) = (Mutex::default(), AtomicBool::default(), std::sync::Mutex::default());
        Self(Arc::new(Inner { connection, clock, session, ready, patience }))
    }

    /// The clock that waits are measured by.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// A client that renews its own credentials for as long as it is used.
    ///
    /// # Errors
    ///
    /// [`Error::NoCluster`] if the cluster does not exist. [`Error::Locate`] if the endpoint cannot be found or used,
    /// or no token is made. [`Error::Kubeconfig`] if the kubeconfig cannot be read or does not have the context.
    /// [`Error::Unreachable`] if no client can be made from them.
    pub async fn client(&self) -> Result<Client> {
        Ok(self.session().await?.client)
    }

    /// The server's URL.
    ///
    /// # Errors
    ///
    /// Those of [`Cluster::client`].
    pub async fn server(&self) -> Result<String> {
        Ok(self.session().await?.server)
    }

    /// Whether the API server has answered that it is ready.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.ready.load(Ordering::Relaxed)
    }

    pub(crate) fn set_ready(&self) {
        self.0.ready.store(true, Ordering::Relaxed);
        *self.patience() = Patience::default();
    }

    /// How long the API server has been waited for.
    pub(crate) fn patience(&self) -> std::sync::MutexGuard<'_, Patience> {
        self.0.patience.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the connection, for instance after the cluster has been replaced.
    pub async fn forget(&self) {
        self.0.ready.store(false, Ordering::Relaxed);
        *self.patience() = Patience::default();
        *self.0.session.lock().await = None;
    }

    /// Like [`Self::find`], but a missing cluster is an error.
    pub(crate) async fn session(&self) -> Result<Session> {
        self.find().await?.ok_or(Error::NoCluster)
    }

    /// The session, or `None` if the cluster does not exist.
    pub(crate) async fn find(&self) -> Result<Option<Session>> {
        let mut cached = self.0.session.lock().await;
        if cached.is_none()
            && let Some(lease) = self.0.connection.sign_in().await?
        {
            let server = lease.server.clone();
            let connection = self.0.connection.clone();
            let sign_in: SignIn = Arc::new(move || {
                let connection = connection.clone();
                async move { connection.sign_in().await?.ok_or(Error::NoCluster) }.boxed()
            });
            let client = renewal::client(lease, sign_in, self.0.clock.clone());
            *cached = Some(Session { client, server });
        }
        Ok(cached.clone())
    }
}

impl Connection {
    /// Finds the way in with fresh credentials; `None` if the cluster does not exist.
    async fn sign_in(&self) -> Result<Option<Lease>> {
        match self {
            Self::Kubeconfig { file, context } => by_kubeconfig(file.as_ref(), context.as_ref()).await.map(Some),
            Self::Eks { locate, token } => {
                let Some(endpoint) = locate().await.map_err(Error::Locate)? else { return Ok(None) };
                let token = token().await.map_err(Error::Locate)?;
                by_token(&endpoint, &token).await.map(Some)
            }
        }
    }
}

async fn by_kubeconfig(file: Option<&PathBuf>, context: Option<&String>) -> Result<Lease> {
    let location = match (file, context) {
        (Some(file), Some(context)) => format!(" {} (context {context})", file.display()),
        (Some(file), None) => format!(" {}", file.display()),
        (None, Some(context)) => format!(" (context {context})"),
        (None, None) => String::new(),
    };
    let failed = |error: kube::config::KubeconfigError| Error::Kubeconfig {
        location: location.clone(),
        cause: error.to_string(),
    };
    let options = KubeConfigOptions { context: context.cloned(), ..Default::default() };
    let config = match file {
        Some(file) => {
            let kubeconfig = Kubeconfig::read_from(file).map_err(failed)?;
            Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(failed)?
        }
        None => Config::from_kubeconfig(&options).await.map_err(failed)?,
    };
    lease(config, None)
}

async fn by_token(endpoint: &Endpoint, token: &Token) -> Result<Lease> {
    let failed = |cause: String| Error::Locate(format!("the endpoint {} cannot be used: {cause}", endpoint.server));
    let name = "sluice";
    let kubeconfig = json!({
        "clusters": [{ "name": name, "cluster": {
            "server": endpoint.server, "certificate-authority-data": endpoint.certificate_authority,
        }}],
        "users": [{ "name": name, "user": { "token": token.value.0 } }],
        "contexts": [{ "name": name, "context": { "cluster": name, "user": name } }],
        "current-context": name,
    });
    let kubeconfig: Kubeconfig = serde_json::from_value(kubeconfig).map_err(|error| failed(error.to_string()))?;
    let options = KubeConfigOptions::default();
    let config =
        Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| failed(error.to_string()))?;
    lease(config, Some(token.expires_at))
}

fn lease(mut config: Config, expires_at: Option<Timestamp>) -> Result<Lease> {
    config.headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
    // A proxy or firewall that swallows packets must not hold a step for ever.
    config.connect_timeout = Some(Duration::from_secs(10));
    // The library's own retries last for minutes without a word; `renewal` tries again for a moment, and steps say why they wait.
    config.default_retry = false;
    let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    let client = Client::try_from(config).map_err(|error| Error::from_kube(&server, "connect", &error))?;
    Ok(Lease { client, server, expires_at })
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use http::HeaderMap;

    use super::*;

    #[tokio::test]
    async fn every_request_names_the_program() {
        let (sender, mut agents) = tokio::sync::mpsc::unbounded_channel();
        let answer = move |headers: HeaderMap| {
            let _ = sender.send(headers.get(USER_AGENT).cloned());
            async { r#"{"major":"1","minor":"35","gitVersion":"v1.35.0"}"# }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        let endpoint = Endpoint { server, certificate_authority: String::new() };
        let token = Token { value: Secret::new("t"), expires_at: Timestamp::MAX };
        let lease = by_token(&endpoint, &token).await.unwrap();
        let _ = lease.client.apiserver_version().await;
        let agent = agents.recv().await.unwrap().unwrap();
        assert_eq!(agent, format!("sluice/{} (cli)", env!("CARGO_PKG_VERSION")));
    }
}
