//! Secrets of type `kubernetes.io/service-account-token`: filled with a token that lasts as long as they do, and removed
//! with their account.
//!
//! The tokens controller of Kubernetes (`pkg/controller/serviceaccount/tokens_controller.go`) does this where the signing
//! key is; here that is the server. Such a token is good while its Secret holds it and its account is the same.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::store::Object;
use crate::user::User;

/// The issuer of these tokens; it is no address and has no published keys.
pub(super) const ISSUER: &str = "kubernetes/serviceaccount";
const TYPE: &str = "kubernetes.io/service-account-token";
const NAME: &str = "kubernetes.io/service-account.name";
const UID: &str = "kubernetes.io/service-account.uid";
const CLAIM: &str = "kubernetes.io/serviceaccount";

/// Fills and removes token Secrets, until the server stops.
pub(crate) async fn keep(cluster: Arc<Cluster>) {
    let mut secrets = cluster.store.subscribe("secrets");
    let mut accounts = cluster.store.subscribe("serviceaccounts");
    loop {
        secrets.borrow_and_update();
        accounts.borrow_and_update();
        let (all, _) = cluster.store.list("secrets", None);
        for secret in all.iter().filter(|secret| secret["type"] == TYPE && is_present(secret)) {
            settle(&cluster, secret);
        }
        tokio::select! {
            () = cluster.stop.cancelled() => return,
            changed = secrets.changed() => if changed.is_err() { return },
            changed = accounts.changed() => if changed.is_err() { return },
        }
    }
}

fn is_present(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_null()
}

fn text<'a>(object: &'a Value, field: &str, key: &str) -> &'a str {
    object["metadata"][field][key].as_str().unwrap_or_default()
}

/// Brings one Secret in line with its account. Whoever changed it meanwhile wakes the loop again.
fn settle(cluster: &Cluster, secret: &Object) {
    let namespace = secret["metadata"]["namespace"].as_str().unwrap_or_default();
    let account = cluster.get("serviceaccounts", namespace, text(secret, "annotations", NAME));
    let wanted = text(secret, "annotations", UID);
    let account = account.filter(|account| wanted.is_empty() || account["metadata"]["uid"] == wanted);
    let outcome = match account {
        Some(account) => match filled(cluster, secret, &account) {
            Some(new) if new != **secret => cluster.store.replace("secrets", secret, new).map(drop),
            _ => Ok(()),
        },
        None if secret["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty) => {
            cluster.store.remove("secrets", secret, (**secret).clone()).map(drop)
        }
        None => {
            let mut new = (**secret).clone();
            new["metadata"]["deletionTimestamp"] = cluster.now_text().into();
            new["metadata"]["deletionGracePeriodSeconds"] = 0.into();
            cluster.store.replace("secrets", secret, new).map(drop)
        }
    };
    if let Err(stale) = outcome {
        tracing::debug!(?stale, secret = %secret["metadata"]["name"], "a token Secret changed meanwhile");
    }
}

/// The Secret with all that belongs into it; none if the token cannot be signed.
fn filled(cluster: &Cluster, secret: &Value, account: &Value) -> Option<Value> {
    let mut new = secret.clone();
    let namespace = secret["metadata"]["namespace"].as_str()?;
    new["metadata"]["annotations"][UID] = account["metadata"]["uid"].clone();
    for (key, value) in [("ca.crt", cluster.ca_pem.as_str()), ("namespace", namespace)] {
        if new["data"][key].is_null() || key == "ca.crt" {
            new["data"][key] = STANDARD.encode(value).into();
        }
    }
    if new["data"]["token"].as_str().is_none_or(str::is_empty) {
        let name = account["metadata"]["name"].as_str()?;
        let claims = json!({
            "iss": ISSUER, "sub": format!("system:serviceaccount:{namespace}:{name}"),
            format!("{CLAIM}/namespace"): namespace, format!("{CLAIM}/secret.name"): secret["metadata"]["name"],
            format!("{CLAIM}/service-account.name"): name,
            format!("{CLAIM}/service-account.uid"): account["metadata"]["uid"],
        });
        let token = cluster.keys.sign(&claims);
        let token = token.inspect_err(|status| tracing::error!(%status, "failed to sign a token for a Secret")).ok()?;
        new["data"]["token"] = STANDARD.encode(token).into();
    }
    Some(new)
}

/// The user of such a token, while its Secret holds it and its account is the same, for the audiences of this server.
pub(super) fn authenticate(
    cluster: &Cluster,
    token: &str,
    claims: &Value,
    audiences: &[&str],
) -> Option<(User, Vec<String>)> {
    let claim = |name: &str| claims[format!("{CLAIM}/{name}")].as_str();
    let (namespace, account) = (claim("namespace")?, claim("service-account.name")?);
    let meant = audiences.iter().filter(|one| cluster.audiences().contains(one));
    let meant: Vec<String> = meant.map(|one| (*one).to_owned()).collect();
    let secret = cluster.get("secrets", namespace, claim("secret.name")?)?;
    let held = secret["data"]["token"].as_str().and_then(|text| STANDARD.decode(text).ok())?;
    let found = cluster.get("serviceaccounts", namespace, account)?;
    let uid = claim("service-account.uid")?;
    if meant.is_empty() || !is_present(&secret) || held != token.as_bytes() || found["metadata"]["uid"] != uid {
        return None;
    }
    let mut user = User::service_account(namespace, account);
    uid.clone_into(&mut user.uid);
    Some((user, meant))
}
