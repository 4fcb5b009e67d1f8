//! Trigger `kubernetes-resource`: a number in a ConfigMap or a Secret of the object's namespace
//! (`docs/rules.md#keda-kubernetes-resource`).

#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use keda::api::ScaleTriggers;
use keda::metric::{Spec, Target};
use keda::naming;

use self::value::Extraction;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::kubernetes::Holder;
use crate::metadata::Metadata;
use crate::scaler::{Samples, Scaler};
use crate::services::Services;

pub(crate) const TYPE: &str = "kubernetes-resource";
/// Longest wait for one reading, real time.
const READ_LIMIT: Duration = Duration::from_secs(20);

/// One key of one object.
pub(crate) struct KubernetesResource {
    services: Arc<Services>,
    namespace: String,
    holder: Holder,
    name: String,
    key: String,
    extraction: Extraction,
    activation: f64,
    spec: Spec,
}

/// The metric of a trigger that says what it is held at.
pub(crate) fn spec(trigger: &ScaleTriggers, index: usize) -> Option<Spec> {
    let text = |key: &str| trigger.metadata.get(key).map(|text| text.trim()).filter(|text| !text.is_empty());
    let number: f64 = text("targetValue")?.parse().ok()?;
    let target = Target::new(trigger.metric_type.as_deref(), number).ok()?;
    let name = metric_name(index, holder(text("resourceKind")?)?, text("resourceName")?, text("key")?);
    (number > 0.0).then_some(Spec { name, target })
}

fn metric_name(index: usize, holder: Holder, name: &str, key: &str) -> String {
    let kind = format!("{holder:?}").to_lowercase();
    naming::metric(index, &format!("{kind}-{name}-{key}"))
}

fn holder(kind: &str) -> Option<Holder> {
    [Holder::ConfigMap, Holder::Secret].into_iter().find(|holder| format!("{holder:?}") == kind)
}

impl KubernetesResource {
    pub(crate) fn new(trigger: &ScaleTriggers, index: usize, context: &Context) -> Result<Self> {
        let mut metadata = Metadata::new(TYPE, trigger, context);
        let kind = metadata.required("resourceKind", "ConfigMap or Secret");
        let holder = holder(kind);
        if holder.is_none() && !kind.is_empty() {
            metadata.problem(format!("resourceKind={kind:?} must be ConfigMap or Secret"));
        }
        let name = metadata.required("resourceName", "the name of the object").to_owned();
        let key = metadata.required("key", "the key that has the number").to_owned();
        let extraction = Extraction::read(&mut metadata);
        let number = metadata.target_number("targetValue", "the number that stands for one replica");
        let activation = metadata.number("activationTargetValue", 0.0);
        let target = metadata.target(number);
        metadata.finish()?;
        let (Some(holder), Some(extraction)) = (holder, extraction) else {
            return Err(Error::Metadata { trigger: TYPE, problems: "the trigger names no object".to_owned() });
        };
        let spec = Spec { name: metric_name(index, holder, &name, &key), target };
        let (services, namespace) = (Arc::clone(&context.services), context.namespace.clone());
        Ok(Self { services, namespace, holder, name, key, extraction, activation, spec })
    }

    async fn sample(&self, age: Duration) -> Result<Samples> {
        let source = [TYPE, &self.namespace, &format!("{:?}", self.holder), &self.name].map(str::to_owned).to_vec();
        let read = self.services.reads.get(source, age, self.data()).await?;
        let number = match read.value.get(&self.key) {
            Some(text) => self.extraction.number(text).map_err(|problem| format!("key {}: {problem}", self.key)),
            None => Err(format!("key {} not found", self.key)),
        };
        let value = number.map_err(|problem| Error::Answer { what: self.what(), problem })?;
        Ok(Samples::number(read.at, &self.spec, value, self.activation))
    }

    async fn data(&self) -> Result<BTreeMap<String, String>> {
        let clock = &self.services.clock;
        let reading = self.services.kubernetes.data(&self.namespace, self.holder, &self.name);
        match clock.timeout(clock.to_system(READ_LIMIT), reading).await {
            Ok(Ok(data)) => Ok(data),
            Ok(Err(cause)) => Err(Error::Kubernetes { what: self.what(), cause }),
            Err(clock::Elapsed) => Err(Error::TimedOut { what: self.what(), limit: READ_LIMIT }),
        }
    }

    fn what(&self) -> String {
        format!("error getting metric value from {:?} {}/{}", self.holder, self.namespace, self.name)
    }
}

impl Scaler for KubernetesResource {
    fn specs(&self) -> BoxFuture<'_, Result<Vec<Spec>>> {
        Box::pin(async { Ok(vec![self.spec.clone()]) })
    }

    fn read(&self, age: Duration) -> BoxFuture<'_, Result<Samples>> {
        Box::pin(self.sample(age))
    }
}
