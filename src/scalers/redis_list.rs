//! Triggers `redis`, `redis-cluster` and `redis-sentinel`: the length of a list, a set, a sorted set or a hash
//! (`docs/rules.md#keda-redis`).

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use keda::api::ScaleTriggers;
use keda::metric::{Spec, Target};
use keda::naming;
use redis::Cmd;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::metadata::Metadata;
use crate::redis_server::{Server, Topology};
use crate::scaler::{Samples, Scaler};
use crate::services::Services;

/// The name in errors.
const TYPE: &str = "redis";
const DEFAULT_LENGTH: i64 = 5;
/// The length by the type of the key, in one call. A key that does not exist is a list without elements.
const SCRIPT: &str = "\
local kind = redis.call('TYPE', KEYS[1]).ok
local command = ({none = 'LLEN', list = 'LLEN', set = 'SCARD', zset = 'ZCARD', hash = 'HLEN'})[kind]
if command then return redis.call(command, KEYS[1]) end
return redis.error_reply('ERR unsupported key type: ' .. kind)";

/// One key of a server.
pub(crate) struct RedisList {
    services: Arc<Services>,
    server: Server,
    key: String,
    activation: i64,
    spec: Spec,
}

/// The metric of a trigger that says what it is held at.
pub(crate) fn spec(trigger: &ScaleTriggers, index: usize) -> Option<Spec> {
    let text = |key: &str| trigger.metadata.get(key).map(|text| text.trim()).filter(|text| !text.is_empty());
    let length: i64 = text("listLength").map_or(Some(DEFAULT_LENGTH), |length| length.parse().ok())?;
    let target = Target::new(trigger.metric_type.as_deref(), length as f64).ok()?;
    (length > 0).then_some(Spec { name: metric_name(index, text("listName")?), target })
}

fn metric_name(index: usize, key: &str) -> String {
    naming::metric(index, &format!("redis-{key}"))
}

impl RedisList {
    pub(crate) fn new(topology: Topology, trigger: &ScaleTriggers, index: usize, context: &Context) -> Result<Self> {
        let mut metadata = Metadata::new(TYPE, trigger, context);
        let key = metadata.required("listName", "the key of the list").to_owned();
        let length = metadata.count("listLength", DEFAULT_LENGTH);
        let activation = metadata.parsed("activationListLength", 0);
        let server = Server::read(&mut metadata, topology, &context.services);
        let target = metadata.target(length as f64);
        metadata.finish()?;
        let server = server
            .ok_or_else(|| Error::Metadata { trigger: TYPE, problems: "the trigger names no server".to_owned() })?;
        let spec = Spec { name: metric_name(index, &key), target };
        Ok(Self { services: Arc::clone(&context.services), server, key, activation, spec })
    }

    async fn sample(&self, age: Duration) -> Result<Samples> {
        let mut source = self.server.source.clone();
        source.extend([TYPE, &self.key].map(str::to_owned));
        let read = self.services.reads.get(source, age, self.length()).await?;
        Ok(Samples::number(read.at, &self.spec, *read.value as f64, self.activation as f64))
    }

    async fn length(&self) -> Result<i64> {
        let what = format!("cannot read the length of the redis list {:?} at {}", self.key, self.server.shown);
        let mut command = Cmd::new();
        command.arg("EVAL").arg(SCRIPT).arg(1).arg(&self.key);
        self.server.answer(&what, &command).await
    }
}

impl Scaler for RedisList {
    fn specs(&self) -> BoxFuture<'_, Result<Vec<Spec>>> {
        Box::pin(async { Ok(vec![self.spec.clone()]) })
    }

    fn read(&self, age: Duration) -> BoxFuture<'_, Result<Samples>> {
        Box::pin(self.sample(age))
    }
}
