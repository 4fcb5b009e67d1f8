//! Trigger `metrics-api`: a number in the answer of an HTTP endpoint (`docs/rules.md#keda-metrics-api`).

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

use self::location::Location;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::http::Http;
use crate::http_auth::Credentials;
use crate::metadata::Metadata;
use crate::scaler::{Samples, Scaler};
use crate::services::Services;

pub(crate) const TYPE: &str = "metrics-api";

/// One number of one endpoint.
pub(crate) struct MetricsApi {
    services: Arc<Services>,
    http: Http,
    url: Url,
    credentials: Credentials,
    location: Location,
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
        if metadata.flag("aggregateFromKubeServiceEndpoints", false) {
            metadata
                .problem("aggregateFromKubeServiceEndpoints is not served; read one address that has the whole number");
        }
        let limit = metadata.limit();
        let credentials = Credentials::read(&mut metadata);
        let http = metadata.client(&context.services, &credentials.tls, limit);
        let target = metadata.target(number);
        let name = metric_name(index, written);
        metadata.finish()?;
        let (Some(url), Some(location), Some(http)) = (url, location, http) else {
            return Err(Error::Metadata { trigger: TYPE, problems: "the trigger cannot be read".to_owned() });
        };
        let services = Arc::clone(&context.services);
        Ok(Self { services, http, url, credentials, location, activation, spec: Spec { name, target } })
    }

    async fn sample(&self, age: Duration) -> Result<Samples> {
        let source = [TYPE, self.url.as_str(), &self.credentials.key].map(str::to_owned).to_vec();
        let read = self.services.reads.get(source, age, self.body()).await?;
        let value =
            self.location.number(&read.value).map_err(|problem| Error::Answer { what: self.what(), problem })?;
        Ok(Samples::number(read.at, &self.spec, value, self.activation))
    }

    async fn body(&self) -> Result<Vec<u8>> {
        let (url, headers) = self.credentials.applied(self.url.clone());
        let answer = self.http.get(&self.what(), url, headers).await?;
        if answer.status == 200 {
            return Ok(answer.body);
        }
        let problem = format!("{}: api returned {}", self.url.path(), answer.status);
        Err(Error::Answer { what: self.what(), problem })
    }

    fn what(&self) -> String {
        format!("error requesting metrics endpoint {}", crate::http::shown(&self.url))
    }
}

impl Scaler for MetricsApi {
    fn specs(&self) -> BoxFuture<'_, Result<Vec<Spec>>> {
        Box::pin(async { Ok(vec![self.spec.clone()]) })
    }

    fn read(&self, age: Duration) -> BoxFuture<'_, Result<Samples>> {
        Box::pin(self.sample(age))
    }
}
