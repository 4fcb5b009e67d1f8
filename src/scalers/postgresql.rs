//! Trigger `postgresql`: the one number that a query gives (`docs/rules.md#keda-postgresql`).
//!
//! The crate tokio-postgres: its client pipelines the queries of all triggers over one connection.

mod connection;
mod encryption;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use keda::api::ScaleTriggers;
use keda::metric::{Spec, Target};
use keda::naming;
use tokio_postgres::{Client, SimpleQueryMessage};

use self::connection::Settings;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::link::Link;
use crate::metadata::Metadata;
use crate::scaler::{Samples, Scaler};
use crate::services::Services;
use crate::sql;

pub(crate) const TYPE: &str = "postgresql";

/// One query of one database.
pub(crate) struct Postgresql {
    services: Arc<Services>,
    shared: Arc<Shared>,
    query: String,
    activation: f64,
    spec: Spec,
}

struct Shared {
    settings: Settings,
    link: Link<Client>,
}

/// The metric of a trigger that says what it is held at.
pub(crate) fn spec(trigger: &ScaleTriggers, index: usize) -> Option<Spec> {
    let number: f64 = trigger.metadata.get("targetQueryValue")?.trim().parse().ok()?;
    let target = Target::new(trigger.metric_type.as_deref(), number).ok()?;
    (number > 0.0).then(|| Spec { name: naming::metric(index, TYPE), target })
}

impl Postgresql {
    pub(crate) fn new(trigger: &ScaleTriggers, index: usize, context: &Context) -> Result<Self> {
        let mut metadata = Metadata::new(TYPE, trigger, context);
        let query = metadata.required("query", "a query that gives one number").to_owned();
        let number = metadata.target_number("targetQueryValue", "the number that stands for one replica");
        let activation = metadata.number("activationTargetQueryValue", 0.0);
        let settings = Settings::read(&mut metadata);
        let target = metadata.target(number);
        metadata.finish()?;
        let settings = settings
            .ok_or_else(|| Error::Metadata { trigger: TYPE, problems: "the trigger names no server".to_owned() })?;
        let services = Arc::clone(&context.services);
        let shared = services.connections.get(settings.parts(), || Shared { settings, link: Link::default() });
        let spec = Spec { name: naming::metric(index, TYPE), target };
        Ok(Self { services, shared, query, activation, spec })
    }

    async fn sample(&self, age: Duration) -> Result<Samples> {
        let mut source = self.shared.settings.parts();
        source.extend([TYPE, &self.query].map(str::to_owned));
        let read = self.services.reads.get(source, age, self.number()).await?;
        Ok(Samples::number(read.at, &self.spec, *read.value, self.activation))
    }

    async fn number(&self) -> Result<f64> {
        let what = format!("error inspecting postgreSQL at {}", self.shared.settings.shown());
        let settings = &self.shared.settings;
        let open = || -> BoxFuture<'_, _> { Box::pin(settings.connect()) };
        let call = |client: Arc<Client>| -> BoxFuture<'_, _> {
            Box::pin(async move {
                let answer = client.simple_query(&self.query).await;
                answer.map_err(|error| connection::failure("could not query postgreSQL", &error, client.is_closed()))
            })
        };
        let messages = self.shared.link.call((&self.services.clock, sql::READ_LIMIT), &what, open, call).await?;
        let row = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|column| row.get(column)).collect::<Vec<_>>()),
            _ => None,
        });
        sql::number(row.as_deref()).map_err(|problem| Error::Answer { what, problem })
    }
}

impl Scaler for Postgresql {
    fn specs(&self) -> BoxFuture<'_, Result<Vec<Spec>>> {
        Box::pin(async { Ok(vec![self.spec.clone()]) })
    }

    fn read(&self, age: Duration) -> BoxFuture<'_, Result<Samples>> {
        Box::pin(self.sample(age))
    }
}
