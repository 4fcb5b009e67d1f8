//! `aggregateFromKubeServiceEndpoints`: the numbers of all endpoints of a Service, made one.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt};
use url::{Host, Url};

use super::{MetricsApi, what};
use crate::error::{Error, Result};
use crate::http;
use crate::kubernetes::Endpoints;
use crate::metadata::Metadata;

/// Endpoints that are read at the same time.
const PARALLEL: usize = 5;

/// What is made of the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregation {
    Average,
    Sum,
    Max,
    Min,
}

impl Aggregation {
    /// `None` if the trigger reads its address alone.
    pub(super) fn read(metadata: &mut Metadata<'_>) -> Option<Self> {
        let aggregation = match metadata.text("aggregationType").unwrap_or("average") {
            "average" => Self::Average,
            "sum" => Self::Sum,
            "max" => Self::Max,
            "min" => Self::Min,
            other => {
                metadata.problem(format!("aggregationType={other:?} must be average, sum, max or min"));
                Self::Average
            }
        };
        metadata.flag("aggregateFromKubeServiceEndpoints", false).then_some(aggregation)
    }

    /// `None` of no numbers.
    fn of(self, numbers: &[f64]) -> Option<f64> {
        let sum = numbers.iter().sum::<f64>();
        match self {
            _ if numbers.is_empty() => None,
            Self::Average => Some(sum / numbers.len() as f64),
            Self::Sum => Some(sum),
            Self::Max => numbers.iter().copied().reduce(f64::max),
            Self::Min => numbers.iter().copied().reduce(f64::min),
        }
    }
}

impl MetricsApi {
    /// Those that cannot be read are left out, as KEDA does, but not all of them.
    pub(super) async fn aggregated(&self, url: &Url, aggregation: Aggregation) -> Result<f64> {
        let failed = |problem: String| Error::Answer { what: what(url), problem };
        let (service, namespace) = service(url).map_err(failed)?;
        let clock = &self.services.clock;
        let listing = self.services.kubernetes.endpoints(namespace, service);
        let listed = clock.timeout(clock.to_system(http::READ_LIMIT), listing).await;
        let what = || format!("cannot list the endpoints of Service {service} of namespace {namespace}");
        let endpoints = match listed {
            Ok(Ok(endpoints)) => endpoints,
            Ok(Err(cause)) => return Err(Error::Kubernetes { what: what(), cause }),
            Err(clock::Elapsed) => return Err(Error::TimedOut { what: what(), limit: http::READ_LIMIT }),
        };
        let addresses = addresses(url, &endpoints);
        if addresses.is_empty() {
            return Err(failed(format!("Service {service} of namespace {namespace} has no endpoint that is ready")));
        }
        let count = addresses.len();
        let each = stream::iter(addresses).map(|url| async move { self.number(&url, &self.body(&url).await?) });
        let read: Vec<Result<f64>> = each.buffer_unordered(PARALLEL).collect().await;
        let (mut numbers, mut errors) = (Vec::new(), Vec::new());
        for one in read {
            match one {
                Ok(number) => numbers.push(number),
                Err(error) => errors.push(error.to_string()),
            }
        }
        aggregation.of(&numbers).ok_or_else(|| {
            let first = errors.into_iter().min().unwrap_or_default();
            failed(format!("could not get any metric successfully from the {count} provided endpoints: {first}"))
        })
    }
}

/// The name and the namespace of the Service that an address names.
fn service(url: &Url) -> std::result::Result<(&str, &str), String> {
    let host = url.host_str().unwrap_or_default();
    let mut labels = host.split('.');
    match (url.host(), labels.next(), labels.next()) {
        (Some(Host::Domain(_)), Some(service), Some(namespace)) if !service.is_empty() && !namespace.is_empty() => {
            Ok((service, namespace))
        }
        _ => Err(format!(
            "invalid hostname {host}: expected at least 2 elements, first being service name and second being the namespace"
        )),
    }
}

/// The address of each endpoint. The port is that of the Service's address if the endpoints have it, else that of the scheme.
fn addresses(url: &Url, endpoints: &[Endpoints]) -> Vec<Url> {
    let wanted = url.port_or_known_default();
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for slice in endpoints {
        let port = wanted.filter(|port| slice.ports.contains(port));
        for address in slice.ready.iter().filter(|address| seen.insert(address.as_str())) {
            let mut endpoint = url.clone();
            let host = if address.contains(':') { format!("[{address}]") } else { address.clone() };
            if endpoint.set_host(Some(&host)).is_ok() && endpoint.set_port(port).is_ok() {
                all.push(endpoint);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(ready: &[&str], ports: &[u16]) -> Endpoints {
        Endpoints { ready: ready.iter().map(|&address| address.to_owned()).collect(), ports: ports.to_vec() }
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn each_endpoint_has_the_address_of_the_service_with_its_own_host() {
        let found = addresses(
            &url("http://metrics.shop.svc.cluster.local:8080/api/value"),
            &[slice(&["10.0.0.1", "10.0.0.2"], &[9090, 8080]), slice(&["10.0.0.2", "fd00::1"], &[9090])],
        );
        let found: Vec<_> = found.iter().map(Url::as_str).collect();
        let wanted = ["http://10.0.0.1:8080/api/value", "http://10.0.0.2:8080/api/value", "http://[fd00::1]/api/value"];
        assert_eq!(found, wanted);
        let found = addresses(&url("https://metrics.shop/v"), &[slice(&["10.0.0.1"], &[443])]);
        assert_eq!(found, [url("https://10.0.0.1/v")]);
    }

    #[test]
    fn the_host_names_the_service_and_its_namespace() {
        assert_eq!(service(&url("http://metrics.shop:1/x")), Ok(("metrics", "shop")));
        assert_eq!(service(&url("http://metrics.shop.svc/x")), Ok(("metrics", "shop")));
        for wrong in ["http://metrics/x", "http://10.0.0.1/x", "http://[fd00::1]/x"] {
            assert!(service(&url(wrong)).unwrap_err().contains("invalid hostname"), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_made_one() {
        let numbers = [4.0, 1.0, 7.0];
        let all = [Aggregation::Average, Aggregation::Sum, Aggregation::Max, Aggregation::Min];
        assert_eq!(all.map(|one| one.of(&numbers)), [Some(4.0), Some(12.0), Some(7.0), Some(1.0)]);
        assert_eq!(all.map(|one| one.of(&[])), [None; 4]);
    }
}
