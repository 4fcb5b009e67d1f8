//! One SQS queue as its users see it: counts, messages, visibility.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry};
use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::session::Session;

/// SQS takes at most ten messages in one batch.
const BATCH: usize = 10;

/// SQS as one caller sees it, in one region and at one endpoint. Clones share one client.
#[derive(Debug, Clone)]
pub struct Queues(aws_sdk_sqs::Client);

impl Queues {
    /// As `session`. Nothing is called.
    pub fn new(session: &Session) -> Self {
        Self(aws_sdk_sqs::Client::new(&session.config))
    }

    /// The queue at `queue_url`. Nothing is called.
    pub fn queue(&self, queue_url: &str) -> Queue {
        Queue { client: self.0.clone(), url: queue_url.to_owned() }
    }
}

/// A queue by its URL.
#[derive(Debug, Clone)]
pub struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

/// The three approximate counts. AWS lets them lag behind by up to a minute
/// (`docs/rules.md#sqs-approximate-counts`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Can be received now.
    pub visible: u64,
    /// Received and neither deleted nor visible again.
    pub in_flight: u64,
    /// Not yet visible for the first time.
    pub delayed: u64,
}

impl Counts {
    /// All that is in the queue.
    pub fn total(&self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }
}

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The id given when it was sent.
    pub id: String,
    /// The text.
    pub body: String,
    /// What deletes it or changes its visibility.
    pub receipt_handle: String,
    /// How often it has been received, this time included.
    pub receive_count: u32,
    /// When it was sent, by the service's clock.
    pub sent_at: Timestamp,
}

impl Queue {
    /// The queue at `queue_url`. Nothing is called.
    pub fn new(session: &Session, queue_url: &str) -> Self {
        Queues::new(session).queue(queue_url)
    }

    /// The queue's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The approximate counts.
    ///
    /// # Errors
    ///
    /// [`Error::Service`] if SQS refuses. [`Error::Answer`] if a count is missing, which is never taken for zero, or
    /// is no number. Another [`Error`] if the call gets no usable answer.
    pub async fn counts(&self) -> Result<Counts> {
        const VISIBLE: &str = "ApproximateNumberOfMessages";
        const IN_FLIGHT: &str = "ApproximateNumberOfMessagesNotVisible";
        const DELAYED: &str = "ApproximateNumberOfMessagesDelayed";
        let attributes = self.attributes(&[VISIBLE, IN_FLIGHT, DELAYED]).await?;
        let count = |name: &str| {
            let text = attributes.get(name).ok_or_else(|| format!("{name} is missing"))?;
            text.parse::<u64>().map_err(|_| format!("{name} is `{text}`, no count"))
        };
        let read = || Ok(Counts { visible: count(VISIBLE)?, in_flight: count(IN_FLIGHT)?, delayed: count(DELAYED)? });
        read().map_err(|message: String| Error::answer("sqs:GetQueueAttributes", message))
    }

    /// The named attributes; what the service does not have is absent.
    ///
    /// # Errors
    ///
    /// [`Error::Service`] if SQS refuses. Another [`Error`] if the call gets no usable answer.
    pub async fn attributes(&self, names: &[&str]) -> Result<BTreeMap<String, String>> {
        let names = names.iter().map(|name| QueueAttributeName::from(*name)).collect();
        let call = self.client.get_queue_attributes().queue_url(&self.url).set_attribute_names(Some(names));
        let answer = call.send().await.map_err(|error| Error::from_sdk("sqs:GetQueueAttributes", &error))?;
        let attributes = answer.attributes.unwrap_or_default();
        Ok(attributes.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect())
    }

    /// Sends the bodies and gives their ids in the same order.
    ///
    /// # Errors
    ///
    /// [`Error::Service`] if SQS refuses a call or a message. What it took of the same call and of earlier ones is
    /// sent all the same. [`Error::Answer`] if a message is neither taken nor refused. Another [`Error`] if a call
    /// gets no usable answer.
    pub async fn send(&self, bodies: &[String]) -> Result<Vec<String>> {
        const OPERATION: &str = "sqs:SendMessageBatch";
        let mut ids = Vec::with_capacity(bodies.len());
        for bodies in bodies.chunks(BATCH) {
            let mut call = self.client.send_message_batch().queue_url(&self.url);
            for (index, body) in bodies.iter().enumerate() {
                let entry = SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(body).build();
                call = call.entries(entry.map_err(|error| Error::answer(OPERATION, error.to_string()))?);
            }
            let answer = call.send().await.map_err(|error| Error::from_sdk(OPERATION, &error))?;
            if let Some(failed) = answer.failed.first() {
                let message = failed.message.clone().unwrap_or_default();
                let status = if failed.sender_fault { 400 } else { 500 };
                return Err(Error::Service { operation: OPERATION, code: failed.code.clone(), message, status });
            }
            for index in 0..bodies.len() {
                let index = index.to_string();
                let sent = answer.successful.iter().find(|entry| entry.id == index);
                let sent = sent.ok_or_else(|| Error::answer(OPERATION, "a message is in neither list"))?;
                ids.push(sent.message_id.clone());
            }
        }
        Ok(ids)
    }

    /// Receives up to `max` (1 to 10) messages, waiting up to `wait` (whole seconds, at most 20, by the service's
    /// clock) for the first.
    ///
    /// # Errors
    ///
    /// Those of [`Queue::receive_for`].
    pub async fn receive(&self, max: u32, wait: Duration) -> Result<Vec<Message>> {
        self.receive_for(max, wait, None).await
    }

    /// As [`Queue::receive`], hiding the messages for `visibility` instead of the queue's own timeout.
    ///
    /// # Errors
    ///
    /// [`Error::Service`] if SQS refuses. [`Error::Answer`] if a message lacks its id, receipt handle, receive count
    /// or time of sending. Another [`Error`] if the call gets no usable answer.
    pub async fn receive_for(&self, max: u32, wait: Duration, visibility: Option<Duration>) -> Result<Vec<Message>> {
        let call = self.client.receive_message().queue_url(&self.url);
        let answer = call
            .max_number_of_messages(max.clamp(1, 10) as i32)
            .wait_time_seconds(wait.as_secs().min(20) as i32)
            .set_visibility_timeout(visibility.map(whole_seconds))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send()
            .await
            .map_err(|error| Error::from_sdk("sqs:ReceiveMessage", &error))?;
        answer.messages.unwrap_or_default().into_iter().map(message).collect()
    }

    /// Deletes the message that `receipt_handle` stands for.
    ///
    /// # Errors
    ///
    /// [`Error::Service`] if SQS refuses. Another [`Error`] if the call gets no usable answer.
    pub async fn delete(&self, receipt_handle: &str) -> Result<()> {
        let call = self.client.delete_message().queue_url(&self.url).receipt_handle(receipt_handle);
        call.send().await.map_err(|error| Error::from_sdk("sqs:DeleteMessage", &error))?;
        Ok(())
    }

    /// Hides the message for `timeout` from now (whole seconds, rounded up; zero hands it back).
    ///
    /// # Errors
    ///
    /// [`Error::Service`] if SQS refuses. Another [`Error`] if the call gets no usable answer.
    pub async fn change_visibility(&self, receipt_handle: &str, timeout: Duration) -> Result<()> {
        let call = self.client.change_message_visibility().queue_url(&self.url).receipt_handle(receipt_handle);
        let call = call.visibility_timeout(whole_seconds(timeout));
        call.send().await.map_err(|error| Error::from_sdk("sqs:ChangeMessageVisibility", &error))?;
        Ok(())
    }

    /// Removes all messages. AWS allows it once a minute and needs up to a minute.
    ///
    /// # Errors
    ///
    /// [`Error::Service`] if SQS refuses, as it does for a minute after the last purge. Another [`Error`] if the call
    /// gets no usable answer.
    pub async fn purge(&self) -> Result<()> {
        let call = self.client.purge_queue().queue_url(&self.url);
        call.send().await.map_err(|error| Error::from_sdk("sqs:PurgeQueue", &error))?;
        Ok(())
    }
}

fn whole_seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis().div_ceil(1000)).unwrap_or(i32::MAX)
}

fn message(message: aws_sdk_sqs::types::Message) -> Result<Message> {
    const OPERATION: &str = "sqs:ReceiveMessage";
    let missing = |what: &str| Error::answer(OPERATION, format!("a message has no {what}"));
    let attributes = message.attributes.unwrap_or_default();
    let number = |name: &MessageSystemAttributeName| attributes.get(name).and_then(|text| text.parse::<i64>().ok());
    let count = number(&MessageSystemAttributeName::ApproximateReceiveCount);
    let sent = number(&MessageSystemAttributeName::SentTimestamp);
    Ok(Message {
        id: message.message_id.ok_or_else(|| missing("id"))?,
        body: message.body.unwrap_or_default(),
        receipt_handle: message.receipt_handle.ok_or_else(|| missing("receipt handle"))?,
        receive_count: count.and_then(|n| u32::try_from(n).ok()).ok_or_else(|| missing("receive count"))?,
        sent_at: sent.and_then(|n| Timestamp::from_millisecond(n).ok()).ok_or_else(|| missing("time of sending"))?,
    })
}
