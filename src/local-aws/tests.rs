//! The endpoint as a client meets it: signed requests over a socket, on a clock that only the test moves.

mod cloudwatch_logs;
mod coverage;
mod ec2;
mod ecr;
mod eks;
mod faults;
mod foreign;
mod iam;
mod queue_rules;
mod quotas;
mod security;
mod sessions;
mod signer;
mod simulation;
mod sqs;
mod trail;

use std::time::Duration;

use bytes::Bytes;
use clock::{Clock, ClockHandle};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use serde_json::{Value, json};
use signer::{Key, Shape};
use tokio_util::sync::CancellationToken;

use crate::{AccessKey, Logs, Options, control_plane, serve};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "ap-northeast-1";

/// A running endpoint with its clock handle.
struct Stage {
    address: String,
    clock: Clock,
    handle: ClockHandle,
    administrator: Key,
    client: Client<HttpConnector, Full<Bytes>>,
    _stop: tokio_util::sync::DropGuard,
}

/// An answer, read whole.
struct Answer {
    status: u16,
    headers: http::HeaderMap,
    text: String,
}

impl Answer {
    /// The JSON of an answer that must be a success.
    fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The error code as the protocol of the answer carries it; empty for a success.
    fn code(&self) -> String {
        if self.status == 200 {
            return String::new();
        }
        if self.text.starts_with('<') {
            return self.tag("Code");
        }
        let body: Value = serde_json::from_str(&self.text).unwrap();
        let name = body["__type"].as_str().unwrap_or_else(|| self.header("x-amzn-errortype")).to_owned();
        name.rsplit('#').next().unwrap().to_owned()
    }

    fn message(&self) -> String {
        if self.text.starts_with('<') {
            return self.tag("Message");
        }
        serde_json::from_str::<Value>(&self.text).unwrap()["message"].as_str().unwrap().to_owned()
    }

    /// The text of the first XML element of this name; empty if there is none.
    fn tag(&self, name: &str) -> String {
        let inner = self.text.split(&format!("<{name}>")).nth(1).unwrap_or_default();
        inner.split(&format!("</{name}>")).next().unwrap_or_default().to_owned()
    }
}

impl Stage {
    fn start() -> Self {
        Self::start_with(local_faults::Faults::default(), Logs::default())
    }

    fn with(faults: local_faults::Faults) -> Self {
        Self::start_with(faults, Logs::default())
    }

    /// With faults and logs.
    fn start_with(faults: local_faults::Faults, logs: Logs) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (clock, handle) = Clock::manual("2026-11-24T00:00:00Z".parse::<Timestamp>().unwrap());
        let (control_planes, requests) = tokio::sync::mpsc::channel(8);
        tokio::spawn(control_plane_stub(requests));
        let administrator = Key { id: "AKIAADMINISTRATOR000".into(), secret: "the secret".into(), token: None };
        let stop = CancellationToken::new();
        let options = Options {
            listener,
            region: REGION.into(),
            account_id: ACCOUNT.into(),
            administrator: AccessKey { id: administrator.id.clone(), secret: administrator.secret.clone() },
            clock: clock.clone(),
            trust_roots_pem: String::new(),
            faults,
            incidents: local_faults::Incidents::new(clock.clone()),
            control_planes,
            logs,
        };
        tokio::spawn(serve(options, stop.clone()));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { address, clock, handle, administrator, client, _stop: stop.drop_guard() }
    }

    async fn send(&self, shape: Shape<'_>, key: Option<&Key>) -> Answer {
        let request = signer::request(&self.address, self.clock.now(), shape, key);
        let answer = self.client.request(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let text = String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()).into_owned();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    /// An SQS call by the JSON protocol.
    async fn sqs_as(&self, key: &Key, operation: &str, input: Value) -> Answer {
        let target = format!("AmazonSQS.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", target.as_str())];
        let body = input.to_string();
        self.send(Shape { headers: &headers, body: &body, ..Shape::post("sqs", "/") }, Some(key)).await
    }

    async fn sqs(&self, operation: &str, input: Value) -> Answer {
        self.sqs_as(&self.administrator, operation, input).await
    }

    /// A call by the query protocol.
    async fn query_as(&self, key: Option<&Key>, service: &str, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        self.send(Shape { headers: &headers, body: &body, ..Shape::post(service, path) }, key).await
    }

    async fn query(&self, service: &str, form: &[(&str, &str)]) -> Answer {
        self.query_as(Some(&self.administrator), service, "/", form).await
    }

    async fn eks(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("content-type", "application/json")];
        let shape = Shape { method, headers: &headers, body: &body, ..Shape::post("eks", path) };
        self.send(shape, Some(&self.administrator)).await
    }

    /// A queue of these attributes; gives its URL.
    async fn queue(&self, name: &str, attributes: Value) -> String {
        let answer = self.sqs("CreateQueue", json!({ "QueueName": name, "Attributes": attributes })).await.ok();
        answer["QueueUrl"].as_str().unwrap().to_owned()
    }

    /// The bodies that one receive of up to ten gets.
    async fn bodies(&self, url: &str) -> Vec<String> {
        let answer = self.sqs("ReceiveMessage", json!({ "QueueUrl": url, "MaxNumberOfMessages": 10 })).await.ok();
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        messages.iter().map(|message| message["Body"].as_str().unwrap().to_owned()).collect()
    }

    /// A role that the administrator may assume, with one inline policy.
    async fn role(&self, name: &str, statements: &Value) -> String {
        let user = format!("arn:aws:iam::{ACCOUNT}:user/sluice");
        let trust = json!([{ "Effect": "Allow", "Principal": { "AWS": user }, "Action": "sts:AssumeRole" }]);
        self.role_trusting(name, &trust).await;
        self.allow(name, statements).await;
        format!("arn:aws:iam::{ACCOUNT}:role/{name}")
    }

    async fn role_trusting(&self, name: &str, statements: &Value) {
        let trust = document(statements);
        let form = [("Action", "CreateRole"), ("RoleName", name), ("AssumeRolePolicyDocument", trust.as_str())];
        let answer = self.query("iam", &form).await;
        assert_eq!(answer.code(), "", "{}", answer.text);
    }

    async fn allow(&self, role: &str, statements: &Value) {
        let policy = document(statements);
        let form = [
            ("Action", "PutRolePolicy"),
            ("RoleName", role),
            ("PolicyName", "inline"),
            ("PolicyDocument", policy.as_str()),
        ];
        let answer = self.query("iam", &form).await;
        assert_eq!(answer.code(), "", "{}", answer.text);
    }

    /// Assumes a role; `more` are further parameters.
    async fn assume(&self, key: &Key, arn: &str, more: &[(&str, &str)]) -> Answer {
        let form = [&[("Action", "AssumeRole"), ("RoleArn", arn), ("RoleSessionName", "session")], more].concat();
        self.query_as(Some(key), "sts", "/", &form).await
    }

    async fn session(&self, arn: &str) -> Key {
        Key::of(&self.assume(&self.administrator, arn, &[]).await)
    }

    /// Moves time second by second until `check` gives a value.
    async fn until<T>(&self, what: &str, mut check: impl AsyncFnMut(&Self) -> Option<T>) -> T {
        for _ in 0..600 {
            if let Some(value) = check(self).await {
                return value;
            }
            self.handle.advance(Duration::from_secs(1));
        }
        panic!("ten minutes passed without {what}");
    }
}

fn document(statements: &Value) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

/// Runs nothing, but answers as one who does.
async fn control_plane_stub(mut requests: tokio::sync::mpsc::Receiver<control_plane::Request>) {
    while let Some(request) = requests.recv().await {
        match request {
            control_plane::Request::Start { spec, reply } => {
                let url = format!("https://127.0.0.1:1/{}", spec.name);
                let _ = reply.send(Ok(control_plane::Endpoint { issuer: url.clone(), url, ca_pem: "PEM".into() }));
            }
            control_plane::Request::Update { .. } => {}
            control_plane::Request::Stop { reply, .. } => {
                let _ = reply.send(());
            }
        }
    }
}
