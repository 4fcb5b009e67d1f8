//! Trigger `rabbitmq`: the messages of a queue, or the rates at which they come and go, by the management API or by AMQP
//! (`docs/rules.md#keda-rabbitmq`).

mod address;
mod management;
mod mode;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use keda::api::ScaleTriggers;
use keda::decision::Sample;
use keda::metric::{Spec, Target};
use keda::naming;

use self::address::{Address, Protocol};
use self::management::Management;
use self::mode::{Counts, Mode};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::metadata::{Metadata, Origin};
use crate::scaler::{Samples, Scaler};
use crate::services::Services;

pub(crate) const TYPE: &str = "rabbitmq";

/// One queue, or the queues that an expression matches.
pub(crate) struct RabbitMq {
    services: Arc<Services>,
    management: Management,
    mode: Mode,
    activation: f64,
    spec: Spec,
}

/// The metric of a trigger that says what it is held at.
pub(crate) fn spec(trigger: &ScaleTriggers, index: usize) -> Option<Spec> {
    let text = |key: &str| trigger.metadata.get(key).map(|text| text.trim()).filter(|text| !text.is_empty());
    let number = |key: &str| match text(key).map(str::parse::<f64>) {
        None => Some(None),
        Some(number) => number.ok().map(|number| Some(number).filter(|number| *number != 0.0)),
    };
    let (_, value) = mode::chosen(text("mode"), number("value")?, number("queueLength")?).ok()?;
    let target = Target::new(trigger.metric_type.as_deref(), value).ok()?;
    (value > 0.0).then_some(Spec { name: metric_name(index, text("queueName")?), target })
}

fn metric_name(index: usize, queue: &str) -> String {
    naming::metric(index, &format!("rabbitmq-{}", address::query_escaped(queue)))
}

impl RabbitMq {
    pub(crate) fn new(trigger: &ScaleTriggers, index: usize, context: &Context) -> Result<Self> {
        let mut metadata = Metadata::new(TYPE, trigger, context);
        let queue = metadata.required("queueName", "the name of the queue").to_owned();
        let given = |metadata: &mut Metadata<'_>, key: &str| {
            let is_given = metadata.text(key).is_some();
            let number = metadata.number(key, 0.0);
            // As for KEDA, 0 is as good as nothing.
            (is_given && number != 0.0).then_some(number)
        };
        let (value, length) = (given(&mut metadata, "value"), given(&mut metadata, "queueLength"));
        let (mode, value) = mode::chosen(metadata.text("mode"), value, length).unwrap_or_else(|problem| {
            metadata.problem(problem);
            (Mode::QueueLength, 1.0)
        });
        if value <= 0.0 {
            metadata.problem(format!("the target {value} must be greater than 0"));
        }
        let activation = metadata.number("activationValue", 0.0);
        let address = Address::read(&mut metadata);
        refuse_others(&mut metadata);
        if let Some(address) = &address {
            check_protocol(&mut metadata, address.protocol, mode);
        }
        let target = metadata.target(value);
        let management =
            address.and_then(|address| Management::read(&mut metadata, address, &queue, &context.services));
        metadata.finish()?;
        let management = management
            .ok_or_else(|| Error::Metadata { trigger: TYPE, problems: "the trigger names no server".to_owned() })?;
        let spec = Spec { name: metric_name(index, &queue), target };
        Ok(Self { services: Arc::clone(&context.services), management, mode, activation, spec })
    }

    async fn sample(&self, age: Duration) -> Result<Samples> {
        let read = self.services.reads.get(self.management.source.clone(), age, self.management.counts()).await?;
        let counts: &Counts = &read.value;
        let (value, active) = self.mode.value(counts, self.activation);
        let parts = vec![
            ("messages".to_owned(), counts.messages),
            ("published/s".to_owned(), counts.published),
            ("delivered/s".to_owned(), counts.delivered),
        ];
        let parts = if self.mode == Mode::QueueLength { Vec::new() } else { parts };
        let sample = Sample { value, target: self.spec.target, active, activation: self.activation, parts };
        Ok(Samples::one(read.at, &self.spec.name, sample))
    }
}

/// What only one of the protocols can do.
fn check_protocol(metadata: &mut Metadata<'_>, protocol: Protocol, mode: Mode) {
    if protocol == Protocol::Http {
        return;
    }
    for key in ["useRegex", "excludeUnacknowledged"] {
        if metadata.flag(key, false) {
            metadata.problem(format!("configure {key}=true only with HTTP protocol"));
        }
    }
    if mode != Mode::QueueLength {
        metadata.problem(format!("protocol amqp not supported; must be HTTP to use trigger mode {mode:?}"));
    }
    if metadata.text("timeout").is_some() {
        metadata.problem("AMQP protocol doesn't support custom timeouts");
    }
}

/// The identities that are not served.
fn refuse_others(metadata: &mut Metadata<'_>) {
    let authentication = [Origin::Authentication];
    if metadata.first(&["workloadIdentityResource"], &authentication).is_some() {
        metadata.problem("workloadIdentityResource is not served; use username and password");
    }
    if metadata.first(&["oauthTokenURI", "clientID", "clientSecret"], &authentication).is_some() {
        metadata.problem("OAuth2 is not served; use username and password");
    }
}

impl Scaler for RabbitMq {
    fn specs(&self) -> BoxFuture<'_, Result<Vec<Spec>>> {
        Box::pin(async { Ok(vec![self.spec.clone()]) })
    }

    fn read(&self, age: Duration) -> BoxFuture<'_, Result<Samples>> {
        Box::pin(self.sample(age))
    }
}
