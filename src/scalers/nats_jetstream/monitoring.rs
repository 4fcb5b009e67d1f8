//! What the monitoring endpoint says: the streams and consumers of an account, and the nodes of the cluster.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use serde_json::Value;
use url::Url;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::http::{self, Http};
use crate::metadata::{Metadata, Origin};
use crate::reads::Reads;
use crate::tls::Tls;

/// A consumer as one server counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Consumer {
    /// Messages that are not delivered yet, and that are delivered and not acknowledged.
    pub(super) lag: i64,
    /// The name of the server that leads it; empty without a cluster.
    pub(super) leader: String,
}

/// A node whose name is known, and where its answers about the account are.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) url: Url,
}

/// A node of the cluster as another one names it.
#[derive(Debug, Clone)]
pub(super) enum Peer {
    /// By the host that clients connect to. Its name is its own to say.
    Host(String),
    /// By its name, which is the first part of the host of its route.
    Name(String),
}

pub(super) struct Monitoring {
    http: Http,
    /// `/jsz` of the server that the trigger names.
    pub(super) entry: Url,
    account: Option<String>,
    account_id: String,
    stream: String,
    consumer: String,
}

impl Monitoring {
    /// `None`, with a noted problem, if the trigger names no server.
    pub(super) fn read(
        metadata: &mut Metadata<'_>,
        (account, account_id): (Option<String>, Option<String>),
        (stream, consumer): (&str, &str),
        context: &Context,
    ) -> Option<Self> {
        let key = "natsServerMonitoringEndpoint";
        let scheme = if metadata.flag("useHttps", false) { "https" } else { "http" };
        let Some(written) = metadata.first(&[key], &[Origin::Authentication, Origin::Metadata]) else {
            metadata.problem(format!(
                "no {key} given; set it in the trigger's metadata: host:port, such as nats.nats.svc.cluster.local:8222"
            ));
            return None;
        };
        let url = Url::parse(&format!("{scheme}://{written}")).ok();
        let Some(mut entry) = url.filter(|url| url.path() == "/" && url.query().is_none() && !written.contains("://"))
        else {
            metadata.problem(format!("{key} must be host:port without a scheme and a path; for TLS set useHttps"));
            return None;
        };
        entry.set_path("/jsz");
        let account_id = account_id.or_else(|| account.clone()).unwrap_or_default();
        let query = [("acc", account_id.as_str()), ("config", "true"), ("consumers", "true")];
        entry.query_pairs_mut().extend_pairs(query);
        let tls = Tls { ca: metadata.authorities(), ..Tls::default() };
        let http = metadata.client(&context.services, &tls, http::READ_LIMIT)?;
        Some(Self { http, entry, account, account_id, stream: stream.to_owned(), consumer: consumer.to_owned() })
    }

    /// What the server at this address says of the account, and when.
    pub(super) async fn account(&self, reads: &Reads, url: &Url, age: Duration) -> Result<(Timestamp, Arc<Value>)> {
        self.json(reads, url, age).await
    }

    /// The consumer, if the server has it.
    pub(super) fn consumer(&self, answer: &Value) -> Result<Consumer> {
        let (stream, consumer) = (self.stream.as_str(), self.consumer.as_str());
        let failed = |problem: String| {
            let what = format!("consumer {consumer:?} of the NATS stream {stream:?} at {}", http::shown(&self.entry));
            Error::Answer { what, problem }
        };
        let account = each(&answer["account_details"]).find(|account| self.is_account(account));
        let account = account
            .ok_or_else(|| failed(format!("account {:?} not found; check account and accountID", self.account_id)))?;
        let found = each(&account["stream_detail"]).find(|found| found["name"] == stream);
        let found = found.ok_or_else(|| failed("stream not found; check stream and account".to_owned()))?;
        let found = each(&found["consumer_detail"]).find(|found| found["name"] == consumer);
        let found = found
            .ok_or_else(|| failed(format!("consumer {consumer:?} not found in stream {stream:?}; check consumer")))?;
        let number = |key: &str| found[key].as_i64().ok_or_else(|| failed(format!("the answer has no {key}")));
        let lag = number("num_pending")?.saturating_add(number("num_ack_pending")?);
        Ok(Consumer { lag, leader: found["cluster"]["leader"].as_str().unwrap_or_default().to_owned() })
    }

    fn is_account(&self, account: &Value) -> bool {
        account["id"] == self.account_id.as_str() || self.account.as_deref().is_some_and(|name| account["name"] == name)
    }

    /// The name of the server that the trigger names, and the nodes of its cluster.
    pub(super) async fn nodes(&self, reads: &Reads, age: Duration) -> Result<(String, Vec<Peer>)> {
        let url = of_server(&self.entry);
        let (_, body) = self.json(reads, &url, age).await?;
        let name = server_name(&url, &body)?;
        Ok((name, peers(&body)))
    }

    /// The name and the address of a node.
    pub(super) async fn node(&self, reads: &Reads, peer: Peer, age: Duration) -> Result<Node> {
        let (name, url) = place(&self.entry, peer)?;
        if let Some(name) = name {
            return Ok(Node { name, url });
        }
        let about = of_server(&url);
        let (_, body) = self.json(reads, &about, age).await?;
        Ok(Node { name: server_name(&about, &body)?, url })
    }

    /// Why no node answers for the consumer.
    pub(super) fn no_leader(&self, consumer: &Consumer) -> Error {
        let known = if consumer.leader.is_empty() { "has none at the moment" } else { "is not among the nodes" };
        let problem = format!("leader node not found for consumer {}: it {known}", self.consumer);
        failed(&self.entry, problem)
    }

    async fn json(&self, reads: &Reads, url: &Url, age: Duration) -> Result<(Timestamp, Arc<Value>)> {
        let source = [super::TYPE, url.as_str()].map(str::to_owned).to_vec();
        let read = reads.get(source, age, self.fetched(url)).await?;
        Ok((read.at, read.value))
    }

    async fn fetched(&self, url: &Url) -> Result<Value> {
        let answer = self.http.get(&what(url), url.clone(), HeaderMap::new()).await?;
        if answer.status != 200 {
            let step = "; check natsServerMonitoringEndpoint and that JetStream is enabled";
            return Err(failed(url, format!("the monitoring endpoint returned {}{step}", answer.status)));
        }
        serde_json::from_slice(&answer.body).map_err(|error| failed(url, format!("the answer is no JSON: {error}")))
    }
}

/// How many servers decide for the streams, or 0 without a cluster.
pub(super) fn cluster_size(answer: &Value) -> u64 {
    answer["meta_cluster"]["cluster_size"].as_u64().unwrap_or_default()
}

fn failed(url: &Url, problem: String) -> Error {
    Error::Answer { what: what(url), problem }
}

fn server_name(url: &Url, body: &Value) -> Result<String> {
    let name = body["server_name"].as_str().map(str::to_owned);
    name.ok_or_else(|| failed(url, "the answer has no server_name".to_owned()))
}

fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// What is read, for errors. Several triggers share an answer, so it names none of them.
fn what(url: &Url) -> String {
    format!("cannot read the NATS monitoring endpoint {}", http::shown(url))
}

/// The nodes that the server's answer about itself names: by what clients may connect to, if they advertise that, else by their
/// routes.
pub(super) fn peers(body: &Value) -> Vec<Peer> {
    let advertised = each(&body["connect_urls"]).filter_map(Value::as_str);
    let advertised: Vec<_> = advertised.map(|address| Peer::Host(without_port(address).to_owned())).collect();
    if !advertised.is_empty() {
        return advertised;
    }
    let routes = each(&body["cluster"]["urls"]).filter_map(Value::as_str);
    let names = routes.map(|route| route.split(['.', ':']).next().unwrap_or_default().to_owned());
    names.map(Peer::Name).collect()
}

/// A node's name, if it is known, and its address, by that of the server that the trigger names.
pub(super) fn place(entry: &Url, peer: Peer) -> Result<(Option<String>, Url)> {
    let (host, name) = match peer {
        Peer::Host(host) => (host, None),
        Peer::Name(name) => (format!("{name}.{}", entry.host_str().unwrap_or_default()), Some(name)),
    };
    let mut url = entry.clone();
    if url.set_host(Some(&host)).is_err() {
        return Err(failed(entry, format!("the node {host:?} of the cluster is no host")));
    }
    Ok((name, url))
}

/// Where a node says its own name and those of its cluster.
fn of_server(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_path("/varz");
    url.set_query(None);
    url
}

/// The host of `host:port`, with the brackets of an IPv6 address.
fn without_port(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}
