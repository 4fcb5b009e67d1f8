//! When triggers are built anew, and how long a value counts: in a replica that only answers for metrics.

use serde_json::{Value, json};

use super::*;
use crate::scripted::{SCALED_OBJECT, Server};

const AUTHENTICATION: &str = "/apis/keda.sh/v1alpha1/namespaces/shop/triggerauthentications/keys";

fn key() -> Key {
    Key::new("shop", "orders")
}

fn scaled_object() -> Value {
    json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
        "metadata": { "name": "orders", "namespace": "shop", "uid": "u", "resourceVersion": "7", "generation": 1 },
        "spec": {
            "scaleTargetRef": { "name": "orders" },
            "triggers": [{ "type": "aws-sqs-queue", "useCachedMetrics": true, "authenticationRef": { "name": "keys" }, "metadata": {
                "queueURL": "http://127.0.0.1:9/1/orders", "awsRegion": "eu-west-1", "identityOwner": "operator",
            } }],
        },
    })
}

fn authentication(generation: i64, users: Option<&str>) -> Value {
    json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication",
        "metadata": { "name": "keys", "namespace": "shop", "uid": "a", "resourceVersion": "7", "generation": generation },
        "spec": {}, "status": { "scaledobjects": users },
    })
}

/// A replica that answers for metrics, with what it has built.
async fn replica() -> (Arc<Server>, Arc<Context>, Arc<Triggers>) {
    let target = json!({ "metadata": { "name": "orders", "namespace": "shop" }, "spec": {} });
    let objects = [
        (SCALED_OBJECT, scaled_object()),
        (AUTHENTICATION, authentication(1, None)),
        (crate::scripted::DEPLOYMENT, target),
    ];
    let server = Server::start(objects, |_| None);
    let context = server.watched().await;
    let triggers = built(&context).await;
    triggers.specs().unwrap();
    (server, context, triggers)
}

async fn built(context: &Context) -> Arc<Triggers> {
    let object = context.caches.scaled_objects.get(&key()).unwrap();
    context.sources.of(context, &object).await
}

/// Waits until the replica has seen the change that `is_seen` looks for.
async fn seen(context: &Context, is_seen: impl Fn(&Context) -> bool) {
    while !is_seen(context) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_changed_authentication_is_used_by_the_next_request_and_its_status_changes_nothing() {
    let (server, context, first) = replica().await;
    let mut changes = context.caches.subscribe();
    server.put(AUTHENTICATION, authentication(1, Some("orders")));
    seen(&context, |context| {
        let found = context.caches.authentications.get(&Key::new("shop", "keys")).unwrap();
        found.status.as_ref().is_some_and(|status| status.scaledobjects.is_some())
    })
    .await;
    assert!(matches!(changes.recv().await, Ok(Change::Consumers(_))), "no loop is woken by it");
    assert!(Arc::ptr_eq(&first, &built(&context).await));
    server.put(AUTHENTICATION, authentication(2, Some("orders")));
    assert!(matches!(changes.recv().await, Ok(Change::Credentials(_))));
    let second = built(&context).await;
    assert!(!Arc::ptr_eq(&first, &second));
    assert!(Arc::ptr_eq(&second, &built(&context).await));
    server.remove(AUTHENTICATION);
    assert!(matches!(changes.recv().await, Ok(Change::Credentials(_))));
    let error = built(&context).await.specs().unwrap_err().to_string();
    assert!(error.contains("\"keys\" not found"), "{error}");
}

#[tokio::test]
async fn a_cached_value_counts_for_one_polling_interval() {
    let (_, context, triggers) = replica().await;
    let read = async |age| triggers.metric(&context, &key(), "s0-aws-sqs-orders", age).await;
    read(Duration::from_secs(30)).await.unwrap();
    let (_, first, _) = read(Duration::from_secs(30)).await.unwrap();
    let (_, again, _) = read(Duration::from_secs(30)).await.unwrap();
    assert_eq!(first, again);
    let (_, later, _) = read(Duration::ZERO).await.unwrap();
    assert!(later > first, "older than the interval, so it is read again");
}

#[tokio::test]
async fn each_replica_drops_what_it_built_for_objects_that_are_gone() {
    let (server, context, triggers) = replica().await;
    triggers.read(&context, &key()).await;
    let text = context.telemetry.render();
    assert!(text.contains("s0-aws-sqs-orders") && text.contains(r#"scaler="awsSqsQueueScaler""#), "{text}");
    tokio::spawn({
        let context = Arc::clone(&context);
        async move { sweep(&context).await }
    });
    tokio::task::yield_now().await;
    server.remove(SCALED_OBJECT);
    seen(&context, |context| context.sources.lock().triggers.is_empty()).await;
    assert!(!context.telemetry.render().contains("orders"));
    assert!(
        context
            .caches
            .users
            .of(&Reference { kind: crate::authentication::KIND, key: Key::new("shop", "keys") })
            .is_empty()
    );
}

#[tokio::test]
async fn the_numbers_of_a_trigger_that_was_taken_out_go_with_it() {
    let (server, context, triggers) = replica().await;
    triggers.read(&context, &key()).await;
    let mut object = scaled_object();
    object["metadata"]["generation"] = 2.into();
    object["spec"]["triggers"][0]["metadata"]["queueURL"] = "http://127.0.0.1:9/1/others".into();
    server.put(SCALED_OBJECT, object);
    seen(&context, |context| context.caches.scaled_objects.get(&key()).unwrap().metadata.generation == Some(2)).await;
    built(&context).await.read(&context, &key()).await;
    let text = context.telemetry.render();
    assert!(text.contains("s0-aws-sqs-others") && !text.contains("s0-aws-sqs-orders"), "{text}");
}

#[tokio::test]
async fn what_is_built_for_an_object_that_was_forgotten_is_not_kept() {
    let (_, context, triggers) = replica().await;
    context.sources.forget(&context, &key());
    assert!(context.sources.keep(key(), &triggers).is_none());
    assert!(context.sources.lock().triggers.is_empty());
}

#[tokio::test]
async fn a_trigger_that_cannot_be_built_any_more_keeps_the_name_of_its_metric() {
    let (server, context, first) = replica().await;
    let mut changes = context.caches.subscribe();
    server.remove(AUTHENTICATION);
    changes.recv().await.unwrap();
    let broken = built(&context).await;
    assert!(!Arc::ptr_eq(&first, &broken));
    let readings = broken.read(&context, &key()).await;
    assert_eq!(readings[0].metric, "s0-aws-sqs-orders");
    assert!(readings[0].error().unwrap().contains("\"keys\" not found"));
    // The HPA is notified why, under the name that it asks for, and a fallback may stand in.
    let (spec, _, reading) = broken.metric(&context, &key(), "s0-aws-sqs-orders", Duration::ZERO).await.unwrap();
    assert!(reading.error().is_some() && spec.target == keda::metric::Target::AverageValue(5.0));
}

#[tokio::test]
async fn a_trigger_that_was_never_built_is_known_by_its_metadata() {
    let context = Server::start([(SCALED_OBJECT, scaled_object())], |_| None).watched().await;
    let readings = built(&context).await.read(&context, &key()).await;
    assert_eq!(readings[0].metric, "s0-aws-sqs-orders");
}
