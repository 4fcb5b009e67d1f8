//! An external metrics API with one metric, behind TLS as aggregated servers are.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use local_apiserver::Client;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

pub(super) struct MetricsServer {
    port: u16,
    value: watch::Sender<Option<&'static str>>,
}

impl MetricsServer {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (value, seen) = watch::channel(None);
        let acceptor = acceptor();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, seen) = (acceptor.clone(), seen.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                        let answer = answer(request.uri().path(), *seen.borrow());
                        async move { Ok::<_, Infallible>(answer) }
                    });
                    drop(
                        hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service)
                            .await,
                    );
                });
            }
        });
        Self { port, value }
    }

    /// What the metric is from now on; nothing for "no such metric".
    pub(super) fn set(&self, value: Option<&'static str>) {
        self.value.send_replace(value);
    }

    /// Makes the Service, its endpoints and the APIService.
    pub(super) async fn register(&self, client: &Client) {
        let service = json!({"metadata": {"name": "metrics"}, "spec": {"ports": [{"port": 443}]}});
        client.create("/api/v1/namespaces/default/services", &service).await.unwrap();
        let slice = json!({
            "metadata": {"name": "metrics", "labels": {"kubernetes.io/service-name": "metrics"}}, "addressType": "IPv4",
            "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": true}}], "ports": [{"port": self.port}],
        });
        client.create("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", &slice).await.unwrap();
        let api = json!({"metadata": {"name": "v1beta1.external.metrics.k8s.io"}, "spec": {
            "group": "external.metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "insecureSkipTLSVerify": true, "service": {"namespace": "default", "name": "metrics"}}});
        client.create("/apis/apiregistration.k8s.io/v1/apiservices", &api).await.unwrap();
    }
}

fn acceptor() -> TlsAcceptor {
    let (certificate, key) = super::certificate();
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn answer(path: &str, value: Option<&str>) -> Response<Full<Bytes>> {
    let (code, body): (u16, Value) = if path.ends_with("/v1beta1") {
        let metric = json!({"name": "externalmetrics", "singularName": "", "namespaced": true, "kind": "ExternalMetricValueList", "verbs": ["get"]});
        (
            200,
            json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "external.metrics.k8s.io/v1beta1", "resources": [metric]}),
        )
    } else if let Some(value) = value {
        let item = json!({"metricName": "depth", "timestamp": "2026-01-01T00:00:00Z", "value": value});
        (
            200,
            json!({"kind": "ExternalMetricValueList", "apiVersion": "external.metrics.k8s.io/v1beta1", "items": [item]}),
        )
    } else {
        (
            404,
            json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "message": "no such metric", "code": 404}),
        )
    };
    let response = Response::builder().status(code).header("content-type", "application/json");
    response.body(Full::new(Bytes::from(body.to_string()))).unwrap()
}
