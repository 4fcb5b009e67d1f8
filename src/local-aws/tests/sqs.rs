//! SQS by both of its protocols.

use std::time::Duration;

use clock::Clock;
use serde_json::{Value, json};

use super::Stage;

fn handle(answer: &Value) -> String {
    answer["Messages"][0]["ReceiptHandle"].as_str().unwrap_or_default().to_owned()
}

async fn attribute(stage: &Stage, url: &str, name: &str) -> String {
    let answer = stage.sqs("GetQueueAttributes", json!({ "QueueUrl": url, "AttributeNames": [name] })).await.ok();
    answer["Attributes"][name].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn creating_again_gives_the_queue_and_a_difference_is_named() {
    let stage = Stage::start();
    let url = stage.queue("orders", json!({ "VisibilityTimeout": "60" })).await;
    assert_eq!(stage.queue("orders", json!({ "VisibilityTimeout": "60" })).await, url);
    assert_eq!(stage.queue("orders", json!({})).await, url);
    let other = json!({ "QueueName": "orders", "Attributes": { "VisibilityTimeout": "61" } });
    let answer = stage.sqs("CreateQueue", other).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "QueueNameExists"));
    assert_eq!(answer.header("x-amzn-query-error"), "QueueAlreadyExists;Sender");
    assert!(answer.message().ends_with("attribute VisibilityTimeout"), "{}", answer.text);
}

#[tokio::test]
async fn a_deleted_name_is_free_after_a_minute_and_a_purge_is_possible_once_a_minute() {
    let stage = Stage::start();
    let url = stage.queue("orders", json!({})).await;
    assert_eq!(stage.sqs("PurgeQueue", json!({ "QueueUrl": url })).await.code(), "");
    stage.handle.advance(Duration::from_secs(59));
    assert_eq!(stage.sqs("PurgeQueue", json!({ "QueueUrl": url })).await.code(), "PurgeQueueInProgress");
    stage.handle.advance(Duration::from_secs(1));
    assert_eq!(stage.sqs("PurgeQueue", json!({ "QueueUrl": url })).await.code(), "");

    assert_eq!(stage.sqs("DeleteQueue", json!({ "QueueUrl": url })).await.code(), "");
    assert_eq!(stage.sqs("DeleteQueue", json!({ "QueueUrl": url })).await.code(), "QueueDoesNotExist");
    stage.handle.advance(Duration::from_secs(59));
    assert_eq!(stage.sqs("CreateQueue", json!({ "QueueName": "orders" })).await.code(), "QueueDeletedRecently");
    stage.handle.advance(Duration::from_secs(1));
    assert_eq!(stage.sqs("CreateQueue", json!({ "QueueName": "orders" })).await.code(), "");
}

#[tokio::test]
async fn a_received_message_is_hidden_until_its_time_is_over_or_it_is_deleted() {
    let stage = Stage::start();
    let url = stage.queue("orders", json!({})).await;
    stage.sqs("SendMessage", json!({ "QueueUrl": url, "MessageBody": "one" })).await.ok();
    let context = json!({ "QueueUrl": url, "MessageSystemAttributeNames": ["All"] });
    let first = handle(&stage.sqs("ReceiveMessage", context.clone()).await.ok());
    assert_eq!(stage.bodies(&url).await, [""; 0]);
    assert_eq!(attribute(&stage, &url, "ApproximateNumberOfMessagesNotVisible").await, "1");

    stage.handle.advance(Duration::from_secs(30));
    let again = stage.sqs("ReceiveMessage", context).await.ok();
    assert_eq!(again["Messages"][0]["Attributes"]["ApproximateReceiveCount"], "2");
    // An older receipt is taken and does nothing.
    assert_eq!(stage.sqs("DeleteMessage", json!({ "QueueUrl": url, "ReceiptHandle": first })).await.code(), "");
    assert_eq!(attribute(&stage, &url, "ApproximateNumberOfMessagesNotVisible").await, "1");

    let now = json!({ "QueueUrl": url, "ReceiptHandle": handle(&again), "VisibilityTimeout": 0 });
    assert_eq!(stage.sqs("ChangeMessageVisibility", now.clone()).await.code(), "");
    assert_eq!(stage.sqs("ChangeMessageVisibility", now).await.code(), "MessageNotInflight");
    let last = handle(&stage.sqs("ReceiveMessage", json!({ "QueueUrl": url })).await.ok());
    let delete = json!({ "QueueUrl": url, "ReceiptHandle": last });
    assert_eq!(stage.sqs("DeleteMessage", delete).await.code(), "");
    let garbage = json!({ "QueueUrl": url, "ReceiptHandle": "garbage" });
    assert_eq!(stage.sqs("DeleteMessage", garbage).await.code(), "ReceiptHandleIsInvalid");
    stage.handle.advance(Duration::from_hours(1));
    assert_eq!(stage.bodies(&url).await, [""; 0]);
}

#[tokio::test]
async fn a_message_stays_hidden_for_half_a_day_at_most_however_often_that_is_prolonged() {
    let stage = Stage::start();
    let url = stage.queue("orders", json!({})).await;
    stage.sqs("SendMessage", json!({ "QueueUrl": url, "MessageBody": "one" })).await.ok();
    let receipt = handle(&stage.sqs("ReceiveMessage", json!({ "QueueUrl": url })).await.ok());
    let hide = |seconds| json!({ "QueueUrl": url, "ReceiptHandle": receipt, "VisibilityTimeout": seconds });
    assert_eq!(stage.sqs("ChangeMessageVisibility", hide(43_200)).await.code(), "");
    stage.handle.advance(Duration::from_hours(1));
    assert_eq!(stage.sqs("ChangeMessageVisibility", hide(39_600)).await.code(), "");
    let refused = stage.sqs("ChangeMessageVisibility", hide(39_601)).await;
    assert_eq!(refused.code(), "InvalidParameterValueException");
    assert!(refused.message().contains("beyond the limit [43200 seconds]"), "{}", refused.text);
}

#[tokio::test]
async fn a_fifo_batch_that_lacks_a_group_sends_nothing() {
    let stage = Stage::start();
    let url = stage.queue("orders.fifo", json!({ "FifoQueue": "true", "ContentBasedDeduplication": "true" })).await;
    let entries = json!([{ "Id": "a", "MessageBody": "x", "MessageGroupId": "g" }, { "Id": "b", "MessageBody": "y" }]);
    let refused = stage.sqs("SendMessageBatch", json!({ "QueueUrl": url, "Entries": entries })).await;
    assert_eq!(refused.code(), "InvalidParameterValueException");
    assert_eq!(stage.bodies(&url).await, [""; 0]);
    let spaced = json!({ "QueueUrl": url, "MessageBody": "x", "MessageGroupId": "a b" });
    assert_eq!(stage.sqs("SendMessage", spaced).await.code(), "InvalidParameterValueException");
}

#[tokio::test]
async fn a_long_poll_gets_what_is_sent_meanwhile_and_ends_empty_after_its_wait() {
    let stage = Stage::start();
    let url = stage.queue("orders", json!({ "ReceiveMessageWaitTimeSeconds": "20" })).await;
    let send = async { stage.sqs("SendMessage", json!({ "QueueUrl": url, "MessageBody": "wake" })).await.ok() };
    // Time stands still here, so a poll that is not woken would wait for ever.
    let both = async { tokio::join!(stage.bodies(&url), send) };
    let (bodies, _) = Clock::real().timeout(Duration::from_secs(10), both).await.expect("the poll is woken");
    assert_eq!(bodies, ["wake"]);

    let begun = stage.clock.moment();
    let poll = stage.bodies(&url);
    tokio::pin!(poll);
    let bodies = loop {
        tokio::select! {
            biased;
            bodies = &mut poll => break bodies,
            // Time goes on whenever the poll does not.
            () = tokio::task::yield_now() => stage.handle.advance(Duration::from_millis(5)),
        }
    };
    assert_eq!(bodies, [""; 0]);
    assert!(stage.clock.elapsed(begun) >= Duration::from_secs(20));
}

#[tokio::test]
async fn a_delayed_message_comes_when_its_delay_is_over() {
    let stage = Stage::start();
    let url = stage.queue("orders", json!({})).await;
    stage.sqs("SendMessage", json!({ "QueueUrl": url, "MessageBody": "later", "DelaySeconds": 20 })).await.ok();
    assert_eq!(attribute(&stage, &url, "ApproximateNumberOfMessagesDelayed").await, "1");
    stage.handle.advance(Duration::from_secs(19));
    assert_eq!(stage.bodies(&url).await, [""; 0]);
    stage.handle.advance(Duration::from_secs(1));
    assert_eq!(stage.bodies(&url).await, ["later"]);
}

#[tokio::test]
async fn each_entry_of_a_batch_has_its_own_outcome() {
    let stage = Stage::start();
    let url = stage.queue("orders", json!({})).await;
    let foreign = json!({ "aws.x": { "DataType": "String", "StringValue": "1" } });
    let entries = json!([
        { "Id": "good", "MessageBody": "x" },
        { "Id": "late", "MessageBody": "x", "DelaySeconds": 901 },
        { "Id": "control", "MessageBody": "x\u{1}" },
        { "Id": "name", "MessageBody": "x", "MessageAttributes": foreign },
    ]);
    let answer = stage.sqs("SendMessageBatch", json!({ "QueueUrl": url, "Entries": entries })).await.ok();
    assert_eq!(answer["Successful"].as_array().unwrap().len(), 1);
    let failed: Vec<_> = answer["Failed"].as_array().unwrap().iter().map(|one| (&one["Id"], &one["Code"])).collect();
    let expected =
        [("late", "InvalidParameterValue"), ("control", "InvalidMessageContents"), ("name", "InvalidParameterValue")]
            .map(|(id, code)| (json!(id), json!(code)));
    assert_eq!(failed, expected.iter().map(|(id, code)| (id, code)).collect::<Vec<_>>());
    let batch = |entries: Value| stage.sqs("SendMessageBatch", json!({ "QueueUrl": url, "Entries": entries }));
    let twice = json!([{ "Id": "a", "MessageBody": "x" }, { "Id": "a", "MessageBody": "x" }]);
    assert_eq!(batch(twice).await.code(), "BatchEntryIdsNotDistinct");
    assert_eq!(batch(json!([])).await.code(), "EmptyBatchRequest");
    let eleven: Value = (0..11).map(|id| json!({ "Id": id.to_string(), "MessageBody": "x" })).collect();
    assert_eq!(batch(eleven).await.code(), "TooManyEntriesInBatchRequest");
}

#[tokio::test]
async fn a_fifo_queue_keeps_order_in_a_group_and_drops_duplicates_for_five_minutes() {
    let stage = Stage::start();
    let url = stage.queue("orders.fifo", json!({ "FifoQueue": "true" })).await;
    let send = |body: &str, group: &str, id: &str| {
        let input =
            json!({ "QueueUrl": url, "MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": id });
        let call = stage.sqs("SendMessage", input);
        async { call.await.ok()["MessageId"].clone() }
    };
    let first = send("1", "g", "a").await;
    assert_eq!(send("1 again", "g", "a").await, first);
    send("2", "g", "b").await;
    send("other", "h", "c").await;
    let one = stage.sqs("ReceiveMessage", json!({ "QueueUrl": url })).await.ok();
    assert_eq!(one["Messages"][0]["Body"], "1");
    // Behind a hidden message its group waits; the other group does not.
    assert_eq!(stage.bodies(&url).await, ["other"]);
    let delete = json!({ "QueueUrl": url, "ReceiptHandle": handle(&one) });
    assert_eq!(stage.sqs("DeleteMessage", delete).await.code(), "");
    assert_eq!(stage.bodies(&url).await, ["2"]);
    stage.handle.advance(Duration::from_mins(5));
    assert_ne!(send("1 anew", "g", "a").await, first);
}

#[tokio::test]
async fn what_is_received_too_often_goes_to_the_dead_letters() {
    let stage = Stage::start();
    let dead = stage.queue("dead", json!({})).await;
    let arn = attribute(&stage, &dead, "QueueArn").await;
    let redrive = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": 2 }).to_string();
    let url = stage.queue("orders", json!({ "VisibilityTimeout": "0", "RedrivePolicy": redrive })).await;
    stage.sqs("SendMessage", json!({ "QueueUrl": url, "MessageBody": "bad" })).await.ok();
    assert_eq!(stage.bodies(&url).await, ["bad"]);
    assert_eq!(stage.bodies(&url).await, ["bad"]);
    assert_eq!(stage.bodies(&url).await, [""; 0]);
    assert_eq!(stage.bodies(&dead).await, ["bad"]);
    let sources = stage.sqs("ListDeadLetterSourceQueues", json!({ "QueueUrl": dead })).await.ok();
    assert_eq!(sources["queueUrls"], json!([url]));
}

#[tokio::test]
async fn queues_are_listed_by_prefix_in_pages() {
    let stage = Stage::start();
    for name in ["a-1", "a-2", "a-3", "b-1"] {
        stage.queue(name, json!({})).await;
    }
    let page = stage.sqs("ListQueues", json!({ "QueueNamePrefix": "a-", "MaxResults": 2 })).await.ok();
    assert_eq!(page["QueueUrls"].as_array().unwrap().len(), 2);
    let next = json!({ "QueueNamePrefix": "a-", "MaxResults": 2, "NextToken": page["NextToken"] });
    let page = stage.sqs("ListQueues", next).await.ok();
    assert!(page["QueueUrls"][0].as_str().unwrap().ends_with("/a-3"));
    assert_eq!((page["QueueUrls"].as_array().unwrap().len(), &page["NextToken"]), (1, &Value::Null));
}

#[tokio::test]
async fn the_query_protocol_says_the_same_in_xml() {
    let stage = Stage::start();
    let create = [
        ("Action", "CreateQueue"),
        ("QueueName", "orders"),
        ("Attribute.1.Name", "DelaySeconds"),
        ("Attribute.1.Value", "0"),
        ("Tag.1.Key", "team"),
        ("Tag.1.Value", "a&b"),
    ];
    let url = stage.query("sqs", &create).await.tag("QueueUrl");
    let path = url.split_once(&stage.address).unwrap().1.to_owned();
    let call = |form: Vec<(&'static str, &'static str)>| {
        let (stage, path) = (&stage, &path);
        async move { stage.query_as(Some(&stage.administrator), "sqs", path, &form).await }
    };
    assert_eq!(call(vec![("Action", "ListQueueTags")]).await.tag("Value"), "a&amp;b");
    let send = [
        ("Action", "SendMessageBatch"),
        ("SendMessageBatchRequestEntry.1.Id", "x"),
        ("SendMessageBatchRequestEntry.1.MessageBody", "<1>"),
        ("SendMessageBatchRequestEntry.1.MessageAttribute.1.Name", "kind"),
        ("SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType", "String"),
        ("SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue", "v"),
        ("SendMessageBatchRequestEntry.2.Id", "y"),
        ("SendMessageBatchRequestEntry.2.MessageBody", "2"),
        ("SendMessageBatchRequestEntry.2.DelaySeconds", "901"),
    ];
    let answer = call(send.to_vec()).await;
    assert!(answer.tag("SendMessageBatchResultEntry").contains("<Id>x</Id>"), "{}", answer.text);
    assert!(answer.tag("BatchResultErrorEntry").contains("<Code>InvalidParameterValue</Code>"), "{}", answer.text);
    let receive = vec![("Action", "ReceiveMessage"), ("AttributeName.1", "All"), ("MessageAttributeName.1", "kind")];
    let answer = call(receive).await;
    assert_eq!(answer.tag("Body"), "&lt;1&gt;");
    // By hand: the lengths and texts of kind, String and v, and 1 for text.
    assert_eq!(answer.tag("MD5OfMessageAttributes"), "7216f274678e6ffd176bec213edae047");
    assert_eq!(call(vec![("Action", "Nonsense")]).await.code(), "InvalidAction");
    let missing = stage.query("sqs", &[("Action", "GetQueueUrl"), ("QueueName", "none")]).await;
    assert_eq!(missing.code(), "AWS.SimpleQueueService.NonExistentQueue");
}
