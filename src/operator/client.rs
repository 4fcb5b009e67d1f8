//! The operator's clients of the API server: each call has an end, whatever becomes of its connection.
//!
//! A connection may die without a word, such as behind a load balancer whose API server was replaced. What waits for an
//! answer on it must not wait for ever.

use std::time::Duration;

use http::header::{HeaderValue, USER_AGENT};
use kube::client::ClientBuilder;
use kube::{Client, Config};
use tower::limit::ConcurrencyLimitLayer;

use crate::error::{Error, Result};
use crate::telemetry::Requests;

/// Longest wait for a next byte of an answer, real time. Admission webhooks of others may take up to 30 s.
const READ_LIMIT: Duration = Duration::from_secs(35);
/// Seconds after which a watch is begun anew where the last one ended. kube gives one up 5 s later if the server has not
/// ended it by then, so a change is noticed after 35 s at the latest, also on a connection that died silently.
pub(crate) const WATCH_SECONDS: u32 = 30;
/// Longest wait of a watch for a next byte; longer than a watch lasts.
const WATCH_LIMIT: Duration = Duration::from_mins(1);
/// Calls under way at the same time. A thousand objects that change at once must not open a thousand connections: each costs a
/// handshake and its buffers.
const CALLS_MAX: usize = 24;
/// How this program names itself to the API server, and so in its audit log.
const AGENT: &str = concat!("sluice/", env!("CARGO_PKG_VERSION"), " (operator)");

/// One client for each kind of waiting.
pub(crate) struct Clients {
    /// For calls, of which [`CALLS_MAX`] are under way; the others wait for their turn.
    pub(crate) calls: Client,
    /// For the election, whose renewals wait for no other call.
    pub(crate) election: Client,
    /// For watches, which are silent while nothing changes.
    pub(crate) watches: Client,
}

impl Clients {
    /// Clients for the API server of the pod or of `KUBECONFIG`; their requests are counted in `requests`.
    ///
    /// # Errors
    /// No API server is configured, or its certificate authority cannot be used.
    pub(crate) async fn infer(requests: &Requests) -> Result<Self> {
        let config = Config::infer().await.map_err(|error| Error::Configuration(Box::new(error)))?;
        Self::new(&config, requests)
    }

    fn new(config: &Config, requests: &Requests) -> Result<Self> {
        let host = config.cluster_url.authority().map_or("", |authority| authority.as_str());
        let client = |limit| {
            ClientBuilder::try_from(bounded(config.clone(), limit))
                .map(|client| client.with_layer(&requests.to(host)))
                .map_err(Error::kubernetes("make a client for the API server"))
        };
        Ok(Self {
            calls: client(READ_LIMIT)?.with_layer(&ConcurrencyLimitLayer::new(CALLS_MAX)).build(),
            election: client(READ_LIMIT)?.build(),
            watches: client(WATCH_LIMIT)?.build(),
        })
    }
}

fn bounded(mut config: Config, limit: Duration) -> Config {
    config.read_timeout = Some(limit);
    // The time that a connection lay idle before the request does not count.
    config.reset_reader_on_write = true;
    config.headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
    config
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::soon;
    use crate::telemetry::Telemetry;

    #[test]
    fn calls_and_watches_end_and_name_the_program() {
        let config = bounded(Config::new("http://127.0.0.1:9".parse().unwrap()), READ_LIMIT);
        assert!(config.read_timeout.is_some() && config.reset_reader_on_write);
        let (_, agent) = config.headers.iter().find(|(name, _)| *name == USER_AGENT).unwrap();
        assert!(agent.to_str().unwrap().starts_with("sluice/"));
        assert!(WATCH_LIMIT > Duration::from_secs(u64::from(WATCH_SECONDS) + 5));
    }

    #[tokio::test]
    async fn calls_and_watches_carry_the_name_over_the_wire() {
        let (sender, mut agents) = tokio::sync::mpsc::unbounded_channel();
        let answer = move |headers: http::HeaderMap| {
            let _ = sender.send(headers.get(USER_AGENT).cloned());
            async { "{}" }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
        let telemetry = Telemetry::new();
        let clients = Clients::new(&Config::new(url.parse().unwrap()), telemetry.requests()).unwrap();
        for client in [clients.calls, clients.election, clients.watches] {
            let _ = client.apiserver_version().await;
            assert_eq!(agents.recv().await.unwrap().unwrap(), AGENT);
        }
        let host = url.trim_start_matches("http://");
        let line = format!("rest_client_requests_total{{code=\"200\",host=\"{host}\",method=\"GET\"}} 3");
        assert!(telemetry.render().contains(&line), "{line} is not in\n{}", telemetry.render());
    }

    #[tokio::test]
    async fn a_burst_of_calls_opens_no_connection_each_and_the_election_does_not_wait_for_it() {
        let (sender, mut came) = tokio::sync::mpsc::unbounded_channel();
        let answer = move |uri: http::Uri| {
            let is_slow = uri.path() == "/slow";
            if is_slow {
                let _ = sender.send(());
            }
            async move { if is_slow { std::future::pending().await } else { "{}" } }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
        let clients = Clients::new(&Config::new(url.parse().unwrap()), Telemetry::new().requests()).unwrap();
        let mut burst = tokio::task::JoinSet::new();
        for _ in 0..3 * CALLS_MAX {
            let client = clients.calls.clone();
            burst
                .spawn(async move { client.request_text(http::Request::get("/slow").body(Vec::new()).unwrap()).await });
        }
        for _ in 0..CALLS_MAX {
            soon(came.recv()).await.unwrap();
        }
        soon(clients.election.request_text(http::Request::get("/lease").body(Vec::new()).unwrap())).await.unwrap();
        assert!(came.try_recv().is_err(), "more than {CALLS_MAX} calls are under way");
    }
}
