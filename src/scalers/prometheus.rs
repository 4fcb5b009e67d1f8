//! Trigger `prometheus`: the one number that a query gives (`docs/rules.md#keda-prometheus`).

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use keda::api::ScaleTriggers;
use keda::metric::{Spec, Target};
use keda::naming;
use reqwest::header::HeaderMap;
use serde_json::Value;
use url::Url;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::http::{self, Http};
use crate::http_auth::Credentials;
use crate::metadata::Metadata;
use crate::scaler::{Samples, Scaler};
use crate::services::Services;

pub(crate) const TYPE: &str = "prometheus";

/// One query of one server.
pub(crate) struct Prometheus {
    services: Arc<Services>,
    http: Http,
    /// With all of the query but its time.
    url: Result<Url>,
    headers: HeaderMap,
    credentials: Credentials,
    query: String,
    ignores_null: bool,
    activation: f64,
    spec: Spec,
}

/// The metric of a trigger that says what it is held at.
pub(crate) fn spec(trigger: &ScaleTriggers, index: usize) -> Option<Spec> {
    let number: f64 = trigger.metadata.get("threshold")?.trim().parse().ok()?;
    let target = Target::new(trigger.metric_type.as_deref(), number).ok()?;
    (number > 0.0).then(|| Spec { name: naming::metric(index, TYPE), target })
}

impl Prometheus {
    pub(crate) fn new(trigger: &ScaleTriggers, index: usize, context: &Context) -> Result<Self> {
        let mut metadata = Metadata::new(TYPE, trigger, context);
        let server = metadata.address("serverAddress", "the server, such as http://prometheus.monitoring:9090");
        let query = metadata.required("query", "a query in PromQL that gives one number").to_owned();
        let number = metadata.target_number("threshold", "the number that stands for one replica");
        let activation = metadata.number("activationThreshold", 0.0);
        let ignores_null = metadata.flag("ignoreNullValues", true);
        let namespace = metadata.text("namespace").map(|namespace| ("namespace".to_owned(), namespace.to_owned()));
        let more = metadata.pairs("queryParameters");
        let mut headers = HeaderMap::new();
        for (name, value) in metadata.pairs("customHeaders") {
            if let Err(problem) = http::add_header(&mut headers, &name, &value, true) {
                metadata.problem(problem);
            }
        }
        for (key, is_given) in [
            ("cortexOrgID", metadata.text("cortexOrgID").is_some()),
            ("awsRegion", metadata.text("awsRegion").or(metadata.parameter("awsRegion")).is_some()),
        ] {
            if is_given {
                metadata.problem(format!("{key} is not served; remove it"));
            }
        }
        let limit = metadata.limit();
        let credentials = Credentials::read(&mut metadata);
        let client = metadata.client(&context.services, &credentials.tls, limit);
        let target = metadata.target(number);
        metadata.finish()?;
        let Some(http) = client else {
            return Err(Error::Metadata { trigger: TYPE, problems: "the trigger cannot be read".to_owned() });
        };
        let url = server.map(|server| address(server, &query, namespace.into_iter().chain(more)));
        let services = Arc::clone(&context.services);
        let spec = Spec { name: naming::metric(index, TYPE), target };
        Ok(Self { services, http, url, headers, credentials, query, ignores_null, activation, spec })
    }

    async fn sample(&self, age: Duration) -> Result<Samples> {
        let url = self.url.as_ref().map_err(Clone::clone)?;
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| format!("{name}={:?}", value.as_bytes())).collect();
        let source = [TYPE, url.as_str(), &self.credentials.key, &headers.join("\n")].map(str::to_owned).to_vec();
        let read = self.services.reads.get(source, age, self.body(url)).await?;
        let value = self.value(&read.value).map_err(|problem| Error::Answer { what: what(url), problem })?;
        Ok(Samples::number(read.at, &self.spec, value, self.activation))
    }

    async fn body(&self, url: &Url) -> Result<Value> {
        let what = what(url);
        let failed = |problem: String| Error::Answer { what: what.clone(), problem };
        let (mut url, mut headers) = self.credentials.applied(url.clone());
        let now = self.services.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        url.query_pairs_mut().append_pair("time", &now);
        for (name, value) in &self.headers {
            headers.append(name.clone(), value.clone());
        }
        let answer = self.http.get(&what, url, headers).await?;
        if !(200..300).contains(&answer.status) {
            return Err(failed(format!("prometheus query api returned error. status: {}", answer.status)));
        }
        serde_json::from_slice(&answer.body).map_err(|error| failed(format!("the answer is no JSON: {error}")))
    }

    /// The number of an answer; 0 for an answer without one, where those are ignored.
    fn value(&self, answer: &Value) -> std::result::Result<f64, String> {
        let data = &answer["data"];
        let absent = |what: &str| {
            if self.ignores_null {
                return Ok(0.0);
            }
            Err(format!("prometheus metrics 'prometheus' target may be lost, the {what}"))
        };
        let result = data["result"].as_array().ok_or("the answer has no data.result that is an array")?;
        let values = match (data["resultType"].as_str(), result.as_slice()) {
            // A scalar is its time and its value.
            (Some("scalar"), values) => values,
            (_, []) => return absent("result is empty"),
            (_, [one]) => one["value"].as_array().map(Vec::as_slice).unwrap_or_default(),
            _ => return Err(format!("prometheus query {} returned multiple elements", self.query)),
        };
        let number = match values {
            [] => return absent("value list is empty"),
            [_, number, ..] => number.as_str().ok_or("the value of the answer is no text")?,
            _ => return Err(format!("prometheus query {} didn't return enough values", self.query)),
        };
        let number: f64 = number.parse().map_err(|_| format!("the value {number:?} is no number"))?;
        if number.is_finite() { Ok(number) } else { absent(&format!("value is {number}")) }
    }
}

fn what(url: &Url) -> String {
    format!("cannot query Prometheus at {}", http::shown(url))
}

/// The address of a query, without its time.
fn address(mut server: Url, query: &str, more: impl Iterator<Item = (String, String)>) -> Url {
    let path = format!("{}/api/v1/query", server.path().trim_end_matches('/'));
    server.set_path(&path);
    server.query_pairs_mut().append_pair("query", query).extend_pairs(more);
    server
}

impl Scaler for Prometheus {
    fn specs(&self) -> BoxFuture<'_, Result<Vec<Spec>>> {
        Box::pin(async { Ok(vec![self.spec.clone()]) })
    }

    fn read(&self, age: Duration) -> BoxFuture<'_, Result<Samples>> {
        Box::pin(self.sample(age))
    }
}
