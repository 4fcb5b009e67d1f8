//! gRPC probes: one call of the health protocol, without TLS, as Kubernetes makes it.
//!
//! Protocol: <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>, framing:
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request};
use tokio::net::TcpStream;

/// The status of a service that takes calls.
const SERVING: usize = 1;
const STATUSES: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
/// gRPC's code for a method that the server does not have.
const UNIMPLEMENTED: &str = "12";
/// One byte says whether the message is compressed, four its length.
const PREFIX_BYTES: usize = 5;

/// What a server answers: the message of the call, and the headers that end it.
struct Answer {
    body: Bytes,
    end: HeaderMap,
}

/// Whether the service (empty: the whole server) says that it serves.
pub(super) async fn check(host: &str, port: u16, service: &str) -> Result<(), String> {
    let address = format!("{host}:{port}");
    let stream = TcpStream::connect(&address).await;
    let stream = stream.map_err(|error| format!("timeout: failed to connect service \"{address}\": {error}"))?;
    let answer = call(stream, &address, service).await.map_err(|error| format!("error: health rpc failed: {error}"))?;
    let code = answer.end.get("grpc-status").and_then(|code| code.to_str().ok()).unwrap_or_default();
    let said = answer.end.get("grpc-message").and_then(|said| said.to_str().ok()).unwrap_or_default();
    match code {
        "0" => {}
        UNIMPLEMENTED => {
            return Err(format!(
                "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {said}"
            ));
        }
        _ => return Err(format!("error: health rpc failed: code = {code} desc = {said}")),
    }
    match status(&answer.body) {
        SERVING => Ok(()),
        other => Err(format!("service unhealthy (responded with \"{}\")", STATUSES.get(other).unwrap_or(&STATUSES[0]))),
    }
}

async fn call(
    stream: TcpStream,
    address: &str,
    service: &str,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let (sender, connection) = h2::client::handshake(stream).await?;
    let connection = tokio::spawn(connection);
    let exchange = async {
        let mut sender = sender.ready().await?;
        let request = Request::post(format!("http://{address}/grpc.health.v1.Health/Check"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("user-agent", "kube-probe/1.35")
            .body(())?;
        let (answer, mut stream) = sender.send_request(request, false)?;
        stream.send_data(framed(service), true)?;
        let (head, mut body) = answer.await?.into_parts();
        let mut read = BytesMut::new();
        while let Some(part) = body.data().await {
            let part = part?;
            body.flow_control().release_capacity(part.len())?;
            read.put(part);
        }
        // A call that fails at once ends with its first headers.
        let end = body.trailers().await?.unwrap_or(head.headers);
        Ok(Answer { body: read.freeze(), end })
    };
    let answer = exchange.await;
    connection.abort();
    answer
}

/// `HealthCheckRequest { service }` behind its length.
fn framed(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        // Field 1, a text.
        message.put_u8(0x0a);
        let mut length = service.len();
        while length >= 0x80 {
            message.put_u8((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        message.put_u8(length as u8);
        message.put_slice(service.as_bytes());
    }
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.put(message);
    frame.freeze()
}

/// `status` of a framed `HealthCheckResponse`; a message without it says UNKNOWN.
fn status(body: &[u8]) -> usize {
    match body.get(PREFIX_BYTES..) {
        // Field 1, a number; all of them take one byte.
        Some([0x08, status, ..]) => usize::from(*status),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers one call with a status of the health protocol, or with a gRPC code. Gives what it was sent.
    async fn server(status: u8, code: &'static str) -> (u16, tokio::task::JoinHandle<(String, Bytes)>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            let (request, mut respond) = connection.accept().await.unwrap().unwrap();
            let path = request.uri().path().to_owned();
            let mut body = request.into_body();
            let read = tokio::spawn(async move { body.data().await.unwrap().unwrap() });
            let drive = tokio::spawn(async move { while connection.accept().await.is_some() {} });
            let read = read.await.unwrap();
            let mut stream = respond.send_response(http::Response::new(()), false).unwrap();
            if code == "0" {
                stream.send_data(Bytes::copy_from_slice(&[0, 0, 0, 0, 2, 8, status]), false).unwrap();
            }
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", code.parse().unwrap());
            stream.send_trailers(trailers).unwrap();
            let _ = drive.await;
            (path, read)
        });
        (port, served)
    }

    #[tokio::test]
    async fn a_service_is_healthy_when_it_says_that_it_serves() {
        let (port, served) = server(1, "0").await;
        assert_eq!(check("127.0.0.1", port, "orders").await, Ok(()));
        let (path, sent) = served.await.unwrap();
        assert_eq!(path, "/grpc.health.v1.Health/Check");
        assert_eq!(&sent[..], b"\0\0\0\0\x08\x0a\x06orders");
        let (port, _) = server(2, "0").await;
        assert_eq!(
            check("127.0.0.1", port, "").await,
            Err("service unhealthy (responded with \"NOT_SERVING\")".to_owned())
        );
        let (port, _) = server(0, UNIMPLEMENTED).await;
        let said = check("127.0.0.1", port, "").await.unwrap_err();
        assert!(said.starts_with("error: this server does not implement the grpc health protocol"), "{said}");
    }
}
