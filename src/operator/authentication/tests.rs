//! What is read for a trigger's credentials, how often, and what is not.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::scripted::Server;
use crate::settings::Settings;

const OWN: &str = "/apis/keda.sh/v1alpha1/namespaces/shop/triggerauthentications/keys";
const SHARED: &str = "/apis/keda.sh/v1alpha1/clustertriggerauthentications/keys";
const SECRET: &str = "/api/v1/namespaces/shop/secrets/aws";
const SHARED_SECRET: &str = "/api/v1/namespaces/keda/secrets/aws";
const CONFIG_MAP: &str = "/api/v1/namespaces/shop/configmaps/app";

fn authentication(kind: &str, spec: &Value) -> Value {
    let namespace = (kind == KIND).then_some("shop");
    json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": kind,
        "metadata": { "name": "keys", "namespace": namespace, "uid": "a", "resourceVersion": "7", "generation": 1 },
        "spec": spec,
    })
}

async fn resolved(server: &Arc<Server>, settings: &Settings, kind: &str, pods: Option<&PodSpec>) -> Authentication {
    let context = server.watched_with(settings).await;
    let reference = AuthenticationRef { name: "keys".into(), kind: Some(kind.into()) };
    resolve(&context, &user(), Some(&reference), async || Ok(pods)).await.unwrap()
}

fn user() -> Reference {
    Reference { kind: "ScaledObject", key: Key::new("shop", "orders") }
}

fn reads(server: &Server, path: &str) -> usize {
    server.calls().iter().filter(|call| call.line == format!("GET {path}")).count()
}

#[tokio::test]
async fn where_secrets_are_restricted_those_of_other_namespaces_are_not_read() {
    let spec = json!({ "secretTargetRef": [{ "parameter": "awsAccessKeyID", "name": "aws", "key": "id" }] });
    let secret = |id: &str| json!({ "data": { "id": id } });
    let objects = [
        (OWN, authentication(KIND, &spec)),
        (SHARED, authentication(CLUSTER_KIND, &spec)),
        (SECRET, secret("T1dO")),
        (SHARED_SECRET, secret("U0hBUkVE")),
    ];
    let server = Server::start(objects, |_| None);
    let restricted = Settings { restricts_secrets: true, ..Settings::default() };
    let own = resolved(&server, &restricted, KIND, None).await;
    assert!(own.parameters.is_empty() && reads(&server, SECRET) == 0);
    assert!(own.problems[0].contains("KEDA_RESTRICT_SECRET_ACCESS") && own.problems[0].contains("shop/aws"));
    assert_eq!(resolved(&server, &restricted, CLUSTER_KIND, None).await.parameters["awsAccessKeyID"], "SHARED");
    assert_eq!(resolved(&server, &Settings::default(), KIND, None).await.parameters["awsAccessKeyID"], "OWN");
    // The environment of the target is restricted as well, and what comes from ConfigMaps is not.
    let container = json!({ "name": "app", "envFrom": [{ "secretRef": { "name": "aws" } }], "env": [
        { "name": "id", "valueFrom": { "secretKeyRef": { "name": "aws", "key": "id" } } },
    ] });
    let context = server.watched_with(&restricted).await;
    let before = reads(&server, SECRET);
    let environment =
        Environment::resolve(&context.values, &user(), "shop", &serde_json::from_value(container).unwrap()).await;
    assert!(environment.variables.is_empty() && environment.problems.len() == 2 && reads(&server, SECRET) == before);
}

#[tokio::test]
async fn the_environment_of_a_container_is_read_once_for_all_variables() {
    let variable = |name: &str| json!({ "parameter": name, "name": name });
    let spec = json!({ "env": [variable("one"), variable("two"), variable("three")] });
    let server = Server::start(
        [(OWN, authentication(KIND, &spec)), (CONFIG_MAP, json!({ "data": { "one": "1", "two": "2" } }))],
        |_| None,
    );
    let pods = json!({ "containers": [{ "name": "app", "envFrom": [{ "configMapRef": { "name": "app" } }] }] });
    let pods: PodSpec = serde_json::from_value(pods).unwrap();
    let found = resolved(&server, &Settings::default(), KIND, Some(&pods)).await;
    assert_eq!((found.parameters.len(), reads(&server, CONFIG_MAP)), (2, 1));
    assert!(found.problems[0].contains("no variable three"), "{:?}", found.problems);
}

#[tokio::test]
async fn a_file_takes_the_place_of_all_other_sources_and_no_namespace_may_name_one() {
    let spec = json!({
        "filePath": "creds.json", "secretTargetRef": [{ "parameter": "user", "name": "aws", "key": "id" }],
    });
    let objects = [(OWN, authentication(KIND, &spec)), (SHARED, authentication(CLUSTER_KIND, &spec))];
    let server = Server::start(objects, |_| None);
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("creds.json"), r#"{"token":"t"}"#).unwrap();
    let settings = Settings { credential_files: Some(root.path().to_owned()), ..Settings::default() };
    let found = resolved(&server, &settings, CLUSTER_KIND, None).await;
    assert_eq!(found.parameters, BTreeMap::from([("token".to_owned(), "t".to_owned())]));
    assert_eq!(reads(&server, SHARED_SECRET), 0);
    let context = server.watched_with(&settings).await;
    let refused = async |kind: &str| {
        let reference = AuthenticationRef { name: "keys".into(), kind: Some(kind.into()) };
        let found = resolve(&context, &user(), Some(&reference), async || Ok(None)).await;
        found.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refused(KIND).await.contains("filePath is only supported for ClusterTriggerAuthentication"));
    std::fs::remove_file(root.path().join("creds.json")).unwrap();
    let error = refused(CLUSTER_KIND).await;
    assert!(error.starts_with("ClusterTriggerAuthentication \"keys\": filePath \"creds.json\": "), "{error}");
}

#[tokio::test]
async fn a_token_of_a_service_account_is_a_parameter_for_most_of_its_life() {
    let (clock, _) = clock::Clock::manual("2026-03-01T00:00:00Z".parse().unwrap());
    let bound = |parameter: &str, account: &str| json!({ "parameter": parameter, "serviceAccountName": account });
    let spec = json!({ "boundServiceAccountToken": [bound("token", "reader"), bound("other", "none")] });
    let token = "/api/v1/namespaces/shop/serviceaccounts/reader/token";
    let status = json!({ "token": "t", "expirationTimestamp": "2026-03-01T00:50:00Z" });
    let made = json!({ "spec": { "audiences": [] }, "status": status });
    let server = Server::start([(OWN, authentication(KIND, &spec)), (token, made)], |_| None);
    let context = server.watched_by(clock.clone()).await;
    let reference = AuthenticationRef { name: "keys".into(), kind: None };
    let found = resolve(&context, &user(), Some(&reference), async || Ok(None)).await.unwrap();
    assert_eq!(found.parameters, BTreeMap::from([("token".to_owned(), "t".to_owned())]));
    assert!(found.problems[0].contains("no token of ServiceAccount shop/none"), "{:?}", found.problems);
    assert_eq!(found.until, Some(clock.moment().plus(Duration::from_mins(40))));
    let requested = server.calls().into_iter().find(|call| call.line == format!("POST {token}")).unwrap();
    assert_eq!(requested.body["spec"]["expirationSeconds"], 3600);
}
