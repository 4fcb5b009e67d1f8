//! The trigger against a server by script.

use clock::Clock;

use super::*;
use crate::scripted::redis::Redis;
use crate::scripted::{context_with, map};

/// Keys with their values.
type Pairs<'a> = &'a [(&'a str, &'a str)];

fn trigger(type_: &str, pairs: Pairs<'_>) -> ScaleTriggers {
    ScaleTriggers { type_: type_.into(), metadata: map(pairs), ..Default::default() }
}

async fn built(
    type_: &str,
    pairs: Pairs<'_>,
    parameters: Pairs<'_>,
    environment: Pairs<'_>,
) -> std::result::Result<Box<dyn Scaler>, String> {
    let mut context = context_with(Clock::real()).await;
    (context.authentication, context.environment) = (map(parameters), map(environment));
    crate::build(&trigger(type_, pairs), 1, &context).map_err(|error| error.to_string())
}

async fn read(scaler: &dyn Scaler) -> std::result::Result<(f64, bool), String> {
    let samples = scaler.read(Duration::ZERO).await.map_err(|error| error.to_string())?;
    let sample = samples.by_metric[0].1.clone().map_err(|error| error.to_string())?;
    Ok((sample.value, sample.active))
}

#[tokio::test]
async fn the_length_is_read_in_one_call_as_the_user_of_the_trigger_and_its_connection_is_shared() {
    let server =
        Redis::start(|command| if command.starts_with("EVAL") { ":7\r\n".to_owned() } else { "+OK\r\n".to_owned() })
            .await;
    let (host, port) = server.address.split_once(':').unwrap();
    let metadata = [
        ("hostFromEnv", "HOST"),
        ("port", port),
        ("listName", "orders"),
        ("activationListLength", "7"),
        ("databaseIndex", "3"),
        ("passwordFromEnv", "PASSWORD"),
    ];
    let scaler =
        built("redis", &metadata, &[("username", "me")], &[("HOST", host), ("PASSWORD", "secret")]).await.unwrap();
    assert_eq!(read(&*scaler).await, Ok((7.0, false)));
    assert_eq!(read(&*scaler).await, Ok((7.0, false)));
    let seen = server.seen();
    let commands: Vec<_> = seen.iter().filter(|command| !command.starts_with("CLIENT")).collect();
    assert_eq!(commands.len(), 4, "one connection for both: {commands:?}");
    assert!(commands.contains(&&"AUTH me secret".to_owned()) && commands.contains(&&"SELECT 3".to_owned()), "{seen:?}");
    assert!(commands[3].starts_with("EVAL") && commands[3].ends_with(" 1 orders"), "{seen:?}");
}

#[tokio::test]
async fn a_connection_that_was_closed_is_opened_again_and_a_refusal_says_what_to_check() {
    let calls = std::sync::atomic::AtomicU32::new(0);
    let server = Redis::start(move |command| match command.split(' ').next().unwrap() {
        "EVAL" if calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 1 => String::new(),
        "EVAL" => ":1\r\n".to_owned(),
        _ => "-WRONGPASS invalid username-password pair or user is disabled.\r\n".to_owned(),
    })
    .await;
    let metadata = [("addresses", server.address.as_str()), ("listName", "orders")];
    let scaler = built("redis", &metadata, &[], &[]).await.unwrap();
    for _ in 0..3 {
        assert_eq!(read(&*scaler).await, Ok((1.0, true)));
    }
    let refused = built("redis", &metadata, &[("password", "secret")], &[]).await.unwrap();
    let error = read(&*refused).await.unwrap_err();
    for part in ["the redis list \"orders\" at 127.0.0.1:", "authentication failed", "check username and password"] {
        assert!(error.contains(part) && !error.contains("secret"), "{part} is not in {error}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_at_once_and_without_credentials() {
    let table: [(&str, Pairs<'_>, Pairs<'_>, &[&str]); 6] = [
        ("redis", &[], &[], &["no listName", "no addresses or hosts given"]),
        (
            "redis",
            &[("hosts", "a,b"), ("ports", "1"), ("listLength", "0")],
            &[],
            &["not enough hosts or ports", "listLength=0"],
        ),
        ("redis-sentinel", &[("addresses", "a:1,b:2")], &[], &["no sentinelMaster"]),
        ("redis-cluster", &[("addresses", "secret@a")], &[], &["not written host:port"]),
        (
            "redis",
            &[("address", "a:1"), ("enableTLS", "true")],
            &[("tls", "secret?"), ("cert", "c")],
            &["incorrect TLS value", "cert and key must be given together"],
        ),
        (
            "redis",
            &[("address", "a:1"), ("enableTLS", "true")],
            &[("tls", "enable"), ("ca", "none"), ("cert", "c"), ("key", "k"), ("keyPassword", "secret")],
            &["unable to set `tls` in both", "ca holds no certificate", "keyPassword"],
        ),
    ];
    for (type_, pairs, parameters, parts) in table {
        let error = built(type_, pairs, parameters, &[]).await.err().unwrap();
        for part in parts {
            assert!(error.starts_with("error parsing redis metadata: "), "{error}");
            assert!(error.contains(part), "{part} is not in {error}");
        }
        assert!(!error.contains("secret@"), "{error}");
    }
}

#[tokio::test]
async fn names_and_targets_are_those_of_keda() {
    let metadata = [("address", "a:1"), ("listName", "my.list")];
    for type_ in ["redis", "redis-cluster", "redis-sentinel"] {
        let wanted = Spec { name: "s1-redis-my-list".into(), target: Target::AverageValue(5.0) };
        assert_eq!(crate::specs(&trigger(type_, &metadata), 1, "shop"), std::slice::from_ref(&wanted));
        let scaler = built(type_, &metadata, &[("sentinelMaster", "m")], &[]).await.unwrap();
        assert_eq!(scaler.specs().await.unwrap(), [wanted]);
    }
}
