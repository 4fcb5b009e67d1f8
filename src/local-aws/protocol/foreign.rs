//! Refusals of services that the local cloud does not offer, each in the protocol of the call, so that clients show the words.
//!
//! Shapes: Smithy, "AWS Protocols"; EC2 API Reference, "Error codes"; S3 API Reference, "Error responses".

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use serde_json::{Value, json};

use super::Answer;
use super::xml::escape;
use crate::coverage::SERVICES;
use crate::request::Request;

/// Which protocol a call speaks, by what it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Ec2,
    S3,
    Query,
    RestXml,
    /// `application/x-amz-json-1.0` or `-1.1`.
    Json(&'static str),
    Cbor,
    RestJson,
}

/// Services of the REST XML protocol.
const REST_XML: [&str; 3] = ["route53", "cloudfront", "s3-control"];

impl Dialect {
    fn of(request: &Request, scope: &str) -> Self {
        let kind = request.header("content-type").unwrap_or_default();
        if request.header("smithy-protocol").is_some_and(|name| name == "rpc-v2-cbor") {
            return Self::Cbor;
        }
        if request.header("x-amz-target").is_some() {
            let newer = kind.contains("json-1.0");
            return Self::Json(if newer { "application/x-amz-json-1.0" } else { "application/x-amz-json-1.1" });
        }
        match scope {
            "ec2" => Self::Ec2,
            "s3" | "s3express" => Self::S3,
            scope if REST_XML.contains(&scope) => Self::RestXml,
            _ if request.form().get("Action").is_some() => Self::Query,
            _ => Self::RestJson,
        }
    }
}

/// The answer to a call of a service that is not offered.
pub(crate) fn refuse(request: &Request, request_id: &str) -> Answer {
    let scope = request.scope_service().unwrap_or_default();
    let dialect = Dialect::of(request, &scope);
    let message = words(request, &scope);
    let (kind, code, body) = write(dialect, &message, request_id);
    tracing::debug!(service = scope, ?dialect, message, "service not offered");
    let mut builder = Response::builder()
        .status(400)
        .header("content-type", kind)
        .header("x-amzn-requestid", request_id)
        .header("x-amz-request-id", request_id);
    builder = match dialect {
        Dialect::Cbor => builder.header("smithy-protocol", "rpc-v2-cbor"),
        Dialect::RestJson => builder.header("x-amzn-errortype", code),
        // A HEAD has no body that could say it.
        Dialect::S3 => builder.header("x-amz-error-code", code).header("x-amz-error-message", &message),
        _ => builder,
    };
    let body = if request.method == http::Method::HEAD { Bytes::new() } else { body };
    builder.body(Full::new(body)).unwrap_or_default()
}

fn words(request: &Request, scope: &str) -> String {
    let form = request.form();
    let operation = request
        .header("x-amz-target")
        .and_then(|target| target.rsplit('.').next())
        .or_else(|| form.get("Action").and_then(Value::as_str))
        .map_or_else(|| format!("{} {}", request.method, request.path), str::to_owned);
    let service = if scope.is_empty() { "this service".to_owned() } else { format!("the service {scope}") };
    let offered: Vec<_> = SERVICES.iter().map(|(_, name)| *name).collect();
    format!(
        "The local cloud does not offer {service} ({operation}). It offers {}; GET /_sluice/operations of this endpoint lists their operations.",
        offered.join(", ")
    )
}

/// Content type, error code and body.
fn write(dialect: Dialect, message: &str, request_id: &str) -> (&'static str, &'static str, Bytes) {
    let text = escape(message);
    let (kind, code, body) = match dialect {
        Dialect::Ec2 => (
            "text/xml;charset=UTF-8",
            "InvalidAction",
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Errors><Error><Code>InvalidAction</Code><Message>{text}</Message></Error></Errors><RequestID>{request_id}</RequestID></Response>"
            ),
        ),
        Dialect::S3 => (
            "application/xml",
            "NotImplemented",
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>NotImplemented</Code><Message>{text}</Message><RequestId>{request_id}</RequestId></Error>"
            ),
        ),
        Dialect::Query | Dialect::RestXml => (
            "text/xml",
            "InvalidAction",
            format!(
                "<?xml version=\"1.0\"?><ErrorResponse><Error><Type>Sender</Type><Code>InvalidAction</Code><Message>{text}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
            ),
        ),
        Dialect::Json(kind) => {
            (kind, UNKNOWN_OPERATION, json!({ "__type": UNKNOWN_OPERATION, "message": message }).to_string())
        }
        Dialect::RestJson => ("application/json", UNKNOWN_OPERATION, json!({ "message": message }).to_string()),
        Dialect::Cbor => {
            return (
                "application/cbor",
                UNKNOWN_OPERATION,
                cbor(&[("__type", UNKNOWN_OPERATION), ("message", message)]),
            );
        }
    };
    (kind, code, Bytes::from(body))
}

const UNKNOWN_OPERATION: &str = "UnknownOperationException";

/// A CBOR map of texts (RFC 8949): major type 5 with the count, then texts of major type 3 with lengths of two bytes.
fn cbor(pairs: &[(&str, &str)]) -> Bytes {
    let mut out = vec![0xa0 | pairs.len().min(23) as u8];
    for text in pairs.iter().flat_map(|(key, value)| [key, value]) {
        let length = text.len().min(usize::from(u16::MAX));
        out.push(0x79);
        out.extend((length as u16).to_be_bytes());
        out.extend(&text.as_bytes()[..length]);
    }
    Bytes::from(out)
}
