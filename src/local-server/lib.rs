//! The loopback server of the local cloud's endpoints: HTTP/1.1, plain or by TLS.
//!
//! Entry point: [`Server`]. It accepts connections, hands each request to the endpoint, and stops gracefully: answers under way are
//! finished, and a client that sends half a request holds nothing up.
//!
//! [`Lines`] is the file to which an endpoint logs its requests.
//!
//! This crate must not know what is asked or answered.

mod connection;
mod lines;
#[cfg(test)]
mod tests;
mod tls;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use clock::Clock;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Collected, Limited};
use hyper::body::{Body, Incoming};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use lines::Lines;
pub use tls::{Tls, TlsError};

/// Real time until the next try after a connection could not be accepted, as when there are no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A server on its listener.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    tls: Option<Tls>,
    clock: Clock,
    gate: Gate,
}

/// Whether connections are taken at all. One that comes while it is closed is dropped at once, as by an address that nobody
/// listens on yet.
#[derive(Debug, Clone)]
pub struct Gate(Arc<AtomicBool>);

impl Gate {
    /// A gate that is open, or not yet.
    pub fn new(is_open: bool) -> Self {
        Self(Arc::new(AtomicBool::new(is_open)))
    }

    /// From now on connections are taken.
    pub fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Server {
    /// Of a bound listener; without `tls` it is plain HTTP. To be called inside a runtime.
    ///
    /// # Errors
    ///
    /// The listener cannot be used.
    pub fn new(listener: std::net::TcpListener, tls: Option<Tls>, clock: Clock) -> std::io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { listener: TcpListener::from_std(listener)?, tls, clock, gate: Gate::new(true) })
    }

    /// The same behind a gate.
    #[must_use]
    pub fn behind(self, gate: Gate) -> Self {
        Self { gate, ..self }
    }

    /// Serves until `stop`, and returns when all connections have ended. `answer` also gets the client's address.
    pub async fn run<A, F, B>(self, stop: CancellationToken, answer: A)
    where
        A: Fn(Request<Incoming>, SocketAddr) -> F + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
    {
        let Self { listener, tls, clock, gate } = self;
        let (answer, connections) = (Arc::new(answer), TaskTracker::new());
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok(_) if !gate.is_open() => {}
                Ok((stream, peer)) => {
                    let answer = Arc::clone(&answer);
                    let answer = move |request| answer(request, peer);
                    connections.spawn(connection::serve(stream, tls.clone(), clock.clone(), stop.clone(), answer));
                }
                // Out of descriptors or a client that went away: nothing to do but wait for the next one.
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection");
                    clock.sleep(clock.to_system(ACCEPT_PAUSE)).await;
                }
            }
        }
        drop(listener);
        connections.close();
        connections.wait().await;
    }
}

/// A request's body; `None` if it is larger than `bytes_max` or was cut off.
pub async fn read_body(body: Incoming, bytes_max: usize) -> Option<Bytes> {
    Limited::new(body, bytes_max).collect().await.ok().map(Collected::to_bytes)
}
