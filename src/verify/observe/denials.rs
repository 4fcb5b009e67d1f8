//! The AWS endpoint's list of refused requests, where it offers one.

use std::collections::BTreeSet;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use url::Url;

use crate::observation::{Denial, Observation, Source};
use crate::observe::Observer;

type Http = Client<HttpConnector, Empty<Bytes>>;

/// Asks at every turn of the cadence and records what is new.
pub(crate) async fn observe(observer: Observer, url: String) {
    let http: Http = Client::builder(TokioExecutor::new()).build_http();
    let mut seen = BTreeSet::new();
    let mut address = match Url::parse(&url) {
        Ok(address) => address,
        Err(error) => return observer.recorder.failure(Source::Denials, &url, error),
    };
    if let Some(since) = observer.since {
        address.query_pairs_mut().append_pair("since", &since.to_string());
    }
    loop {
        match fetch(&http, &address).await {
            Ok(items) => {
                for item in items.iter().filter(|item| seen.insert(item.to_string())) {
                    let observation = Observation::Denial(denial(item));
                    if !observer.settings.is_of_another(&observation) {
                        let time = time(item).unwrap_or_else(|| observer.settings.clock.now());
                        observer.recorder.record_at(time, Source::Denials, observation);
                    }
                }
            }
            Err(error) => observer.recorder.failure(Source::Denials, &url, error),
        }
        observer.settings.clock.sleep(observer.settings.cadence()).await;
    }
}

async fn fetch(http: &Http, url: &Url) -> Result<Vec<Value>, String> {
    let uri = url.as_str().parse().map_err(|error| format!("{error}"))?;
    let response = http.get(uri).await.map_err(|error| error.to_string())?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    if !status.is_success() {
        return Err(format!("HTTP status {status}"));
    }
    let value: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    let list = value.get("denials").unwrap_or(&value);
    list.as_array().cloned().ok_or_else(|| "the answer is not a list".to_owned())
}

fn time(item: &Value) -> Option<jiff::Timestamp> {
    item.get("at")?.as_str()?.parse().ok()
}

/// Takes what matters: who, what, on what, and the endpoint's reasons, which name policy and statement.
fn denial(item: &Value) -> Denial {
    let text = |key: &str| item.get(key).map(plain).unwrap_or_default();
    let reasons: Vec<_> = item.get("reasons").and_then(Value::as_array).into_iter().flatten().map(plain).collect();
    let reason = if reasons.is_empty() { text("message") } else { reasons.join("; ") };
    Denial { principal: text("principal"), action: text("action"), resource: text("resource"), reason }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_denial_gives_its_reasons_and_else_its_message() {
        let mut item = json!({"at": "2026-01-01T00:00:00Z", "principal": "p", "action": "a", "resource": "r", "message": "not allowed",
            "reasons": ["trust policy of role/scaler, statement 0: condition sub differs", "no other statement"]});
        let refusals = denial(&item);
        assert_eq!(
            refusals.reason,
            "trust policy of role/scaler, statement 0: condition sub differs; no other statement"
        );
        assert_eq!((refusals.principal.as_str(), refusals.resource.as_str()), ("p", "r"));
        item["reasons"] = json!([]);
        assert_eq!(denial(&item).reason, "not allowed");
    }
}
