//! What clients meet at the socket: answers, and the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clock::Clock;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::connection::GRACE;
use super::{Server, Tls, read_body};

const BYTES_MAX: usize = 16;
/// Far more than any of these takes.
const LIMIT: Duration = Duration::from_mins(1);

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
    /// A permit for each request to `/held` that has arrived.
    arrived: Arc<Semaphore>,
    /// Each permit lets one of them be answered.
    released: Arc<Semaphore>,
}

/// Answers with the length of the body, or says that it is too large.
fn start(tls: Option<Tls>, clock: Clock) -> Running {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let (arrived, released) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let gates = (Arc::clone(&arrived), Arc::clone(&released));
    let answer = move |request: Request<Incoming>, peer: SocketAddr| {
        assert!(peer.ip().is_loopback());
        let (arrived, released) = gates.clone();
        async move {
            if request.uri().path() == "/held" {
                arrived.add_permits(1);
                released.acquire().await.unwrap().forget();
            }
            let body = read_body(request.into_body(), BYTES_MAX).await;
            let text = body.map_or_else(|| "too large".to_owned(), |body| body.len().to_string());
            Response::new(Full::new(Bytes::from(text)))
        }
    };
    let server = Server::new(listener, tls, clock).unwrap();
    let task = tokio::spawn(server.run(stop.clone(), answer));
    Running { address, stop, task, arrived, released }
}

async fn connect(running: &Running) -> TcpStream {
    TcpStream::connect(running.address).await.unwrap()
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), path: &str, body: &str) {
    let request = format!("POST {path} HTTP/1.1\r\nhost: local\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
}

/// The next answer's body.
async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = String::new();
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && head.to_lowercase().contains(&format!("content-length: {}\r\n", body.len()))
        {
            return body.to_owned();
        }
        let mut bytes = [0; 512];
        let count = stream.read(&mut bytes).await.unwrap();
        assert_ne!(count, 0, "the server hung up after {text:?}");
        text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }
}

async fn ended(task: JoinHandle<()>) {
    Clock::real().timeout(LIMIT, task).await.expect("the server does not end").unwrap();
}

#[tokio::test]
async fn requests_are_answered_one_after_the_other_plain_and_by_tls() {
    let plain = start(None, Clock::real());
    let mut client = connect(&plain).await;
    for (body, answer) in [("", "0"), ("abc", "3"), ("more than sixteen bytes", "too large")] {
        send(&mut client, "/", body).await;
        assert_eq!(receive(&mut client).await, answer);
    }
    plain.stop.cancel();
    ended(plain.task).await;

    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let secure = start(Some(Tls::new(&certificate, &key).unwrap()), Clock::real());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut client = connector.connect("127.0.0.1".try_into().unwrap(), connect(&secure).await).await.unwrap();
    send(&mut client, "/", "abc").await;
    assert_eq!(receive(&mut client).await, "3");
    // A client that never begins its handshake does not keep the server from ending.
    let _silent = connect(&secure).await;
    secure.stop.cancel();
    ended(secure.task).await;
}

#[test]
fn a_certificate_needs_its_own_key() {
    let make = || rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (one, other) = (make(), make());
    assert!(Tls::new(&one.cert.pem(), &one.signing_key.serialize_pem()).is_ok());
    assert!(Tls::new(&one.cert.pem(), &other.signing_key.serialize_pem()).is_err());
    assert!(Tls::new("no PEM", &one.signing_key.serialize_pem()).is_err());
}

#[tokio::test]
async fn an_answer_under_way_is_finished_and_idle_connections_are_closed() {
    let running = start(None, Clock::real());
    let (_unused, mut idle, mut waiting) = (connect(&running).await, connect(&running).await, connect(&running).await);
    send(&mut idle, "/", "").await;
    receive(&mut idle).await;
    send(&mut waiting, "/held", "abc").await;
    running.arrived.acquire().await.unwrap().forget();
    running.stop.cancel();
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0, "an idle connection is closed");
    assert!(!running.task.is_finished(), "an answer is under way");
    running.released.add_permits(1);
    assert_eq!(receive(&mut waiting).await, "3");
    ended(running.task).await;
    assert!(TcpStream::connect(running.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn half_a_request_holds_the_end_up_for_the_grace_alone() {
    let (clock, hand) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
    let running = start(None, clock);
    let mut half = connect(&running).await;
    half.write_all(b"POST / HTTP/1.1\r\nhost: lo").await.unwrap();
    let mut other = connect(&running).await;
    send(&mut other, "/", "").await;
    receive(&mut other).await;
    running.stop.cancel();
    let end = async {
        while !running.task.is_finished() {
            hand.advance(GRACE / 4);
            tokio::task::yield_now().await;
        }
    };
    Clock::real().timeout(LIMIT, end).await.expect("half a request holds the end up");
    running.task.await.unwrap();
}
