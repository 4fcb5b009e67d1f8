//! LocalStack's own page: which services it has.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use clock::Clock;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::{Error, Result};

/// Real time for the answer.
const LIMIT: Duration = Duration::from_secs(5);
const BODY_BYTES_MAX: usize = 1 << 20;

/// The services that LocalStack at `endpoint` (plain HTTP) has, with their states.
///
/// # Errors
///
/// [`Error::Unreachable`] if nothing answers. [`Error::Foreign`] if something answers that is not LocalStack, or
/// `endpoint` is no URL.
pub async fn services(endpoint: &str, clock: &Clock) -> Result<BTreeMap<String, String>> {
    let endpoint = endpoint.trim_end_matches('/');
    let foreign = |cause: String| Error::Foreign { endpoint: endpoint.to_owned(), cause };
    let unreachable = |cause: String| Error::Unreachable { endpoint: endpoint.to_owned(), cause };
    let address = format!("{endpoint}/_localstack/health");
    let uri: http::Uri = address.parse().map_err(|error| foreign(format!("{error}")))?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let exchange = async {
        let response = client.get(uri).await.map_err(|error| unreachable(chain(&error)))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| unreachable(error.to_string()))?.to_bytes();
        if !status.is_success() {
            return Err(foreign(format!("its health page answers {status}")));
        }
        read(&body).ok_or_else(|| foreign("its health page lists no services".to_owned()))
    };
    match clock.timeout(clock.to_system(LIMIT), exchange).await {
        Ok(answer) => answer,
        Err(clock::Elapsed) => Err(unreachable(format!("no answer within {} s", LIMIT.as_secs()))),
    }
}

fn read(body: &[u8]) -> Option<BTreeMap<String, String>> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let services = value.get("services")?.as_object()?.iter();
    Some(services.map(|(name, state)| (name.clone(), state.as_str().unwrap_or_default().to_owned())).collect())
}

fn chain(error: &hyper_util::client::legacy::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_list_of_services_is_localstacks() {
        let page = br#"{"services": {"sqs": "available", "eks": "disabled"}, "edition": "community"}"#;
        assert_eq!(read(page).unwrap()["sqs"], "available");
        assert_eq!(read(b"<html>hello</html>"), None);
        assert_eq!(read(b"{\"status\": \"ok\"}"), None);
    }

    #[tokio::test]
    async fn nobody_there_is_reported_with_the_endpoint() {
        // Port 9 (discard) is bound by nobody here, and a loopback connection is refused at once.
        let error = services("http://127.0.0.1:9", &Clock::real()).await.unwrap_err();
        assert!(matches!(&error, Error::Unreachable { endpoint, .. } if endpoint == "http://127.0.0.1:9"), "{error}");
    }
}
