//! Triggers `external` and `external-push`: a gRPC server of the user's says what the metrics are, how much they are and whether the
//! object is active (`docs/rules.md#keda-external`).

mod client;
mod messages;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use keda::api::ScaleTriggers;
use keda::decision::Sample;
use keda::metric::{Spec, Target};
use tonic::{Code, Status};

use self::client::Client;
use self::messages::{GetMetricsRequest, ScaledObjectRef, number};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::metadata::Metadata;
use crate::scaler::{Samples, Scaler};
use crate::services::Services;
use crate::tls::Tls;

pub(crate) const TYPE: &str = "external";
pub(crate) const PUSH: &str = "external-push";
/// Longest wait for all that one reading calls, real time.
const READ_LIMIT: Duration = Duration::from_secs(20);
/// Pauses before a stream is opened again, real time: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(1));

/// What to do where there is no connection.
const REACH: &str =
    "check that the server runs, that the operator can reach it, and that both sides use TLS or neither";

/// One server as a trigger.
pub(crate) struct External {
    services: Arc<Services>,
    client: Client,
    /// All that the connection depends on.
    connection: Vec<String>,
    address: String,
    of: ScaledObjectRef,
    index: usize,
    metric_type: Option<String>,
    is_metric_source: bool,
    pushes: bool,
}

/// What a server said.
struct Answer {
    specs: Vec<Spec>,
    values: Vec<f64>,
    is_active: bool,
}

impl External {
    /// With `pushes`, the server also speaks by itself.
    pub(crate) fn new(trigger: &ScaleTriggers, index: usize, context: &Context, pushes: bool) -> Result<Self> {
        let type_ = if pushes { PUSH } else { TYPE };
        let mut metadata = Metadata::new(type_, trigger, context);
        let address = metadata.required("scalerAddress", "the gRPC server, such as scaler.shop:9090").to_owned();
        let (enables_tls, accepts_any) = (metadata.flag("enableTLS", false), metadata.flag("unsafeSsl", false));
        let parameter = |key: &str| metadata.parameter(key).map(str::to_owned);
        let (cert, key) = (parameter("tlsClientCert"), parameter("tlsClientKey"));
        let has_ca = metadata.parameter("caCert").is_some();
        if cert.is_some() != key.is_some() {
            metadata.problem("of the parameters tlsClientCert and tlsClientKey one is missing: give both, or neither");
        }
        let identity = cert.zip(key);
        let by_tls = enables_tls || has_ca || identity.is_some();
        let ca = metadata.trusted("caCert");
        let tls = by_tls.then_some(Tls { ca, identity, accepts_any });
        // Only its name is wrong or right; the number comes from the server.
        metadata.target(1.0);
        let connection = parts(&address, tls.as_ref());
        let client = Client::new(&context.services.connections, connection.clone(), &address, tls.as_ref());
        if let (Err(problem), false) = (&client, address.is_empty()) {
            metadata.problem(problem.clone());
        }
        let of = ScaledObjectRef {
            name: context.name.clone(),
            namespace: context.namespace.clone(),
            scaler_metadata: passed_on(trigger, context),
        };
        metadata.finish()?;
        Ok(Self {
            services: Arc::clone(&context.services),
            client: client.map_err(|problems| Error::Metadata { trigger: type_, problems })?,
            connection,
            address,
            of,
            index,
            metric_type: trigger.metric_type.clone(),
            is_metric_source: context.is_metric_source,
            pushes,
        })
    }

    async fn samples(&self, age: Duration) -> Result<Samples> {
        let read = self.services.reads.get(self.source("values"), age, self.within(self.answer())).await?;
        let Answer { specs, values, is_active } = &*read.value;
        let sample = |(spec, value): (&Spec, &f64)| {
            let sample =
                Sample { value: *value, target: spec.target, active: *is_active, activation: 0.0, parts: Vec::new() };
            (spec.name.clone(), Ok(sample))
        };
        Ok(Samples { at: read.at, by_metric: specs.iter().zip(values).map(sample).collect() })
    }

    async fn answer(&self) -> Result<Answer> {
        let specs = self.fetch_specs().await?;
        let mut values = Vec::with_capacity(specs.len());
        for spec in &specs {
            // The server does not count triggers.
            let metric_name = spec.name.strip_prefix(&self.prefix()).unwrap_or(&spec.name).to_owned();
            let request = GetMetricsRequest { scaled_object_ref: Some(self.of.clone()), metric_name };
            let answer = self.client.metrics(request).await.map_err(|status| self.refused("GetMetrics", &status))?;
            if answer.metric_values.is_empty() {
                return Err(self.wrong(format!("GetMetrics gives no value of {:?}", spec.name)));
            }
            let each = answer.metric_values.iter();
            let sum = each.map(|value| number(value.metric_value, value.metric_value_float)).sum::<f64>();
            if !sum.is_finite() {
                return Err(self.wrong(format!("GetMetrics gives {sum} for {:?}, which is no number", spec.name)));
            }
            values.push(sum);
        }
        let active = self.client.is_active(self.of.clone()).await;
        let is_active = active.map_err(|status| self.refused("IsActive", &status))?.result;
        Ok(Answer { specs, values, is_active })
    }

    async fn fetch_specs(&self) -> Result<Vec<Spec>> {
        let answer = self.client.metric_spec(self.of.clone()).await;
        let answer = answer.map_err(|status| self.refused("GetMetricSpec", &status))?;
        if answer.metric_specs.is_empty() {
            return Err(self.wrong("GetMetricSpec gives no metric".to_owned()));
        }
        let spec = |given: &messages::MetricSpec| {
            let name = format!("{}{}", self.prefix(), given.metric_name);
            let size = number(given.target_size, given.target_size_float);
            if given.metric_name.is_empty() || !size.is_finite() || (size <= 0.0 && !self.is_metric_source) {
                let problem =
                    format!("GetMetricSpec gives {:?} with the target {size}; it must be above 0", given.metric_name);
                return Err(self.wrong(problem));
            }
            let target =
                Target::new(self.metric_type.as_deref(), size).map_err(|error| self.wrong(error.to_string()))?;
            Ok(Spec { name, target })
        };
        answer.metric_specs.iter().map(spec).collect()
    }

    async fn within<T>(&self, calls: impl Future<Output = Result<T>>) -> Result<T> {
        let clock = &self.services.clock;
        match clock.timeout(clock.to_system(READ_LIMIT), calls).await {
            Ok(answer) => answer,
            Err(clock::Elapsed) => Err(Error::TimedOut { what: self.what(), limit: READ_LIMIT }),
        }
    }

    fn prefix(&self) -> String {
        format!("s{}-", self.index)
    }

    /// All that an answer depends on.
    fn source(&self, what: &str) -> Vec<String> {
        let mut source = self.connection.clone();
        source.extend([what.to_owned(), self.of.namespace.clone(), self.of.name.clone(), self.index.to_string()]);
        source.push(self.metric_type.clone().unwrap_or_default());
        let mut metadata: Vec<_> = self.of.scaler_metadata.iter().collect();
        metadata.sort();
        source.extend(metadata.into_iter().flat_map(|(key, value)| [key.clone(), value.clone()]));
        source
    }

    fn what(&self) -> String {
        format!("cannot read the external scaler at {}", self.address)
    }

    fn wrong(&self, problem: String) -> Error {
        Error::Answer { what: self.what(), problem }
    }

    fn refused(&self, call: &str, status: &Status) -> Error {
        // A cause is the connection's: a server sends none.
        let is_local = std::error::Error::source(status).is_some();
        let next = match status.code() {
            Code::Unavailable => REACH,
            _ if is_local => REACH,
            Code::Unimplemented => "check that scalerAddress is a server of KEDA's ExternalScaler",
            Code::Unauthenticated | Code::PermissionDenied => "check the trigger's metadata and its authentication",
            _ => "the server's log may say more",
        };
        self.wrong(format!("{call}: {}; {next}", words(status)))
    }
}

/// A refusal: its code, what the server says, and what the connection says.
fn words(status: &Status) -> String {
    let mut words = vec![format!("{:?}", status.code())];
    words.extend(Some(status.message().to_owned()).filter(|said| !said.is_empty()));
    words.extend(std::error::Error::source(status).into_iter().flat_map(client::chain));
    words.dedup();
    words.join(": ")
}

fn parts(address: &str, tls: Option<&Tls>) -> Vec<String> {
    let mut parts = vec![TYPE.to_owned(), address.to_owned(), tls.is_some().to_string()];
    parts.extend(tls.map(Tls::parts).into_iter().flatten());
    parts
}

/// The metadata as the server gets them: keys that end in `FromEnv` with the variable's value, or not at all where it has none.
fn passed_on(trigger: &ScaleTriggers, context: &Context) -> HashMap<String, String> {
    let value = |(key, value): (&String, &String)| {
        if !key.ends_with("FromEnv") {
            return Some((key.clone(), value.clone()));
        }
        let found = context.environment.get(value).filter(|found| !found.is_empty())?;
        Some((key.clone(), found.clone()))
    };
    trigger.metadata.iter().filter_map(value).collect()
}

impl Scaler for External {
    fn specs(&self) -> BoxFuture<'_, Result<Vec<Spec>>> {
        Box::pin(self.within(self.fetch_specs()))
    }

    fn read(&self, age: Duration) -> BoxFuture<'_, Result<Samples>> {
        Box::pin(self.samples(age))
    }

    fn changes(&self) -> Option<BoxStream<'static, bool>> {
        self.pushes.then(|| changes(self.client.clone(), self.of.clone(), self.what(), self.services.clock.clone()))
    }
}

/// What the server says by itself, for as long as somebody listens: a stream that ends or breaks is opened again after a pause that
/// grows until one has lasted.
fn changes(client: Client, of: ScaledObjectRef, what: String, clock: Clock) -> BoxStream<'static, bool> {
    let open = move |pause: Duration| {
        let (client, of, what, clock) = (client.clone(), of.clone(), what.clone(), clock.clone());
        async move {
            if !pause.is_zero() {
                clock.sleep(clock.to_system(pause)).await;
            }
            let grown = (pause * 2).clamp(PAUSES.0, PAUSES.1);
            match client.changes(of).await {
                Ok(stream) => {
                    let said = stream.filter_map(move |said| {
                        let said = said.map_err(|status| {
                            tracing::warn!(what, error = words(&status), "StreamIsActive broke; it is opened again");
                        });
                        std::future::ready(said.ok().map(|said| said.result))
                    });
                    Some((said.boxed(), PAUSES.0))
                }
                Err(status) => {
                    tracing::warn!(what, error = words(&status), "StreamIsActive cannot be opened; it is tried again");
                    Some((stream::empty().boxed(), grown))
                }
            }
        }
    };
    stream::unfold(Duration::ZERO, open).flatten().boxed()
}

#[cfg(test)]
mod tests;
