//! A record of each request to AWS and its answer, as a person may hand it on: what says who they are is replaced
//! ([`redaction`]), each value by the same stand-in everywhere.
//!
//! The file has one JSON object a line (`docs/formats.md`), and an exchange in it has the members that the local AWS's log of whole
//! requests has, so that the same checks read both. Its first says what it is; each other is an exchange, written when its
//! answer has been read. The seam is the HTTP client below the SDK, so that each try of a repeated call is an exchange of its
//! own, signed and redacted. What the SDK asks for credentials (a profile's role, SSO) goes another way and is not in it.

mod redaction;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::Headers;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use clock::{Clock, Moment};
use serde_json::{Map, Value, json};

use redaction::Redactor;

/// The number of the format.
const VERSION: u32 = 1;

/// What is recorded, and where.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    /// The folder; it is made if it is not there.
    pub folder: &'a Path,
    /// The command, which names the file.
    pub command: &'a str,
    /// How names of the stack's own things begin. Names of other things in the account are replaced.
    pub own: Vec<String>,
    /// Real time.
    pub clock: Clock,
}

/// A record that is being written. Clones write the same one.
#[derive(Debug, Clone)]
pub struct Recording(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    clock: Clock,
    begun: Moment,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    redactor: Redactor,
    /// A line could not be written, and that was said.
    is_broken: bool,
}

/// A request, as it is kept until its answer is there.
struct Sent {
    at: Duration,
    method: String,
    uri: String,
    headers: Vec<(String, String)>,
    /// `None` of a stream.
    body: Option<String>,
}

/// What came of it.
enum Received<'a> {
    Answer { status: u16, headers: Vec<(String, String)>, body: &'a [u8] },
    Nothing(String),
}

impl Recording {
    /// Begins a record, in a new file.
    ///
    /// # Errors
    ///
    /// That of the file system, if the folder or the file cannot be made.
    pub fn begin(options: Options<'_>) -> io::Result<Self> {
        let Options { folder, command, own, clock } = options;
        std::fs::create_dir_all(folder)?;
        let now = clock.now();
        let path = folder.join(format!("{}-{command}.jsonl", now.strftime("%Y%m%dT%H%M%SZ")));
        let mut file = File::options().append(true).create_new(true).open(&path)?;
        let product = concat!("sluice ", env!("CARGO_PKG_VERSION"));
        let header = json!({
            "format": "sluice-recording", "version": VERSION, "product": product, "command": command,
            "begun": now.to_string(),
        });
        file.write_all(format!("{header}\n").as_bytes())?;
        let state = Mutex::new(State { file, redactor: Redactor::new(own), is_broken: false });
        Ok(Self(Arc::new(Inner { path, begun: clock.moment(), clock, state })))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// `client`, whose exchanges are recorded.
    pub(crate) fn of(&self, client: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Recorded { client, recording: self.clone() })
    }

    fn sent(&self, request: &HttpRequest) -> Sent {
        Sent {
            at: self.0.clock.elapsed(self.0.begun),
            method: request.method().to_owned(),
            uri: request.uri().to_owned(),
            headers: listed(request.headers()),
            body: request.body().bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
        }
    }

    /// Writes an exchange. A record that cannot be written is no reason to fail: it is said once.
    fn write(&self, sent: &Sent, received: &Received<'_>) {
        let took = self.0.clock.elapsed(self.0.begun).saturating_sub(sent.at);
        // A panic elsewhere while it was held leaves at most a line less.
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let line = exchange(sent, received, took, &mut state.redactor);
        let written = state.file.write_all(format!("{line}\n").as_bytes());
        if let Err(why) = written
            && !std::mem::replace(&mut state.is_broken, true)
        {
            tracing::error!(path = %self.0.path.display(), %why, "the record of requests is incomplete");
        }
    }
}

fn listed(headers: &Headers) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect()
}

/// One line of the record.
fn exchange(sent: &Sent, received: &Received<'_>, took: Duration, redactor: &mut Redactor) -> Value {
    let operation = operation(sent);
    let (host, address) = sent.uri.split_once("://").unwrap_or_default().1.split_once('/').unwrap_or_default();
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let request = json!({
        "method": sent.method,
        "host": redactor.text(host),
        "path": redactor.text(&format!("/{path}")),
        "query": redactor.text(query),
        "headers": headers(&sent.headers, redactor),
        "body": sent.body.as_deref().map(|body| redactor.text(body)),
    });
    let mut line = json!({
        "at_seconds": rounded(sent.at), "took_seconds": rounded(took), "service": service(sent),
        "operation": operation, "request": request,
    });
    match received {
        Received::Answer { status, headers: given, body } => {
            let text = String::from_utf8_lossy(body);
            redactor.learn(operation.as_deref(), &text);
            line["answer"] = json!({
                "status": status,
                "headers": headers(given, redactor),
                "body": redactor.text(&text),
            });
        }
        Received::Nothing(why) => line["failure"] = json!(redactor.text(why)),
    }
    line
}

/// Milliseconds are enough.
fn rounded(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

fn headers(headers: &[(String, String)], redactor: &mut Redactor) -> Map<String, Value> {
    headers.iter().map(|(name, value)| (name.clone(), redactor.header(name, value).into())).collect()
}

/// The service, from the scope of the signature.
fn service(sent: &Sent) -> Option<String> {
    let scope = header(sent, "authorization")?.split_once("Credential=")?.1;
    Some(scope.split([',', ' ']).next()?.split('/').nth(3)?.to_owned())
}

/// The operation, where the protocol says it. EKS has method and path instead.
fn operation(sent: &Sent) -> Option<String> {
    if let Some(target) = header(sent, "x-amz-target") {
        return Some(target.rsplit('.').next()?.to_owned());
    }
    let body = sent.body.as_deref().filter(|body| body.starts_with("Action="))?;
    Some(body.strip_prefix("Action=")?.split('&').next()?.to_owned())
}

fn header<'a>(sent: &'a Sent, wanted: &str) -> Option<&'a str> {
    sent.headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
}

#[derive(Debug)]
struct Recorded {
    client: SharedHttpClient,
    recording: Recording,
}

#[derive(Debug)]
struct RecordedConnector {
    connector: SharedHttpConnector,
    recording: Recording,
}

impl HttpClient for Recorded {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = self.client.http_connector(settings, components);
        SharedHttpConnector::new(RecordedConnector { connector, recording: self.recording.clone() })
    }
}

impl HttpConnector for RecordedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (recording, sent) = (self.recording.clone(), self.recording.sent(&request));
        let answer = self.connector.call(request);
        HttpConnectorFuture::new(async move {
            let mut answer = answer.await.inspect_err(|error| {
                recording.write(&sent, &Received::Nothing(crate::error::chain(error)));
            })?;
            let body = whole(&mut answer).await.inspect_err(|error| {
                recording.write(&sent, &Received::Nothing(crate::error::chain(error)));
            })?;
            let headers = listed(answer.headers());
            recording.write(&sent, &Received::Answer { status: answer.status().as_u16(), headers, body: &body });
            *answer.body_mut() = SdkBody::from(body);
            Ok(answer)
        })
    }
}

/// The whole body, which the SDK would read next.
async fn whole(answer: &mut HttpResponse) -> Result<bytes::Bytes, ConnectorError> {
    let read = ByteStream::new(answer.take_body()).collect().await;
    read.map(aws_smithy_types::byte_stream::AggregatedBytes::into_bytes)
        .map_err(|error| ConnectorError::io(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(headers: &[(&str, &str)], body: &str) -> Sent {
        Sent {
            at: Duration::from_millis(1500),
            method: "POST".to_owned(),
            uri: "https://iam.amazonaws.com/".to_owned(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: Some(body.to_owned()),
        }
    }

    #[test]
    fn an_exchange_says_the_operation_the_times_and_both_sides() {
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261127/us-east-1/iam/aws4_request, \
                             SignedHeaders=host;x-amz-date, Signature=ab12";
        let sent = sent(&[("authorization", authorization)], "Action=GetRole&Version=2010-05-08&RoleName=shop-fargate");
        let answer = Received::Answer { status: 200, headers: Vec::new(), body: b"<GetRoleResponse/>" };
        let line = exchange(&sent, &answer, Duration::from_millis(80), &mut Redactor::new(vec!["shop".to_owned()]));
        assert_eq!((&line["service"], &line["operation"]), (&json!("iam"), &json!("GetRole")));
        assert_eq!((&line["at_seconds"], &line["took_seconds"]), (&json!(1.5), &json!(0.08)));
        assert_eq!(line["request"]["body"], "Action=GetRole&Version=2010-05-08&RoleName=shop-fargate");
        assert_eq!(line["answer"], json!({ "status": 200, "headers": {}, "body": "<GetRoleResponse/>" }));
        assert!(!line.to_string().contains("IOSFODNN7") && !line.to_string().contains("ab12"), "{line}");
    }

    #[test]
    fn what_got_no_answer_is_recorded_with_its_reason() {
        let sent = sent(&[("x-amz-target", "AmazonSQS.SendMessageBatch")], "{}");
        let nothing = Received::Nothing("connection reset".to_owned());
        let line = exchange(&sent, &nothing, Duration::ZERO, &mut Redactor::new(Vec::new()));
        assert_eq!((&line["operation"], &line["failure"]), (&json!("SendMessageBatch"), &json!("connection reset")));
        assert_eq!(line.get("answer"), None);
    }
}
