//! When triggers are built anew, and how long a value counts: in a replica that only answers for metrics.

use keda::api::ScaledObject;
use serde_json::{Value, json};

use super::*;
use crate::key::Key;
use crate::scripted::{DEPLOYMENT, SCALED_OBJECT as SCALED_OBJECT_PATH, SECRET, Server, soon, until};

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
    let objects =
        [(SCALED_OBJECT_PATH, scaled_object()), (AUTHENTICATION, authentication(1, None)), (DEPLOYMENT, target)];
    let server = Server::start(objects, |_| None);
    let context = server.watched().await;
    let triggers = triggers(&context);
    assert!(triggers.specs(&context, &*object(&context)).await.1.is_none());
    (server, context, triggers)
}

fn object(context: &Context) -> Arc<ScaledObject> {
    context.caches.scaled_objects.object(&key()).unwrap()
}

fn triggers(context: &Context) -> Arc<Triggers> {
    context.sources.of(context, &*object(context))
}

async fn read(context: &Context) -> Vec<Reading> {
    triggers(context).read(context, &*object(context), Duration::ZERO).await
}

/// The scaler of the first trigger, as its next use has it.
async fn scaler(context: &Context) -> Result<Arc<dyn scalers::Scaler>, Arc<TriggerError>> {
    let object = object(context);
    triggers(context).all[0].scaler(&Common::new(context, &*object), Attempt::Now).await
}

/// Waits until the replica has seen the change that `is_seen` looks for.
async fn seen(context: &Context, is_seen: impl Fn(&Context) -> bool) {
    until(|| is_seen(context)).await;
}

#[tokio::test]
async fn a_changed_authentication_is_used_by_the_next_request_and_its_status_changes_nothing() {
    let (server, context, _) = replica().await;
    let first = scaler(&context).await.unwrap();
    let mut changes = context.caches.subscribe();
    server.put(AUTHENTICATION, authentication(1, Some("orders")));
    seen(&context, |context| {
        let found = context.caches.authentications.object(&Key::new("shop", "keys")).unwrap();
        found.status.as_ref().is_some_and(|status| status.scaledobjects.is_some())
    })
    .await;
    assert!(matches!(soon(changes.recv()).await, Ok(Change::Consumers(_))), "no loop is woken by it");
    assert!(Arc::ptr_eq(&first, &scaler(&context).await.unwrap()));
    server.put(AUTHENTICATION, authentication(2, Some("orders")));
    assert!(matches!(soon(changes.recv()).await, Ok(Change::Credentials(_))));
    let second = scaler(&context).await.unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    assert!(Arc::ptr_eq(&second, &scaler(&context).await.unwrap()));
    server.remove(AUTHENTICATION);
    assert!(matches!(soon(changes.recv()).await, Ok(Change::Credentials(_))));
    let error = triggers(&context).specs(&context, &*object(&context)).await.1.unwrap().to_string();
    assert!(error.contains("\"keys\" not found"), "{error}");
}

#[tokio::test]
async fn a_cached_value_counts_for_one_polling_interval() {
    let (_, context, triggers) = replica().await;
    let object = object(&context);
    let read = async |age| triggers.metric(&context, &*object, "s0-aws-sqs-orders", age).await;
    read(Duration::from_secs(30)).await.unwrap();
    let (_, first, _) = read(Duration::from_secs(30)).await.unwrap();
    let (_, again, _) = read(Duration::from_secs(30)).await.unwrap();
    assert_eq!(first, again);
    let (_, later, _) = read(Duration::ZERO).await.unwrap();
    assert!(later > first, "older than the interval, so it is read again");
}

#[tokio::test]
async fn each_replica_drops_what_it_built_for_objects_that_are_gone() {
    let (server, context, _) = replica().await;
    read(&context).await;
    let text = context.telemetry.render();
    assert!(text.contains("s0-aws-sqs-orders") && text.contains(r#"scaler="awsSqsQueueScaler""#), "{text}");
    tokio::spawn(sweep(Arc::clone(&context)));
    tokio::task::yield_now().await;
    server.remove(SCALED_OBJECT_PATH);
    seen(&context, |context| context.sources.lock().is_empty()).await;
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
    let (server, context, _) = replica().await;
    read(&context).await;
    let mut changed = scaled_object();
    changed["metadata"]["generation"] = 2.into();
    changed["spec"]["triggers"][0]["metadata"]["queueURL"] = "http://127.0.0.1:9/1/others".into();
    server.put(SCALED_OBJECT_PATH, changed);
    seen(&context, |context| object(context).metadata.generation == Some(2)).await;
    read(&context).await;
    let text = context.telemetry.render();
    assert!(text.contains("s0-aws-sqs-others") && !text.contains("s0-aws-sqs-orders"), "{text}");
}

#[tokio::test]
async fn a_trigger_that_cannot_be_built_any_more_keeps_the_name_of_its_metric() {
    let (server, context, broken) = replica().await;
    let mut changes = context.caches.subscribe();
    server.remove(AUTHENTICATION);
    soon(changes.recv()).await.unwrap();
    let readings = read(&context).await;
    assert_eq!(readings[0].metric, "s0-aws-sqs-orders");
    assert!(readings[0].error().unwrap().contains("\"keys\" not found"));
    // The HPA is notified why, under the name that it asks for, and a fallback may stand in.
    let object = object(&context);
    let (spec, _, reading) = broken.metric(&context, &*object, "S0-aws-sqs-orders", Duration::ZERO).await.unwrap();
    assert!(reading.error().is_some() && spec.target == keda::metric::Target::AverageValue(5.0));
}

#[tokio::test]
async fn a_trigger_that_was_never_built_is_known_by_its_metadata() {
    let context = Server::start([(SCALED_OBJECT_PATH, scaled_object())], |_| None).watched().await;
    assert_eq!(read(&context).await[0].metric, "s0-aws-sqs-orders");
}

/// A trigger whose metric is known by the target's environment alone; what `refuses` does is switched by a test.
fn by_environment() -> Value {
    let mut object = scaled_object();
    let metadata = &mut object["spec"]["triggers"][0]["metadata"];
    json_patch::merge(metadata, &json!({ "queueURL": null, "queueURLFromEnv": "QUEUE" }));
    let second = json!({ "type": "aws-sqs-queue", "metadata": {
        "queueURL": "http://127.0.0.1:9/1/second", "awsRegion": "eu-west-1", "identityOwner": "operator",
    } });
    object["spec"]["triggers"].as_array_mut().unwrap().push(second);
    object
}

fn deployment() -> Value {
    let container = json!({ "name": "app", "env": [{ "name": "QUEUE", "value": "from-env" }] });
    json!({
        "metadata": { "name": "orders", "namespace": "shop" },
        "spec": { "template": { "spec": { "containers": [container] } } },
    })
}

#[tokio::test]
async fn a_name_that_was_learned_stays_when_the_object_changes_and_its_trigger_does_not() {
    let objects =
        [(SCALED_OBJECT_PATH, by_environment()), (AUTHENTICATION, authentication(1, None)), (DEPLOYMENT, deployment())];
    let server = Server::start(objects, |_| None);
    let context = server.watched().await;
    assert_eq!(read(&context).await[0].metric, "s0-aws-sqs-from-env");
    server.remove(DEPLOYMENT);
    let mut changed = by_environment();
    json_patch::merge(&mut changed, &json!({ "metadata": { "generation": 2 }, "spec": { "maxReplicaCount": 7 } }));
    server.put(SCALED_OBJECT_PATH, changed);
    seen(&context, |context| object(context).metadata.generation == Some(2)).await;
    let readings = read(&context).await;
    assert_eq!(readings[0].metric, "s0-aws-sqs-from-env");
    assert!(
        readings[0].error().unwrap().contains("doesn't exist")
            || readings[0].error().unwrap().contains("cannot be read")
    );
}

/// Pods may not be listed, so each reading fails; a build looks at the Secret.
fn by_secret() -> Value {
    let mut object = scaled_object();
    let trigger = |reference: Value| json!({ "type": "kubernetes-workload", "metadata": { "podSelector": "app=web", "value": "1" }, "authenticationRef": reference });
    object["spec"]["triggers"] = json!([trigger(json!({ "name": "keys" })), trigger(Value::Null)]);
    object
}

#[tokio::test]
async fn a_trigger_that_fails_is_built_again_after_a_pause_that_grows_and_no_other_is() {
    let mut keys = authentication(1, None);
    keys["spec"]["secretTargetRef"] = json!([{ "parameter": "x", "name": "queue", "key": "x" }]);
    let objects = [(SCALED_OBJECT_PATH, by_secret()), (AUTHENTICATION, keys), (SECRET, json!({ "data": {} }))];
    let server = Server::start(objects, |line| line.ends_with("/pods").then_some((403, "pods is forbidden")));
    let (clock, hands) = clock::Clock::manual(Timestamp::UNIX_EPOCH);
    let context = server.watched_by(clock).await;
    let builds = || server.calls().iter().filter(|call| call.line == format!("GET {SECRET}")).count();
    let second = async || {
        let object = object(&context);
        triggers(&context).all[1].scaler(&Common::new(&context, &*object), Attempt::WhenDue).await.unwrap()
    };
    let first = second().await;
    for (seconds, wanted) in [(0, 1), (0, 2), (0, 2), (1, 3), (1, 3), (1, 4), (3, 4), (1, 5)] {
        hands.advance(Duration::from_secs(seconds));
        let object = object(&context);
        let common = Common::new(&context, &*object);
        let read = triggers(&context).all[0].read(&common, &owner::reference(&*object), Duration::ZERO).await;
        assert!(read.readings[0].error().unwrap().contains("pods is forbidden"), "{:?}", read.readings);
        assert_eq!(builds(), wanted, "after {seconds} s more");
    }
    assert!(Arc::ptr_eq(&first, &second().await));
}

#[tokio::test]
async fn who_asks_while_a_trigger_is_built_or_read_shares_what_comes_of_it() {
    let objects =
        [(SCALED_OBJECT_PATH, by_environment()), (AUTHENTICATION, authentication(1, None)), (DEPLOYMENT, deployment())];
    let server = Server::start(objects, |_| None);
    let context = server.watched().await;
    join_all((0..20).map(|_| read(&context))).await;
    let looks = server.calls().iter().filter(|call| call.line == format!("GET {DEPLOYMENT}")).count();
    assert_eq!(looks, 1);
}

const CONFIG_MAP: &str = "/api/v1/namespaces/shop/configmaps/app";

/// A replica whose object reads a key from a Secret and its queue from the environment of its target.
async fn with_inputs() -> (Arc<Server>, Arc<Context>) {
    let mut object = scaled_object();
    let trigger = &mut object["spec"]["triggers"][0];
    trigger["metadata"] = json!({ "queueURLFromEnv": "QUEUE", "awsRegion": "eu-west-1" });
    let mut keys = authentication(1, None);
    let secret = |parameter: &str, key: &str| json!({ "parameter": parameter, "name": "queue", "key": key });
    keys["spec"] = json!({ "secretTargetRef": [secret("awsAccessKeyID", "id"), secret("awsSecretAccessKey", "key")] });
    let container = json!({ "name": "app", "envFrom": [{ "configMapRef": { "name": "app" } }] });
    let target = json!({
        "metadata": { "name": "orders", "namespace": "shop", "generation": 1, "resourceVersion": "7" },
        "spec": { "template": { "spec": { "containers": [container] } } },
    });
    let objects = [
        (SCALED_OBJECT_PATH, object),
        (AUTHENTICATION, keys),
        (DEPLOYMENT, target),
        (SECRET, secret_of("a2V5")),
        (CONFIG_MAP, queue("orders")),
    ];
    let server = Server::start(objects, |_| None);
    let context = server.watched().await;
    (server, context)
}

fn secret_of(id: &str) -> Value {
    let metadata = json!({ "name": "queue", "namespace": "shop", "resourceVersion": "7" });
    json!({ "metadata": metadata, "data": { "id": id, "key": "c2VjcmV0" } })
}

fn queue(name: &str) -> Value {
    let metadata = json!({ "name": "app", "namespace": "shop", "resourceVersion": "7" });
    json!({ "metadata": metadata, "data": { "QUEUE": format!("http://127.0.0.1:9/1/{name}") } })
}

#[tokio::test]
async fn a_rotated_key_and_a_changed_environment_take_effect_at_once() {
    let (server, context) = with_inputs().await;
    let first = scaler(&context).await.unwrap();
    assert!(Arc::ptr_eq(&first, &scaler(&context).await.unwrap()), "nothing has changed");
    let mut heard = context.caches.subscribe();
    let mut changed = async || loop {
        if let Ok(Change::Inputs { user, are_values }) = soon(heard.recv()).await {
            assert_eq!(user.key, key());
            return are_values;
        }
    };
    let mut before = first;
    let mut target = server.object(DEPLOYMENT).unwrap();
    target["metadata"]["generation"] = 2.into();
    for (path, object, are_values) in
        [(SECRET, secret_of("b3RoZXI="), true), (CONFIG_MAP, queue("other"), true), (DEPLOYMENT, target, false)]
    {
        server.put(path, object);
        assert_eq!(changed().await, are_values, "{path}");
        let after = scaler(&context).await.unwrap();
        assert!(!Arc::ptr_eq(&before, &after), "{path}");
        assert!(Arc::ptr_eq(&after, &scaler(&context).await.unwrap()), "{path}: once");
        before = after;
    }
    assert_eq!(read(&context).await[0].metric, "s0-aws-sqs-other");
    // One of its name elsewhere is nobody's.
    server
        .put("/api/v1/namespaces/else/secrets/queue", json!({ "metadata": { "name": "queue", "namespace": "else" } }));
    server.remove(SECRET);
    assert!(changed().await);
    assert!(scaler(&context).await.is_err(), "the key is gone");
    context.sources.forget(&context, &crate::owner::reference(&*object(&context)));
    assert_eq!(context.caches.inputs.revision(&crate::owner::reference(&*object(&context))), 0);
}

#[tokio::test]
async fn where_inputs_may_not_be_watched_all_else_goes_on() {
    let refuses = |line: &str| line.ends_with("/api/v1/secrets").then_some((403, "secrets is forbidden"));
    let mut object = scaled_object();
    object["spec"]["triggers"][0].as_object_mut().unwrap().remove("authenticationRef");
    let server = Server::start([(SCALED_OBJECT_PATH, object)], refuses);
    let context = server.watched().await;
    assert!(scaler(&context).await.is_ok());
}

#[tokio::test]
async fn a_trigger_is_built_anew_before_its_token_runs_out() {
    let (clock, time) = clock::Clock::manual("2026-03-01T00:00:00Z".parse().unwrap());
    let mut authentication = authentication(1, None);
    let bound = json!({ "parameter": "awsAccessKeyID", "serviceAccountName": "reader" });
    authentication["spec"] = json!({ "boundServiceAccountToken": [bound] });
    let token = "/api/v1/namespaces/shop/serviceaccounts/reader/token";
    let made = json!({ "spec": { "audiences": [] }, "status": { "token": "t", "expirationTimestamp": "2026-03-01T01:00:00Z" } });
    let target = json!({ "metadata": { "name": "orders", "namespace": "shop" }, "spec": {} });
    let objects =
        [(SCALED_OBJECT_PATH, scaled_object()), (AUTHENTICATION, authentication), (DEPLOYMENT, target), (token, made)];
    let server = Server::start(objects, |_| None);
    let context = server.watched_by(clock).await;
    let first = scaler(&context).await.unwrap();
    time.advance(Duration::from_mins(47));
    assert!(Arc::ptr_eq(&first, &scaler(&context).await.unwrap()));
    time.advance(Duration::from_mins(1));
    assert!(!Arc::ptr_eq(&first, &scaler(&context).await.unwrap()));
}
