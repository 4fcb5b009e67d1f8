//! One connection: its handshake, its requests one after the other, its end.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use clock::Clock;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::tls::Tls;

/// Real time that a connection may go on after the stop: for answers under way, not for clients that send half a request.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

pub(crate) async fn serve<F, B>(
    stream: TcpStream,
    tls: Option<Tls>,
    clock: Clock,
    stop: CancellationToken,
    answer: impl Fn(Request<Incoming>) -> F,
) where
    F: Future<Output = Response<B>>,
    B: Body<Data = Bytes, Error = Infallible> + 'static,
{
    // Answers are small; waiting to fill packets only adds delay.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return http(stream, &clock, &stop, answer).await };
    let handshake = tokio::select! {
        () = stop.cancelled() => return,
        handshake = tls.accept(stream) => handshake,
    };
    match handshake {
        Ok(stream) => http(stream, &clock, &stop, answer).await,
        Err(error) => tracing::debug!(%error, "a TLS handshake failed"),
    }
}

async fn http<S, F, B>(stream: S, clock: &Clock, stop: &CancellationToken, answer: impl Fn(Request<Incoming>) -> F)
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Response<B>>,
    B: Body<Data = Bytes, Error = Infallible> + 'static,
{
    let service = service_fn(|request| {
        let response = answer(request);
        async { Ok::<_, Infallible>(response.await) }
    });
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        result = connection.as_mut() => {
            if let Err(error) = result {
                tracing::debug!(%error, "connection ended early");
            }
        }
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            if clock.timeout(clock.to_system(GRACE), connection).await.is_err() {
                tracing::debug!("a connection was cut off: its request or answer took too long to end");
            }
        }
    }
}
