//! CloudWatch Logs, as far as log groups need it.
//!
//! CloudWatch Logs API Reference.

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::session::Session;
use crate::signed::json::JsonService;

const SERVICE: JsonService = JsonService { id: "CloudWatch Logs", name: "logs", target: "Logs_20140328" };

/// A log group as `DescribeLogGroups` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogGroup {
    pub(crate) name: String,
    /// Without `:*` at its end.
    pub(crate) arn: String,
    /// For ever, if none.
    pub(crate) retention_days: Option<u64>,
}

/// The group of this very name.
pub(crate) async fn group(session: &Session, name: &str) -> Result<Option<LogGroup>> {
    const OPERATION: &str = "logs:DescribeLogGroups";
    let mut token = Value::Null;
    loop {
        let mut input = json!({ "logGroupNamePrefix": name });
        if !token.is_null() {
            input["nextToken"] = token;
        }
        let answer = request(session, OPERATION, &input).await?;
        let groups = answer["logGroups"].as_array().ok_or_else(|| Error::answer(OPERATION, "it holds no list"))?;
        if let Some(found) = groups.iter().find(|group| group["logGroupName"] == name) {
            let arn = found["logGroupArn"].as_str().or_else(|| found["arn"].as_str()?.strip_suffix(":*"));
            let arn = arn.ok_or_else(|| Error::answer(OPERATION, "a group has no ARN"))?.to_owned();
            let retention_days = found["retentionInDays"].as_u64();
            return Ok(Some(LogGroup { name: name.to_owned(), arn, retention_days }));
        }
        token = answer["nextToken"].clone();
        if token.is_null() {
            return Ok(None);
        }
    }
}

/// The tags of the group with this ARN.
pub(crate) async fn tags(session: &Session, arn: &str) -> Result<Value> {
    const OPERATION: &str = "logs:ListTagsForResource";
    let answer = request(session, OPERATION, &json!({ "resourceArn": arn })).await?;
    Ok(answer.get("tags").cloned().unwrap_or_else(|| json!({})))
}

/// Any other operation; the answers of those that change something say nothing.
pub(crate) async fn request(session: &Session, operation: &'static str, input: &Value) -> Result<Value> {
    SERVICE.call(session, operation, input).await
}
