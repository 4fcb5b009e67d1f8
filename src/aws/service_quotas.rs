//! One read of Service Quotas: the value that is in force for this account.
//!
//! Service Quotas API Reference, GetServiceQuota and GetAWSDefaultServiceQuota.

use serde_json::json;

use crate::error::{Error, Result};
use crate::session::Session;
use crate::signed::json::JsonService;

const SERVICE: JsonService =
    JsonService { id: "Service Quotas", name: "servicequotas", target: "ServiceQuotasV20190624" };

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
    let input = json!({ "ServiceCode": service, "QuotaCode": quota });
    let answer = SERVICE.call(session, operation, &input).await?;
    answer["Quota"]["Value"].as_f64().ok_or_else(|| Error::answer(operation, "it has no value"))
}
