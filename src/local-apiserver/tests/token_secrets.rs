//! Secrets with a ServiceAccount's token.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clock::Clock;
use serde_json::{Value, json};

use super::{admin, server_at};
use crate::{Client, tokens};

const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";
const SECRETS: &str = "/api/v1/namespaces/default/secrets";

fn secret(name: &str, account: &str) -> Value {
    json!({"metadata": {"name": name, "annotations": {"kubernetes.io/service-account.name": account}},
           "type": "kubernetes.io/service-account-token"})
}

async fn until<T>(client: &Client, path: &str, wanted: impl Fn(Option<Value>) -> Option<T>) -> T {
    let look = || async { wanted(client.get(path).await.ok()) };
    let found = Clock::real().poll_until(Duration::from_mins(1), Duration::from_millis(10), look).await;
    found.unwrap_or_else(|_| panic!("{path} does not come to what is wanted"))
}

#[tokio::test]
async fn a_token_secret_is_filled_and_goes_with_its_account() {
    let server = server_at(Clock::real());
    let client = admin(&server);
    let account = client.create(ACCOUNTS, &json!({"metadata": {"name": "sa"}})).await.unwrap();
    client.create(SECRETS, &secret("t", "sa")).await.unwrap();
    let path = format!("{SECRETS}/t");
    let filled = until(&client, &path, |found| found.filter(|found| found["data"]["token"].is_string())).await;
    let keys: Vec<&String> = filled["data"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["ca.crt", "namespace", "token"]);
    assert_eq!(filled["metadata"]["annotations"]["kubernetes.io/service-account.uid"], account["metadata"]["uid"]);
    let token = STANDARD.decode(filled["data"]["token"].as_str().unwrap()).unwrap();
    let token = String::from_utf8(token).unwrap();
    let known = || {
        let audiences = server.cluster.audiences();
        tokens::authenticate(&server.cluster, &token, &audiences).map(|(user, _)| user.name)
    };
    assert_eq!(known().as_deref(), Some("system:serviceaccount:default:sa"));
    assert!(tokens::authenticate(&server.cluster, &token, &["sts.amazonaws.com"]).is_none());
    // A token that the Secret does not hold any more is no token.
    let other = json!({"data": {"token": STANDARD.encode("other")}});
    client.patch(&path, crate::PatchType::Merge, &other).await.unwrap();
    assert_eq!(known(), None);
    client.delete(&format!("{ACCOUNTS}/sa"), None).await.unwrap();
    until(&client, &path, |found| found.is_none().then_some(())).await;
    server.stop().await;
}

#[tokio::test]
async fn a_token_secret_without_an_account_does_not_stay() {
    let server = server_at(Clock::real());
    let client = admin(&server);
    client.create(SECRETS, &secret("t", "nobody")).await.unwrap();
    until(&client, &format!("{SECRETS}/t"), |found| found.is_none().then_some(())).await;
    server.stop().await;
}
