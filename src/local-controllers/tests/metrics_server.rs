//! An external metrics API with one metric, behind TLS as aggregated servers are.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use local_apiserver::Client;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// Which documents the server has, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Discovery {
    /// The plain ones, for everybody.
    Plain,
    /// The plain ones, and nothing for users without a group, as of a server that counts nobody as authenticated.
    RefusesGroupless,
    /// The aggregated one and OpenAPI v3 as well.
    Aggregated,
}

pub(super) struct MetricsServer {
    port: u16,
    value: watch::Sender<Option<&'static str>>,
    discovery: watch::Sender<Discovery>,
    /// Users, their groups, paths and codes of what was asked, metrics aside.
    requested: Arc<Mutex<BTreeSet<String>>>,
}

impl MetricsServer {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (value, seen) = watch::channel(None);
        let (discovery, form) = watch::channel(Discovery::Plain);
        let requested = Arc::new(Mutex::new(BTreeSet::new()));
        let log = Arc::clone(&requested);
        let acceptor = acceptor();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, seen, form, log) = (acceptor.clone(), seen.clone(), form.clone(), log.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                        let answer = answer(&request, *form.borrow(), *seen.borrow());
                        log.lock().unwrap().insert(line(&request, answer.status().as_u16()));
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
        Self { port, value, discovery, requested }
    }

    /// How it learns what it serves from now on.
    pub(super) fn serve_as(&self, discovery: Discovery) {
        self.discovery.send_replace(discovery);
    }

    /// Whether somebody asked so: `USER [GROUPS] PATH CODE`.
    pub(super) fn has_received(&self, line: &str) -> bool {
        self.requested.lock().unwrap().contains(line)
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

fn line(request: &Request<Incoming>, code: u16) -> String {
    let groups: Vec<_> =
        request.headers().get_all("x-remote-group").iter().filter_map(|group| group.to_str().ok()).collect();
    let user = request.headers().get("x-remote-user").map_or("nobody", |user| user.to_str().unwrap());
    format!("{user} [{}] {} {code}", groups.join(","), request.uri().path())
}

fn answer(request: &Request<Incoming>, discovery: Discovery, value: Option<&str>) -> Response<Full<Bytes>> {
    let header = |name: &str| request.headers().get(name).map_or("", |value| value.to_str().unwrap());
    let path = request.uri().path();
    let media = header("accept").split(',').next().unwrap_or_default();
    let is_refused = discovery == Discovery::RefusesGroupless && header("x-remote-group").is_empty();
    let failure = |code: u16, reason: &str| {
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": reason, "code": code});
        (code, "application/json", status)
    };
    let (code, media, body) = match (path, discovery) {
        _ if is_refused => failure(403, "Forbidden"),
        ("/apis", Discovery::Aggregated) if media.contains("as=APIGroupDiscoveryList") => {
            let resource = json!({"resource": "externalmetrics", "responseKind": {"group": "", "version": "", "kind": "ExternalMetricValueList"},
                "scope": "Namespaced", "singularResource": "", "verbs": ["get"]});
            let code = if header("if-none-match") == "\"one\"" { 304 } else { 200 };
            (
                code,
                media,
                json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": [{
                "metadata": {"name": "external.metrics.k8s.io"},
                "versions": [{"version": "v1beta1", "resources": [resource], "freshness": "Current"}]}]}),
            )
        }
        ("/openapi/v3", Discovery::Aggregated) => {
            let item = json!({"serverRelativeURL": "/openapi/v3/apis/external.metrics.k8s.io/v1beta1?hash=1"});
            (200, "application/json", json!({"paths": {"apis/external.metrics.k8s.io/v1beta1": item}}))
        }
        ("/openapi/v3/apis/external.metrics.k8s.io/v1beta1", Discovery::Aggregated) => {
            (200, "application/json", json!({"openapi": "3.0.0", "info": {"title": "theirs"}, "paths": {}}))
        }
        ("/apis" | "/openapi/v2" | "/openapi/v3", _) => failure(404, "NotFound"),
        (path, _) if path.ends_with("/v1beta1") => {
            let metric = json!({"name": "externalmetrics", "singularName": "", "namespaced": true, "kind": "ExternalMetricValueList", "verbs": ["get"]});
            let version = "external.metrics.k8s.io/v1beta1";
            (
                200,
                "application/json",
                json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": [metric]}),
            )
        }
        _ => match value {
            Some(value) => {
                let item = json!({"metricName": "depth", "timestamp": "2026-01-01T00:00:00Z", "value": value});
                let version = "external.metrics.k8s.io/v1beta1";
                (
                    200,
                    "application/json",
                    json!({"kind": "ExternalMetricValueList", "apiVersion": version, "items": [item]}),
                )
            }
            None => failure(404, "NotFound"),
        },
    };
    let response = Response::builder().status(code).header("content-type", media).header("etag", "\"one\"");
    let body = if code == 304 { String::new() } else { body.to_string() };
    response.body(Full::new(Bytes::from(body))).unwrap()
}
