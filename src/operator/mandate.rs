//! The right to write: held by the leader only, and only for as long as its lease has surely not run out.
//!
//! Every write of the leader's work goes through [`Mandate::guarded`], so that nothing is written after the leadership is
//! lost, however late a call that was begun before comes to its write.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use clock::{Clock, Moment};
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use tower::{BoxError, Service};

/// Why a write was not sent.
#[derive(Debug, thiserror::Error)]
#[error("{method} {path} is not sent: this replica does not hold the leader lease")]
pub(crate) struct NotLeading {
    method: Method,
    path: String,
}

/// Until when this process may write. Clones share one mandate.
#[derive(Debug, Clone)]
pub(crate) struct Mandate {
    clock: Clock,
    until: Arc<Mutex<Option<Moment>>>,
}

impl Mandate {
    /// One that is not held.
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, until: Arc::default() }
    }

    /// Holds until `until`, or longer if that was said before.
    pub(crate) fn grant(&self, until: Moment) {
        let mut held = self.lock();
        *held = held.max(Some(until));
    }

    /// Holds no longer.
    pub(crate) fn revoke(&self) {
        *self.lock() = None;
    }

    /// Whether it holds now.
    pub(crate) fn holds(&self) -> bool {
        self.lock().is_some_and(|until| self.clock.moment() < until)
    }

    /// A client like `client` whose writes are sent only while the mandate holds. Reads always are.
    pub(crate) fn guarded(&self, client: &Client) -> Client {
        let namespace = client.default_namespace().to_owned();
        Client::new(Guarded { client: client.clone(), mandate: self.clone() }, namespace)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Moment>> {
        // One word, always whole.
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it is the path of a ServiceAccount's token. The API server stores nothing of one, and each replica reads triggers.
fn is_token(path: &str) -> bool {
    path.contains("/serviceaccounts/") && path.ends_with("/token")
}

struct Guarded {
    client: Client,
    mandate: Mandate,
}

impl Service<Request<Body>> for Guarded {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if !request.method().is_safe() && !is_token(request.uri().path()) && !self.mandate.holds() {
            let refused = NotLeading { method: request.method().clone(), path: request.uri().path().to_owned() };
            return Box::pin(std::future::ready(Err(refused.into())));
        }
        let client = self.client.clone();
        Box::pin(async move { client.send(request).await.map_err(Into::into) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::scripted::Server;

    #[tokio::test]
    async fn a_replica_that_does_not_lead_gets_tokens_and_writes_nothing() {
        const TOKEN: &str = "/api/v1/namespaces/shop/serviceaccounts/reader/token";
        let server = Server::start([(TOKEN, json!({ "status": { "token": "t" } }))], |_| None);
        let (clock, _) = Clock::manual("2026-03-01T00:00:00Z".parse().unwrap());
        let mandate = Mandate::new(clock.clone());
        let client = mandate.guarded(&server.client());
        let post = async |path: &str| {
            let request = Request::post(path).body(b"{}".to_vec()).unwrap();
            client.request::<Value>(request).await.map_err(|error| error.to_string())
        };
        assert_eq!(post(TOKEN).await.unwrap()["status"]["token"], "t");
        let refused = post("/api/v1/namespaces/shop/serviceaccounts").await.unwrap_err();
        assert!(refused.contains("is not sent: this replica does not hold the leader lease"), "{refused}");
        mandate.grant(clock.moment().plus(std::time::Duration::from_secs(1)));
        assert!(post("/api/v1/namespaces/shop/serviceaccounts").await.is_ok());
    }
}
