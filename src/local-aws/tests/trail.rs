//! The trail, read as a user of it reads it.

use super::*;

#[tokio::test]
async fn each_call_has_a_record_of_who_called_and_how_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trail.log");
    let logs = Logs { trail: Some(local_server::Lines::open(&file).unwrap()), ..Logs::default() };
    let stage = Stage::start_with(local_faults::Faults::default(), logs);
    let url = stage.queue("jobs", json!({})).await;
    stage.sqs("SendMessage", json!({ "QueueUrl": url, "MessageBody": "hush" })).await.ok();
    stage.sqs("GetQueueAttributes", json!({ "QueueUrl": format!("{url}-other") })).await;
    let wrong = Key { secret: "wrong".into(), ..stage.administrator.clone() };
    stage.sqs_as(&wrong, "GetQueueAttributes", json!({ "QueueUrl": url })).await;
    let role = stage.role("reader", &json!([{ "Effect": "Allow", "Action": "sqs:*", "Resource": "*" }])).await;
    let form =
        [("Action", "AssumeRole"), ("Version", "2011-06-15"), ("RoleArn", role.as_str()), ("RoleSessionName", "me")];
    let assumed = stage.query("sts", &form).await;
    stage.eks("GET", "/clusters", Value::Null).await;

    let text = std::fs::read_to_string(&file).unwrap();
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let named = |name: &str| records.iter().filter(|record| record["eventName"] == name).collect::<Vec<_>>();
    let [sent] = named("SendMessage")[..] else { panic!("{text}") };
    assert_eq!((&sent["eventSource"], &sent["errorCode"]), (&json!("sqs.amazonaws.com"), &Value::Null));
    assert_eq!(sent["userIdentity"]["arn"], json!(format!("arn:aws:iam::{ACCOUNT}:user/sluice")));
    assert_eq!(sent["requestParameters"], json!({ "queueUrl": url }));
    sent["eventTime"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let [missing, stranger] = named("GetQueueAttributes")[..] else { panic!("{text}") };
    assert!(missing["errorCode"].as_str().unwrap().contains("NonExistentQueue"), "{missing}");
    assert_eq!(
        (&stranger["errorCode"], &stranger["userIdentity"]["type"]),
        (&json!("SignatureDoesNotMatch"), &json!("Unknown"))
    );
    let [assume] = named("AssumeRole")[..] else { panic!("{text}") };
    assert_eq!(assume["requestParameters"], json!({ "roleArn": role, "roleSessionName": "me" }));
    assert_eq!(named("ListClusters").len(), 1, "{text}");
    assert!(assumed.text.contains("<SecretAccessKey>"), "{}", assumed.text);
    for secret in ["hush", "the secret", "SessionToken", "SecretAccessKey"] {
        assert!(!text.contains(secret), "{secret} is in the trail");
    }
}
