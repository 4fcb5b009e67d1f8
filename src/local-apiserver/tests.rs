//! The server through its in-process client: what clients are answered, in the real server's words.

mod audit;
mod crowd;
mod interleaved;
mod reading;
mod token_secrets;
mod webhooks;

use std::path::PathBuf;

use bytes::Bytes;
use clock::Clock;
use futures::StreamExt;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use crate::request::{Body, Call, Query};
use crate::{ApiServer, Client, Options, PatchType, Status, User, handlers, protobuf, start};

fn server() -> ApiServer {
    server_at(Clock::manual("2026-01-01T00:00:00Z".parse().unwrap()).0)
}

fn server_at(clock: Clock) -> ApiServer {
    server_with(clock, None)
}

fn server_with(clock: Clock, audit: Option<local_server::Lines>) -> ApiServer {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap().pem();
    start(Options {
        listener: std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
        certificate_pem: certificate.clone(),
        key_pem: key.serialize_pem(),
        ca_pem: certificate,
        issuer: "https://issuer.test".to_owned(),
        sts_endpoint: "http://127.0.0.1:1".to_owned(),
        cluster_name: "test".to_owned(),
        region: "eu-west-1".to_owned(),
        version: "1.35".to_owned(),
        clock,
        faults: local_faults::Faults::default(),
        pods_dir: PathBuf::from("/nonexistent"),
        audit,
    })
    .unwrap()
}

fn admin(server: &ApiServer) -> Client {
    server.client(User::system_masters("admin"))
}

/// Longer than a server keeps what was.
const PAST_COMPACTION: std::time::Duration = std::time::Duration::from_mins(6);
const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn config_map(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

async fn refused(client: &Client, path: &str, object: &Value) -> Status {
    client.create(path, object).await.unwrap_err()
}

#[tokio::test]
async fn a_protobuf_body_makes_an_object() {
    let server = server();
    // ConfigMap {metadata {name: "pb"}, data {"k": "v"}} inside runtime.Unknown {typeMeta {v1, ConfigMap}, raw}.
    let raw = b"\x0a\x04\x0a\x02pb\x12\x06\x0a\x01k\x12\x01v";
    let mut body = b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12\x0e".to_vec();
    body.extend_from_slice(raw);
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(protobuf::CONTENT_TYPE));
    let call = Call {
        user: User::system_masters("admin"),
        method: Method::POST,
        path: CONFIG_MAPS.to_owned(),
        query: Query::default(),
        headers,
        body: Bytes::from(body),
    };
    let reply = handlers::handle(&server.cluster, call).await;
    let Body::Json(made) = reply.body else { panic!("no JSON") };
    assert_eq!((reply.code, &made["data"]), (201, &json!({"k": "v"})), "{made}");
    assert_eq!(admin(&server).get(&format!("{CONFIG_MAPS}/pb")).await.unwrap()["kind"], "ConfigMap");
}

#[tokio::test]
async fn refusals_are_worded_as_the_real_server_words_them() {
    let server = server();
    let client = admin(&server);
    client.create(CONFIG_MAPS, &config_map("one", &json!({"a": "1"}))).await.unwrap();
    let again = refused(&client, CONFIG_MAPS, &config_map("one", &json!({}))).await;
    assert_eq!((again.code(), again.message()), (409, "configmaps \"one\" already exists"));
    let wrong = refused(&client, CONFIG_MAPS, &config_map("two", &json!({"a": 1}))).await;
    assert_eq!(
        (wrong.code(), wrong.message()),
        (
            400,
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct \
             field ConfigMap.data of type string"
        )
    );
    let key = refused(&client, CONFIG_MAPS, &config_map("two", &json!({"a b": "1"}))).await;
    assert!(key.message().contains("data[a b]: Invalid value: \"a b\": a valid config key must consist of"), "{key}");
    let patch = json!([{"op": "test", "path": "/data/a", "value": "2"}]);
    let failed = client.patch(&format!("{CONFIG_MAPS}/one"), PatchType::Json, &patch).await.unwrap_err();
    let words = "the server rejected our request due to an error in our request";
    assert_eq!((failed.code(), failed.message()), (422, words));
    let user = server.client(User::service_account("default", "app"));
    let forbidden = user.get("/api/v1/namespaces/default").await.unwrap_err();
    assert_eq!(
        forbidden.message(),
        "namespaces \"default\" is forbidden: User \"system:serviceaccount:default:app\" cannot get resource \
         \"namespaces\" in API group \"\" in the namespace \"default\""
    );
}

#[tokio::test]
async fn an_object_that_is_being_deleted_takes_no_new_finalizers() {
    let server = server();
    let client = admin(&server);
    let mut held = config_map("held", &json!({}));
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    client.create(CONFIG_MAPS, &held).await.unwrap();
    let path = format!("{CONFIG_MAPS}/held");
    client.delete(&path, None).await.unwrap();
    let more = json!([{"op": "add", "path": "/metadata/finalizers/-", "value": "example.com/more"}]);
    let refused = client.patch(&path, PatchType::Json, &more).await.unwrap_err();
    assert!(refused.message().contains("no new finalizers can be added if the object is being deleted"), "{refused}");
    client.patch(&path, PatchType::Merge, &json!({"metadata": {"finalizers": null}})).await.unwrap();
    assert!(client.get(&path).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn lists_come_in_pages_and_know_their_versions() {
    let server = server();
    let client = admin(&server);
    for name in ["a", "b", "c"] {
        client.create(CONFIG_MAPS, &config_map(name, &json!({}))).await.unwrap();
    }
    let (mut names, mut query) = (Vec::new(), "limit=2".to_owned());
    loop {
        let page = client.list(&format!("{CONFIG_MAPS}?{query}")).await.unwrap();
        names.extend(page["items"].as_array().unwrap().iter().map(|one| one["metadata"]["name"].clone()));
        let Some(token) = page["metadata"]["continue"].as_str() else { break };
        assert_eq!(page["metadata"]["remainingItemCount"], 1);
        query = format!("limit=2&continue={token}");
    }
    assert_eq!(names, ["a", "b", "c"]);
    let future = client.list(&format!("{CONFIG_MAPS}?resourceVersion=999999")).await.unwrap_err();
    assert_eq!((future.code(), future.reason()), (504, "Timeout"));
}

#[tokio::test]
async fn a_watch_from_a_forgotten_version_is_gone() {
    let (clock, handle) = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
    let server = server_at(clock);
    let client = admin(&server);
    let first = client.create(CONFIG_MAPS, &config_map("one", &json!({}))).await.unwrap();
    for number in 0..1100 {
        let patch = json!({"data": {"n": number.to_string()}});
        client.patch(&format!("{CONFIG_MAPS}/one"), PatchType::Merge, &patch).await.unwrap();
    }
    // However many changes there were, time decides.
    let query = format!("resourceVersion={}", first["metadata"]["resourceVersion"].as_str().unwrap());
    let resumed = client.watch(CONFIG_MAPS, &query).await.unwrap();
    let seen: Vec<Value> = resumed.take(1100).map(|event| event.object["data"]["n"].clone()).collect().await;
    assert_eq!(seen.last(), Some(&json!("1099")));
    handle.advance(PAST_COMPACTION);
    let patch = json!({"metadata": {"labels": {"a": "b"}}});
    client.patch(&format!("{CONFIG_MAPS}/one"), PatchType::Merge, &patch).await.unwrap();
    let version = first["metadata"]["resourceVersion"].as_str().unwrap();
    let Err(gone) = client.watch(CONFIG_MAPS, &format!("resourceVersion={version}")).await else {
        panic!("the history was kept")
    };
    assert_eq!((gone.code(), gone.reason()), (410, "Expired"));
    let mut present = client.watch(CONFIG_MAPS, "").await.unwrap();
    assert_eq!(present.next().await.unwrap().object["data"]["n"], "1099");
}

#[tokio::test]
async fn autoscalers_are_one_object_in_two_versions() {
    let server = server();
    let client = admin(&server);
    let at = |version: &str| format!("/apis/autoscaling/{version}/namespaces/default/horizontalpodautoscalers");
    let older = json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"},
        "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 50,
                 "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}}});
    client.create(&at("v1"), &older).await.unwrap();
    let newer = client.get(&format!("{}/h", at("v2"))).await.unwrap();
    assert_eq!(newer["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"], 50);
    let back = client.get(&format!("{}/h", at("v1"))).await.unwrap();
    assert_eq!(
        (&back["apiVersion"], &back["spec"]["targetCPUUtilizationPercentage"]),
        (&json!("autoscaling/v1"), &json!(50))
    );
}

#[tokio::test]
async fn an_applier_that_gives_a_field_up_is_remembered_as_such() {
    let server = server();
    let client = admin(&server);
    let path = |manager: &str| format!("{CONFIG_MAPS}/cm?fieldManager={manager}&force=true");
    client.patch(&path("one"), PatchType::Apply, &config_map("cm", &json!({"a": "1"}))).await.unwrap();
    client.patch(&path("two"), PatchType::Apply, &config_map("cm", &json!({"a": "2"}))).await.unwrap();
    let after = client.patch(&path("one"), PatchType::Apply, &config_map("cm", &json!({}))).await.unwrap();
    let managers = after["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!((&after["data"], managers.len()), (&json!({"a": "2"}), 2), "{managers:?}");
}

#[tokio::test]
async fn a_pod_is_evicted_only_where_its_budget_has_something_left() {
    let server = server();
    let client = admin(&server);
    let pods = "/api/v1/namespaces/default/pods";
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
    client.create("/api/v1/namespaces/default/serviceaccounts", &account).await.unwrap();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"a": "b"}},
        "spec": {"containers": [{"name": "main", "image": "x"}]}});
    client.create(pods, &pod).await.unwrap();
    let ready = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
    client.patch(&format!("{pods}/p/status"), PatchType::Merge, &ready).await.unwrap();
    let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}});
    client.create(budgets, &budget).await.unwrap();
    let status = |allowed: i64| json!({"status": {"observedGeneration": 1, "disruptionsAllowed": allowed}});
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}});
    for (allowed, code) in [(0, Some(429)), (1, None)] {
        client.patch(&format!("{budgets}/b/status"), PatchType::Merge, &status(allowed)).await.unwrap();
        let answer = client.create(&format!("{pods}/p/eviction"), &eviction).await;
        assert_eq!(answer.err().map(|status| status.code()), code);
    }
    assert_eq!(client.get(&format!("{budgets}/b")).await.unwrap()["status"]["disruptionsAllowed"], 0);
}

#[tokio::test]
async fn pods_of_a_role_are_given_the_endpoint_beside_it_unless_they_say_otherwise() {
    let server = server();
    let client = admin(&server);
    let annotated = |extra: Value| {
        let mut annotations = json!({"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/app"});
        annotations.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app", "annotations": annotations}})
    };
    client.create("/api/v1/namespaces/default/serviceaccounts", &annotated(json!({}))).await.unwrap();
    let endpoint = async |name: &str, annotations: Value, container: Value| {
        let mut main = json!({"name": "main", "image": "sh"});
        main.as_object_mut().unwrap().extend(container.as_object().unwrap().clone());
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "annotations": annotations},
            "spec": {"serviceAccountName": "app", "containers": [main]}});
        let made = client.create("/api/v1/namespaces/default/pods", &pod).await.unwrap();
        let env = made["spec"]["containers"][0]["env"].as_array().unwrap().clone();
        assert!(env.iter().any(|one| one["name"] == "AWS_ROLE_ARN"), "{env:#?}");
        let mut said = env.iter().filter(|one| one["name"] == "AWS_ENDPOINT_URL").map(|one| one["value"].clone());
        (said.next(), said.next())
    };
    let ours = (Some(json!("http://127.0.0.1:1")), None);
    assert_eq!(endpoint("plain", json!({}), json!({})).await, ours);
    let own = json!({"env": [{"name": "AWS_ENDPOINT_URL", "value": "http://own"}]});
    assert_eq!(endpoint("own", json!({}), own).await, (Some(json!("http://own")), None));
    // A ConfigMap may say it, and goes after single variables.
    let sources = json!({"envFrom": [{"configMapRef": {"name": "settings"}}]});
    assert_eq!(endpoint("sources", json!({}), sources).await, (None, None));
    assert_eq!(endpoint("out", json!({"sluice.dev/aws-endpoint": "false"}), json!({})).await, (None, None));
    let path = "/api/v1/namespaces/default/serviceaccounts/app";
    let out = annotated(json!({"sluice.dev/aws-endpoint": "false"}));
    client.patch(path, PatchType::Merge, &out).await.unwrap();
    assert_eq!(endpoint("account-out", json!({}), json!({})).await, (None, None));
    assert_eq!(endpoint("back-in", json!({"sluice.dev/aws-endpoint": "true"}), json!({})).await, ours);
}

mod kinds;
mod namesakes;
mod narrow_rights;
mod ownership;
mod quotas;
mod rules;
mod sizes;
mod small;
