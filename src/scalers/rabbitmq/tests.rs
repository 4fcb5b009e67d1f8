//! The trigger against a management API by script.

use clock::Clock;

use super::*;
use crate::scripted::{Endpoint, context_with, map};

/// Keys with their values.
type Pairs<'a> = &'a [(&'a str, &'a str)];

fn trigger(pairs: Pairs<'_>) -> ScaleTriggers {
    let mut metadata = map(&[("queueName", "orders")]);
    metadata.extend(map(pairs));
    ScaleTriggers { type_: TYPE.into(), metadata, ..Default::default() }
}

async fn built(pairs: Pairs<'_>, parameters: Pairs<'_>) -> std::result::Result<Box<dyn Scaler>, String> {
    let mut context = context_with(Clock::real()).await;
    context.authentication = map(parameters);
    crate::build(&trigger(pairs), 1, &context).map_err(|error| error.to_string())
}

/// The value, whether it is active, and the request, of a server that gives this answer.
async fn read(
    status: u16,
    answer: &'static str,
    path: &str,
    pairs: Pairs<'_>,
    parameters: Pairs<'_>,
) -> (std::result::Result<(f64, bool), String>, String) {
    let endpoint = Endpoint::start(move |_| (status, answer.into())).await;
    let host = format!("{}{path}", endpoint.url.replace("http://", "http://me:in%20url@"));
    let scaler = built(&[pairs, &[("host", &host)]].concat(), parameters).await.unwrap();
    let value = match scaler.read(Duration::ZERO).await {
        Ok(samples) => samples.by_metric[0].1.clone().map(|sample| (sample.value, sample.active)),
        Err(error) => Err(error),
    };
    (value.map_err(|error| error.to_string()), endpoint.seen().pop().unwrap_or_default())
}

const QUEUE: &str = r#"{"messages":9,"messages_ready":7,"message_stats":{"publish_details":{"rate":6},"deliver_get_details":{"rate":2}}}"#;

#[tokio::test]
async fn each_mode_has_its_number() {
    for (mode, wanted) in [
        ("QueueLength", (9.0, true)),
        ("MessageRate", (6.0, true)),
        ("DeliverGetRate", (2.0, false)),
        ("PublishedToDeliveredRatio", (3.0, true)),
        // The backlog and what comes faster than it goes.
        ("ExpectedQueueConsumptionTime", (6.5, true)),
    ] {
        let pairs = [("mode", mode), ("value", "3"), ("activationValue", "2")];
        assert_eq!(read(200, QUEUE, "", &pairs, &[]).await.0, Ok(wanted), "{mode}");
    }
    let silent = r#"{"messages":0,"message_stats":{"publish_details":{"rate":6}}}"#;
    for mode in ["PublishedToDeliveredRatio", "ExpectedQueueConsumptionTime"] {
        let pairs = [("mode", mode), ("value", "3"), ("activationValue", "2")];
        assert_eq!(read(200, silent, "", &pairs, &[]).await.0, Ok((2.0, true)), "{mode}");
    }
    assert_eq!(read(200, QUEUE, "", &[("excludeUnacknowledged", "true")], &[]).await.0, Ok((7.0, true)));
}

#[tokio::test]
async fn the_queue_is_named_by_the_path_and_read_as_the_user_of_the_trigger() {
    for (path, pairs, parameters, target, user) in [
        ("", &[][..], &[][..], "/api/queues/%2F/orders", "bWU6aW4gdXJs"),
        (
            "/shop",
            &[("queueName", "a b/c")],
            &[("username", "u"), ("password", "p")],
            "/api/queues/shop/a%20b%2Fc",
            "dTpw",
        ),
        ("/sub/shop", &[("vhostName", "other one")], &[], "/sub/api/queues/other%20one/orders", "bWU6aW4gdXJs"),
    ] {
        let seen = read(200, QUEUE, path, pairs, parameters).await.1;
        assert!(seen.starts_with(&format!("{target}\n")), "{target} is not in {seen}");
        assert!(seen.contains(&format!("authorization: Basic {user}")), "{user} is not in {seen}");
    }
}

#[tokio::test]
async fn queues_that_an_expression_matches_are_one() {
    let two =
        r#"{"page_count":1,"items":[{"messages":3},{"messages":6,"message_stats":{"publish_details":{"rate":4}}}]}"#;
    for (operation, wanted) in [("sum", 9.0), ("avg", 4.0), ("max", 6.0)] {
        let pairs = [("useRegex", "true"), ("operation", operation), ("queueName", "^o.*")];
        let (value, seen) = read(200, two, "", &pairs, &[]).await;
        assert_eq!(value, Ok((wanted, true)), "{operation}");
        let target = "/api/queues/%2F?page=1&use_regex=true&pagination=false&name=%5Eo.*&page_size=100";
        assert!(seen.starts_with(target), "{seen}");
    }
    let none = r#"{"page_count":1,"items":[]}"#;
    assert_eq!(read(200, none, "", &[("useRegex", "true"), ("operation", "avg")], &[]).await.0, Ok((0.0, false)));
    let more = r#"{"page_count":2,"items":[]}"#;
    assert!(read(200, more, "", &[("useRegex", "true")], &[]).await.0.unwrap_err().contains("raise pageSize"));
}

#[tokio::test]
async fn what_is_wrong_is_said_without_credentials() {
    for (status, answer, part) in [
        (401, r#"{"error":"not_authorised"}"#, "check username and password"),
        (404, r#"{"error":"Object Not Found"}"#, "check queueName"),
        (200, "{}", "the server has no messages of the queue"),
        (200, "<html>", "the answer is no JSON"),
    ] {
        let error = read(status, answer, "", &[], &[("username", "u"), ("password", "secret")]).await.0.unwrap_err();
        assert!(error.contains(part) && error.contains("RabbitMQ queue \"orders\""), "{part} is not in {error}");
        assert!(!error.contains("secret") && !error.contains("url"), "{error}");
    }
    let host = ("host", "http://me:secret@a/");
    for (pairs, parameters, parts) in [
        (&[("queueName", "")][..], &[][..], &["no queueName", "no host given"][..]),
        (&[("host", "secret")], &[], &["host is no address"]),
        (&[("host", "ftp://me:secret@a")], &[], &["unknown host URL scheme: `ftp`"]),
        (&[host, ("mode", "Some"), ("value", "1")], &[], &["trigger mode Some must be one of QueueLength"]),
        (&[host, ("mode", "QueueLength")], &[], &["value must be specified"]),
        (&[host, ("value", "1")], &[], &["mode must be specified"]),
        (&[host, ("queueLength", "1"), ("mode", "QueueLength"), ("value", "1")], &[], &["queueLength is deprecated"]),
        (&[host, ("pageSize", "0"), ("timeout", "0")], &[], &["pageSize should be", "timeout=\"0\""]),
        (&[host, ("protocol", "amqp"), ("useRegex", "true")], &[], &["configure useRegex=true only with HTTP"]),
        (&[host], &[("username", "u"), ("tls", "yes")], &["must be given together", "incorrect value for TLS"]),
        (
            &[host],
            &[("clientID", "secret"), ("workloadIdentityResource", "r")],
            &["OAuth2 is not served", "workloadIdentityResource"],
        ),
    ] {
        let error = built(pairs, parameters).await.err().unwrap();
        for part in parts {
            assert!(error.contains(part), "{part} is not in {error}");
        }
        assert!(!error.contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn names_and_targets_are_those_of_keda() {
    for (pairs, name, target) in [
        (&[("queueName", "my queue/1")][..], "s1-rabbitmq-my+queue-2F1", 20.0),
        (&[("queueLength", "7")], "s1-rabbitmq-orders", 7.0),
        (&[("mode", "MessageRate"), ("value", "2.5")], "s1-rabbitmq-orders", 2.5),
    ] {
        let wanted = Spec { name: name.into(), target: Target::AverageValue(target) };
        assert_eq!(crate::specs(&trigger(pairs), 1, "shop"), std::slice::from_ref(&wanted));
        let scaler = built(&[pairs, &[("host", "http://a")]].concat(), &[]).await.unwrap();
        assert_eq!(scaler.specs().await.unwrap(), [wanted]);
    }
}
