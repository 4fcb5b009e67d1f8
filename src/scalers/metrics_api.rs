//! Trigger `metrics-api`: a number in the answer of an HTTP endpoint (`docs/rules.md#keda-metrics-api`).

mod endpoints;
mod location;
#[cfg(test)]
mod tests;
mod xml;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use keda::api::ScaleTriggers;
use keda::metric::{Spec, Target};
use keda::naming;
use url::Url;

use self::endpoints::Aggregation;
use self::location::Location;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::http::Http;
use crate::http_auth::Credentials;
use crate::metadata::Metadata;
use crate::scaler::{Samples, Scaler};
use crate::services::Services;

pub(crate) const TYPE: &str = "metrics-api";

/// One number of one endpoint, or what the numbers of all endpoints of a Service make.
pub(crate) struct MetricsApi {
    services: Arc<Services>,
    http: Http,
    url: Result<Url>,
    credentials: Credentials,
    location: Location,
    /// Where the number is, as it is written, for the key of a source.
    written: String,
    /// Of the endpoints of the Service that the address names.
    aggregation: Option<Aggregation>,
    activation: f64,
    spec: Spec,
}

/// The metric of a trigger that says what it is held at.
pub(crate) fn spec(trigger: &ScaleTriggers, index: usize) -> Option<Spec> {
    let location = trigger.metadata.get("valueLocation").map(|text| text.trim()).filter(|text| !text.is_empty())?;
    let number: f64 = trigger.metadata.get("targetValue")?.trim().parse().ok()?;
    let target = Target::new(trigger.metric_type.as_deref(), number).ok()?;
    (number > 0.0).then(|| Spec { name: metric_name(index, location), target })
}

fn metric_name(index: usize, location: &str) -> String {
    naming::metric(index, &format!("metric-api-{location}"))
}

impl MetricsApi {
    pub(crate) fn new(trigger: &ScaleTriggers, index: usize, context: &Context) -> Result<Self> {
        let mut metadata = Metadata::new(TYPE, trigger, context);
        let url = metadata.address("url", "the address that is read, such as http://api.shop:8080/stats");
        let written = metadata.required("valueLocation", "where the number is in the answer, such as queue.length");
        let format = metadata.text("format").unwrap_or("json");
        let location = Location::new(format, written)
            .map_err(|problem| {
                if !written.is_empty() {
                    metadata.problem(problem);
                }
            })
            .ok();
        let number = metadata.target_number("targetValue", "the number that stands for one replica");
        let activation = metadata.number("activationTargetValue", 0.0);
        let aggregation = Aggregation::read(&mut metadata);
        let limit = metadata.limit();
        let credentials = Credentials::read(&mut metadata);
        let http = metadata.client(&context.services, &credentials.tls, limit);
        let target = metadata.target(number);
        let name = metric_name(index, written);
        metadata.finish()?;
        let (Some(location), Some(http)) = (location, http) else {
            return Err(Error::Metadata { trigger: TYPE, problems: "the trigger cannot be read".to_owned() });
        };
        let services = Arc::clone(&context.services);
        let (written, spec) = (format!("{format} {written}"), Spec { name, target });
        Ok(Self { services, http, url, credentials, location, written, aggregation, activation, spec })
    }

    async fn sample(&self, age: Duration) -> Result<Samples> {
        let url = self.url.as_ref().map_err(Clone::clone)?;
        let mut source = [TYPE, url.as_str(), &self.credentials.key].map(str::to_owned).to_vec();
        let (at, value) = match self.aggregation {
            None => {
                let read = self.services.reads.get(source, age, self.body(url)).await?;
                (read.at, self.number(url, &read.value)?)
            }
            Some(aggregation) => {
                source.extend([self.written.clone(), format!("{aggregation:?}")]);
                let read = self.services.reads.get(source, age, self.aggregated(url, aggregation)).await?;
                (read.at, *read.value)
            }
        };
        Ok(Samples::number(at, &self.spec, value, self.activation))
    }

    fn number(&self, url: &Url, body: &[u8]) -> Result<f64> {
        self.location.number(body).map_err(|problem| Error::Answer { what: what(url), problem })
    }

    async fn body(&self, url: &Url) -> Result<Vec<u8>> {
        let what = what(url);
        let path = url.path();
        let (url, headers) = self.credentials.applied(url.clone());
        let answer = self.http.get(&what, url, headers).await?;
        if answer.status == 200 {
            return Ok(answer.body);
        }
        Err(Error::Answer { problem: format!("{path}: api returned {}", answer.status), what })
    }
}

fn what(url: &Url) -> String {
    format!("error requesting metrics endpoint {}", crate::http::shown(url))
}

impl Scaler for MetricsApi {
    fn specs(&self) -> BoxFuture<'_, Result<Vec<Spec>>> {
        Box::pin(async { Ok(vec![self.spec.clone()]) })
    }

    fn read(&self, age: Duration) -> BoxFuture<'_, Result<Samples>> {
        Box::pin(self.sample(age))
    }
}
