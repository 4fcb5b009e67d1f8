//! Test service on loopback that speaks SQS's JSON protocol and STS's query protocol by script.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

/// One request as the service saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// `GetQueueAttributes`, `AssumeRole`, …
    pub(crate) operation: String,
    /// The access key that signed it; empty if it was not signed.
    pub(crate) key: String,
    pub(crate) body: String,
}

type Answer = (u16, String);
type Script = dyn Fn(&Seen) -> Answer + Send + Sync;

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

#[derive(Clone)]
struct FakeService {
    seen: Arc<Mutex<Vec<Seen>>>,
    script: Arc<Script>,
}

impl Service {
    pub(crate) async fn start(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let service = FakeService { seen: Arc::clone(&seen), script: Arc::new(script) };
        let app = Router::new().fallback(answer).with_state(service);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, seen }
    }

    pub(crate) fn operations(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.operation).collect()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// An operator's session against this service, with keys of its own.
    pub(crate) async fn session(&self) -> aws::session::Session {
        let settings = aws::session::Settings {
            region: Some("ap-northeast-1".into()),
            endpoint_url: Some(self.url.clone()),
            profile: None,
        };
        aws::session::Session::load(settings).await.unwrap().with_static_credentials("AKIAOPERATOR", "s", None)
    }
}

async fn answer(State(service): State<FakeService>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    let in_body = || body.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap_or_default();
    let operation = header("x-amz-target").rsplit_once('.').map_or_else(in_body, |(_, name)| name).to_owned();
    let signed = header("authorization").split_once("Credential=").map(|(_, rest)| rest);
    let key = signed.and_then(|rest| rest.split('/').next()).unwrap_or_default().to_owned();
    let seen = Seen { operation, key, body };
    service.seen.lock().unwrap().push(seen.clone());
    let (status, text) = (service.script)(&seen);
    (axum::http::StatusCode::from_u16(status).unwrap(), text).into_response()
}

/// GetQueueAttributes' answer.
pub(crate) fn attributes(pairs: &[(&str, &str)]) -> Answer {
    let map: serde_json::Map<_, _> = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    (200, serde_json::json!({ "Attributes": map }).to_string())
}

/// SQS's refusal.
pub(crate) fn sqs_denied() -> Answer {
    (403, r#"{"__type":"com.amazonaws.sqs#AccessDenied","message":"User is not authorized"}"#.into())
}

/// STS's refusal.
pub(crate) fn sts_denied() -> Answer {
    let text = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not authorized to perform \
                it</Message></Error><RequestId>r</RequestId></ErrorResponse>";
    (403, text.into())
}

/// STS's answer to `operation` with the key `id`.
pub(crate) fn credentials(operation: &str, id: &str) -> Answer {
    let text = format!(
        "<{operation}Response><{operation}Result><Credentials><AccessKeyId>{id}</AccessKeyId>\
         <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration>\
         </Credentials></{operation}Result></{operation}Response>"
    );
    (200, text)
}

/// STS's answer to GetCallerIdentity.
pub(crate) fn caller_identity() -> Answer {
    let text = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::111122223333:assumed-role/r/KEDA\
                </Arn><UserId>u</UserId><Account>111122223333</Account></GetCallerIdentityResult>\
                </GetCallerIdentityResponse>";
    (200, text.into())
}
