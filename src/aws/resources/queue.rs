//! `aws_sqs_queue`: name, visibility_timeout_seconds, message_retention_seconds, receive_wait_time_seconds, delay_seconds,
//! fifo_queue, redrive_policy, policy; computed url and arn. The id is the URL.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use provision::{Attributes, Context, Failure, Known, Object, Reading, Schema};
use serde_json::{Value, json};

use super::value::{self, changed_tags, document, parsed, text};
use super::wait::{Look, retry, until};
use super::{Cloud, Edit};
use crate::error::{Error, Result};

pub(super) const SCHEMA: Schema =
    Schema { force_new: &["name", "fifo_queue"], computed: &["url", "arn"], sensitive: &[], open: &["tags"] };

/// Numbers, and their names in SQS.
const NUMBERS: [(&str, &str); 4] = [
    ("visibility_timeout_seconds", "VisibilityTimeout"),
    ("message_retention_seconds", "MessageRetentionPeriod"),
    ("receive_wait_time_seconds", "ReceiveMessageWaitTimeSeconds"),
    ("delay_seconds", "DelaySeconds"),
];

/// Documents, and their names in SQS.
const DOCUMENTS: [(&str, &str); 2] = [("redrive_policy", "RedrivePolicy"), ("policy", "Policy")];

/// A queue's name cannot be used again for a minute after its deletion; a little more for the lag
/// (`docs/rules.md#sqs-deleted-names`).
const NAME_BLOCKED: Duration = Duration::from_secs(90);
const DELETED_WITHIN: Duration = Duration::from_mins(3);

pub(super) async fn read(cloud: &Cloud, known: Known<'_>) -> Result<Reading, Failure> {
    let name = known.recorded.and_then(|object| object.text("name"));
    let name = match known.desired.get("name").and_then(Value::as_str).or(name) {
        Some(name) => name,
        None => text(known.desired, "name")?,
    };
    Ok(match fetch(cloud, name).await? {
        Some(object) => cloud.claim(object),
        None => Reading::Absent,
    })
}

async fn url_of(cloud: &Cloud, name: &str) -> Result<Option<String>> {
    const OPERATION: &str = "sqs:GetQueueUrl";
    match cloud.sqs.get_queue_url().queue_name(name).send().await {
        Ok(answer) => answer.queue_url.map(Some).ok_or_else(|| Error::answer(OPERATION, "it holds no URL")),
        Err(error) => absent(Error::from_sdk(OPERATION, &error)),
    }
}

fn absent<T>(error: Error) -> Result<Option<T>> {
    if error.is_not_found() { Ok(None) } else { Err(error) }
}

pub(crate) async fn fetch(cloud: &Cloud, name: &str) -> Result<Option<Object>> {
    let Some(url) = url_of(cloud, name).await? else { return Ok(None) };
    let call = cloud.sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::All);
    let found = match call.send().await {
        Ok(answer) => answer.attributes.unwrap_or_default(),
        Err(error) => return absent(Error::from_sdk("sqs:GetQueueAttributes", &error)),
    };
    let tags = match cloud.sqs.list_queue_tags().queue_url(&url).send().await {
        Ok(answer) => answer.tags.unwrap_or_default(),
        Err(error) => return absent(Error::from_sdk("sqs:ListQueueTags", &error)),
    };
    let get = |name: &str| found.get(&QueueAttributeName::from(name)).map(String::as_str);
    let arn = get("QueueArn").ok_or_else(|| Error::answer("sqs:GetQueueAttributes", "QueueArn is missing"))?;
    let fifo = get("FifoQueue").map(|text| text == "true");
    let mut attributes = value::attributes([
        ("name", json!(name)),
        ("url", json!(url)),
        ("arn", json!(arn)),
        ("fifo_queue", json!(fifo.unwrap_or(false))),
        ("tags", json!(tags)),
    ]);
    for (ours, theirs) in NUMBERS {
        if let Some(number) = get(theirs).and_then(|text| text.parse::<u64>().ok()) {
            attributes.insert(ours.to_owned(), json!(number));
        }
    }
    for (ours, theirs) in DOCUMENTS {
        if let Some(text) = get(theirs).filter(|text| !text.is_empty()) {
            attributes.insert(ours.to_owned(), parsed(text));
        }
    }
    Ok(Some(Object::new(url.clone(), attributes)))
}

fn wire(desired: &Attributes, wanted: impl Fn(&str) -> bool) -> HashMap<QueueAttributeName, String> {
    let named = NUMBERS.iter().chain(&DOCUMENTS).filter(|(ours, _)| wanted(ours));
    let mut all: HashMap<_, _> = named
        .filter_map(|(ours, theirs)| Some((QueueAttributeName::from(*theirs), document(desired.get(*ours)?))))
        .collect();
    if wanted("fifo_queue") && value::switch(desired, "fifo_queue") == Some(true) {
        all.insert(QueueAttributeName::FifoQueue, "true".to_owned());
    }
    all
}

pub(super) async fn create(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    let name = text(desired, "name")?;
    let blocked = |error: &Error| error.code().is_some_and(|code| code.contains("QueueDeletedRecently"));
    retry(context, NAME_BLOCKED, blocked, || async {
        let call = cloud.sqs.create_queue().queue_name(name).set_attributes(Some(wire(desired, |_| true)));
        let answer = call.set_tags(Some(value::tags(desired))).send().await;
        answer.map(drop).map_err(|error| Error::from_sdk("sqs:CreateQueue", &error))
    })
    .await?;
    settled(cloud, name, context).await
}

async fn settled(cloud: &Cloud, name: &str, context: &Context) -> Result<Object, Failure> {
    until(context, &format!("queue {name}"), DELETED_WITHIN, || async {
        let found = fetch(cloud, name).await?;
        Ok(found.map_or_else(|| Look::Waiting("not visible yet".into()), Look::Done))
    })
    .await
}

pub(super) async fn update(cloud: &Cloud, edit: Edit<'_>, context: &Context) -> Result<Object, Failure> {
    let url = &edit.current.id;
    let attributes = wire(edit.desired, |name| edit.touches(name));
    if !attributes.is_empty() {
        let call = cloud.sqs.set_queue_attributes().queue_url(url).set_attributes(Some(attributes));
        call.send().await.map_err(|error| Error::from_sdk("sqs:SetQueueAttributes", &error))?;
    }
    let tags = changed_tags(edit.current, edit.desired);
    if !tags.is_empty() {
        let call = cloud.sqs.tag_queue().queue_url(url).set_tags(Some(tags));
        call.send().await.map_err(|error| Error::from_sdk("sqs:TagQueue", &error))?;
    }
    settled(cloud, text(&edit.current.attributes, "name")?, context).await
}

pub(super) async fn delete(cloud: &Cloud, current: &Object, context: &Context) -> Result<(), Failure> {
    match cloud.sqs.delete_queue().queue_url(&current.id).send().await {
        Ok(_) => {}
        Err(error) => drop(absent::<()>(Error::from_sdk("sqs:DeleteQueue", &error))?),
    }
    let name = text(&current.attributes, "name")?;
    // Deletion may show late: several looks in a row have to agree.
    let agreeing = AtomicU32::new(0);
    until(context, &format!("the deletion of queue {name}"), DELETED_WITHIN, || async {
        if url_of(cloud, name).await?.is_some() {
            agreeing.store(0, Ordering::Relaxed);
            return Ok(Look::Waiting("still there".into()));
        }
        let looks = agreeing.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(if looks >= 3 { Look::Done(()) } else { Look::Waiting(format!("gone in {looks} of 3 looks")) })
    })
    .await
}
