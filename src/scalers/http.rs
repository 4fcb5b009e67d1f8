//! What triggers read over HTTP: one client for all that have the same TLS settings.
//!
//! reqwest, which the house has anyway for images: redirects, proxies of the environment and certificates are its own to know.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Identity};
use url::Url;

use crate::error::{Error, Result};
use crate::services::Services;
use crate::tls::{self, Tls};

/// Longest wait for an answer, real time, as KEDA's `KEDA_HTTP_DEFAULT_TIMEOUT` by default.
pub(crate) const READ_LIMIT: Duration = Duration::from_secs(3);
/// An answer that is longer is not read to its end.
const BODY_MAX: usize = 16 << 20;

/// A client for one address.
pub(crate) struct Http {
    services: Arc<Services>,
    client: Arc<std::result::Result<Client, String>>,
    limit: Duration,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Http {
    /// The client of all triggers with these settings.
    ///
    /// # Errors
    ///
    /// In words, if a certificate or key cannot be read.
    pub(crate) fn new(services: &Arc<Services>, tls: &Tls, limit: Duration) -> std::result::Result<Self, String> {
        let client = services.connections.get(tls.parts().to_vec(), || client(tls));
        match &*client {
            Ok(_) => Ok(Self { services: Arc::clone(services), client, limit }),
            Err(problem) => Err(problem.clone()),
        }
    }

    /// Reads `url` with these headers. `what` is read, for errors, which hold neither credentials nor a query.
    pub(crate) async fn get(&self, what: &str, url: Url, headers: HeaderMap) -> Result<Answer> {
        let failed = |problem: String| Error::Answer { what: what.to_owned(), problem };
        let client = self.client.as_ref().as_ref().map_err(|problem| failed(problem.clone()))?;
        let reading = async {
            let mut response = client.get(url).headers(headers).send().await.map_err(|error| failed(brief(error)))?;
            let status = response.status().as_u16();
            let mut body = Vec::new();
            while let Some(piece) = response.chunk().await.map_err(|error| failed(brief(error)))? {
                if body.len() + piece.len() > BODY_MAX {
                    return Err(failed(format!("the answer is longer than {} MiB", BODY_MAX >> 20)));
                }
                body.extend_from_slice(&piece);
            }
            Ok(Answer { status, body })
        };
        let clock = &self.services.clock;
        match clock.timeout(clock.to_system(self.limit), reading).await {
            Ok(answer) => answer,
            Err(clock::Elapsed) => Err(Error::TimedOut { what: what.to_owned(), limit: self.limit }),
        }
    }
}

fn client(tls: &Tls) -> std::result::Result<Client, String> {
    tls::install_provider();
    let mut builder = Client::builder().user_agent(concat!("sluice/", env!("CARGO_PKG_VERSION")));
    if let Some(ca) = &tls.ca {
        let certificates = Certificate::from_pem_bundle(ca.as_bytes())
            .ok()
            .filter(|all| !all.is_empty())
            .ok_or("the parameter ca holds no certificate in PEM")?;
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some((cert, key)) = &tls.identity {
        let identity = Identity::from_pem(format!("{cert}\n{key}\n").as_bytes())
            .map_err(|_| "the parameters cert and key hold no certificate with its key in PEM")?;
        builder = builder.identity(identity);
    }
    builder.tls_danger_accept_invalid_certs(tls.accepts_any).build().map_err(brief)
}

/// An error with its causes, without the address, whose query may hold a key.
fn brief(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut causes = vec![error.to_string()];
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    causes.dedup();
    causes.join(": ")
}

/// An address without what may be a credential in it: the user, the password and the query.
pub(crate) fn shown(url: &Url) -> String {
    format!("{}://{}{}{}", url.scheme(), url.host_str().unwrap_or_default(), port(url), url.path())
}

fn port(url: &Url) -> String {
    url.port().map(|port| format!(":{port}")).unwrap_or_default()
}

/// Adds a header whose value is a secret if `is_secret`; the name of the header if either cannot be one.
pub(crate) fn add_header(
    headers: &mut HeaderMap,
    name: &str,
    value: &str,
    is_secret: bool,
) -> std::result::Result<(), String> {
    let wrong = || format!("header {name:?} or its value has characters that no header may have");
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
    let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
    value.set_sensitive(is_secret);
    headers.append(name, value);
    Ok(())
}
