//! A record of each call in CloudTrail's shape (event version 1.11), one a line, with times to the microsecond.
//!
//! Of the request's parameters a record has those that name a queue or a role; bodies, tokens and keys reach no record.

use serde_json::{Map, Value, json};

use crate::caller::Caller;
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::identifier;
use crate::model;
use crate::request::{Request, Service};

/// The parameters that a record repeats, and CloudTrail's names for them.
const PARAMETERS: [(&str, &str); 4] = [
    ("QueueUrl", "queueUrl"),
    ("QueueName", "queueName"),
    ("RoleArn", "roleArn"),
    ("RoleSessionName", "roleSessionName"),
];

/// One answered call.
pub(crate) struct Answered<'a> {
    pub(crate) service: Service,
    pub(crate) action: &'a str,
    pub(crate) request: &'a Request,
    /// `None` if nobody could be authenticated.
    pub(crate) caller: Option<&'a Caller>,
    pub(crate) source: &'a str,
    pub(crate) request_id: &'a str,
    pub(crate) fault: Option<&'a Fault>,
}

/// Writes the record of a call, if records are kept.
pub(crate) fn record(cloud: &Cloud, answered: &Answered<'_>) {
    let Some(lines) = &cloud.logs.trail else { return };
    let Answered { service, request, .. } = *answered;
    let mut record = json!({
        "eventVersion": "1.11", "eventType": "AwsApiCall", "eventID": identifier::uuid(),
        "eventTime": format!("{:.6}", cloud.clock.now()), "eventSource": source_name(service),
        "eventName": name(answered), "awsRegion": cloud.region, "recipientAccountId": cloud.account,
        "sourceIPAddress": answered.source, "userAgent": request.header("user-agent").unwrap_or_default(),
        "userIdentity": identity(answered.caller, &cloud.account), "requestParameters": parameters(service, request),
        "requestID": answered.request_id,
    });
    if let Some(fault) = answered.fault {
        record["errorCode"] = json!(fault.code);
        record["errorMessage"] = json!(fault.message);
    }
    lines.write(record.to_string());
}

fn source_name(service: Service) -> &'static str {
    match service {
        Service::Sqs => "sqs.amazonaws.com",
        Service::Sts => "sts.amazonaws.com",
        Service::Iam => "iam.amazonaws.com",
        Service::Eks => "eks.amazonaws.com",
        Service::Ecr => "ecr.amazonaws.com",
        Service::Tagging => "tagging.amazonaws.com",
        Service::CloudwatchLogs => "logs.amazonaws.com",
        Service::Ec2 => "ec2.amazonaws.com",
        Service::Quotas => "servicequotas.amazonaws.com",
    }
}

fn name(answered: &Answered<'_>) -> String {
    if answered.service != Service::Eks {
        return answered.action.to_owned();
    }
    let segments = answered.request.segments();
    let segments: Vec<_> = segments.iter().map(String::as_str).collect();
    let route = model::of(Service::Eks).route(answered.request.method.as_str(), &segments);
    route.map(|(operation, _)| operation.to_owned()).unwrap_or_default()
}

fn identity(caller: Option<&Caller>, account: &str) -> Value {
    let Some(caller) = caller else { return json!({ "type": "Unknown" }) };
    let kind = match caller {
        Caller::Session(_) => "AssumedRole",
        Caller::UserSession(session) if session.federated.is_some() => "FederatedUser",
        Caller::User { .. } | Caller::UserSession(_) => "IAMUser",
        Caller::Anonymous => {
            return json!({ "type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL" });
        }
    };
    json!({ "type": kind, "principalId": caller.user_id(), "arn": caller.arn(), "accountId": account })
}

fn parameters(service: Service, request: &Request) -> Value {
    let body = match service {
        Service::Sqs if request.header("x-amz-target").is_some() => serde_json::from_slice(&request.body).ok(),
        Service::Sqs | Service::Sts | Service::Iam => Some(request.form().clone()),
        Service::Eks | Service::Ecr | Service::Tagging | Service::CloudwatchLogs | Service::Ec2 | Service::Quotas => {
            None
        }
    };
    let given = PARAMETERS.into_iter().filter_map(|(name, shown)| {
        let value = body.as_ref()?.get(name)?.as_str()?;
        Some((shown.to_owned(), json!(value)))
    });
    let given: Map<String, Value> = given.collect();
    if given.is_empty() { Value::Null } else { Value::Object(given) }
}
