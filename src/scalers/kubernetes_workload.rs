//! Trigger `kubernetes-workload`: the pods of the object's namespace that match a selector, or the nodes that they are on
//! (`docs/rules.md#keda-kubernetes-workload`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use keda::api::ScaleTriggers;
use keda::metric::{Spec, Target};
use keda::naming;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::kubernetes::Pod;
use crate::label_selector;
use crate::metadata::Metadata;
use crate::scaler::{Samples, Scaler};
use crate::services::Services;

pub(crate) const TYPE: &str = "kubernetes-workload";
/// Longest wait for one reading, real time.
const READ_LIMIT: Duration = Duration::from_secs(20);

/// The pods of one selector.
pub(crate) struct KubernetesWorkload {
    services: Arc<Services>,
    namespace: String,
    selector: String,
    by_node: bool,
    activation: f64,
    spec: Spec,
}

/// The metric of a trigger that says what it is held at.
pub(crate) fn spec(trigger: &ScaleTriggers, index: usize, namespace: &str) -> Option<Spec> {
    let value: f64 = trigger.metadata.get("value")?.trim().parse().ok()?;
    let target = Target::new(trigger.metric_type.as_deref(), value).ok()?;
    (value > 0.0).then(|| Spec { name: metric_name(index, namespace), target })
}

fn metric_name(index: usize, namespace: &str) -> String {
    naming::metric(index, &format!("workload-{namespace}"))
}

impl KubernetesWorkload {
    pub(crate) fn new(trigger: &ScaleTriggers, index: usize, context: &Context) -> Result<Self> {
        let mut metadata = Metadata::new(TYPE, trigger, context);
        let selector = metadata.required("podSelector", "a label selector such as app=web");
        if !selector.is_empty()
            && let Err(problem) = label_selector::check(selector)
        {
            metadata.problem(format!("invalid pod selector {selector:?}: {problem}"));
        }
        let value = metadata.target_number("value", "how many pods stand for one replica");
        let activation = metadata.number("activationValue", 0.0);
        let by_node = metadata.flag("groupByNode", false);
        let target = metadata.target(value);
        metadata.finish()?;
        Ok(Self {
            services: Arc::clone(&context.services),
            namespace: context.namespace.clone(),
            selector: selector.to_owned(),
            by_node,
            activation,
            spec: Spec { name: metric_name(index, &context.namespace), target },
        })
    }

    async fn sample(&self, age: Duration) -> Result<Samples> {
        let source = [TYPE, &self.namespace, &self.selector].map(str::to_owned).to_vec();
        let read = self.services.reads.get(source, age, self.pods()).await?;
        let running: Vec<_> =
            read.value.iter().filter(|pod| !matches!(pod.phase.as_str(), "Succeeded" | "Failed")).collect();
        let count = if self.by_node {
            running
                .iter()
                .filter_map(|pod| pod.node.as_deref())
                .filter(|node| !node.is_empty())
                .collect::<BTreeSet<_>>()
                .len()
        } else {
            running.len()
        };
        let value = count as f64;
        Ok(Samples::number(read.at, &self.spec, value, self.activation))
    }

    async fn pods(&self) -> Result<Vec<Pod>> {
        let what = || format!("cannot count the pods {:?} of namespace {}", self.selector, self.namespace);
        let clock = &self.services.clock;
        let reading = self.services.kubernetes.pods(&self.namespace, &self.selector);
        match clock.timeout(clock.to_system(READ_LIMIT), reading).await {
            Ok(Ok(pods)) => Ok(pods),
            Ok(Err(cause)) => Err(Error::Kubernetes { what: what(), cause }),
            Err(clock::Elapsed) => Err(Error::TimedOut { what: what(), limit: READ_LIMIT }),
        }
    }
}

impl Scaler for KubernetesWorkload {
    fn specs(&self) -> BoxFuture<'_, Result<Vec<Spec>>> {
        Box::pin(async { Ok(vec![self.spec.clone()]) })
    }

    fn read(&self, age: Duration) -> BoxFuture<'_, Result<Samples>> {
        Box::pin(self.sample(age))
    }
}

#[cfg(test)]
mod tests;
