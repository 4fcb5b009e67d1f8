//! Roles that a service keeps for itself in the account: made with the first thing that needs them, by whoever makes that, and
//! changed by nobody else (IAM User Guide, "Using service-linked roles").

use jiff::Timestamp;
use serde_json::{Value, json};

use super::store::Store;
use crate::fault::Fault;

const PATH: &str = "/aws-service-role/";

impl Store {
    /// The ARN of a service's role of this name.
    pub(crate) fn service_linked_arn(&self, service: &str, name: &str) -> String {
        format!("arn:aws:iam::{}:role{PATH}{service}/{name}", self.account)
    }

    pub(crate) fn add_service_linked(&mut self, service: &str, name: &str, now: Timestamp) -> Result<(), Fault> {
        let trust = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" },
        ] });
        let path = format!("{PATH}{service}/");
        let input = json!({ "RoleName": name, "Path": path, "AssumeRolePolicyDocument": trust.to_string() });
        self.create_role(&input, now).map(drop)
    }

    /// Refuses to change a role that is a service's own.
    pub(super) fn keep_service_linked(&self, action: &str, input: &Value) -> Result<(), Fault> {
        let reads = action.starts_with("Get") || action.starts_with("List");
        let role = input.get("RoleName").and_then(Value::as_str).and_then(|name| self.roles.get(name));
        match role.filter(|role| !reads && role.path.starts_with(PATH)) {
            Some(role) => Err(Fault::sender(
                "UnmodifiableEntity",
                format!(
                    "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS",
                    role.name
                ),
            )),
            None => Ok(()),
        }
    }
}
