//! Trigger `aws-sqs-queue`: the length of a queue, one GetQueueAttributes per reading
//! (`docs/rules.md#keda-aws-sqs-queue`).

use std::sync::Arc;
use std::time::Duration;

use aws::queue::Queue;
use futures::future::BoxFuture;
use keda::api::ScaleTriggers;
use keda::decision::Sample;
use keda::metric::{Spec, Target};
use keda::naming;
use url::Url;

use crate::aws_identity::{self, Caller, Identities, Resolved};
use crate::metadata::Metadata;
use crate::{Context, Error, Result, Scaler};

const TYPE: &str = "aws-sqs-queue";
const DEFAULT_LENGTH: i64 = 5;
/// Longest wait for one reading with the SDK's retries, real time.
const READ_LIMIT: Duration = Duration::from_secs(20);

/// A queue attribute and its name for people.
type Part = (&'static str, &'static str);

const VISIBLE: Part = ("ApproximateNumberOfMessages", "visible");
const IN_FLIGHT: Part = ("ApproximateNumberOfMessagesNotVisible", "in flight");
const DELAYED: Part = ("ApproximateNumberOfMessagesDelayed", "delayed");

/// One queue as a trigger.
pub(crate) struct AwsSqsQueue {
    identities: Arc<Identities>,
    caller: Caller,
    /// Of SQS only; roles are assumed at the operator's own STS endpoint.
    endpoint: Option<String>,
    /// URL or bare name, sent as it is.
    queue: String,
    parts: Vec<Part>,
    activation: i64,
    spec: Spec,
}

/// The metric of a trigger that names its queue itself; `None` if that takes the target's environment, or is wrong.
pub(crate) fn spec(trigger: &ScaleTriggers, index: usize) -> Option<Spec> {
    let text = |key: &str| trigger.metadata.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
    let name = queue_name(text("queueURL")?).ok()?;
    let length: i64 = text("queueLength").map_or(Some(DEFAULT_LENGTH), |length| length.parse().ok())?;
    let target = Target::new(trigger.metric_type.as_deref(), length as f64).ok()?;
    (length > 0).then(|| Spec { name: metric_name(index, &name), target })
}

fn metric_name(index: usize, queue: &str) -> String {
    naming::metric(index, &format!("aws-sqs-{queue}"))
}

impl AwsSqsQueue {
    pub(crate) fn new(trigger: &ScaleTriggers, index: usize, context: &Context) -> Result<Self> {
        let mut metadata = Metadata::new(TYPE, trigger, context);
        let queue = metadata.text("queueURL").or_else(|| metadata.by_env("queueURL")).unwrap_or_default();
        let name = queue_name(queue).unwrap_or_else(|problem| {
            metadata.problem(problem);
            String::new()
        });
        let region = metadata.text("awsRegion").or_else(|| metadata.parameter("awsRegion")).unwrap_or_default();
        if region.is_empty() {
            metadata.problem("no awsRegion given; set it in the trigger's metadata");
        }
        let length = metadata.parsed("queueLength", DEFAULT_LENGTH);
        if length <= 0 {
            metadata.problem(format!("queueLength={length} must be greater than 0"));
        }
        let activation = metadata.parsed("activationQueueLength", 0);
        let mut parts = vec![VISIBLE];
        parts.extend(metadata.flag("scaleOnInFlight", true).then_some(IN_FLIGHT));
        parts.extend(metadata.flag("scaleOnDelayed", false).then_some(DELAYED));
        let target = Target::new(trigger.metric_type.as_deref(), length as f64).unwrap_or_else(|error| {
            metadata.problem(error.to_string());
            Target::AverageValue(length as f64)
        });
        let endpoint = metadata.text("awsEndpoint").map(str::to_owned);
        let identity = aws_identity::chosen(&mut metadata, context);
        metadata.finish()?;
        tracing::debug!(queue, region, ?identity, "aws-sqs-queue built");
        Ok(Self {
            caller: context.identities.caller(&identity, region),
            identities: Arc::clone(&context.identities),
            endpoint,
            queue: queue.to_owned(),
            parts,
            activation,
            spec: Spec { name: metric_name(index, &name), target },
        })
    }

    async fn read(&self) -> Result<Sample> {
        let resolved = self.identities.resolve(&self.caller).await;
        let session = match &self.endpoint {
            Some(endpoint) => resolved.session.with_endpoint(endpoint),
            None => resolved.session.clone(),
        };
        let queue = Queue::new(&session, &self.queue);
        let names: Vec<_> = self.parts.iter().map(|(attribute, _)| *attribute).collect();
        let clock = self.identities.clock();
        let attributes = match clock.timeout(clock.to_system(READ_LIMIT), queue.attributes(&names)).await {
            Ok(Ok(attributes)) => attributes,
            Ok(Err(cause)) => return Err(self.refused(cause, resolved).await),
            Err(_) => return Err(Error::TimedOut { what: self.what(), limit: READ_LIMIT }),
        };
        let mut parts = Vec::with_capacity(self.parts.len());
        let mut sum = 0_i64;
        for (attribute, label) in &self.parts {
            let text = attributes.get(*attribute).ok_or_else(|| self.answer(format!("{attribute} is missing")))?;
            let count: i64 = text.parse().map_err(|_| self.answer(format!("{attribute}={text:?} is no count")))?;
            sum = sum.saturating_add(count);
            parts.push(((*label).to_owned(), count as f64));
        }
        Ok(Sample {
            value: sum as f64,
            target: self.spec.target,
            active: sum > self.activation,
            activation: self.activation as f64,
            parts,
        })
    }

    async fn refused(&self, cause: aws::Error, resolved: Resolved) -> Error {
        if !cause.is_retryable() {
            self.identities.forget(&self.caller).await;
        }
        // How the role was come by is of interest only to whom it was refused.
        let note = if cause.is_of_identity() { resolved.note } else { String::new() };
        Error::Aws { what: self.what(), cause, note }
    }

    fn what(&self) -> String {
        format!("cannot read the length of queue {}", self.queue)
    }

    fn answer(&self, problem: String) -> Error {
        Error::Answer { what: self.what(), problem }
    }
}

impl Scaler for AwsSqsQueue {
    fn metric_specs(&self) -> Vec<Spec> {
        vec![self.spec.clone()]
    }

    fn metrics_and_activity<'a>(&'a self, metric_name: &'a str) -> BoxFuture<'a, Result<Sample>> {
        Box::pin(async move {
            // Names are compared without case, as KEDA's metrics server does.
            if !metric_name.eq_ignore_ascii_case(&self.spec.name) {
                return Err(Error::UnknownMetric(metric_name.to_owned()));
            }
            self.read().await
        })
    }
}

/// The queue's name: the last of exactly two path segments of a URL, or the value itself if it is no URL.
fn queue_name(queue: &str) -> std::result::Result<String, String> {
    if queue.is_empty() {
        return Err("no queueURL given; set queueURL or queueURLFromEnv in the trigger's metadata".to_owned());
    }
    let path = match Url::parse(queue) {
        Ok(url) if queue.contains("://") => url.path().to_owned(),
        _ if queue.starts_with('/') => queue.to_owned(),
        _ => return Ok(queue.to_owned()),
    };
    match path.split('/').collect::<Vec<_>>()[..] {
        ["", _, name] if !name.is_empty() => Ok(name.to_owned()),
        _ => Err(format!("cannot get queueName from queueURL {queue:?}; it must end in /<account>/<name>")),
    }
}

#[cfg(test)]
mod tests;
