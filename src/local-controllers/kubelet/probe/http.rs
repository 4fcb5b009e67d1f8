//! HTTP probes: any answer from 200 to 399 is a success; HTTPS without verification, as Kubernetes does it.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
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
    let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Accepts every certificate: a probe asks whether somebody answers, not who it is.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
