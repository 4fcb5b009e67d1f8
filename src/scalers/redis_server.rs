//! Redis servers of triggers: where they are, as whom they are read, and the one connection to each
//! (`docs/rules.md#keda-redis`).
//!
//! The crate redis: it speaks to single servers, clusters and sentinels over one multiplexed connection each, by rustls.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, FromRedisValue,
    IntoConnectionInfo as _, RedisConnectionInfo, RedisError, TlsCertificates, TlsMode,
};

use crate::error::Result;
use crate::link::{Failure, Link};
use crate::metadata::{Metadata, Origin};
use crate::services::Services;
use crate::tls::{self, Tls};

/// Longest wait for one answer with all that it takes to connect, real time.
const READ_LIMIT: Duration = Duration::from_secs(10);

const METADATA_FIRST: [Origin; 3] = [Origin::Metadata, Origin::Authentication, Origin::Environment];
const ENVIRONMENT_NEXT: [Origin; 3] = [Origin::Metadata, Origin::Environment, Origin::Authentication];

/// How the servers of an address belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topology {
    Single,
    Cluster,
    Sentinel,
}

/// A server of a trigger.
pub(crate) struct Server {
    services: Arc<Services>,
    shared: Arc<Shared>,
    /// The addresses, for messages.
    pub(crate) shown: String,
    /// All that an answer depends on but the command.
    pub(crate) source: Vec<String>,
}

struct Shared {
    settings: Settings,
    link: Link<Connection>,
}

/// It is shown nowhere.
#[derive(Clone)]
struct Settings {
    topology: Topology,
    addresses: Vec<(String, u16)>,
    database: i64,
    user: Option<String>,
    password: Option<String>,
    sentinel_user: Option<String>,
    sentinel_password: Option<String>,
    master: Option<String>,
    tls: Option<Tls>,
}

enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Server {
    /// What the trigger's metadata and its TriggerAuthentication say; `None`, with a noted problem, if they name no server.
    pub(crate) fn read(metadata: &mut Metadata<'_>, topology: Topology, services: &Arc<Services>) -> Option<Self> {
        let addresses = addresses(metadata);
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let settings = Settings {
            topology,
            database: metadata.parsed("databaseIndex", 0),
            user: owned(metadata.first(&["username"], &ENVIRONMENT_NEXT)),
            password: owned(metadata.first(&["password"], &ENVIRONMENT_NEXT)),
            sentinel_user: owned(metadata.first(&["sentinelUsername"], &METADATA_FIRST)),
            sentinel_password: owned(metadata.first(&["sentinelPassword"], &METADATA_FIRST)),
            master: owned(metadata.first(&["sentinelMaster"], &METADATA_FIRST)),
            tls: encryption(metadata),
            addresses: addresses?,
        };
        if topology == Topology::Sentinel && settings.master.is_none() {
            metadata.problem("no sentinelMaster given; set it to the name by which the sentinels have the master");
            return None;
        }
        let parts = settings.parts();
        let shown: Vec<_> = settings.addresses.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        let shared = services.connections.get(parts.clone(), || Shared { settings, link: Link::default() });
        Some(Self { services: Arc::clone(services), shared, shown: shown.join(","), source: parts })
    }

    /// The answer to a command. `what` is read, for errors.
    pub(crate) async fn answer<T: FromRedisValue + Send + 'static>(&self, what: &str, command: &Cmd) -> Result<T> {
        let settings = &self.shared.settings;
        let open = || -> BoxFuture<'_, _> { Box::pin(settings.connect()) };
        let call = |connection: Arc<Connection>| -> BoxFuture<'_, _> {
            Box::pin(async move {
                // The commands are multiplexed; a clone is a handle.
                let answer = match &*connection {
                    Connection::One(one) => command.query_async(&mut one.clone()).await,
                    Connection::Cluster(all) => command.query_async(&mut all.clone()).await,
                };
                answer.map_err(|error| settings.failure(&error))
            })
        };
        self.shared.link.call((&self.services.clock, READ_LIMIT), what, open, call).await
    }
}

impl Settings {
    fn parts(&self) -> Vec<String> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let mut parts = vec![
            format!("{:?} {:?} {}", self.topology, self.addresses, self.database),
            text(&self.user),
            text(&self.password),
            text(&self.sentinel_user),
            text(&self.sentinel_password),
            text(&self.master),
            self.tls.is_some().to_string(),
        ];
        parts.extend(self.tls.iter().flat_map(Tls::parts));
        parts
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        self.connected().await.map_err(|error| {
            let failure = self.failure(&error);
            Failure { problem: format!("connection to redis failed: {}", failure.problem), ..failure }
        })
    }

    async fn connected(&self) -> Result<Connection, RedisError> {
        tls::install_provider();
        // The limit of the whole call holds.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        match self.topology {
            Topology::Single => {
                let info = self.info(&self.addresses[0])?;
                let client = match self.certificates() {
                    Some(certificates) => Client::build_with_tls(info, certificates)?,
                    None => Client::open(info)?,
                };
                Ok(Connection::One(client.get_multiplexed_async_connection_with_config(&config).await?))
            }
            Topology::Cluster => {
                let nodes = self.addresses.iter().map(|address| self.info(address)).collect::<Result<Vec<_>, _>>()?;
                let mut builder = ClusterClient::builder(nodes)
                    .connection_timeout(READ_LIMIT)
                    .response_timeout(READ_LIMIT)
                    .retries(1);
                if let (Some(mode), Some(certificates)) = (self.mode(), self.certificates()) {
                    builder = builder.tls(mode).certs(certificates);
                }
                Ok(Connection::Cluster(builder.build()?.get_async_connection().await?))
            }
            Topology::Sentinel => {
                Ok(Connection::One(self.sentinels()?.get_async_connection_with_config(&config).await?))
            }
        }
    }

    /// The sentinels, which name the master anew at each connection.
    fn sentinels(&self) -> Result<redis::sentinel::SentinelClient, RedisError> {
        let addresses: Vec<_> = self.addresses.iter().map(|address| self.address(address)).collect();
        let master = self.master.as_deref().unwrap_or_default();
        let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
            .set_client_to_redis_db(self.database);
        if let Some(user) = &self.user {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = &self.password {
            builder = builder.set_client_to_redis_password(password);
        }
        if let Some(user) = &self.sentinel_user {
            builder = builder.set_client_to_sentinel_username(user);
        }
        if let Some(password) = &self.sentinel_password {
            builder = builder.set_client_to_sentinel_password(password);
        }
        if let (Some(mode), Some(certificates)) = (self.mode(), self.certificates()) {
            builder = builder
                .set_client_to_redis_tls_mode(mode)
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_tls_mode(mode)
                .set_client_to_sentinel_certificates(certificates);
        }
        builder.build()
    }

    fn address(&self, (host, port): &(String, u16)) -> ConnectionAddr {
        let (host, port) = (host.clone(), *port);
        match &self.tls {
            Some(tls) => ConnectionAddr::TcpTls { host, port, insecure: tls.accepts_any, tls_params: None },
            None => ConnectionAddr::Tcp(host, port),
        }
    }

    fn info(&self, address: &(String, u16)) -> Result<ConnectionInfo, RedisError> {
        let mut redis = RedisConnectionInfo::default();
        if self.topology == Topology::Single {
            redis = redis.set_db(self.database);
        }
        if let Some(user) = &self.user {
            redis = redis.set_username(user);
        }
        if let Some(password) = &self.password {
            redis = redis.set_password(password);
        }
        Ok(self.address(address).into_connection_info()?.set_redis_settings(redis))
    }

    fn mode(&self) -> Option<TlsMode> {
        let tls = self.tls.as_ref()?;
        Some(if tls.accepts_any { TlsMode::Insecure } else { TlsMode::Secure })
    }

    fn certificates(&self) -> Option<TlsCertificates> {
        let tls = self.tls.as_ref()?;
        let client_tls = tls
            .identity
            .clone()
            .map(|(cert, key)| ClientTlsConfig { client_cert: cert.into_bytes(), client_key: key.into_bytes() });
        Some(TlsCertificates { client_tls, root_cert: tls.trusted().map(String::into_bytes) })
    }

    /// An error in words, with what to do about it.
    fn failure(&self, error: &RedisError) -> Failure {
        let step = match error.kind() {
            ErrorKind::AuthenticationFailed => "; check username and password",
            _ if matches!(error.code(), Some("NOAUTH" | "WRONGPASS")) => "; check username and password",
            ErrorKind::MasterNameNotFoundBySentinel => "; check sentinelMaster and that the sentinels can be reached",
            ErrorKind::Io if self.tls.is_some() => {
                "; check that the address can be reached from the operator, and the certificates"
            }
            ErrorKind::Io => {
                "; check that the address can be reached from the operator, and whether it needs enableTLS"
            }
            _ => "",
        };
        // A server of a cluster that moved, and one that became a replica, are found by a new connection.
        let is_lost = error.is_unrecoverable_error()
            || error.is_io_error()
            || error.is_cluster_error()
            || matches!(error.code(), Some("READONLY" | "MASTERDOWN" | "LOADING"));
        Failure { problem: format!("{error}{step}"), is_lost }
    }
}

/// `address` or `addresses`, and `host` with `port`, or `hosts` with `ports`.
fn addresses(metadata: &mut Metadata<'_>) -> Option<Vec<(String, u16)>> {
    let list = |text: Option<&str>| -> Vec<String> {
        text.unwrap_or_default().split(',').map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
    };
    let mut written = list(metadata.first(&["address", "addresses"], &METADATA_FIRST));
    let hosts = list(metadata.first(&["host", "hosts"], &ENVIRONMENT_NEXT));
    let ports = list(metadata.first(&["port", "ports"], &ENVIRONMENT_NEXT));
    if !hosts.is_empty() && !ports.is_empty() {
        if hosts.len() != ports.len() {
            metadata.problem(
                "not enough hosts or ports given. number of hosts should be equal to the number of ports".to_owned(),
            );
            return None;
        }
        let pairs = hosts.iter().zip(&ports);
        written.extend(pairs.map(|(host, port)| {
            if host.contains(':') && !host.starts_with('[') {
                format!("[{host}]:{port}")
            } else {
                format!("{host}:{port}")
            }
        }));
    }
    if written.is_empty() {
        metadata.problem(
            "no addresses or hosts given. address should be a comma separated list of host:port or set the host/port values",
        );
        return None;
    }
    let read = |one: &String| {
        let (host, port) = one.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        (!host.is_empty()).then_some((host.to_owned(), port.parse().ok()?))
    };
    let found: Option<Vec<_>> = written.iter().map(read).collect();
    if found.is_none() {
        // It may hold a password, so it is not shown.
        metadata.problem("an address of the server is not written host:port, such as redis.shop:6379");
    }
    found
}

/// `enableTLS` of the metadata or `tls` of the TriggerAuthentication, with the certificates.
fn encryption(metadata: &mut Metadata<'_>) -> Option<Tls> {
    let by_parameter = match metadata.parameter("tls") {
        None => None,
        Some("enable") => Some(true),
        Some("disable") => Some(false),
        Some(other) => {
            metadata.problem(format!("error incorrect TLS value given, got {other}; write enable or disable"));
            None
        }
    };
    if by_parameter.is_some() && metadata.text("enableTLS").is_some() {
        metadata.problem("unable to set `tls` in both ScaledObject and TriggerAuthentication together");
    }
    let tls = metadata.tls();
    let is_enabled = by_parameter.unwrap_or_else(|| metadata.flag("enableTLS", false));
    is_enabled.then_some(tls)
}
