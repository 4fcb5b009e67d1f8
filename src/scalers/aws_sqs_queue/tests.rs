//! The trigger against a scripted SQS.

use clock::Clock;
use keda::api::{AuthPodIdentity, PodIdentityProvider};

use super::*;
use crate::aws_identity::Identities;
use crate::scripted::{self, Cluster, Service, map};

fn trigger(pairs: &[(&str, &str)]) -> ScaleTriggers {
    let mut metadata = map(&[("queueURL", "http://sqs.local/111122223333/orders"), ("awsRegion", "eu-west-1")]);
    metadata.extend(map(pairs));
    ScaleTriggers { type_: TYPE.into(), metadata, ..Default::default() }
}

async fn context(service: &Service) -> Context {
    let identities = Identities::new(service.session().await, None, Clock::real());
    Context {
        environment: map(&[("QUEUE", " http://sqs.local/1/from-env.fifo ")]),
        pod_identity: Some(AuthPodIdentity { provider: PodIdentityProvider::Aws, ..Default::default() }),
        ..scripted::context_of(identities, Cluster::new(Ok(vec![])), Clock::real())
    }
}

async fn service() -> Service {
    Service::start(|_| {
        scripted::attributes(&[
            ("ApproximateNumberOfMessages", "6"),
            ("ApproximateNumberOfMessagesNotVisible", "3"),
            ("ApproximateNumberOfMessagesDelayed", "2"),
        ])
    })
    .await
}

async fn read(service: &Service, pairs: &[(&str, &str)]) -> Result<Sample> {
    let scaler = crate::build(&trigger(pairs), 0, &context(service).await)?;
    let samples = scaler.read(Duration::ZERO).await?;
    assert_eq!(samples.by_metric[0].0, "s0-aws-sqs-orders");
    samples.by_metric[0].1.clone()
}

#[test]
fn the_name_comes_from_url_or_value_as_in_keda() {
    assert_eq!(queue_name("https://sqs.eu-west-1.amazonaws.com/1/orders.fifo").unwrap(), "orders.fifo");
    assert_eq!(queue_name("http://localhost:4566/000000000000/q").unwrap(), "q");
    assert_eq!(queue_name("orders").unwrap(), "orders");
    for wrong in ["", "http://host/queue/region/acct/q", "https://sqs.eu-west-1.amazonaws.com/1/", "/orders"] {
        assert!(queue_name(wrong).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn one_call_reads_the_sum_with_its_parts() {
    let service = service().await;
    let sample = read(&service, &[]).await.unwrap();
    assert_eq!((sample.value, sample.active, sample.target), (9.0, true, Target::AverageValue(5.0)));
    assert_eq!(sample.parts, [("visible".to_owned(), 6.0), ("in flight".to_owned(), 3.0)]);
    let seen = service.seen();
    assert_eq!(service.operations(), ["GetQueueAttributes"]);
    assert_eq!(seen[0].key, "AKIAOPERATOR");
    let body: serde_json::Value = serde_json::from_str(&seen[0].body).unwrap();
    assert_eq!(body["QueueUrl"], "http://sqs.local/111122223333/orders");
    assert_eq!(
        body["AttributeNames"],
        serde_json::json!(["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"])
    );
}

#[tokio::test]
async fn switches_choose_what_is_counted_and_activation_is_strict() {
    let service = service().await;
    let visible = read(&service, &[("scaleOnInFlight", "false"), ("activationQueueLength", "6")]).await.unwrap();
    assert_eq!((visible.value, visible.active), (6.0, false));
    let all = read(&service, &[("scaleOnDelayed", "true"), ("activationQueueLength", "10")]).await.unwrap();
    assert_eq!((all.value, all.active, all.activation), (11.0, true, 10.0));
}

#[tokio::test]
async fn a_missing_or_invalid_count_is_an_error_and_no_zero() {
    let missing = Service::start(|_| scripted::attributes(&[("ApproximateNumberOfMessages", "6")])).await;
    let error = read(&missing, &[]).await.unwrap_err().to_string();
    assert!(error.contains("ApproximateNumberOfMessagesNotVisible is missing"), "{error}");
    let invalid = Service::start(|_| scripted::attributes(&[("ApproximateNumberOfMessages", "")])).await;
    let error = read(&invalid, &[("scaleOnInFlight", "false")]).await.unwrap_err();
    assert!(matches!(error, Error::Answer { .. }), "{error}");
}

#[tokio::test]
async fn a_refusal_names_queue_operation_and_code() {
    let service = Service::start(|_| scripted::sqs_denied()).await;
    let error = read(&service, &[]).await.unwrap_err().to_string();
    for part in ["111122223333/orders", "sqs:GetQueueAttributes", "AccessDenied"] {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn names_targets_and_environment_follow_the_trigger() {
    let service = service().await;
    let mut from_env = trigger(&[("queueURL", ""), ("queueURLFromEnv", "QUEUE"), ("queueLength", " 3 ")]);
    from_env.metric_type = Some("Value".into());
    let scaler = crate::build(&from_env, 2, &context(&service).await).unwrap();
    let spec = Spec { name: "s2-aws-sqs-from-env-fifo".into(), target: Target::Value(3.0) };
    assert_eq!(scaler.specs().await.unwrap(), [spec]);
    assert_eq!(scaler.read(Duration::ZERO).await.unwrap().by_metric[0].0, "s2-aws-sqs-from-env-fifo");
}

#[tokio::test]
async fn all_problems_of_a_trigger_are_reported_at_once() {
    let service = service().await;
    let wrong = trigger(&[("queueURL", ""), ("awsRegion", ""), ("queueLength", "many"), ("scaleOnInFlight", "maybe")]);
    let error = crate::build(&wrong, 0, &context(&service).await).err().unwrap().to_string();
    for part in ["queueURL", "awsRegion", "queueLength=\"many\"", "scaleOnInFlight=\"maybe\""] {
        assert!(error.contains(part), "{error}");
    }
    let zero = crate::build(&trigger(&[("queueLength", "0")]), 0, &context(&service).await).err().unwrap();
    assert!(zero.to_string().contains("greater than 0"));
    let utilization = ScaleTriggers { metric_type: Some("Utilization".into()), ..trigger(&[]) };
    assert!(crate::build(&utilization, 0, &context(&service).await).is_err());
}

#[tokio::test]
async fn the_endpoint_key_is_for_sqs() {
    let (own, other) = (service().await, service().await);
    read(&own, &[("awsEndpoint", &other.url)]).await.unwrap();
    assert_eq!((own.operations().len(), other.operations().len()), (0, 1));
}

#[tokio::test]
async fn equal_triggers_share_a_read_and_what_differs_does_not() {
    let service = service().await;
    let context = context(&service).await;
    // Whoever has called as somebody goes on to, as long as one scaler is there that does.
    let _user = crate::build(&trigger(&[]), 9, &context).unwrap();
    let read = async |pairs: &[(&str, &str)], age| {
        crate::build(&trigger(pairs), 0, &context).unwrap().read(age).await.unwrap();
        service.operations().len()
    };
    let minute = Duration::from_mins(1);
    assert_eq!(read(&[], minute).await, 1);
    assert_eq!(read(&[("activationQueueLength", "7"), ("queueLength", "9")], minute).await, 1);
    assert_eq!(read(&[("scaleOnInFlight", "false")], minute).await, 2);
    assert_eq!(read(&[("awsRegion", "us-east-1")], minute).await, 3);
    assert_eq!(read(&[("queueURL", "other")], minute).await, 4);
    assert_eq!(read(&[], Duration::ZERO).await, 5);
}
