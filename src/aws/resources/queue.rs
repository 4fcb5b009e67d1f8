//! `aws_sqs_queue`: name, visibility_timeout_seconds, message_retention_seconds, receive_wait_time_seconds, delay_seconds,
//! fifo_queue, redrive_policy, policy; computed url and arn. The id is the URL.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use provision::{Attributes, Context, Failure, Known, Object, Reading, Schema};
use serde_json::{Value, json};

use super::edit::Edit;
use super::passing::call;
use super::value::{self, document, parsed, text};
use super::wait::{Lasting, Look, until};
use crate::cloud::Cloud;
use crate::error::{Error, Result};

pub(super) const SCHEMA: Schema =
    Schema { force_new: &["name", "fifo_queue"], computed: &["url", "arn"], sensitive: &[], open: &[], set_once: &[] };

/// Numbers, and their names in SQS.
const NUMBERS: [(&str, &str); 4] = [
    ("visibility_timeout_seconds", "VisibilityTimeout"),
    ("message_retention_seconds", "MessageRetentionPeriod"),
    ("receive_wait_time_seconds", "ReceiveMessageWaitTimeSeconds"),
    ("delay_seconds", "DelaySeconds"),
];

/// Documents, and their names in SQS.
const DOCUMENTS: [(&str, &str); 2] = [("redrive_policy", "RedrivePolicy"), ("policy", "Policy")];

const SETTLED_WITHIN: Duration = Duration::from_mins(3);

/// Attributes that show whether SQS has taken over what was said.
const NAMES: [&str; 6] = [
    "visibility_timeout_seconds",
    "message_retention_seconds",
    "receive_wait_time_seconds",
    "delay_seconds",
    "redrive_policy",
    "policy",
];

/// Looks in a row that must agree.
const LOOKS: u32 = 3;

const DELETED_WITHIN: Duration = Duration::from_mins(3);

/// A deleted queue may show for up to a minute (SQS API Reference, DeleteQueue), now and then not: for as long as this no
/// look may have found it.
const GONE_FOR: Duration = Duration::from_secs(30);

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
    call(context, || async {
        let call = cloud.sqs.create_queue().queue_name(name).set_attributes(Some(wire(desired, |_| true)));
        let answer = call.set_tags(Some(value::tags(desired))).send().await;
        answer.map(drop).map_err(|error| Error::from_sdk("sqs:CreateQueue", &error))
    })
    .await?;
    settled(cloud, name, desired, context).await
}

/// Waits until several looks in a row show the queue as it was declared: it can be used a second after its creation, and
/// attributes take up to a minute (SQS API Reference, CreateQueue and SetQueueAttributes).
async fn settled(cloud: &Cloud, name: &str, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    let agreeing = AtomicU32::new(0);
    until(context, &format!("queue {name}"), SETTLED_WITHIN, || async {
        let found = fetch(cloud, name).await?;
        let late = found.as_ref().and_then(|object| NAMES.into_iter().find(|name| is_late(desired, object, name)));
        Ok(match (found, late) {
            (None, _) => {
                agreeing.store(0, Ordering::Relaxed);
                Look::Waiting("not visible yet".into())
            }
            (Some(_), Some(name)) => {
                agreeing.store(0, Ordering::Relaxed);
                Look::Waiting(format!("{name} is not in force yet"))
            }
            (Some(object), None) => match agreeing.fetch_add(1, Ordering::Relaxed) + 1 {
                looks if looks < LOOKS => Look::Waiting(format!("as declared in {looks} of {LOOKS} looks")),
                _ => Look::Done(object),
            },
        })
    })
    .await
}

/// Whether an attribute that was said is not what SQS shows.
fn is_late(desired: &Attributes, object: &Object, name: &str) -> bool {
    let Some(wanted) = desired.get(name) else { return false };
    !object.attributes.get(name).is_some_and(|shown| match name {
        "policy" => super::policy_document::same(wanted, shown),
        _ => value::same_json(wanted, shown),
    })
}

pub(super) async fn update(cloud: &Cloud, edit: Edit<'_>, context: &Context) -> Result<Object, Failure> {
    let url = &edit.current.id;
    let attributes = wire(edit.desired, |name| edit.touches(name));
    if !attributes.is_empty() {
        call(context, || async {
            let call = cloud.sqs.set_queue_attributes().queue_url(url).set_attributes(Some(attributes.clone()));
            call.send().await.map(drop).map_err(|error| Error::from_sdk("sqs:SetQueueAttributes", &error))
        })
        .await?;
    }
    settled(cloud, text(&edit.current.attributes, "name")?, edit.desired, context).await
}

pub(super) async fn delete(cloud: &Cloud, current: &Object, context: &Context) -> Result<(), Failure> {
    call(context, || async {
        match cloud.sqs.delete_queue().queue_url(&current.id).send().await {
            Ok(_) => Ok(()),
            Err(error) => absent::<()>(Error::from_sdk("sqs:DeleteQueue", &error)).map(drop),
        }
    })
    .await?;
    let name = text(&current.attributes, "name")?;
    let absence = Lasting::default();
    until(context, &format!("the deletion of queue {name}"), DELETED_WITHIN, || async {
        let is_absent = url_of(cloud, name).await?.is_none();
        let elapsed = absence.seen(is_absent, context);
        Ok(match is_absent {
            true if elapsed >= GONE_FOR => Look::Done(()),
            true => Look::Waiting(format!("not seen for {} s", elapsed.as_secs())),
            false => Look::Waiting("still there".into()),
        })
    })
    .await
}
