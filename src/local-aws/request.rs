//! A request as it came over the wire, and the service it is meant for.

use std::sync::OnceLock;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::protocol::query;

/// The request, whole.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// The path, still percent-encoded.
    pub(crate) path: String,
    /// The query string, still percent-encoded, without `?`.
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    form: OnceLock<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Sqs,
    Sts,
    Iam,
    Eks,
    Ecr,
    Tagging,
    CloudwatchLogs,
    Ec2,
    Quotas,
}

impl Service {
    /// The name in a credential scope.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::Eks => "eks",
            Self::Tagging => "tagging",
            Self::CloudwatchLogs => "logs",
            Self::Ecr => "ecr",
            Self::Ec2 => "ec2",
            Self::Quotas => "servicequotas",
        }
    }

    /// By the name in a credential scope.
    pub(crate) fn by_scope(name: &str) -> Option<Self> {
        Some(match name {
            "sqs" => Self::Sqs,
            "sts" => Self::Sts,
            "iam" => Self::Iam,
            "eks" => Self::Eks,
            "ecr" => Self::Ecr,
            "tagging" => Self::Tagging,
            "logs" => Self::CloudwatchLogs,
            "ec2" => Self::Ec2,
            "servicequotas" => Self::Quotas,
            _ => return None,
        })
    }
}

impl Request {
    pub(crate) fn new(parts: Parts, body: Bytes) -> Self {
        let (path, query) = (parts.uri.path().to_owned(), parts.uri.query().unwrap_or_default().to_owned());
        Self { method: parts.method, path, query, headers: parts.headers, body, form: OnceLock::new() }
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A decoded query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        pairs(&self.query).find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// All decoded values of a query parameter.
    pub(crate) fn parameters(&self, name: &str) -> Vec<String> {
        pairs(&self.query).filter(|(key, _)| key == name).map(|(_, value)| value).collect()
    }

    /// The decoded segments of the path.
    pub(crate) fn segments(&self) -> Vec<String> {
        self.path.split('/').filter(|segment| !segment.is_empty()).map(decode).collect()
    }

    /// The parameters of a query-protocol call, from the query string and a form body, unflattened. Decoded once.
    pub(crate) fn form(&self) -> &Value {
        self.form.get_or_init(|| self.decode_form())
    }

    fn decode_form(&self) -> Value {
        let body = String::from_utf8_lossy(&self.body);
        let is_form =
            self.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let body = if is_form { body.as_ref() } else { "" };
        query::tree(pairs(&self.query).chain(pairs(body)))
    }

    /// The service named by the credential scope, else by what an unsigned call looks like.
    pub(crate) fn service(&self) -> Option<Service> {
        if let Some(scope) = self.scope_service() {
            return Service::by_scope(&scope);
        }
        if let Some(target) = self.header("x-amz-target") {
            return match target.split('.').next() {
                Some("AmazonSQS") => Some(Service::Sqs),
                Some("AmazonEC2ContainerRegistry_V20150921") => Some(Service::Ecr),
                Some("ResourceGroupsTaggingAPI_20170126") => Some(Service::Tagging),
                Some("Logs_20140328") => Some(Service::CloudwatchLogs),
                _ => None,
            };
        }
        if let Some(action) = self.form().get("Action").and_then(Value::as_str) {
            return Some(match action {
                "AssumeRole"
                | "AssumeRoleWithWebIdentity"
                | "AssumeRoleWithSAML"
                | "GetCallerIdentity"
                | "GetSessionToken" => Service::Sts,
                name if name.contains("Queue") || name.contains("Message") => Service::Sqs,
                _ => Service::Iam,
            });
        }
        matches!(self.segments().first().map(String::as_str), Some("clusters" | "addons" | "access-policies" | "tags"))
            .then_some(Service::Eks)
    }

    /// The service's name in the scope of the signature.
    pub(crate) fn scope_service(&self) -> Option<String> {
        let credential = match self.header("authorization") {
            Some(header) => header.split("Credential=").nth(1)?.split([',', ' ']).next()?.to_owned(),
            None => self.parameter("X-Amz-Credential")?,
        };
        credential.split('/').nth(3).map(str::to_owned)
    }
}

/// Decoded `name=value` pairs; `+` is a space.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")))
    })
}

pub(crate) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
