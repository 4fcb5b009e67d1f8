//! Admission webhooks: whom they are asked for, what their answers do, and what happens when there is none.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;

use super::*;

const GROUP: &str = "/apis/admissionregistration.k8s.io/v1";

/// A webhook on a port of this machine, with what it was asked.
struct Webhook {
    url: String,
    ca_bundle: String,
    seen: Arc<Mutex<Vec<Value>>>,
}

impl Webhook {
    /// `answer` gives the response to a request, without its uid.
    async fn start(answer: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
        let chain = vec![certificate.der().clone()];
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let tls = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/check", listener.local_addr().unwrap());
        let (seen, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let noted = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, noted, answer) = (tls.clone(), Arc::clone(&noted), Arc::clone(&answer));
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                        let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
                        async move {
                            let uri = request.uri().to_string();
                            let body = request.into_body().collect().await?.to_bytes();
                            let mut review: Value = serde_json::from_slice(&body).unwrap();
                            review["uri"] = uri.into();
                            let mut response = answer(&review["request"]);
                            if response["uid"].is_null() {
                                response["uid"] = review["request"]["uid"].clone();
                            }
                            noted.lock().unwrap().push(review);
                            let answer = json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response});
                            Ok::<_, hyper::Error>(http::Response::new(Full::new(Bytes::from(answer.to_string()))))
                        }
                    });
                    let stream = tls.accept(stream).await?;
                    let served =
                        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    served.await.map_err(std::io::Error::other)
                });
            }
        });
        Self { url, ca_bundle: STANDARD.encode(certificate.pem()), seen }
    }

    /// A webhook entry that asks for ConfigMaps here.
    fn entry(&self, more: &Value) -> Value {
        let mut entry = json!({
            "name": "check.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {"url": self.url, "caBundle": self.ca_bundle},
            "rules": [{"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}],
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            entry[field] = value.clone();
        }
        entry
    }

    fn seen(&self) -> Vec<Value> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

async fn configure(client: &Client, kind: &str, hooks: &[Value]) -> Value {
    let object = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": "c"}, "webhooks": hooks});
    let plural = format!("{}s", kind.to_lowercase());
    client.create(&format!("{GROUP}/{plural}"), &object).await.unwrap()
}

fn allow() -> Value {
    json!({"allowed": true})
}

fn patched(patch: &Value) -> Value {
    json!({"allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode(patch.to_string())})
}

#[tokio::test]
async fn a_webhook_refuses_what_is_made_changed_and_deleted() {
    let server = server();
    let client = admin(&server);
    let bad = |object: &Value| object["data"]["bad"] == "yes";
    let hook = Webhook::start(move |request| {
        if bad(&request["object"])
            || (request["operation"] == "DELETE" && request["oldObject"]["data"]["keep"] == "yes")
        {
            return json!({"allowed": false, "status": {"code": 403, "message": "not this one", "reason": "Forbidden"}});
        }
        allow()
    })
    .await;
    let made = configure(&client, "ValidatingWebhookConfiguration", &[hook.entry(&json!({}))]).await;
    let entry = &made["webhooks"][0];
    assert_eq!(
        (&entry["failurePolicy"], &entry["timeoutSeconds"], &entry["matchPolicy"], &entry["rules"][0]["scope"]),
        (&json!("Fail"), &json!(10), &json!("Equivalent"), &json!("*"))
    );
    let refusal = refused(&client, CONFIG_MAPS, &config_map("one", &json!({"bad": "yes"}))).await;
    assert_eq!(
        (refusal.code(), refusal.reason(), refusal.message()),
        (403, "Forbidden", "admission webhook \"check.example.com\" denied the request: not this one")
    );
    assert!(client.get(&format!("{CONFIG_MAPS}/one")).await.is_err());
    let request = hook.seen().pop().unwrap();
    assert_eq!(request["uri"], "/check?timeout=10s");
    let request = &request["request"];
    assert_eq!(request["operation"], "CREATE");
    assert_eq!(request["kind"], json!({"group": "", "version": "v1", "kind": "ConfigMap"}));
    assert_eq!(request["resource"], json!({"group": "", "version": "v1", "resource": "configmaps"}));
    assert_eq!((&request["namespace"], &request["name"]), (&json!("default"), &json!("one")));
    assert_eq!(request["userInfo"]["username"], "admin");
    assert_eq!((&request["oldObject"], &request["dryRun"]), (&Value::Null, &json!(false)));
    client.create(CONFIG_MAPS, &config_map("one", &json!({"keep": "yes"}))).await.unwrap();
    let path = format!("{CONFIG_MAPS}/one");
    let change = json!({"data": {"bad": "yes"}});
    assert_eq!(client.patch(&path, PatchType::Merge, &change).await.unwrap_err().code(), 403);
    assert_eq!(hook.seen().pop().unwrap()["request"]["oldObject"]["data"]["keep"], "yes");
    assert_eq!(client.delete(&path, None).await.unwrap_err().code(), 403);
    assert!(client.get(&path).await.is_ok());
    // Others are not asked for.
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"bad": "eWVz"}});
    hook.seen();
    client.create("/api/v1/namespaces/default/secrets", &secret).await.unwrap();
    assert_eq!(hook.seen().len(), 0);
}

#[tokio::test]
async fn a_webhook_changes_what_is_made_and_validating_ones_see_the_outcome() {
    let server = server();
    let client = admin(&server);
    let changes =
        Webhook::start(|_| patched(&json!([{"op": "add", "path": "/data/added", "value": "by the webhook"}]))).await;
    let checks = Webhook::start(|request| {
        let right = request["object"]["data"]["added"] == "by the webhook";
        json!({"allowed": right, "warnings": ["looked at"]})
    })
    .await;
    configure(&client, "MutatingWebhookConfiguration", &[changes.entry(&json!({}))]).await;
    configure(&client, "ValidatingWebhookConfiguration", &[checks.entry(&json!({}))]).await;
    let made = client.create(CONFIG_MAPS, &config_map("one", &json!({"a": "b"}))).await.unwrap();
    assert_eq!(made["data"], json!({"a": "b", "added": "by the webhook"}));
    // The field is nobody's who sent the object.
    assert!(!made["metadata"]["managedFields"].to_string().contains("f:added"), "{made}");
    let wrong =
        Webhook::start(|_| patched(&json!([{"op": "add", "path": "/metadata/labels", "value": {"a b": "c"}}]))).await;
    let path = format!("{GROUP}/mutatingwebhookconfigurations/c");
    client.patch(&path, PatchType::Merge, &json!({"webhooks": [wrong.entry(&json!({}))]})).await.unwrap();
    // What a webhook makes of an object is held to the rules for objects.
    assert_eq!(refused(&client, CONFIG_MAPS, &config_map("two", &json!({}))).await.code(), 422);
}

#[tokio::test]
async fn a_webhook_that_cannot_be_called_refuses_unless_it_may_be_passed_over() {
    let server = server();
    let client = admin(&server);
    let wrong = Webhook::start(|_| json!({"allowed": true, "uid": "another"})).await;
    let gone = json!({"clientConfig": {"service": {"namespace": "default", "name": "none", "path": "/check"}}});
    configure(&client, "ValidatingWebhookConfiguration", &[wrong.entry(&gone)]).await;
    let refusal = refused(&client, CONFIG_MAPS, &config_map("one", &json!({}))).await;
    assert_eq!(
        (refusal.code(), refusal.reason(), refusal.message()),
        (
            500,
            "InternalError",
            "Internal error occurred: failed calling webhook \"check.example.com\": failed to call webhook: Post \
             \"https://none.default.svc:443/check?timeout=10s\": service \"none\" not found"
        )
    );
    let path = format!("{GROUP}/validatingwebhookconfigurations/c");
    let set = |entry: Value| {
        let (client, path) = (client.clone(), path.clone());
        async move { client.patch(&path, PatchType::Merge, &json!({"webhooks": [entry]})).await.unwrap() }
    };
    set(wrong.entry(&json!({}))).await;
    let refusal = refused(&client, CONFIG_MAPS, &config_map("one", &json!({}))).await;
    assert!(refusal.message().contains("received invalid webhook response: expected response.uid="), "{refusal}");
    // The configuration itself is never asked of anybody, so that there is a way out.
    set(wrong.entry(&json!({"failurePolicy": "Ignore"}))).await;
    client.create(CONFIG_MAPS, &config_map("one", &json!({}))).await.unwrap();
    let stranger = Webhook::start(|_| allow()).await;
    let mistrusted = json!({"clientConfig": {"url": stranger.url, "caBundle": wrong.ca_bundle}});
    set(stranger.entry(&mistrusted)).await;
    let refusal = refused(&client, CONFIG_MAPS, &config_map("two", &json!({}))).await;
    assert!(refusal.message().contains("tls: invalid peer certificate"), "{refusal}");
}

#[tokio::test]
async fn selectors_and_conditions_say_for_whom_a_webhook_is_called() {
    let server = server();
    let client = admin(&server);
    let hook = Webhook::start(|_| json!({"allowed": false})).await;
    let labelled = |name: &str, labels: Value, data: &Value| {
        let mut map = config_map(name, data);
        map["metadata"]["labels"] = labels;
        map
    };
    let path = format!("{GROUP}/validatingwebhookconfigurations/c");
    let only = json!({
        "objectSelector": {"matchLabels": {"checked": "yes"}},
        "matchConditions": [{"name": "big", "expression": "object.data.size == 'big' && request.operation == 'CREATE'"}],
    });
    configure(&client, "ValidatingWebhookConfiguration", &[hook.entry(&only)]).await;
    let big = json!({"size": "big"});
    client.create(CONFIG_MAPS, &labelled("a", json!({}), &big)).await.unwrap();
    client.create(CONFIG_MAPS, &labelled("b", json!({"checked": "yes"}), &json!({"size": "small"}))).await.unwrap();
    let refusal = refused(&client, CONFIG_MAPS, &labelled("c", json!({"checked": "yes"}), &big)).await;
    assert_eq!(
        (refusal.code(), refusal.message()),
        (400, "admission webhook \"check.example.com\" denied the request without explanation")
    );
    // A condition that cannot be evaluated is no way around.
    let unjudged = labelled("d", json!({"checked": "yes"}), &json!({}));
    assert_eq!(refused(&client, CONFIG_MAPS, &unjudged).await.code(), 403);
    let elsewhere = json!({"namespaceSelector": {"matchExpressions": [
        {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["default"]}]}});
    client.patch(&path, PatchType::Merge, &json!({"webhooks": [hook.entry(&elsewhere)]})).await.unwrap();
    client.create(CONFIG_MAPS, &config_map("e", &big)).await.unwrap();
    let there = "/api/v1/namespaces/kube-system/configmaps";
    assert_eq!(refused(&client, there, &config_map("e", &big)).await.code(), 400);
}

#[tokio::test]
async fn a_configuration_that_could_not_work_is_refused() {
    let server = server();
    let client = admin(&server);
    let path = format!("{GROUP}/validatingwebhookconfigurations");
    let object = |hook: Value| {
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "c"}, "webhooks": [hook]})
    };
    let wrong = object(
        json!({"name": "short", "sideEffects": "Some", "admissionReviewVersions": ["v2"], "timeoutSeconds": 60,
        "clientConfig": {"url": "http://a.test"}, "rules": [{"operations": ["MAKE"], "apiGroups": [""], "apiVersions": ["v1"],
        "resources": ["pods"]}], "matchConditions": [{"name": "x", "expression": "object.a =="}]}),
    );
    let refusal = refused(&client, &path, &wrong).await;
    for words in [
        "webhooks[0].name: Invalid value: \"short\": should be a domain with at least three segments separated by dots",
        "webhooks[0].sideEffects: Unsupported value: \"Some\": supported values: \"None\", \"NoneOnDryRun\"",
        "webhooks[0].timeoutSeconds: Invalid value: 60: the timeout value must be between 1 and 30 seconds",
        "must include at least one of v1, v1beta1",
        "webhooks[0].clientConfig.url: Invalid value: \"http://a.test\": 'https' is the only allowed URL scheme",
        "webhooks[0].rules[0].operations[0]: Unsupported value: \"MAKE\"",
        "webhooks[0].matchConditions[0].expression: Invalid value",
    ] {
        assert!(refusal.message().contains(words), "{words} is not in {refusal}");
    }
}
