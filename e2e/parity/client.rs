//! A plain HTTP client: what it sends is what the recording says, byte for byte, and any answer is an answer.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::Value;
use tokio::runtime::Runtime;

/// Real time after which an answer counts as never coming.
const ANSWER_LIMIT: Duration = Duration::from_mins(2);

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

pub(crate) struct Http {
    runtime: Runtime,
    client: Client<HttpsConnector<HttpConnector>, Full<bytes::Bytes>>,
}

impl Http {
    /// A client that trusts these certificates (PEM).
    pub(crate) fn new(authorities: &str) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authorities.as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = tls.with_root_certificates(roots).with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { runtime, client: Client::builder(TokioExecutor::new()).build(connector) }
    }

    #[expect(clippy::disallowed_methods, reason = "a black-box test waits in real time")]
    pub(crate) fn ask(&self, method: &str, url: &str, headers: &[(String, String)], body: &str) -> Answer {
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::from(body.to_owned())).unwrap();
        let exchange = async {
            let answer = self.client.request(request).await.unwrap();
            let (parts, body) = answer.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            Answer {
                status: parts.status.as_u16(),
                headers: parts.headers,
                text: String::from_utf8_lossy(&bytes).into_owned(),
            }
        };
        let answer = self.runtime.block_on(async { tokio::time::timeout(ANSWER_LIMIT, exchange).await });
        answer.unwrap_or_else(|_| panic!("{method} {url}: no answer within {} s", ANSWER_LIMIT.as_secs()))
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        self.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    }

    /// The body as JSON, where it is that.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.text).ok()
    }
}
