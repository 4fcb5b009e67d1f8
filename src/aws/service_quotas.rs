//! One read of Service Quotas: the value that is in force for this account.
//!
//! AWS JSON 1.1; Service Quotas API Reference, GetServiceQuota and GetAWSDefaultServiceQuota.

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::session::Session;
use crate::signed::{self, Call, Service};

const SERVICE: Service = Service { id: "Service Quotas", name: "servicequotas", refusal };

/// The quota's value.
///
/// # Errors
///
/// [`Error::Service`] if the service refuses. Another [`Error`] if the call gets no usable answer.
pub async fn value(session: &Session, service: &str, quota: &str) -> Result<f64> {
    match call(session, "servicequotas:GetServiceQuota", service, quota).await {
        // Nothing was ever granted, so AWS's default is in force (User Guide, "Viewing service quotas").
        Err(error) if error.code() == Some("NoSuchResourceException") => {
            call(session, "servicequotas:GetAWSDefaultServiceQuota", service, quota).await
        }
        read => read,
    }
}

async fn call(session: &Session, operation: &'static str, service: &str, quota: &str) -> Result<f64> {
    let target = format!("ServiceQuotasV20190624.{}", operation.rsplit(':').next().unwrap_or(operation));
    let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
    let body = json!({ "ServiceCode": service, "QuotaCode": quota }).to_string();
    let text = signed::send(session, SERVICE, Call { operation, headers: &headers, body: &body }).await?;
    let answer: Value = serde_json::from_str(&text).map_err(|error| Error::answer(operation, error.to_string()))?;
    answer["Quota"]["Value"].as_f64().ok_or_else(|| Error::answer(operation, "it has no value"))
}

/// Smithy, "AWS JSON 1.1 protocol": `__type`, and `message` in either spelling.
fn refusal(text: &str) -> Option<(String, String)> {
    let answer: Value = serde_json::from_str(text).ok()?;
    let code = answer["__type"].as_str()?.rsplit('#').next()?.to_owned();
    let message = answer["message"].as_str().or_else(|| answer["Message"].as_str()).unwrap_or_default();
    Some((code, message.to_owned()))
}
