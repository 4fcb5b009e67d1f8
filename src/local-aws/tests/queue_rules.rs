//! Attributes that depend on each other and on other queues, repeated receives, permissions and move tasks.

use std::time::Duration;

use serde_json::{Value, json};

use super::signer::Key;
use super::{ACCOUNT, REGION, Stage, document};

fn arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

async fn set(stage: &Stage, url: &str, attributes: Value) -> super::Answer {
    stage.sqs("SetQueueAttributes", json!({ "QueueUrl": url, "Attributes": attributes })).await
}

async fn get(stage: &Stage, url: &str) -> Value {
    let all = json!({ "QueueUrl": url, "AttributeNames": ["All"] });
    stage.sqs("GetQueueAttributes", all).await.ok()["Attributes"].clone()
}

fn redrive(target: &str) -> Value {
    json!({ "RedrivePolicy": json!({ "deadLetterTargetArn": arn(target), "maxReceiveCount": 1 }).to_string() })
}

#[tokio::test]
async fn documents_are_read_back_compact_and_a_text_in_another_spelling_is_the_same() {
    let stage = Stage::start();
    stage.queue("dead", json!({})).await;
    let spaced = format!("{{\n  \"deadLetterTargetArn\": \"{}\",\n  \"maxReceiveCount\": \"4\"\n}}", arn("dead"));
    let policy = format!(
        "{{ \"Version\": \"2012-10-17\",\t\"Statement\": [ {{\"Effect\": \"Allow\", \"Principal\": \"*\", \"Sid\": \"a \\\" b\", \"Action\": \"sqs:SendMessage\", \"Resource\": \"{}\"}} ] }}",
        arn("orders")
    );
    let attributes = json!({ "RedrivePolicy": spaced, "Policy": policy });
    let url = stage.queue("orders", attributes.clone()).await;
    let shown = get(&stage, &url).await;
    assert_eq!(
        shown["RedrivePolicy"],
        format!("{{\"deadLetterTargetArn\":\"{}\",\"maxReceiveCount\":4}}", arn("dead"))
    );
    let text = shown["Policy"].as_str().unwrap();
    // White space inside a text stays, and so does the order.
    assert!(
        text.starts_with("{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\"") && text.contains("\"a \\\" b\""),
        "{text}"
    );
    let again = json!({ "RedrivePolicy": shown["RedrivePolicy"], "Policy": text });
    assert_eq!(stage.queue("orders", again).await, url);
    assert_eq!(stage.queue("orders", attributes).await, url);
    for (name, value) in [("RedrivePolicy", ""), ("Policy", ""), ("KmsMasterKeyId", "alias/a")] {
        let other = json!({ "QueueName": "orders", "Attributes": { name: value } });
        let refused = stage.sqs("CreateQueue", other).await;
        assert!(refused.message().ends_with(&format!("attribute {name}")), "{}", refused.text);
    }
    assert_eq!(set(&stage, &url, json!({ "RedrivePolicy": "", "Policy": "" })).await.code(), "");
    let bare = get(&stage, &url).await;
    assert_eq!((bare.get("RedrivePolicy"), bare.get("Policy")), (None, None));
}

#[tokio::test]
async fn a_dead_letter_queue_chooses_its_sources() {
    let stage = Stage::start();
    let allow = |permission: Value| json!({ "RedriveAllowPolicy": permission.to_string() });
    stage.queue("closed", allow(json!({ "redrivePermission": "denyAll" }))).await;
    let by = json!({ "redrivePermission": "byQueue", "sourceQueueArns": [arn("friend")] });
    stage.queue("picky", allow(by)).await;
    stage.queue("open", allow(json!({ "redrivePermission": "allowAll" }))).await;
    let other = stage.queue("other", json!({})).await;
    let friend = stage.queue("friend", json!({})).await;
    for (url, target, fine) in
        [(&other, "closed", false), (&other, "picky", false), (&friend, "picky", true), (&other, "open", true)]
    {
        let answer = set(&stage, url, redrive(target)).await;
        let expected = if fine { "" } else { "InvalidParameterValueException" };
        assert_eq!(answer.code(), expected, "{target}: {}", answer.text);
    }
    let made = stage.sqs("CreateQueue", json!({ "QueueName": "new", "Attributes": redrive("closed") })).await;
    assert_eq!(made.code(), "InvalidParameterValueException");
    assert!(made.message().contains("does not have permission"), "{}", made.text);
    // What is refused changes nothing, whatever else was in the call.
    let both = json!({ "VisibilityTimeout": "7", "RedrivePolicy": redrive("closed")["RedrivePolicy"] });
    assert_eq!(set(&stage, &friend, both).await.code(), "InvalidParameterValueException");
    assert_eq!(get(&stage, &friend).await["VisibilityTimeout"], "30");
}

#[tokio::test]
async fn a_policy_over_its_limits_or_of_nobody_is_refused() {
    let stage = Stage::start();
    let url = stage.queue("orders", json!({})).await;
    let policy = |principal: &str, actions: usize| {
        let statement = json!([{ "Effect": "Allow", "Principal": { "AWS": principal }, "Action": vec!["sqs:SendMessage"; actions], "Resource": "*" }]);
        json!({ "Policy": document(&statement) })
    };
    assert_eq!(set(&stage, &url, policy(ACCOUNT, 7)).await.code(), "");
    let over = set(&stage, &url, policy(ACCOUNT, 8)).await;
    assert_eq!((over.status, over.code().as_str()), (403, "OverLimit"));
    assert_eq!(over.message(), "8 Actions were found, maximum allowed is 7.");
    let nobody = set(&stage, &url, policy(&format!("arn:aws:iam::{ACCOUNT}:role/none"), 1)).await;
    assert_eq!(nobody.code(), "InvalidAttributeValue");
}

#[tokio::test]
async fn permissions_are_statements_by_label() {
    let stage = Stage::start();
    let url = stage.queue("orders", json!({})).await;
    let add = |label: &str, accounts: Value, actions: Value| {
        let input = json!({ "QueueUrl": url, "Label": label, "AWSAccountIds": accounts, "Actions": actions });
        let stage = &stage;
        async move { stage.sqs("AddPermission", input).await }
    };
    assert_eq!(add("a", json!(["444455556666"]), json!(["SendMessage"])).await.code(), "");
    assert_eq!(add("b", json!(["444455556666", ACCOUNT]), json!(["*"])).await.code(), "");
    for (label, accounts, actions, code, words) in [
        ("a", json!([ACCOUNT]), json!(["SendMessage"]), "InvalidParameterValueException", "Already exists"),
        ("a b", json!([ACCOUNT]), json!(["SendMessage"]), "InvalidParameterValueException", "Label is invalid"),
        ("c", json!(["1"]), json!(["SendMessage"]), "InvalidParameterValueException", "Unable to verify"),
        ("c", json!([ACCOUNT]), json!(["DeleteQueue"]), "InvalidParameterValueException", "Only the queue owner"),
        ("c", json!([ACCOUNT]), json!(vec!["SendMessage"; 8]), "OverLimit", "8 Actions were found"),
    ] {
        let refused = add(label, accounts, actions).await;
        assert_eq!(refused.code(), code);
        assert!(refused.message().contains(words), "{}", refused.text);
    }
    let text = get(&stage, &url).await["Policy"].as_str().unwrap().to_owned();
    let policy: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(policy["Statement"][0]["Principal"]["AWS"], "arn:aws:iam::444455556666:root");
    assert_eq!(policy["Statement"][0]["Action"], "SQS:SendMessage");
    let remove = |label: &str| {
        let input = json!({ "QueueUrl": url, "Label": label });
        let stage = &stage;
        async move { stage.sqs("RemovePermission", input).await }
    };
    assert_eq!(remove("a").await.code(), "");
    assert!(remove("a").await.message().contains("can't find label"));
    assert_eq!(remove("b").await.code(), "");
    assert_eq!(get(&stage, &url).await.get("Policy"), None);
}

#[tokio::test]
async fn a_receive_repeated_by_its_attempt_gets_the_same_until_something_happened() {
    let stage = Stage::start();
    let url = stage.queue("a.fifo", json!({ "FifoQueue": "true", "ContentBasedDeduplication": "true" })).await;
    for body in ["1", "2", "3"] {
        stage.sqs("SendMessage", json!({ "QueueUrl": url, "MessageBody": body, "MessageGroupId": "g" })).await.ok();
    }
    let receive = |id: &str| {
        let input = json!({ "QueueUrl": url, "MaxNumberOfMessages": 2, "ReceiveRequestAttemptId": id, "AttributeNames": ["All"] });
        let stage = &stage;
        async move { stage.sqs("ReceiveMessage", input).await.ok()["Messages"].clone() }
    };
    let first = receive("one").await;
    assert_eq!(first.as_array().unwrap().len(), 2);
    stage.handle.advance(Duration::from_secs(20));
    assert_eq!(receive("one").await, first);
    // The repetition began the visibility timeout anew, and another attempt finds the group closed.
    stage.handle.advance(Duration::from_secs(20));
    assert_eq!(receive("another").await, Value::Null);
    assert_eq!(receive("one").await, first);
    let change = json!({ "QueueUrl": url, "ReceiptHandle": first[0]["ReceiptHandle"], "VisibilityTimeout": 0 });
    assert_eq!(stage.sqs("ChangeMessageVisibility", change).await.code(), "");
    let anew = receive("one").await;
    assert_eq!(
        (anew[0]["Body"].clone(), anew[0]["Attributes"]["ApproximateReceiveCount"].clone()),
        (json!("1"), json!("2"))
    );
    assert_ne!(anew[0]["ReceiptHandle"], first[0]["ReceiptHandle"]);

    let standard = stage.queue("b", json!({})).await;
    for (url, id) in [(&standard, "one"), (&url, "with space"), (&url, &"x".repeat(129))] {
        let refused = stage.sqs("ReceiveMessage", json!({ "QueueUrl": url, "ReceiveRequestAttemptId": id })).await;
        assert_eq!(refused.code(), "InvalidParameterValueException", "{id}");
    }
}

/// A queue with one dead letter each of these bodies; gives the urls of both.
async fn dead_letters(stage: &Stage, bodies: &[&str]) -> (String, String) {
    let dead = stage.queue("dead", json!({})).await;
    let mut attributes = redrive("dead");
    attributes["VisibilityTimeout"] = json!("0");
    let url = stage.queue("orders", attributes).await;
    for body in bodies {
        stage.sqs("SendMessage", json!({ "QueueUrl": url, "MessageBody": body })).await.ok();
    }
    assert_eq!(stage.bodies(&url).await.len(), bodies.len());
    assert_eq!(stage.bodies(&url).await.len(), 0);
    (url, dead)
}

async fn tasks(stage: &Stage) -> Value {
    stage.sqs("ListMessageMoveTasks", json!({ "SourceArn": arn("dead"), "MaxResults": 10 })).await.ok()["Results"]
        .clone()
}

async fn status(stage: &Stage, status: &str) -> Value {
    stage
        .until(status, async |stage| {
            let all = tasks(stage).await;
            (all[0]["Status"] == status).then(|| all[0].clone())
        })
        .await
}

#[tokio::test]
async fn a_move_task_sends_dead_letters_back_as_new_messages() {
    let stage = Stage::start();
    let (url, dead) = dead_letters(&stage, &["x", "y"]).await;
    let started = stage.sqs("StartMessageMoveTask", json!({ "SourceArn": arn("dead") })).await;
    assert!(started.ok()["TaskHandle"].is_string());
    let done = status(&stage, "COMPLETED").await;
    assert_eq!((&done["ApproximateNumberOfMessagesMoved"], done.get("TaskHandle")), (&json!(2), None));
    let input = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10, "AttributeNames": ["All"] });
    let back = stage.sqs("ReceiveMessage", input).await.ok();
    assert_eq!((&back["Messages"][0]["Body"], &back["Messages"][1]["Body"]), (&json!("x"), &json!("y")));
    assert_eq!(back["Messages"][0]["Attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(stage.bodies(&dead).await, [""; 0]);

    // What was sent to the dead-letter queue itself has no source to go back to.
    stage.sqs("SendMessage", json!({ "QueueUrl": dead, "MessageBody": "stray" })).await.ok();
    stage.sqs("StartMessageMoveTask", json!({ "SourceArn": arn("dead") })).await.ok();
    assert_eq!(status(&stage, "FAILED").await["FailureReason"], "CouldNotDetermineMessageSource");
    let elsewhere = json!({ "SourceArn": arn("dead"), "DestinationArn": arn("orders") });
    stage.sqs("StartMessageMoveTask", elsewhere).await.ok();
    assert_eq!(status(&stage, "COMPLETED").await["DestinationArn"], arn("orders"));
    assert_eq!(tasks(&stage).await.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_move_task_keeps_to_its_rate_and_can_be_cancelled() {
    let stage = Stage::start();
    let (_, dead) = dead_letters(&stage, &["1", "2", "3"]).await;
    let start = json!({ "SourceArn": arn("dead"), "MaxNumberOfMessagesPerSecond": 1 });
    let handle = stage.sqs("StartMessageMoveTask", start.clone()).await.ok()["TaskHandle"].clone();
    let again = stage.sqs("StartMessageMoveTask", start).await;
    assert!(again.message().starts_with("There is already a task running."), "{}", again.text);
    stage
        .until("the first", async |stage| {
            (tasks(stage).await[0]["ApproximateNumberOfMessagesMoved"] == 1).then_some(())
        })
        .await;
    let cancel = json!({ "TaskHandle": handle });
    let cancelled = stage.sqs("CancelMessageMoveTask", cancel.clone()).await.ok();
    let moved = cancelled["ApproximateNumberOfMessagesMoved"].as_u64().unwrap();
    assert!((1..3).contains(&moved), "{moved}");
    assert_eq!(stage.sqs("CancelMessageMoveTask", cancel).await.message(), "Only active tasks can be cancelled.");
    stage.handle.advance(Duration::from_secs(10));
    assert_eq!(tasks(&stage).await[0]["Status"], "CANCELLED");
    assert_eq!(stage.bodies(&dead).await.len() as u64, 3 - moved);
}

#[tokio::test]
async fn a_move_task_is_refused_with_the_reason() {
    let stage = Stage::start();
    dead_letters(&stage, &["x"]).await;
    stage.queue("f.fifo", json!({ "FifoQueue": "true" })).await;
    let invalid = "InvalidParameterValueException";
    for (input, code, words) in [
        (json!({ "SourceArn": arn("orders") }), invalid, "must be configured as a Dead Letter Queue"),
        (json!({ "SourceArn": arn("none") }), "ResourceNotFoundException", "SourceArn parameter doesn't exist"),
        (json!({ "SourceArn": "dead" }), invalid, "arn:<partition>"),
        (
            json!({ "SourceArn": arn("dead"), "DestinationArn": arn("none") }),
            "ResourceNotFoundException",
            "DestinationArn",
        ),
        (json!({ "SourceArn": arn("dead"), "DestinationArn": arn("dead") }), invalid, "cannot be the same"),
        (json!({ "SourceArn": arn("dead"), "DestinationArn": arn("f.fifo") }), invalid, "same queue type"),
        (json!({ "SourceArn": arn("dead"), "MaxNumberOfMessagesPerSecond": 501 }), invalid, "between 1 and 500"),
    ] {
        let refused = stage.sqs("StartMessageMoveTask", input).await;
        assert_eq!(refused.code(), code, "{}", refused.text);
        assert!(refused.message().contains(words), "{}", refused.text);
    }
    // Who starts a task needs the rights to receive and delete at its source and to send at its target.
    let rights = json!([{ "Effect": "Allow", "Action": ["sqs:StartMessageMoveTask", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], "Resource": arn("dead") }]);
    let key: Key = stage.session(&stage.role("mover", &rights).await).await;
    let refused = stage.sqs_as(&key, "StartMessageMoveTask", json!({ "SourceArn": arn("dead") })).await;
    assert!(refused.message().contains("sqs:sendmessage on resource: arn:aws:sqs"), "{}", refused.text);
}
