//! Trigger `aws-sqs-queue`: the length of a queue, one GetQueueAttributes per reading
//! (`docs/rules.md#keda-aws-sqs-queue`).

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use keda::api::ScaleTriggers;
use keda::decision::Sample;
use keda::metric::{Spec, Target};
use keda::naming;
use url::Url;

use crate::aws_identity::{self, Caller, Failure, Resolved};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::metadata::Metadata;
use crate::scaler::{Samples, Scaler};
use crate::services::Services;

pub(crate) const TYPE: &str = "aws-sqs-queue";
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
    services: Arc<Services>,
    caller: Arc<Caller>,
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
        let length = metadata.count("queueLength", DEFAULT_LENGTH);
        let activation = metadata.parsed("activationQueueLength", 0);
        let mut parts = vec![VISIBLE];
        parts.extend(metadata.flag("scaleOnInFlight", true).then_some(IN_FLIGHT));
        parts.extend(metadata.flag("scaleOnDelayed", false).then_some(DELAYED));
        let target = metadata.target(length as f64);
        let endpoint = metadata.text("awsEndpoint").map(str::to_owned);
        let identity = aws_identity::chosen(&mut metadata, context);
        metadata.finish()?;
        tracing::debug!(queue, region, ?identity, "aws-sqs-queue built");
        Ok(Self {
            caller: context.services.providers.aws.caller(&identity, region),
            services: Arc::clone(&context.services),
            endpoint,
            queue: queue.to_owned(),
            parts,
            activation,
            spec: Spec { name: metric_name(index, &name), target },
        })
    }

    async fn sample(&self, age: Duration) -> Result<Samples> {
        let read = self.services.reads.get(self.source(), age, self.counts()).await?;
        let sum = read.value.iter().fold(0_i64, |sum, count| sum.saturating_add(*count));
        let parts = self.parts.iter().zip(read.value.iter());
        let sample = Sample {
            value: sum as f64,
            target: self.spec.target,
            active: sum > self.activation,
            activation: self.activation as f64,
            parts: parts.map(|((_, label), count)| ((*label).to_owned(), *count as f64)).collect(),
        };
        Ok(Samples::one(read.at, &self.spec.name, sample))
    }

    /// All that the counts depend on.
    fn source(&self) -> Vec<String> {
        let mut source = vec![TYPE.to_owned(), self.caller.number.to_string(), self.queue.clone()];
        source.push(self.endpoint.clone().unwrap_or_default());
        source.extend(self.parts.iter().map(|(attribute, _)| (*attribute).to_owned()));
        source
    }

    /// The counts, in the order of the parts.
    async fn counts(&self) -> Result<Vec<i64>> {
        let names: Vec<_> = self.parts.iter().map(|(attribute, _)| *attribute).collect();
        let call =
            async |resolved: &Resolved| resolved.queue(self.endpoint.as_deref(), &self.queue).attributes(&names).await;
        let attributes = match self.caller.call(&self.services.clock, READ_LIMIT, call).await {
            Ok(attributes) => attributes,
            Err(Failure::Aws { cause, note }) => return Err(Error::Aws { what: self.what(), cause, note }),
            Err(Failure::TimedOut) => return Err(Error::TimedOut { what: self.what(), limit: READ_LIMIT }),
        };
        let count = |attribute: &str| {
            let text = attributes.get(attribute).ok_or_else(|| self.answer(format!("{attribute} is missing")))?;
            text.parse().map_err(|_| self.answer(format!("{attribute}={text:?} is no count")))
        };
        names.into_iter().map(count).collect()
    }

    fn what(&self) -> String {
        format!("cannot read the length of queue {}", self.queue)
    }

    fn answer(&self, problem: String) -> Error {
        Error::Answer { what: self.what(), problem }
    }
}

impl Scaler for AwsSqsQueue {
    fn specs(&self) -> BoxFuture<'_, Result<Vec<Spec>>> {
        Box::pin(async { Ok(vec![self.spec.clone()]) })
    }

    fn read(&self, age: Duration) -> BoxFuture<'_, Result<Samples>> {
        Box::pin(self.sample(age))
    }
}

/// The queue's name: the last of exactly two path segments of a URL, or the value itself if it is no URL.
fn queue_name(queue: &str) -> Result<String, String> {
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
