//! Trigger `nats-jetstream`: the messages that a consumer has not acknowledged, by the monitoring endpoint of a server
//! (`docs/rules.md#keda-nats-jetstream`).

mod monitoring;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use keda::api::ScaleTriggers;
use keda::metric::{Spec, Target};
use keda::naming;

use self::monitoring::{Consumer, Monitoring, Node};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::metadata::{Metadata, Origin};
use crate::scaler::{Samples, Scaler};
use crate::services::Services;

pub(crate) const TYPE: &str = "nats-jetstream";
const DEFAULT_LAG: i64 = 10;

/// One consumer of one stream.
pub(crate) struct NatsJetStream {
    services: Arc<Services>,
    monitoring: Monitoring,
    /// In a cluster, the node that led the consumer at the last reading. Only the leader counts right.
    leader: Mutex<Option<Node>>,
    activation: i64,
    spec: Spec,
}

/// The metric of a trigger that says what it is held at.
pub(crate) fn spec(trigger: &ScaleTriggers, index: usize) -> Option<Spec> {
    let text = |key: &str| trigger.metadata.get(key).map(|text| text.trim()).filter(|text| !text.is_empty());
    let lag: i64 = text("lagThreshold").map_or(Some(DEFAULT_LAG), |lag| lag.parse().ok())?;
    let target = Target::new(trigger.metric_type.as_deref(), lag as f64).ok()?;
    (lag > 0).then_some(Spec { name: metric_name(index, text("stream")?), target })
}

fn metric_name(index: usize, stream: &str) -> String {
    naming::metric(index, &format!("nats-jetstream-{stream}"))
}

impl NatsJetStream {
    pub(crate) fn new(trigger: &ScaleTriggers, index: usize, context: &Context) -> Result<Self> {
        let mut metadata = Metadata::new(TYPE, trigger, context);
        let stream = metadata.required("stream", "the name of the stream").to_owned();
        let consumer = metadata.required("consumer", "the name of the consumer of the stream").to_owned();
        let lag = metadata.count("lagThreshold", DEFAULT_LAG);
        let activation = metadata.parsed("activationLagThreshold", 0);
        let origins = [Origin::Authentication, Origin::Metadata];
        let account = metadata.first(&["account"], &origins).map(str::to_owned);
        let account_id = metadata.first(&["accountID"], &origins).map(str::to_owned);
        if account.is_none() && account_id.is_none() {
            metadata.problem("no account name or id given; set account or accountID, such as account: $G");
        }
        let monitoring = Monitoring::read(&mut metadata, (account, account_id), (&stream, &consumer), context);
        let target = metadata.target(lag as f64);
        metadata.finish()?;
        let monitoring = monitoring
            .ok_or_else(|| Error::Metadata { trigger: TYPE, problems: "the trigger names no server".to_owned() })?;
        let spec = Spec { name: metric_name(index, &stream), target };
        let services = Arc::clone(&context.services);
        Ok(Self { services, monitoring, leader: Mutex::default(), activation, spec })
    }

    async fn sample(&self, age: Duration) -> Result<Samples> {
        let (at, lag) = self.lag(age).await?;
        Ok(Samples::number(at, &self.spec, lag as f64, self.activation as f64))
    }

    /// The messages that are not acknowledged, as the consumer's leader counts them, and when it did.
    async fn lag(&self, age: Duration) -> Result<(Timestamp, i64)> {
        let reads = &self.services.reads;
        let before = self.leader().clone();
        if let Some(node) = before {
            let answer = self.monitoring.account(reads, &node.url, age).await;
            if let Ok((at, answer)) = answer
                && let Ok(consumer) = self.monitoring.consumer(&answer)
                && consumer.leader == node.name
            {
                return Ok((at, consumer.lag));
            }
            *self.leader() = None;
        }
        let (at, answer) = self.monitoring.account(reads, &self.monitoring.entry, age).await?;
        let found = self.monitoring.consumer(&answer);
        if monitoring::cluster_size(&answer) <= 1 {
            return Ok((at, found?.lag));
        }
        let (server, nodes) = self.monitoring.nodes(reads, age).await?;
        if let Ok(Consumer { lag, leader }) = &found
            && *leader == server
        {
            return Ok((at, *lag));
        }
        self.by_leader(nodes, age, found).await
    }

    /// Looks for the leader among the nodes of the cluster. `found` is what the first one says.
    async fn by_leader(
        &self,
        nodes: Vec<monitoring::Peer>,
        age: Duration,
        found: Result<Consumer>,
    ) -> Result<(Timestamp, i64)> {
        let reads = &self.services.reads;
        let (mut found, mut failures) = (found, Vec::new());
        for peer in nodes {
            let read = async {
                let node = self.monitoring.node(reads, peer, age).await?;
                let (at, answer) = self.monitoring.account(reads, &node.url, age).await?;
                Ok((node, at, answer))
            };
            // Another one may lead while this one is away.
            let (node, at, answer) = match read.await {
                Ok(read) => read,
                Err(failure) => {
                    failures.push(failure);
                    continue;
                }
            };
            let here = self.monitoring.consumer(&answer);
            if let Ok(Consumer { lag, leader }) = &here
                && *leader == node.name
            {
                *self.leader() = Some(node);
                return Ok((at, *lag));
            }
            found = found.or(here);
        }
        match (failures.into_iter().next(), found) {
            (Some(failure), _) => Err(failure),
            (None, Ok(consumer)) => Err(self.monitoring.no_leader(&consumer)),
            (None, Err(error)) => Err(error),
        }
    }

    fn leader(&self) -> MutexGuard<'_, Option<Node>> {
        // It is replaced as a whole, so a panic elsewhere does not spoil it.
        self.leader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scaler for NatsJetStream {
    fn specs(&self) -> BoxFuture<'_, Result<Vec<Spec>>> {
        Box::pin(async { Ok(vec![self.spec.clone()]) })
    }

    fn read(&self, age: Duration) -> BoxFuture<'_, Result<Samples>> {
        Box::pin(self.sample(age))
    }
}
