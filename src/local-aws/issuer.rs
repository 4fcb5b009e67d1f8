//! OIDC issuers as IAM sees them: the discovery document and the keys, fetched over HTTPS.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use clock::Clock;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::error::Error;

/// Real time that one fetch may take.
const FETCH_LIMIT: Duration = Duration::from_secs(5);
const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// Why an issuer's key could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0} could not be reached")]
    Unreachable(String),
    #[error("{0}")]
    Unusable(String),
}

/// Fetches issuers' keys and remembers them until a token names a key that is not among them.
pub(crate) struct Issuers {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    clock: Clock,
    known: Mutex<HashMap<String, JwkSet>>,
}

impl Issuers {
    pub(crate) fn new(trust_roots_pem: &str, clock: Clock) -> Result<Self, Error> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(trust_roots_pem.as_bytes()) {
            let certificate = certificate.map_err(|error| Error::TrustRoots(error.to_string()))?;
            roots.add(certificate).map_err(|error| Error::TrustRoots(error.to_string()))?;
        }
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::TrustRoots(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector =
            hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1().build();
        // No idle connections are kept: tokens are exchanged seldom.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { client, clock, known: Mutex::default() })
    }

    /// The key named `kid` of `issuer`, an `https` address.
    pub(crate) async fn key(&self, issuer: &str, kid: Option<&str>) -> Result<Jwk, Failure> {
        if let Some(key) =
            self.known.lock().unwrap_or_else(PoisonError::into_inner).get(issuer).and_then(|set| find(set, kid))
        {
            return Ok(key);
        }
        let discovery = self.fetch(&format!("{issuer}/.well-known/openid-configuration")).await?;
        if discovery.get("issuer").and_then(serde_json::Value::as_str) != Some(issuer) {
            return Err(Failure::Unusable(format!("the discovery document of {issuer} names another issuer")));
        }
        let keys = discovery
            .get("jwks_uri")
            .and_then(serde_json::Value::as_str)
            .ok_or_else(|| Failure::Unusable(format!("the discovery document of {issuer} has no jwks_uri")))?;
        let set: JwkSet = serde_json::from_value(self.fetch(keys).await?)
            .map_err(|error| Failure::Unusable(format!("the keys of {issuer} cannot be read: {error}")))?;
        let key = find(&set, kid);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(issuer.to_owned(), set);
        key.ok_or_else(|| Failure::Unusable(format!("{issuer} publishes no key {}", kid.unwrap_or("without a name"))))
    }

    async fn fetch(&self, address: &str) -> Result<serde_json::Value, Failure> {
        let uri = address.parse::<http::Uri>().map_err(|_| Failure::Unusable(format!("{address} is no address")))?;
        let exchange = async {
            let response =
                self.client.get(uri).await.map_err(|error| Failure::Unreachable(format!("{address} ({error})")))?;
            if !response.status().is_success() {
                return Err(Failure::Unusable(format!("{address} answered {}", response.status())));
            }
            let body = Limited::new(response.into_body(), DOCUMENT_BYTES_MAX).collect().await;
            let body = body.map_err(|error| Failure::Unreachable(format!("{address} ({error})")))?.to_bytes();
            serde_json::from_slice(&body).map_err(|error| Failure::Unusable(format!("{address} is no JSON: {error}")))
        };
        let limit = self.clock.to_system(FETCH_LIMIT);
        self.clock
            .timeout(limit, exchange)
            .await
            .unwrap_or_else(|_| Err(Failure::Unreachable(format!("{address} (timed out)"))))
    }
}

fn find(set: &JwkSet, kid: Option<&str>) -> Option<Jwk> {
    match kid {
        Some(kid) => set.find(kid).cloned(),
        None if set.keys.len() == 1 => set.keys.first().cloned(),
        None => None,
    }
}
