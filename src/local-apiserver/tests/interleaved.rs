//! Two writers in the worst order, forced: what one has read is not true any more when it stores.

use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use clock::Clock;

use super::{CONFIG_MAPS, admin, config_map, server, server_at};
use crate::admission::Basis;
use crate::crd::definition;
use crate::request::resource_request::ResourceRequest;
use crate::request::{Call, Query, Target};
use crate::store::Stale;
use crate::{ApiServer, PatchType, User};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

fn things() -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object"}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
                 "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}]},
    })
}

/// What a creation at `path` rests on now, for a later look.
fn basis(server: &ApiServer, path: &str) -> Basis {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let call = Call {
        user: User::system_masters("admin"),
        method: Method::POST,
        path: path.to_owned(),
        query: Query::default(),
        headers,
        body: bytes::Bytes::new(),
    };
    let target = Target::parse(path).unwrap();
    let resource = server.cluster.resource(&target.group, &target.version, &target.plural).unwrap();
    Basis::of(&ResourceRequest {
        cluster: &server.cluster,
        call: &call,
        resource,
        target,
        hooks: std::sync::Arc::default(),
    })
}

/// Stores an object that was admitted on `basis`.
fn store(server: &ApiServer, basis: &Basis, collection: &str, object: Value) -> Result<(), Stale> {
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    server.cluster.store.insert_if(collection, "default", &name, object, |view| basis.holds(view)).map(drop)
}

#[tokio::test]
async fn what_is_served_follows_from_what_is_stored() {
    let server = server();
    let stored = server.cluster.store.insert(definition::COLLECTION, "", "things.example.com", things()).unwrap();
    // Nobody has said that anything is to be read again.
    assert!(admin(&server).list("/apis/example.com/v1/things").await.is_ok());
    server.cluster.store.remove(definition::COLLECTION, &stored, (*stored).clone()).unwrap();
    assert!(admin(&server).list("/apis/example.com/v1/things").await.unwrap_err().is_not_found());
    assert!(server.cluster.custom().is_empty());
}

#[tokio::test]
async fn an_older_look_at_the_definitions_never_replaces_a_newer_one() {
    let server = server();
    let client = admin(&server);
    client.create(DEFINITIONS, &things()).await.unwrap();
    let before = server.cluster.custom();
    let mut more = things();
    more["metadata"]["name"] = "others.example.com".into();
    more["spec"]["names"] = json!({"plural": "others", "kind": "Other"});
    client.create(DEFINITIONS, &more).await.unwrap();
    assert_eq!((before.len(), server.cluster.custom().len()), (1, 2));
}

#[tokio::test]
async fn nothing_is_stored_in_a_namespace_that_has_begun_to_go() {
    let server = server();
    let client = admin(&server);
    client.create("/api/v1/namespaces", &json!({"metadata": {"name": "n"}})).await.unwrap();
    let path = "/api/v1/namespaces/n/configmaps";
    let admitted = basis(&server, path);
    client.delete("/api/v1/namespaces/n", None).await.unwrap();
    assert_eq!(store(&server, &admitted, "configmaps", config_map("a", &json!({}))), Err(Stale::Changed));
    let refused = client.create(path, &config_map("a", &json!({}))).await.unwrap_err();
    assert!(refused.message().contains("because it is being terminated"), "{refused}");
    // Not even where somebody has written the old phase back.
    let phase = json!({"status": {"phase": "Active"}});
    client.patch("/api/v1/namespaces/n/status", PatchType::Merge, &phase).await.unwrap();
    assert_eq!(client.create(path, &config_map("a", &json!({}))).await.unwrap_err().code(), 403);
}

#[tokio::test]
async fn nothing_is_stored_of_a_definition_that_has_begun_to_go_or_was_made_anew() {
    let server = server();
    let client = admin(&server);
    let thing = |name: &str| json!({"metadata": {"name": name}});
    client.create(DEFINITIONS, &things()).await.unwrap();
    let path = "/apis/example.com/v1/namespaces/default/things";
    let admitted = basis(&server, path);
    let held = json!({"metadata": {"name": "held", "finalizers": ["example.com/hold"]}});
    client.create(path, &held).await.unwrap();
    client.delete(&format!("{DEFINITIONS}/things.example.com"), None).await.unwrap();
    assert_eq!(store(&server, &admitted, "things.example.com", thing("late")), Err(Stale::Changed));
    let refused = client.create(path, &thing("late")).await.unwrap_err();
    assert!(refused.message().contains("custom resource definition is terminating"), "{refused}");
    // The definition goes and comes back under its name: it is another one.
    let stored = server.cluster.get(definition::COLLECTION, "", "things.example.com").unwrap();
    server.cluster.store.remove(definition::COLLECTION, &stored, (*stored).clone()).unwrap();
    client.create(DEFINITIONS, &things()).await.unwrap();
    assert_eq!(store(&server, &admitted, "things.example.com", thing("late")), Err(Stale::Changed));
    client.create(path, &thing("new")).await.unwrap();
}

#[tokio::test]
async fn a_definition_of_which_no_version_is_served_takes_its_instances_with_it() {
    let server = server_at(Clock::real());
    let client = admin(&server);
    let definition = format!("{DEFINITIONS}/things.example.com");
    client.create(DEFINITIONS, &things()).await.unwrap();
    let path = "/apis/example.com/v1/namespaces/default/things";
    for number in 0..3 {
        client.create(path, &json!({"metadata": {"name": format!("n{number}")}})).await.unwrap();
    }
    let held = json!({"metadata": {"name": "held", "finalizers": ["example.com/hold"]}});
    client.create(path, &held).await.unwrap();
    let serve = |served: bool| json!([{"op": "replace", "path": "/spec/versions/0/served", "value": served}]);
    client.patch(&definition, PatchType::Json, &serve(false)).await.unwrap();
    assert!(client.list(path).await.unwrap_err().is_not_found());
    let stored = || server.cluster.store.list("things.example.com", None).0;
    assert_eq!(stored().len(), 4);
    client.delete(&definition, None).await.unwrap();
    let mut changes = server.cluster.store.subscribe("things.example.com");
    while stored().len() > 1 {
        changes.changed().await.unwrap();
    }
    // What is held stays until whoever holds it can be reached, and lets go.
    let terminating = client.patch(&definition, PatchType::Json, &serve(true)).await.unwrap();
    assert!(!terminating["metadata"]["deletionTimestamp"].is_null(), "{terminating}");
    client.patch(&format!("{path}/held"), PatchType::Merge, &json!({"metadata": {"finalizers": null}})).await.unwrap();
    let mut changes = server.cluster.store.subscribe(definition::COLLECTION);
    while !server.cluster.store.list(definition::COLLECTION, None).0.is_empty() {
        changes.changed().await.unwrap();
    }
}

#[tokio::test]
async fn no_address_is_given_to_two_services() {
    let server = server();
    let client = admin(&server);
    let path = "/api/v1/namespaces/default/services";
    let service = |name: &str| json!({"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}});
    let admitted = basis(&server, path);
    let first = client.create(path, &service("first")).await.unwrap();
    let mut chosen = service("second");
    chosen["spec"]["clusterIP"] = first["spec"]["clusterIP"].clone();
    assert_eq!(store(&server, &admitted, "services", chosen.clone()), Err(Stale::Changed));
    let refused = client.create(path, &chosen).await.unwrap_err();
    assert!(refused.message().contains("provided IP is already allocated"), "{refused}");
    let second = client.create(path, &service("second")).await.unwrap();
    assert_ne!(first["spec"]["clusterIP"], second["spec"]["clusterIP"]);
}

#[tokio::test]
async fn a_binding_and_a_finalization_are_for_one_object_of_the_name() {
    let server = server();
    let client = admin(&server);
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
    client.create("/api/v1/namespaces/default/serviceaccounts", &account).await.unwrap();
    let pods = "/api/v1/namespaces/default/pods";
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "main", "image": "x"}]}});
    let first = client.create(pods, &pod).await.unwrap();
    client.delete(&format!("{pods}/p"), None).await.unwrap();
    client.create(pods, &pod).await.unwrap();
    let binding = |uid: &Value| json!({"metadata": {"name": "p", "uid": uid}, "target": {"name": "node"}});
    let refused = client.create(&format!("{pods}/p/binding"), &binding(&first["metadata"]["uid"])).await.unwrap_err();
    assert!(refused.is_conflict() && refused.message().contains("UID in precondition"), "{refused}");
    let held = json!({"metadata": {"finalizers": ["example.com/hold"]}});
    client.patch(&format!("{pods}/p"), PatchType::Merge, &held).await.unwrap();
    client.delete(&format!("{pods}/p"), None).await.unwrap();
    let refused = client.create(&format!("{pods}/p/binding"), &binding(&Value::Null)).await.unwrap_err();
    assert!(refused.message().contains("is being deleted"), "{refused}");
    let before = client.create("/api/v1/namespaces", &json!({"metadata": {"name": "n"}})).await.unwrap();
    client.delete("/api/v1/namespaces/n", None).await.unwrap();
    let refused = client.update("/api/v1/namespaces/n/finalize", &before).await.unwrap_err();
    assert!(refused.is_conflict(), "{refused}");
}

#[tokio::test]
async fn an_eviction_leaves_word_of_the_pod_that_it_takes() {
    let server = server();
    let client = admin(&server);
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
    client.create("/api/v1/namespaces/default/serviceaccounts", &account).await.unwrap();
    let pods = "/api/v1/namespaces/default/pods";
    let pod = json!({"metadata": {"name": "p", "labels": {"a": "b"}},
        "spec": {"containers": [{"name": "main", "image": "x"}]}});
    client.create(pods, &pod).await.unwrap();
    let running = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
    client.patch(&format!("{pods}/p/status"), PatchType::Merge, &running).await.unwrap();
    let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    let budget =
        json!({"metadata": {"name": "b"}, "spec": {"minAvailable": 0, "selector": {"matchLabels": {"a": "b"}}}});
    client.create(budgets, &budget).await.unwrap();
    let status = json!({"status": {"observedGeneration": 1, "disruptionsAllowed": 1}});
    client.patch(&format!("{budgets}/b/status"), PatchType::Merge, &status).await.unwrap();
    client.create(&format!("{pods}/p/eviction"), &json!({"metadata": {"name": "p"}})).await.unwrap();
    let left = client.get(&format!("{budgets}/b")).await.unwrap()["status"].take();
    assert_eq!(
        (&left["disruptionsAllowed"], &left["disruptedPods"]),
        (&json!(0), &json!({"p": "2026-01-01T00:00:00Z"}))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn writers_without_a_version_all_get_through() {
    let server = server();
    let client = admin(&server);
    let path = format!("{CONFIG_MAPS}/shared");
    let tasks = (0..16).map(|number: usize| {
        let (client, path) = (client.clone(), path.clone());
        tokio::spawn(async move {
            for turn in 0..20 {
                // The first of all makes it; a patch that comes too late for that changes it instead.
                let data = config_map("shared", &json!({format!("k{number}"): turn.to_string()}));
                let query = format!("{path}?fieldManager=m{number}&force=true");
                client.patch(&query, PatchType::Apply, &data).await.unwrap();
                let label = json!({"metadata": {"labels": {format!("l{number}"): turn.to_string()}}});
                client.patch(&path, PatchType::Merge, &label).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let found = client.get(&path).await.unwrap();
    let count = |value: &Value| value.as_object().unwrap().values().filter(|turn| **turn == "19").count();
    assert_eq!((count(&found["data"]), count(&found["metadata"]["labels"])), (16, 16));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn an_apply_makes_what_is_not_there_and_changes_what_is_whoever_deletes_it() {
    let server = server();
    let client = admin(&server);
    let path = format!("{CONFIG_MAPS}/shared");
    let tasks = (0..8).map(|number: usize| {
        let (client, path) = (client.clone(), path.clone());
        tokio::spawn(async move {
            for turn in 0..100 {
                let data = config_map("shared", &json!({format!("k{number}"): turn.to_string()}));
                let query = format!("{path}?fieldManager=m{number}&force=true");
                client.patch(&query, PatchType::Apply, &data).await.unwrap();
                let _ = client.delete(&path, None).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}
