//! The requests to the API server, counted under client-go's name.
//!
//! Source: controller-runtime `pkg/metrics/client_go_adapter.go` and client-go `rest/request.go`: a request without an answer has the
//! code `<error>`.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tower::{Layer, Service};

use super::Labels;

/// The counters; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requests(Family<Labels<3>, Counter>);

impl Requests {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Number of HTTP requests, partitioned by status code, method, and host";
        registry.register("rest_client_requests", help, self.0.clone());
    }

    /// Counts what a client sends to `host`.
    pub(crate) fn to(&self, host: &str) -> Counting {
        Counting { requests: self.clone(), host: host.to_owned() }
    }
}

/// Counts what passes it.
#[derive(Debug, Clone)]
pub(crate) struct Counting {
    requests: Requests,
    host: String,
}

impl<S> Layer<S> for Counting {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, counting: self.clone() }
    }
}

/// A client whose requests are counted.
#[derive(Debug, Clone)]
pub(crate) struct Counted<S> {
    inner: S,
    counting: Counting,
}

impl<S, Sent, Got> Service<Request<Sent>> for Counted<S>
where
    S: Service<Request<Sent>, Response = Response<Got>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Sent>) -> Self::Future {
        let (Counting { requests, host }, method) = (self.counting.clone(), request.method().to_string());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let code = match &answer {
                Ok(answer) => answer.status().as_str().to_owned(),
                Err(_) => "<error>".to_owned(),
            };
            requests.0.get_or_create(&[("code", code), ("host", host), ("method", method)]).inc();
            answer
        })
    }
}
