//! STS: who am I, and becoming somebody else for a while.

mod assume;
mod session;
mod web_identity;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::caller::Call;
use crate::cloud::Cloud;
use crate::fault::Fault;

pub(crate) use session::Sessions;

/// Performs `action` with the query parameters `input`.
pub(crate) async fn call(cloud: &Arc<Cloud>, call: &Call, action: &str, input: &Value) -> Result<Value, Fault> {
    match action {
        // Needs no permission; not even an explicit deny refuses it.
        "GetCallerIdentity" => Ok(json!({
            "UserId": call.caller.user_id(),
            "Account": cloud.account,
            "Arn": call.caller.arn(),
        })),
        "AssumeRole" => assume::assume_role(cloud, call, input),
        "AssumeRoleWithWebIdentity" => web_identity::assume_role(cloud, call, input).await,
        other => {
            Err(Fault::sender("InvalidAction", format!("Could not find operation {other} for version 2011-06-15")))
        }
    }
}

/// A required, non-empty parameter.
fn required<'a>(input: &'a Value, name: &str) -> Result<&'a str, Fault> {
    input.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).ok_or_else(|| {
        let member = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
        Fault::sender(
            "ValidationError",
            format!("1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"),
        )
    })
}
