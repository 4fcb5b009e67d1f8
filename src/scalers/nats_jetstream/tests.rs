//! The trigger against monitoring endpoints by script. All nodes of a cluster have the same port, so theirs listen on loopback addresses of
//! their own.

use clock::Clock;
use url::Url;

use super::*;
use crate::scripted::{Endpoint, context_with, map};

/// Keys with their values.
type Pairs<'a> = &'a [(&'a str, &'a str)];

fn trigger(pairs: Pairs<'_>) -> ScaleTriggers {
    let mut metadata = map(&[("account", "APP"), ("stream", "orders"), ("consumer", "worker")]);
    metadata.extend(map(pairs));
    ScaleTriggers { type_: TYPE.into(), metadata, ..Default::default() }
}

async fn built(pairs: Pairs<'_>, parameters: Pairs<'_>) -> std::result::Result<NatsJetStream, String> {
    let mut context = context_with(Clock::real()).await;
    context.authentication = map(parameters);
    NatsJetStream::new(&trigger(pairs), 1, &context).map_err(|error| error.to_string())
}

/// What a server that has the consumer says of its account.
fn account(size: u32, leader: &str, pending: u32) -> String {
    let consumer =
        format!(r#"{{"name":"worker","cluster":{{"leader":"{leader}"}},"num_pending":{pending},"num_ack_pending":2}}"#);
    format!(
        r#"{{"meta_cluster":{{"cluster_size":{size}}},"account_details":[{{"name":"APP","id":"A1","stream_detail":[
            {{"name":"other"}},{{"name":"orders","consumer_detail":[{{"name":"idle"}},{consumer}]}}]}}]}}"#
    )
}

/// The value and whether it is active, of a server that gives this answer.
async fn read(status: u16, answer: &str, pairs: Pairs<'_>) -> (std::result::Result<(f64, bool), String>, Vec<String>) {
    let answer = answer.to_owned();
    let endpoint = Endpoint::start(move |_| (status, answer.clone())).await;
    let address = endpoint.url.replace("http://", "");
    let scaler = built(&[pairs, &[("natsServerMonitoringEndpoint", &address)]].concat(), &[]).await.unwrap();
    (value(&scaler).await, endpoint.seen())
}

async fn value(scaler: &NatsJetStream) -> std::result::Result<(f64, bool), String> {
    let samples = scaler.read(Duration::ZERO).await.map_err(|error| error.to_string())?;
    let sample = samples.by_metric[0].1.clone().unwrap();
    Ok((sample.value, sample.active))
}

#[tokio::test]
async fn what_is_not_delivered_and_what_is_not_acknowledged_is_the_lag() {
    let alone = account(0, "", 7);
    let (lag, seen) = read(200, &alone, &[]).await;
    assert_eq!(lag, Ok((9.0, true)));
    assert_eq!(seen.len(), 1);
    assert!(seen[0].starts_with("/jsz?acc=APP&config=true&consumers=true\n"), "{}", seen[0]);
    assert_eq!(read(200, &alone, &[("activationLagThreshold", "9")]).await.0, Ok((9.0, false)));
    let by_id = [("account", ""), ("accountID", "A1")];
    let (lag, seen) = read(200, &alone, &by_id).await;
    assert_eq!(lag, Ok((9.0, true)));
    assert!(seen[0].starts_with("/jsz?acc=A1&"), "{}", seen[0]);
}

#[tokio::test]
async fn what_is_not_there_is_a_failure_and_no_zero() {
    let alone = account(0, "", 7);
    for (status, answer, pairs, parts) in [
        (200, alone.as_str(), &[("account", "OTHER")][..], &["account \"OTHER\" not found", "check account"][..]),
        (200, &alone, &[("stream", "none")], &["stream not found", "check stream"]),
        (200, &alone, &[("stream", "other")], &["consumer \"worker\" not found in stream \"other\""]),
        (200, &alone, &[("consumer", "idle")], &["the answer has no num_pending"]),
        (200, "{}", &[], &["account \"APP\" not found"]),
        (200, "<html>", &[], &["the answer is no JSON"]),
        (503, "", &[], &["returned 503", "check natsServerMonitoringEndpoint"]),
    ] {
        let error = read(status, answer, pairs).await.0.unwrap_err();
        for part in parts {
            assert!(error.contains(part), "{part} is not in {error}");
        }
    }
}

/// Nodes `n0`, `n1` and so on at 127.0.0.1, 127.0.0.2 and so on, which count 10, 11 and so on. `leads` says which of them leads.
async fn cluster(nodes: u8, leads: &Arc<Mutex<String>>) -> (u16, Vec<Endpoint>) {
    let first = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut endpoints = Vec::new();
    for node in 0..nodes {
        let leads = Arc::clone(leads);
        let address = format!("127.0.0.{}:{first}", node + 1);
        let endpoint = Endpoint::at(&address, move |target| {
            let all: Vec<_> = (1..=nodes).map(|host| format!("\"127.0.0.{host}:4222\"")).collect();
            let about = format!(r#"{{"server_name":"n{node}","connect_urls":[{}]}}"#, all.join(","));
            let is_about = target.starts_with("/varz");
            (200, if is_about { about } else { account(3, &leads.lock().unwrap(), 8 + u32::from(node)) })
        });
        endpoints.push(endpoint.await);
    }
    (first, endpoints)
}

#[tokio::test]
async fn in_a_cluster_the_leader_of_the_consumer_counts() {
    let leads = Arc::new(Mutex::new("n2".to_owned()));
    let (port, endpoints) = cluster(3, &leads).await;
    let scaler = built(&[("natsServerMonitoringEndpoint", &format!("127.0.0.1:{port}"))], &[]).await.unwrap();
    let requests = || endpoints.iter().map(|endpoint| endpoint.seen().len()).collect::<Vec<_>>();
    assert_eq!(value(&scaler).await, Ok((12.0, true)));
    let before = requests();
    assert_eq!(value(&scaler).await, Ok((12.0, true)));
    assert_eq!(requests(), [before[0], before[1], before[2] + 1], "the leader alone is read again");
    for (leader, lag) in [("n1", 11.0), ("n0", 10.0)] {
        leader.clone_into(&mut leads.lock().unwrap());
        assert_eq!(value(&scaler).await, Ok((lag, true)), "{leader}");
    }
    String::new().clone_into(&mut leads.lock().unwrap());
    let error = value(&scaler).await.unwrap_err();
    assert!(error.contains("leader node not found for consumer worker: it has none at the moment"), "{error}");
    "n7".clone_into(&mut leads.lock().unwrap());
    assert!(value(&scaler).await.unwrap_err().contains("it is not among the nodes"));
}

#[tokio::test]
async fn a_node_that_is_away_hides_no_other_leader() {
    let leads = Arc::new(Mutex::new("n2".to_owned()));
    let (port, mut endpoints) = cluster(3, &leads).await;
    let scaler = built(&[("natsServerMonitoringEndpoint", &format!("127.0.0.1:{port}"))], &[]).await.unwrap();
    endpoints.remove(1).stop();
    assert_eq!(value(&scaler).await, Ok((12.0, true)));
    "n1".clone_into(&mut leads.lock().unwrap());
    let error = value(&scaler).await.unwrap_err();
    assert!(error.contains(&format!("127.0.0.2:{port}")), "{error}");
}

#[test]
fn nodes_that_advertise_nothing_are_named_by_their_routes() {
    let entry = Url::parse("http://nats.shop.svc:8222/jsz?acc=A").unwrap();
    let node = monitoring::place(&entry, monitoring::Peer::Name("nats-1".to_owned())).unwrap();
    assert_eq!((node.0.as_deref(), node.1.as_str()), (Some("nats-1"), "http://nats-1.nats.shop.svc:8222/jsz?acc=A"));
    let body = serde_json::json!({"cluster": {"urls": ["nats-0.nats:6222", "nats-1.nats:6222"]}});
    let names: Vec<_> = monitoring::peers(&body).into_iter().map(|peer| format!("{peer:?}")).collect();
    assert_eq!(names, [r#"Name("nats-0")"#, r#"Name("nats-1")"#]);
}

#[tokio::test]
async fn names_and_targets_are_those_of_keda() {
    let endpoint = ("natsServerMonitoringEndpoint", "nats.shop.svc:8222");
    for (pairs, name, target) in [
        (&[][..], "s1-nats-jetstream-orders", 10.0),
        (&[("lagThreshold", "3"), ("stream", "my.stream")], "s1-nats-jetstream-my-stream", 3.0),
    ] {
        let wanted = Spec { name: name.into(), target: Target::AverageValue(target) };
        assert_eq!(crate::specs(&trigger(pairs), 1, "shop"), std::slice::from_ref(&wanted));
        let scaler = built(&[pairs, &[endpoint]].concat(), &[]).await.unwrap();
        assert_eq!(scaler.specs().await.unwrap(), [wanted]);
    }
    assert_eq!(crate::label(TYPE), "natsJetStreamScaler");
    // The parameters come first.
    let parameters = [("natsServerMonitoringEndpoint", "a:1"), ("account", "THEIRS"), ("accountID", "")];
    let scaler = built(&[endpoint, ("useHttps", "true")], &parameters).await.unwrap();
    assert_eq!(scaler.monitoring.entry.as_str(), "https://a:1/jsz?acc=THEIRS&config=true&consumers=true");
}

#[tokio::test]
async fn all_that_is_wrong_is_reported_at_once() {
    for (pairs, parts) in [
        (
            &[("account", ""), ("stream", ""), ("consumer", "")][..],
            &["no account name or id", "no stream", "no consumer", "no natsServerMonitoringEndpoint"][..],
        ),
        (
            &[("lagThreshold", "0"), ("activationLagThreshold", "x")],
            &["lagThreshold=0", "activationLagThreshold=\"x\""],
        ),
        (&[("natsServerMonitoringEndpoint", "http://a:8222")], &["must be host:port", "useHttps"]),
        (
            &[("natsServerMonitoringEndpoint", "a:8222/jsz"), ("useHttps", "yes")],
            &["must be host:port", "useHttps=\"yes\""],
        ),
    ] {
        let error = built(pairs, &[]).await.err().unwrap();
        for part in parts {
            assert!(error.contains(part), "{part} is not in {error}");
        }
    }
}
