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

#[tokio::test]
async fn a_webhook_of_one_version_sees_the_others_in_its_own() {
    let server = server();
    let client = admin(&server);
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {
        "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}});
    let version =
        |name: &str, storage: bool| json!({"name": name, "served": true, "storage": storage, "schema": schema});
    let names = json!({"plural": "boxes", "singular": "box", "kind": "Box"});
    let definition = json!({"metadata": {"name": "boxes.example.com"}, "spec": {"group": "example.com", "names": names,
        "scope": "Namespaced", "versions": [version("v1", true), version("v2", false)]}});
    client.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition).await.unwrap();
    let hook = Webhook::start(|_| patched(&json!([{"op": "add", "path": "/spec/color", "value": "red"}]))).await;
    let rule = |group: &str, plural: &str| json!([{"operations": ["*"], "apiGroups": [group], "apiVersions": ["v1"], "resources": [plural]}]);
    let boxes = "/apis/example.com/v2/namespaces/default/boxes";
    let object = |name: &str| json!({"apiVersion": "example.com/v2", "kind": "Box", "metadata": {"name": name}, "spec": {"size": 1}});
    let exact = hook.entry(&json!({"rules": rule("example.com", "boxes"), "matchPolicy": "Exact"}));
    configure(&client, "MutatingWebhookConfiguration", &[exact]).await;
    assert_eq!(client.create(boxes, &object("a")).await.unwrap()["spec"], json!({"size": 1}));
    assert_eq!(hook.seen().len(), 0);
    let equivalent = hook.entry(&json!({"rules": rule("example.com", "boxes")}));
    let path = format!("{GROUP}/mutatingwebhookconfigurations/c");
    client.patch(&path, PatchType::Merge, &json!({"webhooks": [equivalent]})).await.unwrap();
    let made = client.create(boxes, &object("b")).await.unwrap();
    assert_eq!((&made["spec"], &made["apiVersion"]), (&json!({"size": 1, "color": "red"}), &json!("example.com/v2")));
    let request = hook.seen().pop().unwrap()["request"].take();
    let kind = |version: &str| json!({"group": "example.com", "version": version, "kind": "Box"});
    assert_eq!((&request["kind"], &request["requestKind"]), (&kind("v1"), &kind("v2")));
    assert_eq!((&request["resource"]["version"], &request["requestResource"]["version"]), (&json!("v1"), &json!("v2")));
    assert_eq!(request["object"]["apiVersion"], "example.com/v1");
    // What is made of an object in one form of it is taken over into the other.
    let hook = Webhook::start(|_| {
        patched(&json!([{"op": "add", "path": "/spec/targetCPUUtilizationPercentage", "value": 33}]))
    })
    .await;
    let older = hook.entry(&json!({"rules": rule("autoscaling", "horizontalpodautoscalers")}));
    client.patch(&path, PatchType::Merge, &json!({"webhooks": [older]})).await.unwrap();
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"});
    let scaler = json!({"metadata": {"name": "s"}, "spec": {"scaleTargetRef": target, "maxReplicas": 2}});
    let scalers = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers";
    let made = client.create(scalers, &scaler).await.unwrap();
    assert_eq!(made["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"], 33);
    assert!(made["status"]["currentReplicas"].is_null(), "only the older version shows that there is none: {made}");
    assert_eq!(hook.seen().pop().unwrap()["request"]["object"]["apiVersion"], "autoscaling/v1");
    let older = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers";
    let scaler = json!({"metadata": {"name": "t"}, "spec": {"scaleTargetRef": target, "maxReplicas": 2}});
    assert_eq!(client.create(older, &scaler).await.unwrap()["spec"]["targetCPUUtilizationPercentage"], 33);
}

#[tokio::test]
async fn a_webhook_may_answer_only_what_its_kind_may() {
    let server = server();
    let client = admin(&server);
    let hook = Webhook::start(|_| patched(&json!([{"op": "add", "path": "/data/more", "value": "yes"}]))).await;
    configure(&client, "ValidatingWebhookConfiguration", &[hook.entry(&json!({}))]).await;
    let refusal = refused(&client, CONFIG_MAPS, &config_map("one", &json!({"a": "b"}))).await;
    assert!(refusal.message().ends_with("validating webhook may not return response.patch"), "{refusal}");
    client.delete(&format!("{GROUP}/validatingwebhookconfigurations/c"), None).await.unwrap();
    client.create(CONFIG_MAPS, &config_map("one", &json!({"a": "b"}))).await.unwrap();
    configure(&client, "MutatingWebhookConfiguration", &[hook.entry(&json!({}))]).await;
    let refusal = client.delete(&format!("{CONFIG_MAPS}/one"), None).await.unwrap_err();
    assert_eq!(
        refusal.message(),
        "Internal error occurred: admission webhook \"check.example.com\" attempted to modify the object, which is not \
         supported for this operation"
    );
    // What a webhook was asked of a dry run, it can see.
    hook.seen();
    client.create(&format!("{CONFIG_MAPS}?dryRun=All"), &config_map("two", &json!({"a": "b"}))).await.unwrap();
    let request = hook.seen().pop().unwrap()["request"].take();
    assert_eq!((&request["dryRun"], &request["options"]["dryRun"]), (&json!(true), &json!(["All"])));
    assert!(request["object"]["metadata"]["uid"].is_null(), "a new object has its uid only later: {request}");
}

#[tokio::test]
async fn a_webhook_that_is_late_is_waited_for_no_longer_than_it_says() {
    let (clock, time) = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
    let server = server_at(clock);
    let client = admin(&server);
    let hook = Webhook::start(|_| allow()).await;
    // Whoever connects is never answered.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/check", silent.local_addr().unwrap());
    let late = |policy: &str| {
        let more = json!({"clientConfig": {"url": url, "caBundle": hook.ca_bundle}, "timeoutSeconds": 3, "failurePolicy": policy});
        json!({"webhooks": [hook.entry(&more)]})
    };
    configure(&client, "ValidatingWebhookConfiguration", &[late("Fail")["webhooks"][0].clone()]).await;
    let create = |name: &'static str| {
        let client = client.clone();
        tokio::spawn(async move { client.create(CONFIG_MAPS, &config_map(name, &json!({}))).await })
    };
    let write = create("one");
    let held = silent.accept().await.unwrap();
    time.advance(std::time::Duration::from_secs(3));
    assert_eq!(
        write.await.unwrap().unwrap_err().message(),
        format!(
            "Internal error occurred: failed calling webhook \"check.example.com\": failed to call webhook: Post \
             \"{url}?timeout=3s\": context deadline exceeded"
        )
    );
    drop(held);
    let path = format!("{GROUP}/validatingwebhookconfigurations/c");
    client.patch(&path, PatchType::Merge, &late("Ignore")).await.unwrap();
    let write = create("two");
    let held = silent.accept().await.unwrap();
    time.advance(std::time::Duration::from_secs(3));
    write.await.unwrap().unwrap();
    drop(held);
}
