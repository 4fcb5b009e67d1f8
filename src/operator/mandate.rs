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
        if !request.method().is_safe() && !self.mandate.holds() {
            let refused = NotLeading { method: request.method().clone(), path: request.uri().path().to_owned() };
            return Box::pin(std::future::ready(Err(refused.into())));
        }
        let client = self.client.clone();
        Box::pin(async move { client.send(request).await.map_err(Into::into) })
    }
}
