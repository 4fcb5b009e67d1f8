//! The trigger types: one row each.

use keda::api::ScaleTriggers;
use keda::metric::Spec;

use crate::aws_sqs_queue::{self, AwsSqsQueue};
use crate::context::Context;
use crate::cron::{self, CronWindow};
use crate::error::{Error, Result};
use crate::external::{self, External};
use crate::kubernetes_resource::{self, KubernetesResource};
use crate::kubernetes_workload::{self, KubernetesWorkload};
use crate::metrics_api::{self, MetricsApi};
use crate::nats_jetstream::{self, NatsJetStream};
use crate::postgresql::{self, Postgresql};
use crate::prometheus::{self, Prometheus};
use crate::rabbitmq::{self, RabbitMq};
use crate::redis_list::{self, RedisList};
use crate::redis_server::Topology;
use crate::redis_streams::{self, RedisStreams};
use crate::scaler::Scaler;

/// One trigger type.
struct Row {
    type_: &'static str,
    /// The name of KEDA's Go type, which is the label `scaler` in Prometheus metrics.
    label: &'static str,
    /// The metric of a trigger whose metadata alone say what it is: the trigger, its index and its namespace.
    spec: fn(&ScaleTriggers, usize, &str) -> Option<Spec>,
    build: fn(&ScaleTriggers, usize, &Context) -> Result<Box<dyn Scaler>>,
}

const TABLE: &[Row] = &[
    Row {
        type_: aws_sqs_queue::TYPE,
        label: "awsSqsQueueScaler",
        spec: |trigger, index, _| aws_sqs_queue::spec(trigger, index),
        build: |trigger, index, context| Ok(Box::new(AwsSqsQueue::new(trigger, index, context)?)),
    },
    Row {
        type_: cron::TYPE,
        label: "cronScaler",
        spec: |trigger, index, _| cron::spec(trigger, index),
        build: |trigger, index, context| Ok(Box::new(CronWindow::new(trigger, index, context)?)),
    },
    Row {
        type_: external::TYPE,
        label: "externalScaler",
        spec: |_, _, _| None,
        build: |trigger, index, context| Ok(Box::new(External::new(trigger, index, context, false)?)),
    },
    Row {
        type_: external::PUSH,
        label: "externalPushScaler",
        spec: |_, _, _| None,
        build: |trigger, index, context| Ok(Box::new(External::new(trigger, index, context, true)?)),
    },
    Row {
        type_: kubernetes_resource::TYPE,
        label: "kubernetesResourceScaler",
        spec: |trigger, index, _| kubernetes_resource::spec(trigger, index),
        build: |trigger, index, context| Ok(Box::new(KubernetesResource::new(trigger, index, context)?)),
    },
    Row {
        type_: kubernetes_workload::TYPE,
        label: "kubernetesWorkloadScaler",
        spec: kubernetes_workload::spec,
        build: |trigger, index, context| Ok(Box::new(KubernetesWorkload::new(trigger, index, context)?)),
    },
    Row {
        type_: metrics_api::TYPE,
        label: "metricsAPIScaler",
        spec: |trigger, index, _| metrics_api::spec(trigger, index),
        build: |trigger, index, context| Ok(Box::new(MetricsApi::new(trigger, index, context)?)),
    },
    Row {
        type_: nats_jetstream::TYPE,
        label: "natsJetStreamScaler",
        spec: |trigger, index, _| nats_jetstream::spec(trigger, index),
        build: |trigger, index, context| Ok(Box::new(NatsJetStream::new(trigger, index, context)?)),
    },
    Row {
        type_: postgresql::TYPE,
        label: "postgreSQLScaler",
        spec: |trigger, index, _| postgresql::spec(trigger, index),
        build: |trigger, index, context| Ok(Box::new(Postgresql::new(trigger, index, context)?)),
    },
    Row {
        type_: prometheus::TYPE,
        label: "prometheusScaler",
        spec: |trigger, index, _| prometheus::spec(trigger, index),
        build: |trigger, index, context| Ok(Box::new(Prometheus::new(trigger, index, context)?)),
    },
    Row {
        type_: rabbitmq::TYPE,
        label: "rabbitMQScaler",
        spec: |trigger, index, _| rabbitmq::spec(trigger, index),
        build: |trigger, index, context| Ok(Box::new(RabbitMq::new(trigger, index, context)?)),
    },
    Row {
        type_: "redis",
        label: "redisScaler",
        spec: |trigger, index, _| redis_list::spec(trigger, index),
        build: |trigger, index, context| Ok(Box::new(RedisList::new(Topology::Single, trigger, index, context)?)),
    },
    Row {
        type_: "redis-cluster",
        label: "redisScaler",
        spec: |trigger, index, _| redis_list::spec(trigger, index),
        build: |trigger, index, context| Ok(Box::new(RedisList::new(Topology::Cluster, trigger, index, context)?)),
    },
    Row {
        type_: "redis-sentinel",
        label: "redisScaler",
        spec: |trigger, index, _| redis_list::spec(trigger, index),
        build: |trigger, index, context| Ok(Box::new(RedisList::new(Topology::Sentinel, trigger, index, context)?)),
    },
    Row {
        type_: "redis-streams",
        label: "redisStreamsScaler",
        spec: |trigger, index, _| redis_streams::spec(trigger, index),
        build: |trigger, index, context| Ok(Box::new(RedisStreams::new(Topology::Single, trigger, index, context)?)),
    },
    Row {
        type_: "redis-cluster-streams",
        label: "redisStreamsScaler",
        spec: |trigger, index, _| redis_streams::spec(trigger, index),
        build: |trigger, index, context| Ok(Box::new(RedisStreams::new(Topology::Cluster, trigger, index, context)?)),
    },
    Row {
        type_: "redis-sentinel-streams",
        label: "redisStreamsScaler",
        spec: |trigger, index, _| redis_streams::spec(trigger, index),
        build: |trigger, index, context| Ok(Box::new(RedisStreams::new(Topology::Sentinel, trigger, index, context)?)),
    },
];

fn row(trigger_type: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.type_ == trigger_type)
}

/// The external metrics of the trigger at `index` of an object in `namespace`, as far as its metadata alone say what they
/// are; empty if they do not.
pub fn specs(trigger: &ScaleTriggers, index: usize, namespace: &str) -> Vec<Spec> {
    row(&trigger.type_).and_then(|row| (row.spec)(trigger, index, namespace)).into_iter().collect()
}

/// The types that are served, in the order of their names. The HPA itself reads `cpu` and `memory`.
fn served() -> Vec<&'static str> {
    let mut types: Vec<_> = TABLE.iter().map(|row| row.type_).chain(["cpu", "memory"]).collect();
    types.sort_unstable();
    types
}

/// The label `scaler` of a trigger without a name in Prometheus metrics: the name of KEDA's Go type
/// (`docs/rules.md#keda-prometheus-metrics`).
pub fn label(trigger_type: &str) -> &str {
    row(trigger_type).map_or(trigger_type, |row| row.label)
}

/// The scaler for the trigger at `index` of its object.
///
/// # Errors
///
/// [`Error::UnknownType`] if no scaler has the trigger's type. [`Error::Metadata`] holds all that is wrong with its
/// metadata and its identity.
pub fn build(trigger: &ScaleTriggers, index: usize, context: &Context) -> Result<Box<dyn Scaler>> {
    let row =
        row(&trigger.type_).ok_or_else(|| Error::UnknownType { found: trigger.type_.clone(), served: served() })?;
    (row.build)(trigger, index, context)
}

#[cfg(test)]
mod tests {
    use clock::Clock;

    use super::*;
    use crate::scripted::context_with;

    #[tokio::test]
    async fn a_type_that_is_not_served_is_named_with_those_that_are() {
        let trigger = ScaleTriggers { type_: "kafka".into(), ..Default::default() };
        let context = context_with(Clock::real()).await;
        let error = build(&trigger, 0, &context).err().unwrap().to_string();
        assert!(error.starts_with("no scaler found for type: kafka; this operator serves aws-sqs-queue, cpu, cron, "));
        assert!(error.contains("memory"), "{error}");
    }
}
