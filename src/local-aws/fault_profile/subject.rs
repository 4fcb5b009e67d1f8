//! What a call is about, read from its request alone.

use serde_json::Value;

use super::journal::Mark;
use crate::model;
use crate::protocol::Protocol;
use crate::request::{Request, Service};
use crate::strings;

/// A call: its operation, and the names of what it is about as far as it gives them.
pub(crate) struct Subject {
    pub(super) service: Service,
    /// Such as `CreateRole`.
    pub(super) operation: String,
    /// Whether answers are XML, so that a JSON value cannot stand for one.
    pub(super) is_query: bool,
    /// A role's name; for EKS that of the role that is given to it.
    pub(super) role: Option<String>,
    pub(super) cluster: Option<String>,
    /// The subnets that a Fargate profile is given.
    pub(super) subnets: Vec<String>,
    pub(super) queue: Option<String>,
    /// The URL of an OIDC issuer.
    pub(super) issuer: Option<String>,
    /// A trust policy.
    pub(super) trust: Option<String>,
}

impl Subject {
    pub(crate) fn of(service: Service, action: &str, protocol: Protocol, request: &Request) -> Self {
        let is_query = matches!(protocol, Protocol::Query(_) | Protocol::QueryAsJson);
        let body: Value = if is_query { request.form().clone() } else { json(request) };
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let mut subject = Self {
            service,
            operation: action.to_owned(),
            is_query,
            role: text("RoleName"),
            cluster: None,
            subnets: strings::list(body.get("subnets")),
            queue: text("QueueName").or_else(|| Some(text("QueueUrl")?.rsplit_once('/')?.1.to_owned())),
            issuer: text("Url"),
            trust: text("AssumeRolePolicyDocument").or_else(|| text("PolicyDocument")),
        };
        if service == Service::Eks {
            let segments = request.segments();
            let segments: Vec<_> = segments.iter().map(String::as_str).collect();
            let route = model::of(Service::Eks).route(request.method.as_str(), &segments);
            subject.operation = route.map(|(operation, _)| operation.to_owned()).unwrap_or_default();
            let of_path = segments.get(1).filter(|_| segments[0] == "clusters").map(|name| (*name).to_owned());
            subject.cluster = of_path.or_else(|| text("name"));
            let role = text("roleArn").or_else(|| text("podExecutionRoleArn"));
            subject.role = role.and_then(|arn| Some(arn.rsplit_once('/')?.1.to_owned()));
        }
        subject
    }

    /// What the call has done once it succeeded.
    pub(super) fn marks(&self) -> Vec<(Mark, &str)> {
        let marks: &[Mark] = match (self.service, self.operation.as_str()) {
            (Service::Iam, "CreateRole") => &[Mark::RoleMade, Mark::RoleChanged],
            (Service::Iam, "AttachRolePolicy" | "PutRolePolicy") => &[Mark::PolicyPut, Mark::RoleChanged],
            (Service::Iam, "DetachRolePolicy" | "DeleteRolePolicy") => &[Mark::PolicyTakenOff, Mark::RoleChanged],
            (Service::Iam, "UpdateRole" | "UpdateAssumeRolePolicy" | "TagRole" | "UntagRole") => &[Mark::RoleChanged],
            (Service::Sqs, "CreateQueue") => &[Mark::QueueMade],
            (Service::Sqs, "DeleteQueue") => &[Mark::QueueDeleted],
            _ => &[],
        };
        let of = if self.service == Service::Sqs { self.queue.as_deref() } else { self.role.as_deref() };
        marks.iter().filter_map(|mark| Some((*mark, of?))).collect()
    }
}

fn json(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap_or_default()
}
