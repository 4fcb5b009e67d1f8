//! The connection to an external scaler: gRPC over HTTP/2, plain or by TLS, opened at the first call and again after it broke.
//!
//! tonic, which the house has anyway for images: frames, codes and trailers of gRPC are its own to know.

use std::sync::Arc;
use std::time::Duration;

use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use super::messages::{
    GetMetricSpecResponse, GetMetricsRequest, GetMetricsResponse, IsActiveResponse, ScaledObjectRef,
};
use crate::connections::{Connections, Parts};
use crate::tls::{self, Tls};

/// Longest wait for a connection, its TLS included.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// After so long without a word the system looks whether the other side is there: a stream may be silent for hours.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// The connection of all triggers with the same address and settings, or why there can be none.
#[derive(Clone)]
pub(crate) struct Client(Arc<Result<Channel, String>>);

impl Client {
    /// The client of `address`, by TLS if there are settings of it; `key` is all that the connection depends on. Nothing is called yet.
    ///
    /// # Errors
    ///
    /// In words, if the address, a certificate or a key cannot be read.
    pub(crate) fn new(connections: &Connections, key: Parts, address: &str, tls: Option<&Tls>) -> Result<Self, String> {
        let shared = connections.get(key, || channel(address, tls));
        match &*shared {
            Ok(_) => Ok(Self(shared)),
            Err(problem) => Err(problem.clone()),
        }
    }

    pub(crate) async fn is_active(&self, of: ScaledObjectRef) -> Result<IsActiveResponse, Status> {
        self.unary("/externalscaler.ExternalScaler/IsActive", of).await
    }

    pub(crate) async fn metric_spec(&self, of: ScaledObjectRef) -> Result<GetMetricSpecResponse, Status> {
        self.unary("/externalscaler.ExternalScaler/GetMetricSpec", of).await
    }

    pub(crate) async fn metrics(&self, of: GetMetricsRequest) -> Result<GetMetricsResponse, Status> {
        self.unary("/externalscaler.ExternalScaler/GetMetrics", of).await
    }

    /// Whether it is active, each time that changes.
    pub(crate) async fn changes(&self, of: ScaledObjectRef) -> Result<Streaming<IsActiveResponse>, Status> {
        let mut grpc = self.ready().await?;
        let path = PathAndQuery::from_static("/externalscaler.ExternalScaler/StreamIsActive");
        let codec = ProstCodec::<ScaledObjectRef, IsActiveResponse>::default();
        Ok(grpc.server_streaming(Request::new(of), path, codec).await?.into_inner())
    }

    async fn unary<Q, A>(&self, path: &'static str, request: Q) -> Result<A, Status>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let mut grpc = self.ready().await?;
        let path = PathAndQuery::from_static(path);
        Ok(grpc.unary(Request::new(request), path, ProstCodec::<Q, A>::default()).await?.into_inner())
    }

    async fn ready(&self) -> Result<Grpc<Channel>, Status> {
        let channel = self.0.as_ref().as_ref().map_err(|problem| Status::invalid_argument(problem.clone()))?;
        let mut grpc = Grpc::new(channel.clone());
        grpc.ready().await.map_err(|error| Status::unavailable(chain(&error).collect::<Vec<_>>().join(": ")))?;
        Ok(grpc)
    }
}

fn channel(address: &str, tls: Option<&Tls>) -> Result<Channel, String> {
    let host = ["dns:///", "passthrough:///"].iter().find_map(|scheme| address.strip_prefix(scheme)).unwrap_or(address);
    let scheme = if tls.is_some() { "https" } else { "http" };
    // It may hold anything, so it is not shown.
    let wrong = || "scalerAddress is no address of a gRPC server; write one such as scaler.shop:9090".to_owned();
    let endpoint = Endpoint::try_from(format!("{scheme}://{host}")).map_err(|_| wrong())?;
    let uri = endpoint.uri();
    if uri.host().is_none_or(str::is_empty) || uri.path() != "/" || uri.query().is_some() || host.contains('@') {
        return Err(wrong());
    }
    let endpoint = endpoint.connect_timeout(CONNECT_LIMIT);
    let mut tcp = HttpConnector::new();
    tcp.set_keepalive(Some(KEEP_ALIVE));
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    Ok(match tls {
        None => endpoint.connect_with_connector_lazy(tcp),
        Some(tls) => {
            let https = HttpsConnectorBuilder::new().with_tls_config(config(tls)?);
            endpoint.connect_with_connector_lazy(https.https_only().enable_http2().wrap_connector(tcp))
        }
    })
}

/// An error and its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> impl Iterator<Item = String> {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string)
}

fn config(tls: &Tls) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let builder = if tls.accepts_any {
        builder.dangerous().with_custom_certificate_verifier(tls::any_server())
    } else {
        let mut roots = tls::system_roots();
        if let Some(ca) = &tls.ca {
            roots.add_parsable_certificates(certificates(ca, "caCert")?);
        }
        builder.with_root_certificates(roots)
    };
    let Some((cert, key)) = &tls.identity else { return Ok(builder.with_no_client_auth()) };
    let wrong = "the parameters tlsClientCert and tlsClientKey hold no certificate with its key in PEM";
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| wrong.to_owned())?;
    builder.with_client_auth_cert(certificates(cert, "tlsClientCert")?, key).map_err(|_| wrong.to_owned())
}

fn certificates(pem: &str, parameter: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    tls::certificates(pem).ok_or_else(|| format!("the parameter {parameter} holds no certificate in PEM"))
}
