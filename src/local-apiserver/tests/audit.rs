//! The audit log, read as a user of it reads it.

use futures::StreamExt;
use serde_json::{Value, json};

use super::*;

fn logged(file: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn each_request_has_an_event_and_a_watch_has_two() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let server = server_with(Clock::real(), Some(local_server::Lines::open(&file).unwrap()));
    let (client, before) = (admin(&server), logged(&file).len());
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"key": "hush"}});
    client.create("/api/v1/namespaces/default/secrets", &secret).await.unwrap();
    client.get("/apis/apps/v1/namespaces/default/deployments/none/scale").await.unwrap_err();
    let mut events = client.watch(CONFIG_MAPS, "timeoutSeconds=1").await.unwrap();
    let started = logged(&file).pop().unwrap();
    while events.next().await.is_some() {}
    drop(events);

    let found: Vec<Value> =
        logged(&file).into_iter().skip(before).filter(|event| event["user"]["username"] == "admin").collect();
    let [created, missing, begun, ended] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!(&started, begun, "the watch was logged when it began");
    for event in &found {
        assert_eq!((&event["kind"], &event["apiVersion"]), (&json!("Event"), &json!("audit.k8s.io/v1")));
        assert_eq!(event["level"], "Metadata");
        for time in ["requestReceivedTimestamp", "stageTimestamp"] {
            event[time].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        }
        assert!(!event.to_string().contains("hush"), "{event}");
    }
    assert_eq!((&created["verb"], &created["responseStatus"]["code"]), (&json!("create"), &json!(201)));
    let reference = json!({"resource": "secrets", "namespace": "default", "name": "a", "apiVersion": "v1"});
    assert_eq!(created["objectRef"], reference);
    assert_eq!((&missing["verb"], &missing["objectRef"]["subresource"]), (&json!("get"), &json!("scale")));
    assert_eq!(
        (&missing["responseStatus"]["code"], &missing["responseStatus"]["reason"]),
        (&json!(404), &json!("NotFound"))
    );
    assert_eq!((&begun["verb"], &begun["stage"]), (&json!("watch"), &json!("ResponseStarted")));
    assert_eq!((&ended["stage"], &ended["auditID"]), (&json!("ResponseComplete"), &begun["auditID"]));
}
