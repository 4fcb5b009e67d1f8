//! STS: who am I, and becoming somebody else for a while.

mod assume;
mod input;
pub(crate) mod session;
mod session_policy;
mod session_tags;
mod token;
mod web_identity;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::authorization::Access;
use crate::caller::{Call, Caller};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::request::Service;
use crate::validation::required;
use crate::{coverage, intake, model};

/// Performs `action` with the query parameters `input`.
pub(crate) async fn call(cloud: &Arc<Cloud>, call: &Call, action: &str, input: &Value) -> Result<Value, Fault> {
    if let Caller::UserSession(_) = &call.caller
        && !matches!(action, "AssumeRole" | "GetCallerIdentity")
    {
        return Err(Fault::access_denied(format!("Cannot call {action} with session credentials")));
    }
    intake::check(Service::Sts, action, input)?;
    match action {
        // Needs no permission; not even an explicit deny refuses it.
        "GetCallerIdentity" => Ok(json!({
            "UserId": call.caller.user_id(),
            "Account": cloud.account,
            "Arn": call.caller.arn(),
        })),
        "AssumeRole" => assume::assume_role(cloud, call, input),
        "AssumeRoleWithWebIdentity" => web_identity::assume_role(cloud, call, input).await,
        "GetSessionToken" => token::of_user(cloud, call, input),
        "GetFederationToken" => token::federated(cloud, call, input),
        "GetAccessKeyInfo" => {
            cloud.authorize(call, Access::new("sts:GetAccessKeyInfo", "*"))?;
            let id = required(input, "AccessKeyId")?;
            let unknown =
                || Fault::sender("ValidationError", format!("The access key {id} is not of the local cloud."));
            cloud.sts().knows(id).then(|| json!({ "Account": cloud.account })).ok_or_else(unknown)
        }
        other => Err(coverage::not_offered(Service::Sts, other).unwrap_or_else(|| {
            Fault::sender(
                "InvalidAction",
                format!("Could not find operation {other} for version {}", model::of(Service::Sts).version),
            )
        })),
    }
}
