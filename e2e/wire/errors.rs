//! Which errors an operation may answer with, and with which status.

use serde_json::Value;

use super::model::{Model, Operation};

/// Errors of every operation, in the spellings of the protocols ("Common Error Types" of the services' API references, and the
/// SQS API Reference's "Common Errors").
const COMMON: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InternalFailure",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "SerializationException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "SignatureDoesNotMatch",
    "Throttling",
    "ThrottlingException",
    "UnrecognizedClientException",
    "ValidationError",
    "ValidationException",
];

/// Errors that AWS gives although the model of the operation does not list them, each with where that is known from.
const BESIDE_THE_MODEL: &[(&str, &str, &str)] = &[
    (
        "eks:CreateFargateProfile",
        "ResourceInUseException",
        "EKS User Guide, \"Define which Pods use AWS Fargate\"; eksctl-io/eksctl 8514",
    ),
    ("iam:AttachRolePolicy", "ConcurrentModification", "hashicorp/terraform-provider-aws issue 34371"),
];

/// Errors of EC2, whose model lists none (EC2 API Reference, "Error codes"): what its operations of this product can meet.
const EC2: &[&str] = &[
    "AuthFailure",
    "InvalidAction",
    "InvalidParameterValue",
    "InvalidSubnetID.NotFound",
    "InvalidVpcID.NotFound",
    "MissingParameter",
    "RequestExpired",
    "RequestLimitExceeded",
    "UnauthorizedOperation",
    "UnknownParameter",
];

/// What is wrong with an error as the answer of this operation.
pub(super) fn violations(
    model: &Model,
    (service, name, operation): (&str, &str, Operation<'_>),
    (status, code, body): (u64, &str, &Value),
) -> Vec<String> {
    let mut found = Vec::new();
    let spelled = |shape: &str| {
        let given = model.shape(shape)["error"]["code"].as_str();
        [Some(shape), given].into_iter().flatten().any(|known| known == code)
    };
    let beside = BESIDE_THE_MODEL.iter().any(|(of, known, _)| *of == format!("{service}:{name}") && *known == code);
    match operation.errors().find(|shape| spelled(shape)) {
        Some(shape) => {
            let shape = model.shape(shape);
            if let Some(documented) = shape["error"]["httpStatusCode"].as_u64().filter(|one| *one != status) {
                found.push(format!("{code} has the status {documented}, not {status}"));
            }
            // Each protocol adds a few of its own.
            let own = ["__type", "message", "Message", "Code", "Type"];
            let unknown = body.as_object().into_iter().flatten().filter(|(member, value)| {
                !own.contains(&member.as_str()) && !value.is_null() && shape["members"].get(member.as_str()).is_none()
            });
            found.extend(unknown.map(|(member, _)| format!("{code} has no member {member}")));
        }
        None if COMMON.contains(&code) || beside || service == "ec2" && EC2.contains(&code) => {}
        None => found.push(format!("{code} is no documented error")),
    }
    if !(400..600).contains(&status) {
        found.push(format!("an error has the status {status}"));
    }
    let message = ["message", "Message"].iter().find_map(|name| body[*name].as_str());
    if message.is_none_or(str::is_empty) {
        found.push(format!("{code} has no message"));
    }
    found
}
