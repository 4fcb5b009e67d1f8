//! A queue's name in its other forms: the ARN, the address that clients get, and what `QueueUrl` may hold.

use serde_json::{Value, json};

use super::input::required;
use super::store::no_queue;
use crate::caller::Call;
use crate::cloud::Cloud;
use crate::fault::Fault;

pub(super) fn arn(cloud: &Cloud, name: &str) -> String {
    format!("arn:aws:sqs:{}:{}:{name}", cloud.region, cloud.account)
}

/// The queue that `QueueUrl` means: a URL of this account, or a bare name.
pub(super) fn queue_name(cloud: &Cloud, input: &Value) -> Result<String, Fault> {
    let url = required(input, "QueueUrl")?;
    let parts: Vec<_> = url.trim_end_matches('/').rsplitn(3, '/').collect();
    match parts.as_slice() {
        [name] => Ok((*name).to_owned()),
        [name, account, ..] if *account == cloud.account => Ok((*name).to_owned()),
        _ => Err(no_queue()),
    }
}

/// Where clients reach the queue: the host that they came in on.
pub(super) fn address(cloud: &Cloud, call: &Call, name: &str) -> Value {
    json!(format!("http://{}/{}/{name}", call.host, cloud.account))
}
