//! Services that speak AWS JSON 1.1 (Smithy, "AWS JSON 1.1 protocol").

use serde_json::{Value, json};

use super::{Call, Service, send};
use crate::error::{Error, Result};
use crate::session::Session;

/// A service of this protocol.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonService {
    /// Its id in settings, such as `Service Quotas`.
    pub(crate) id: &'static str,
    /// Its name in signatures and hosts.
    pub(crate) name: &'static str,
    /// What its operations are called in the header `X-Amz-Target`, before the dot.
    pub(crate) target: &'static str,
}

impl JsonService {
    /// One call; the answer, which is an empty object where the service says nothing. `operation` is `service:Operation`.
    ///
    /// # Errors
    ///
    /// [`Error::Service`] if the service refuses. Another [`Error`] if the call gets no usable answer.
    pub(crate) async fn call(self, session: &Session, operation: &'static str, input: &Value) -> Result<Value> {
        let name = operation.split_once(':').map_or(operation, |(_, name)| name);
        let target = format!("{}.{name}", self.target);
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        let body = input.to_string();
        let service = Service { id: self.id, name: self.name, refusal };
        let text = send(session, service, Call { operation, headers: &headers, body: &body }).await?;
        if text.is_empty() {
            return Ok(json!({}));
        }
        serde_json::from_str(&text).map_err(|error| Error::answer(operation, error.to_string()))
    }
}

/// Code and message of a refusal: `__type`, and `message` in either spelling.
fn refusal(text: &str) -> Option<(String, String)> {
    let answer: Value = serde_json::from_str(text).ok()?;
    let code = answer["__type"].as_str()?.rsplit('#').next()?.to_owned();
    let message = answer["message"].as_str().or_else(|| answer["Message"].as_str()).unwrap_or_default();
    Some((code, message.to_owned()))
}
