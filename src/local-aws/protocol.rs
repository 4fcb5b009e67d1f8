//! The wire forms of answers: AWS JSON 1.0 and 1.1, query with XML, REST JSON.

pub(crate) mod foreign;
pub(crate) mod query;
pub(crate) mod xml;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use serde_json::{Map, Value, json};

use crate::fault::Fault;
use crate::request::{Request, Service};

/// An HTTP answer.
pub(crate) type Answer = Response<Full<Bytes>>;

/// How a call's answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// SQS, with the older protocol's error code in a header.
    Json10,
    /// ECR, the tagging API, CloudWatch Logs and Service Quotas.
    Json11,
    /// Forms in, XML out.
    Query(Service),
    /// A query service asked with `Accept: application/json`, as EKS token authenticators do.
    QueryAsJson,
    /// Forms in, XML of EC2's own shape out.
    Ec2,
    /// EKS.
    Rest,
}

impl Protocol {
    pub(crate) fn of(request: &Request, service: Service) -> Self {
        let wants_json = request.header("accept").is_some_and(|accept| accept.contains("application/json"));
        match service {
            Service::Sqs if request.header("x-amz-target").is_some() => Self::Json10,
            Service::Sqs => Self::Query(Service::Sqs),
            Service::Ecr | Service::Tagging | Service::CloudwatchLogs | Service::Quotas => Self::Json11,
            Service::Ec2 => Self::Ec2,
            Service::Eks => Self::Rest,
            _ if wants_json => Self::QueryAsJson,
            service => Self::Query(service),
        }
    }

    pub(crate) fn render(self, action: &str, result: Result<Value, Fault>, request_id: &str) -> Answer {
        match result {
            Ok(value) => self.success(action, value, request_id),
            Err(fault) => self.failure(&fault, request_id),
        }
    }

    fn success(self, action: &str, value: Value, request_id: &str) -> Answer {
        match self {
            Self::Json10 | Self::Json11 | Self::Rest => {
                let value = if value.is_null() { json!({}) } else { value };
                self.answer(200, &value.to_string(), request_id, None)
            }
            Self::Query(service) => {
                self.answer(200, &xml::success(service, action, &value, request_id), request_id, None)
            }
            Self::Ec2 => self.answer(200, &xml::ec2_success(action, &value, request_id), request_id, None),
            Self::QueryAsJson => {
                let mut response = Map::new();
                response.insert(format!("{action}Result"), value);
                response.insert("ResponseMetadata".into(), json!({ "RequestId": request_id }));
                let document = json!({ format!("{action}Response"): response });
                self.answer(200, &document.to_string(), request_id, None)
            }
        }
    }

    fn failure(self, fault: &Fault, request_id: &str) -> Answer {
        let side = if fault.is_sender() { "Sender" } else { "Receiver" };
        let message = &fault.message;
        match self {
            Self::Json10 => {
                let space = if fault.is_of_front() { "com.amazon.coral.service" } else { "com.amazonaws.sqs" };
                let body = json!({ "__type": format!("{space}#{}", fault.json_name()), "message": message });
                let header = ("x-amzn-query-error", format!("{};{side}", fault.code));
                self.answer(fault.status, &body.to_string(), request_id, Some(header))
            }
            Self::Json11 => {
                let body = json!({ "__type": fault.json_name(), "message": message });
                self.answer(fault.status, &body.to_string(), request_id, None)
            }
            Self::Rest => {
                let mut body = fault.details.clone();
                body.insert("message".into(), json!(message));
                let header = ("x-amzn-errortype", fault.json_name().to_owned());
                self.answer(fault.status, &Value::Object(body).to_string(), request_id, Some(header))
            }
            Self::Query(service) => {
                self.answer(fault.status, &xml::failure(service, fault, side, request_id), request_id, None)
            }
            Self::Ec2 => self.answer(fault.status, &xml::ec2_failure(fault, request_id), request_id, None),
            Self::QueryAsJson => {
                let body = json!({ "Error": { "Code": fault.code, "Message": message, "Type": side }, "RequestId": request_id });
                self.answer(fault.status, &body.to_string(), request_id, None)
            }
        }
    }

    fn answer(self, status: u16, body: &str, request_id: &str, header: Option<(&str, String)>) -> Answer {
        let kind = match self {
            Self::Json10 => "application/x-amz-json-1.0",
            Self::Json11 => "application/x-amz-json-1.1",
            Self::Query(_) => "text/xml",
            Self::Ec2 => "text/xml;charset=UTF-8",
            Self::QueryAsJson | Self::Rest => "application/json",
        };
        let mut builder =
            Response::builder().status(status).header("content-type", kind).header("x-amzn-requestid", request_id);
        if let Some((name, value)) = header {
            builder = builder.header(name, value);
        }
        builder.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap_or_default()
    }
}
