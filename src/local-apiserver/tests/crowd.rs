//! Many clients at once, on as many threads: what is served is what is stored, what a watch says too, and nothing is left
//! where its namespace or its definition has gone.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clock::Clock;
use futures::StreamExt;
use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{admin, server_at};
use crate::cluster::Cluster;
use crate::crd::definition;
use crate::{Client, Status};

const CLIENTS: usize = 16;
/// Definitions, namespaces and objects of each kind in one round.
const THINGS: usize = 200;
/// Groups that the definitions are spread over.
const GROUPS: usize = 8;
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const NAMESPACES: &str = "/api/v1/namespaces";
const SERVICES: &str = "/api/v1/namespaces/default/services";
/// Real time within which what was asked for has happened, on however busy a machine.
const LIMIT: Duration = Duration::from_mins(5);
const LOOK: Duration = Duration::from_millis(20);

#[test]
fn what_is_served_is_what_is_stored_whoever_writes() {
    rounds(4);
}

#[test]
#[ignore = "takes minutes; run it by name, with the machine busy: cargo test -p local-apiserver crowd -- --ignored"]
fn what_is_served_is_what_is_stored_after_fifty_rounds() {
    rounds(50);
}

fn rounds(count: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(CLIENTS).enable_all().build().unwrap();
    runtime.block_on(async {
        let server = server_at(Clock::real());
        let cluster = Arc::clone(&server.cluster);
        let watched: Vec<Watched> = ["configmaps", "namespaces", definition::COLLECTION]
            .into_iter()
            .map(|collection| Watched::start(admin(&server), collection))
            .collect();
        for round in 0..count {
            let clients = (0..CLIENTS).map(|first| tokio::spawn(play(admin(&server), first)));
            for client in clients.collect::<Vec<_>>() {
                client.await.unwrap();
            }
            compare(&cluster, &admin(&server), &watched, round).await;
            let clients = (0..CLIENTS).map(|first| tokio::spawn(clear(admin(&server), first)));
            for client in clients.collect::<Vec<_>>() {
                client.await.unwrap();
            }
            compare(&cluster, &admin(&server), &watched, round).await;
            assert!(cluster.custom().is_empty(), "round {round}: something is served of no definition");
        }
        for one in &watched {
            one.task.abort();
        }
        server.stop().await;
    });
}

fn group(number: usize) -> String {
    format!("g{}.example.com", number % GROUPS)
}

fn instances(number: usize, namespace: usize) -> String {
    format!("/apis/{}/v1/namespaces/n{namespace}/things{number}", group(number))
}

fn definition_path(number: usize) -> String {
    format!("{DEFINITIONS}/things{number}.{}", group(number))
}

fn definition_of(number: usize) -> Value {
    let names = json!({"plural": format!("things{number}"), "kind": format!("Thing{number}")});
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("things{number}.{}", group(number))},
        "spec": {"group": group(number), "scope": "Namespaced", "names": names,
                 "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}]},
    })
}

/// A refusal that means that somebody else was there first, or is taking the thing away.
fn contested(answer: Result<Value, Status>, what: &str) {
    if let Err(status) = answer {
        assert!(matches!(status.code(), 403 | 404 | 409), "{what}: {} {status}", status.code());
    }
}

/// Makes a share of all things, meddles with the neighbours', and takes every second one away again.
async fn play(client: Client, first: usize) {
    for number in (first..THINGS).step_by(CLIENTS) {
        let next = (number + 1) % THINGS;
        let named = |name: String| json!({"metadata": {"name": name}});
        client.create(NAMESPACES, &named(format!("n{number}"))).await.unwrap();
        client.create(DEFINITIONS, &definition_of(number)).await.unwrap();
        let found = client.list(&instances(number, number)).await;
        assert!(found.is_ok(), "things{number} was made and is not served: {found:?}");
        client.create(&instances(number, number), &named("own".to_owned())).await.unwrap();
        contested(client.create(&instances(number, next), &named("near".to_owned())).await, "an instance elsewhere");
        contested(client.create(&instances(next, number), &named("far".to_owned())).await, "another kind");
        client.create(&format!("{NAMESPACES}/n{number}/configmaps"), &named("own".to_owned())).await.unwrap();
        contested(
            client.create(&format!("{NAMESPACES}/n{next}/configmaps"), &named("near".to_owned())).await,
            "an object elsewhere",
        );
        let service = json!({"metadata": {"name": format!("s{number}")}, "spec": {"ports": [{"port": 80}]}});
        client.create(SERVICES, &service).await.unwrap();
        if number % 2 == 0 {
            take_away(&client, number).await;
        }
    }
    for number in (first..THINGS).step_by(CLIENTS).filter(|number| number % 2 == 0) {
        gone(&client, number).await;
    }
}

async fn clear(client: Client, first: usize) {
    for number in (first..THINGS).step_by(CLIENTS).filter(|number| number % 2 == 1) {
        take_away(&client, number).await;
        gone(&client, number).await;
    }
}

async fn take_away(client: &Client, number: usize) {
    client.delete(&definition_path(number), None).await.unwrap();
    client.delete(&format!("{SERVICES}/s{number}"), None).await.unwrap();
    end_namespace(client, number).await;
}

/// Definitions end when their instances have; then they are served no more.
async fn gone(client: &Client, number: usize) {
    let gone = || async { client.get(&definition_path(number)).await.is_err().then_some(()) };
    assert!(Clock::real().poll_until(LIMIT, LOOK, gone).await.is_ok(), "things{number} does not go");
    let served = client.list(&instances(number, number)).await;
    assert!(served.is_err(), "things{number} is gone and still served");
}

/// What the namespace controller does: once the namespace is terminating, one look at its contents is enough.
async fn end_namespace(client: &Client, number: usize) {
    let path = format!("{NAMESPACES}/n{number}");
    client.delete(&path, None).await.unwrap();
    let before = (number + THINGS - 1) % THINGS;
    let kinds = [format!("{path}/configmaps"), instances(number, number), instances(before, number)];
    let next = instances((number + 1) % THINGS, number);
    for kind in kinds.iter().chain([&next]) {
        contested(client.request(Method::DELETE, kind, "application/json", None).await, "contents");
    }
    let empty = json!({"metadata": {"name": format!("n{number}")}, "spec": {"finalizers": []}});
    client.update(&format!("{path}/finalize"), &empty).await.unwrap();
}

async fn compare(cluster: &Arc<Cluster>, client: &Client, watched: &[Watched], round: usize) {
    let (definitions, _) = cluster.store.snapshot(definition::COLLECTION);
    let stored: BTreeSet<String> =
        definitions.iter().map(|one| one["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(served(client).await, stored, "round {round}");
    let namespaces: HashSet<Value> =
        cluster.store.list("namespaces", None).0.iter().map(|one| one["metadata"]["name"].clone()).collect();
    let built_in: BTreeSet<String> = crate::kinds::BUILT_IN.iter().map(|resource| resource.collection()).collect();
    for collection in cluster.store.collections() {
        let (objects, _) = cluster.store.list(&collection, None);
        assert!(
            built_in.contains(&collection) || stored.contains(&collection) || objects.is_empty(),
            "round {round}: {} objects of {collection} have outlived their definition: {}",
            objects.len(),
            objects[0]
        );
        for object in objects.iter().filter(|object| !object["metadata"]["namespace"].is_null()) {
            let namespace = &object["metadata"]["namespace"];
            assert!(namespaces.contains(namespace), "round {round}: {collection} {object} has outlived its namespace");
        }
    }
    let (services, _) = cluster.store.list("services", None);
    let addresses: BTreeSet<&str> =
        services.iter().map(|one| one["spec"]["clusterIP"].as_str().unwrap_or_default()).collect();
    assert_eq!(addresses.len(), services.len(), "round {round}: an address has two Services");
    for one in watched {
        let stored: BTreeMap<String, Value> =
            cluster.store.list(one.collection, None).0.iter().map(|o| entry(o)).collect();
        let look = || async { (*one.seen.lock().unwrap() == stored).then_some(()) };
        let agreed = Clock::real().poll_until(LIMIT, LOOK, look).await;
        assert!(agreed.is_ok(), "round {round}: the watch of {} says {:?}", one.collection, one.seen.lock().unwrap());
    }
}

/// What discovery lists of the groups of this test, as names of definitions.
async fn served(client: &Client) -> BTreeSet<String> {
    let groups = client.get("/apis").await.unwrap();
    let mut names = BTreeSet::new();
    for group in groups["groups"].as_array().unwrap() {
        let name = group["name"].as_str().unwrap();
        if !name.ends_with(".example.com") {
            continue;
        }
        let list = client.get(&format!("/apis/{name}/v1")).await.unwrap();
        names.extend(
            list["resources"].as_array().unwrap().iter().map(|one| format!("{}.{name}", one["name"].as_str().unwrap())),
        );
    }
    names
}

fn entry(object: &Value) -> (String, Value) {
    let metadata = &object["metadata"];
    let key = format!("{}/{}", metadata["namespace"].as_str().unwrap_or_default(), metadata["name"]);
    (key, metadata["resourceVersion"].clone())
}

/// A client that lists and watches one kind, and lists again when its watch is too far behind.
struct Watched {
    collection: &'static str,
    seen: Arc<Mutex<BTreeMap<String, Value>>>,
    task: JoinHandle<()>,
}

impl Watched {
    fn start(client: Client, collection: &'static str) -> Self {
        let seen = Arc::default();
        let task = tokio::spawn(follow(client, collection, Arc::clone(&seen)));
        Self { collection, seen, task }
    }
}

async fn follow(client: Client, collection: &str, seen: Arc<Mutex<BTreeMap<String, Value>>>) {
    let path = match collection {
        definition::COLLECTION => DEFINITIONS.to_owned(),
        core => format!("/api/v1/{core}"),
    };
    loop {
        let list = client.list(&path).await.unwrap();
        *seen.lock().unwrap() = list["items"].as_array().unwrap().iter().map(entry).collect();
        let from = list["metadata"]["resourceVersion"].as_str().unwrap();
        let Ok(mut events) = client.watch(&path, &format!("resourceVersion={from}")).await else { continue };
        while let Some(event) = events.next().await {
            let (key, version) = entry(&event.object);
            match event.kind {
                "ADDED" | "MODIFIED" => drop(seen.lock().unwrap().insert(key, version)),
                "DELETED" => drop(seen.lock().unwrap().remove(&key)),
                _ => break,
            }
        }
        tokio::task::yield_now().await;
    }
}
