//! HTTP probes: any answer from 200 to 399 is a success; HTTPS without verification, as Kubernetes does it.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use local_apiserver::AnyServer;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::object::{items, text};

pub(super) async fn get(host: &str, port: u16, action: &Value) -> Result<(), String> {
    let scheme = if text(action, "/scheme").eq_ignore_ascii_case("https") { "https" } else { "http" };
    let path = text(action, "/path").trim_start_matches('/');
    let url = format!("{scheme}://{host}:{port}/{path}");
    let failed = |error: &dyn std::fmt::Display| format!("Get \"{url}\": {error}");
    let stream = TcpStream::connect((host, port)).await.map_err(|error| failed(&error))?;
    let status = if scheme == "https" {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(&error))?;
        let stream = connector().map_err(|error| failed(&error))?.connect(name, stream).await;
        exchange(stream.map_err(|error| failed(&error))?, host, port, path, action).await
    } else {
        exchange(stream, host, port, path, action).await
    };
    let status = status.map_err(|error| failed(&error))?;
    if (200..400).contains(&status) { Ok(()) } else { Err(format!("HTTP probe failed with statuscode: {status}")) }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    host: &str,
    port: u16,
    path: &str,
    action: &Value,
) -> Result<u16, Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let mut request = http::Request::get(format!("/{path}"))
        .header("host", format!("{host}:{port}"))
        .header("user-agent", "kube-probe/1.35")
        .header("accept", "*/*")
        .header("connection", "close");
    for header in items(action, "/httpHeaders") {
        request = request.header(text(header, "/name"), text(header, "/value"));
    }
    let answer = sender.send_request(request.body(Empty::<Bytes>::new())?).await;
    connection.abort();
    Ok(answer?.status().as_u16())
}

fn connector() -> Result<TlsConnector, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(AnyServer::new(Arc::clone(&provider)));
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
