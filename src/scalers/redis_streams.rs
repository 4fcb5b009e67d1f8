//! Triggers `redis-streams`, `redis-cluster-streams` and `redis-sentinel-streams`: the length of a stream, or what a consumer
//! group has not acknowledged, or has not read (`docs/rules.md#keda-redis-streams`).

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use keda::api::ScaleTriggers;
use keda::metric::{Spec, Target};
use keda::naming;
use redis::{Cmd, Value};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::metadata::Metadata;
use crate::redis_server::{Server, Topology};
use crate::scaler::{Samples, Scaler};
use crate::services::Services;

/// The name in errors.
const TYPE: &str = "redis-streams";
const DEFAULT_ENTRIES: i64 = 5;

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Counted {
    /// All entries of the stream.
    Length,
    /// Those that consumers of the group have and have not acknowledged.
    Pending(String),
    /// Those that the group has not read.
    Lag(String),
}

/// One stream of a server.
pub(crate) struct RedisStreams {
    services: Arc<Services>,
    server: Server,
    stream: String,
    counted: Counted,
    activation: i64,
    spec: Spec,
}

/// The key of the target, and its default.
fn target_key(has_group: bool, lag: Option<&str>) -> (&'static str, i64) {
    match (has_group, lag) {
        (false, _) => ("streamLength", DEFAULT_ENTRIES),
        // Unset, and 0, mean another count.
        (true, None | Some("0")) => ("pendingEntriesCount", DEFAULT_ENTRIES),
        (true, Some(_)) => ("lagCount", 0),
    }
}

/// The metric of a trigger that says what it is held at.
pub(crate) fn spec(trigger: &ScaleTriggers, index: usize) -> Option<Spec> {
    let text = |key: &str| trigger.metadata.get(key).map(|text| text.trim()).filter(|text| !text.is_empty());
    let (key, default) = target_key(text("consumerGroup").is_some(), text("lagCount"));
    let count: i64 = text(key).map_or(Some(default), |count| count.parse().ok())?;
    let target = Target::new(trigger.metric_type.as_deref(), count as f64).ok()?;
    (count > 0).then_some(Spec { name: metric_name(index, text("stream")?), target })
}

fn metric_name(index: usize, stream: &str) -> String {
    naming::metric(index, &format!("redis-streams-{stream}"))
}

impl RedisStreams {
    pub(crate) fn new(topology: Topology, trigger: &ScaleTriggers, index: usize, context: &Context) -> Result<Self> {
        let mut metadata = Metadata::new(TYPE, trigger, context);
        let stream = metadata.required("stream", "the key of the stream").to_owned();
        let group = metadata.text("consumerGroup").map(str::to_owned);
        let (key, default) = target_key(group.is_some(), metadata.text("lagCount"));
        let count = metadata.count(key, default);
        let counted = match group {
            None => Counted::Length,
            Some(group) if key == "lagCount" => Counted::Lag(group),
            Some(group) => Counted::Pending(group),
        };
        let activation = metadata.parsed("activationLagCount", 0);
        let server = Server::read(&mut metadata, topology, &context.services);
        let target = metadata.target(count as f64);
        metadata.finish()?;
        let server = server
            .ok_or_else(|| Error::Metadata { trigger: TYPE, problems: "the trigger names no server".to_owned() })?;
        let spec = Spec { name: metric_name(index, &stream), target };
        Ok(Self { services: Arc::clone(&context.services), server, stream, counted, activation, spec })
    }

    async fn sample(&self, age: Duration) -> Result<Samples> {
        let mut source = self.server.source.clone();
        source.extend([TYPE.to_owned(), self.stream.clone(), format!("{:?}", self.counted)]);
        let read = self.services.reads.get(source, age, self.entries()).await?;
        Ok(Samples::number(read.at, &self.spec, *read.value as f64, self.activation as f64))
    }

    async fn entries(&self) -> Result<i64> {
        match &self.counted {
            Counted::Length => self.server.answer(&self.what("length"), &self.command(&["XLEN"], None)).await,
            Counted::Pending(group) => {
                let what = self.what(&format!("pending entries of the consumer group {group:?}"));
                // The count, the least and the greatest id, and the consumers.
                let summary: Vec<Value> = self.server.answer(&what, &self.command(&["XPENDING"], Some(group))).await?;
                match summary.first() {
                    Some(Value::Int(count)) => Ok(*count),
                    _ => Err(Error::Answer { what, problem: "the answer to XPENDING has no count".to_owned() }),
                }
            }
            Counted::Lag(group) => self.lag(group).await,
        }
    }

    /// What a group has not read, which Redis has counted since version 7. A group that nobody has made yet has read nothing.
    async fn lag(&self, group: &str) -> Result<i64> {
        let what = self.what(&format!("lag of the consumer group {group:?}"));
        let failed = |problem: String| Error::Answer { what: what.clone(), problem };
        let length: i64 = self.server.answer(&what, &self.command(&["XLEN"], None)).await?;
        if length == 0 {
            return Ok(0);
        }
        let groups: Vec<BTreeMap<String, Value>> =
            self.server.answer(&what, &self.command(&["XINFO", "GROUPS"], None)).await?;
        let is_wanted = |found: &&BTreeMap<String, Value>| match found.get("name") {
            Some(Value::BulkString(name)) => name == group.as_bytes(),
            Some(Value::SimpleString(name)) => name == group,
            _ => false,
        };
        let Some(found) = groups.iter().find(is_wanted) else { return Ok(length) };
        match found.get("lag") {
            Some(Value::Int(lag)) => Ok(*lag),
            Some(_) => Err(failed(
                "redis cannot say it, because entries of the stream were deleted; read pendingEntriesCount or streamLength"
                    .to_owned(),
            )),
            None => Err(failed("redis version 7+ required for lag".to_owned())),
        }
    }

    fn command(&self, words: &[&str], group: Option<&str>) -> Cmd {
        let mut command = Cmd::new();
        for word in words {
            command.arg(*word);
        }
        command.arg(&self.stream);
        if let Some(group) = group {
            command.arg(group);
        }
        command
    }

    fn what(&self, part: &str) -> String {
        format!("cannot read the {part} of the redis stream {:?} at {}", self.stream, self.server.shown)
    }
}

impl Scaler for RedisStreams {
    fn specs(&self) -> BoxFuture<'_, Result<Vec<Spec>>> {
        Box::pin(async { Ok(vec![self.spec.clone()]) })
    }

    fn read(&self, age: Duration) -> BoxFuture<'_, Result<Samples>> {
        Box::pin(self.sample(age))
    }
}
