//! A log of whole requests and answers, one exchange a line: what a call looked like on the wire, and what IAM was asked for it.
//!
//! Keys, tokens and signatures are blotted out, letter by letter, so that their length and their form stay; headers are left out but
//! for those that say how to read a body. All else stands as it was sent.

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use serde_json::{Map, Value, json};

use crate::caller::Caller;
use crate::cloud::Cloud;
use crate::protocol::Answer;
use crate::questions::Questions;
use crate::request::{self, Request, Service};

/// Headers that say how to read a body.
const HEADERS: [&str; 5] =
    ["content-type", "x-amz-target", "x-amzn-errortype", "x-amzn-query-error", "x-amzn-requestid"];
/// Members whose values are secret, in whatever protocol.
const SECRET: [&str; 3] = ["SecretAccessKey", "SessionToken", "WebIdentityToken"];
/// The same of presigned addresses.
const SECRET_IN_ADDRESS: [&str; 3] = ["X-Amz-Credential", "X-Amz-Security-Token", "X-Amz-Signature"];

/// One answered call.
pub(crate) struct Exchange<'a> {
    pub(crate) service: Service,
    pub(crate) request: &'a Request,
    /// `None` if nobody could be authenticated.
    pub(crate) caller: Option<&'a Caller>,
    pub(crate) questions: &'a Questions,
}

/// Writes down a call with its answer, if that is wanted; gives the answer back.
pub(crate) async fn record(cloud: &Cloud, exchange: Exchange<'_>, answer: Answer) -> Answer {
    let Some(lines) = &cloud.logs.wire else { return answer };
    let Exchange { service, request, caller, questions } = exchange;
    let (parts, body) = answer.into_parts();
    // What is in memory already is collected at once, and never fails.
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let line = json!({
        "at": format!("{:.6}", cloud.clock.now()), "service": service.name(),
        "caller": caller.map(Caller::arn), "userAgent": request.header("user-agent"),
        "request": {
            "method": request.method.as_str(), "path": request.path, "query": form(&request.query),
            "headers": headers(&request.headers), "body": text(&request.headers, &request.body),
        },
        "authorized": questions.take(),
        "answer": {
            "status": parts.status.as_u16(), "headers": headers(&parts.headers), "body": text(&parts.headers, &body),
        },
    });
    lines.write(line.to_string());
    Answer::from_parts(parts, http_body_util::Full::new(body))
}

fn headers(all: &HeaderMap) -> Map<String, Value> {
    let named = HEADERS.into_iter().filter_map(|name| Some((name.to_owned(), json!(all.get(name)?.to_str().ok()?))));
    named.collect()
}

/// A body without its secrets.
fn text(headers: &HeaderMap, body: &Bytes) -> String {
    let text = String::from_utf8_lossy(body);
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/x-www-form-urlencoded") {
        return form(&text);
    }
    match serde_json::from_str::<Value>(&text) {
        Ok(mut value) => {
            blot(&mut value);
            value.to_string()
        }
        Err(_) => elements(&text),
    }
}

fn blotted(secret: &str) -> String {
    "x".repeat(secret.chars().count())
}

fn blot(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(secret) if SECRET.contains(&name.as_str()) => *secret = blotted(secret),
                    other => blot(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(blot),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Form or query string.
fn form(text: &str) -> String {
    let is_secret = |name: &str| SECRET.contains(&name) || SECRET_IN_ADDRESS.contains(&name);
    let pairs = text.split('&').map(|pair| match pair.split_once('=') {
        Some((name, value)) if is_secret(name) => format!("{name}={}", blotted(&request::decode(value))),
        _ => pair.to_owned(),
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// XML.
fn elements(text: &str) -> String {
    let mut text = text.to_owned();
    for name in SECRET {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let mut from = 0;
        while let Some(start) = text[from..].find(&open).map(|at| from + at + open.len()) {
            let Some(end) = text[start..].find(&close).map(|at| start + at) else { break };
            let secret = blotted(&text[start..end]);
            text.replace_range(start..end, &secret);
            from = start;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_blotted_out_in_every_protocol() {
        let kind = |kind: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", kind.parse().unwrap());
            headers
        };
        for (headers, body, expected) in [
            (
                kind("application/x-www-form-urlencoded"),
                "Action=AssumeRoleWithWebIdentity&WebIdentityToken=a%2Eb&RoleArn=r",
                "Action=AssumeRoleWithWebIdentity&WebIdentityToken=xxx&RoleArn=r",
            ),
            (
                kind("text/xml"),
                "<A><SecretAccessKey>abc</SecretAccessKey><B>b</B><SessionToken>de</SessionToken></A>",
                "<A><SecretAccessKey>xxx</SecretAccessKey><B>b</B><SessionToken>xx</SessionToken></A>",
            ),
            (
                kind("application/json"),
                r#"{"Credentials":{"AccessKeyId":"A","SecretAccessKey":"abcd"}}"#,
                r#"{"Credentials":{"AccessKeyId":"A","SecretAccessKey":"xxxx"}}"#,
            ),
        ] {
            assert_eq!(text(&headers, &Bytes::from(body)), expected);
        }
        assert_eq!(
            form("Action=GetCallerIdentity&X-Amz-Signature=0a&X-Amz-Date=1"),
            "Action=GetCallerIdentity&X-Amz-Signature=xx&X-Amz-Date=1"
        );
    }
}
