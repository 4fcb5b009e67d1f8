//! A scripted API server that accepts some tokens, asked through a renewing client.

use std::collections::BTreeMap;
use std::sync::Mutex as Lock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State as Shared;
use axum::http::HeaderMap;
use clock::ClockHandle;
use futures::FutureExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams};
use serde_json::Value;

use super::*;
use crate::connection::{Cluster, Connection, Endpoint, Secret, Token};

/// Whether a request with this token to this path is accepted.
type Accepts = Box<dyn Fn(&str, &str) -> bool + Send>;

/// What the server accepts and what it got: the tokens of the requests, in order.
struct Server {
    accepts: Lock<Accepts>,
    tokens: Lock<Vec<String>>,
    bodies: Lock<Vec<Value>>,
}

/// A cluster whose tokens are `token-1`, `token-2`, … and hold 14 minutes each.
struct Stage {
    server: Arc<Server>,
    cluster: Cluster,
    handle: ClockHandle,
    signed_in: Arc<AtomicUsize>,
    cannot_sign_in: Arc<AtomicBool>,
}

async fn answer(
    Shared(server): Shared<Arc<Server>>,
    request: axum::extract::Request,
) -> (StatusCode, HeaderMap, String) {
    let token = request.headers()["authorization"].to_str().unwrap().trim_start_matches("Bearer ").to_owned();
    let path = request.uri().path().to_owned();
    server.tokens.lock().unwrap().push(token.clone());
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    if !body.is_empty() {
        server.bodies.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    }
    let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, "application/json".parse().unwrap())]);
    if (server.accepts.lock().unwrap())(&token, &path) {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}});
        return (StatusCode::OK, headers, object.to_string());
    }
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "Unauthorized",
        "reason": "Unauthorized", "code": 401,
    });
    (StatusCode::UNAUTHORIZED, headers, status.to_string())
}

impl Stage {
    async fn start(accepts: impl Fn(&str, &str) -> bool + Send + 'static) -> Self {
        let server = Arc::new(Server {
            accepts: Lock::new(Box::new(accepts)),
            tokens: Lock::default(),
            bodies: Lock::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let (clock, handle) = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
        let (signed_in, cannot_sign_in) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let locate = Arc::new(move || {
            let endpoint = Endpoint { server: url.clone(), certificate_authority: String::new() };
            async move { Ok(Some(endpoint)) }.boxed()
        });
        let (count, fails, time) = (signed_in.clone(), cannot_sign_in.clone(), clock.clone());
        let token = Arc::new(move || {
            let number = count.fetch_add(1, Ordering::Relaxed) + 1;
            let expires_at = time.now() + SignedDuration::from_mins(14);
            let token = Token { value: Secret::new(format!("token-{number}")), expires_at };
            let answer = if fails.load(Ordering::Relaxed) { Err("STS is away".to_owned()) } else { Ok(token) };
            async move { answer }.boxed()
        });
        let cluster = Cluster::new(Connection::Eks { locate, token }, clock);
        Self { server, cluster, handle, signed_in, cannot_sign_in }
    }

    fn accept(&self, accepts: impl Fn(&str, &str) -> bool + Send + 'static) {
        *self.server.accepts.lock().unwrap() = Box::new(accepts);
    }

    fn tokens(&self) -> Vec<String> {
        std::mem::take(&mut *self.server.tokens.lock().unwrap())
    }
}

/// A read by a client that is held for long.
async fn read(client: &Client) -> Result<ConfigMap, Error> {
    let api = Api::<ConfigMap>::namespaced(client.clone(), "default");
    api.get("x").await.map_err(|error| Error::from_kube("http://server", "read x", &error))
}

fn tokens(numbers: &[usize]) -> Vec<String> {
    numbers.iter().map(|number| format!("token-{number}")).collect()
}

#[tokio::test]
async fn a_client_that_is_held_gets_a_new_token_before_the_end_of_the_old() {
    let stage = Stage::start(|_, _| true).await;
    let client = stage.cluster.client().await.unwrap();
    for minutes in [0, 12, 2, 14] {
        stage.handle.advance(Duration::from_mins(minutes));
        read(&client).await.unwrap();
    }
    assert_eq!(stage.tokens(), tokens(&[1, 1, 2, 3]));
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_request_is_sent_again_with_its_body() {
    let stage = Stage::start(|token, _| token != "token-1").await;
    let client = stage.cluster.client().await.unwrap();
    let api = Api::<ConfigMap>::namespaced(client.clone(), "default");
    let data = Some(BTreeMap::from([("k".to_owned(), "v".to_owned())]));
    api.create(&PostParams::default(), &ConfigMap { data, ..ConfigMap::default() }).await.unwrap();
    let bodies = stage.server.bodies.lock().unwrap().clone();
    assert_eq!((bodies.len(), &bodies[0]), (2, &bodies[1]));
    assert_eq!(bodies[1]["data"]["k"], "v");
    read(&client).await.unwrap();
    assert_eq!(stage.tokens(), tokens(&[1, 2, 2]));
}

#[tokio::test]
async fn requests_at_once_replace_a_refused_token_once() {
    let stage = Stage::start(|token, _| token != "token-1").await;
    let client = stage.cluster.client().await.unwrap();
    for answer in futures::future::join_all((0..16).map(|_| read(&client))).await {
        answer.unwrap();
    }
    assert_eq!(stage.signed_in.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_server_that_keeps_refusing_is_called_less_and_less_often_and_let_in_again_at_once() {
    let stage = Stage::start(|_, _| false).await;
    let client = stage.cluster.client().await.unwrap();
    let mut texts = Vec::new();
    // Ten minutes of an observer that reads ten times a second.
    for _ in 0..6000 {
        let error = read(&client).await.unwrap_err();
        assert_eq!(error.code(), Some(401), "{error}");
        texts.push(error.to_string());
        stage.handle.advance(Duration::from_millis(100));
    }
    let requested = stage.tokens().len();
    assert!((20..80).contains(&requested), "{requested} requests in ten minutes");
    texts.dedup();
    assert!(texts.len() <= 2 * requested, "a text for every attempt and one for every pause: {}", texts.len());
    let said = "the API server does not accept the credentials; the next attempt is at 00:01:0";
    assert!(texts.iter().any(|text| text.contains(said)), "{texts:?}");

    stage.accept(|_, _| true);
    stage.handle.advance(PAUSE_MAX);
    for _ in 0..20 {
        read(&client).await.unwrap();
    }
}

#[tokio::test]
async fn what_one_path_refuses_does_not_keep_others_out() {
    let stage = Stage::start(|_, path| !path.ends_with("/closed")).await;
    let client = stage.cluster.client().await.unwrap();
    let api = Api::<ConfigMap>::namespaced(client.clone(), "default");
    for _ in 0..20 {
        assert!(api.get("closed").await.is_err());
        read(&client).await.unwrap();
    }
}

#[tokio::test]
async fn what_still_holds_is_used_when_no_new_token_can_be_had_and_then_the_reason_is_the_error() {
    let stage = Stage::start(|_, _| true).await;
    let client = stage.cluster.client().await.unwrap();
    read(&client).await.unwrap();
    stage.cannot_sign_in.store(true, Ordering::Relaxed);
    stage.handle.advance(Duration::from_secs(13 * 60 + 30));
    let before = stage.signed_in.load(Ordering::Relaxed);
    for _ in 0..250 {
        read(&client).await.unwrap();
        stage.handle.advance(Duration::from_millis(100));
    }
    assert_eq!(stage.signed_in.load(Ordering::Relaxed) - before, 3, "attempts within 25 s");
    stage.handle.advance(Duration::from_secs(6));
    let error = read(&client).await.unwrap_err();
    assert_eq!(error.to_string(), "failed to find the way into the cluster: STS is away");
    let before = stage.signed_in.load(Ordering::Relaxed);
    for _ in 0..600 {
        assert!(read(&client).await.unwrap_err().to_string().contains("STS is away"));
        stage.handle.advance(Duration::from_millis(100));
    }
    let requested = stage.signed_in.load(Ordering::Relaxed) - before;
    assert!((2..12).contains(&requested), "{requested} attempts to sign in within a minute");
    stage.cannot_sign_in.store(false, Ordering::Relaxed);
    stage.handle.advance(PAUSE_MAX);
    read(&client).await.unwrap();
}
