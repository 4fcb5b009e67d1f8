//! ServiceAccount tokens: signing, TokenRequest, verification, and the published OIDC documents.

pub(crate) mod secrets;

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::request::resource_request::ResourceRequest;
use crate::request::{Call, Reply};
use crate::status::{FieldError, Status};
use crate::user::User;

/// The media type of keys.
const JWK_SET: &str = "application/jwk-set+json";
/// Shortest lifetime that TokenRequest grants, seconds.
const LIFETIME_MIN: i64 = 600;
/// The first lifetime that is too long, seconds.
const LIFETIME_MAX: i64 = (1 << 32) + 1;
/// Lifetime when none is asked for, seconds.
const LIFETIME_DEFAULT: i64 = 3600;

/// Where the issuer's own documents are, which anybody may read: AWS serves them beside the cluster.
fn issuer_path(cluster: &Cluster) -> String {
    url::Url::parse(&cluster.issuer).map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default()
}

/// Whether a path is one of the issuer's own documents.
pub(crate) fn is_published(cluster: &Cluster, path: &str) -> bool {
    let base = issuer_path(cluster);
    !base.is_empty() && path.starts_with(&format!("{base}/"))
}

/// The OIDC documents: those that the API server shows, and those of the issuer as AWS publishes them.
pub(crate) fn documents(cluster: &Cluster, call: &Call) -> Option<Result<Reply, Status>> {
    let base = issuer_path(cluster);
    let keys = json!({"keys": [cluster.keys.jwk]});
    let mut configuration = json!({
        "issuer": cluster.issuer, "jwks_uri": format!("{}/keys", cluster.issuer), "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256"],
    });
    match call.path.as_str() {
        "/.well-known/openid-configuration" => Some(Ok(Reply::json(200, configuration))),
        "/openid/v1/jwks" => Some(jwk_set(call, keys)),
        path if path == format!("{base}/keys") => Some(Ok(Reply::json(200, keys))),
        path if path == format!("{base}/.well-known/openid-configuration") => {
            configuration["authorization_endpoint"] = "urn:kubernetes:programmatic_authorization".into();
            configuration["claims_supported"] = json!(["sub", "iss"]);
            Some(Ok(Reply::json(200, configuration)))
        }
        _ => None,
    }
}

/// The API server has its keys in one form only.
fn jwk_set(call: &Call, keys: Value) -> Result<Reply, Status> {
    let accept = call.header("accept");
    if accept.is_empty() || ["*/*", "application/*", JWK_SET].iter().any(|media| accept.contains(media)) {
        return Ok(Reply::json(200, keys).typed(JWK_SET));
    }
    let why = format!("406: Not Acceptable\n\nAvailable representations: {JWK_SET}");
    Err(Status::failure(406, "NotAcceptable", why).with_details(json!({})))
}

/// `POST …/serviceaccounts/x/token`.
pub(crate) fn request(request: &ResourceRequest<'_>) -> Result<Reply, Status> {
    let cluster = request.cluster;
    let mut body = request.call.body_as("authentication.k8s.io", "v1", "TokenRequest")?;
    let account = request.stored()?;
    let namespace = &request.target.namespace;
    let seconds = body["spec"]["expirationSeconds"].as_i64().unwrap_or(LIFETIME_DEFAULT);
    let wrong = match seconds {
        ..LIFETIME_MIN => Some("may not specify a duration less than 10 minutes"),
        LIFETIME_MAX.. => Some("may not specify a duration larger than 2^32 seconds"),
        _ => None,
    };
    if let Some(detail) = wrong {
        let error = FieldError::invalid("spec.expirationSeconds", &seconds.into(), detail);
        return Err(Status::invalid("authentication.k8s.io", "TokenRequest", "", &[error]));
    }
    let audiences = match body["spec"]["audiences"].as_array() {
        Some(list) if !list.is_empty() => Value::Array(list.clone()),
        _ => json!([cluster.issuer]),
    };
    let now = cluster.clock.now();
    let expires = now.as_second().saturating_add(seconds);
    let mut private = json!({
        "namespace": namespace,
        "serviceaccount": {"name": request.target.name, "uid": account["metadata"]["uid"]},
    });
    if let Some((key, bound)) = bound_object(request, &body["spec"]["boundObjectRef"])? {
        private[key] = bound;
    }
    let claims = json!({
        "aud": audiences, "exp": expires, "iat": now.as_second(), "nbf": now.as_second(), "iss": cluster.issuer,
        "jti": uuid::Uuid::new_v4().to_string(), "sub": format!("system:serviceaccount:{namespace}:{}", request.target.name),
        "kubernetes.io": private,
    });
    let token = cluster.keys.sign(&claims)?;
    let at = now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(jiff::Timestamp::MAX);
    body["kind"] = "TokenRequest".into();
    body["apiVersion"] = "authentication.k8s.io/v1".into();
    body["metadata"] = json!({
        "name": request.target.name, "namespace": namespace, "uid": account["metadata"]["uid"],
        "creationTimestamp": cluster.now_text(),
    });
    // An optional object that is shown even where there is none.
    body["spec"]["boundObjectRef"] = body["spec"]["boundObjectRef"].take();
    body["spec"]["audiences"] = audiences;
    body["spec"]["expirationSeconds"] = seconds.into();
    body["status"] = json!({"token": token, "expirationTimestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()});
    Ok(Reply::json(201, body))
}

fn bound_object(request: &ResourceRequest<'_>, reference: &Value) -> Result<Option<(&'static str, Value)>, Status> {
    if reference.is_null() {
        return Ok(None);
    }
    let name = reference["name"].as_str().unwrap_or_default();
    let (key, collection) = match reference["kind"].as_str() {
        Some("Pod") => ("pod", "pods"),
        Some("Secret") => ("secret", "secrets"),
        other => {
            let version = reference["apiVersion"].as_str().unwrap_or_default();
            let (group, version) = version.split_once('/').unwrap_or(("", version));
            let kind = other.unwrap_or_default();
            let why = format!("cannot bind token to object of type {group}/{version}, Kind={kind}");
            return Err(Status::bad_request(why));
        }
    };
    let object = request
        .cluster
        .get(collection, &request.target.namespace, name)
        .ok_or_else(|| Status::not_found("", collection, name))?;
    let uid = &object["metadata"]["uid"];
    if reference["uid"].as_str().is_some_and(|wanted| !wanted.is_empty() && uid != wanted) {
        let given = reference["uid"].as_str().unwrap_or_default();
        let why = format!(
            "the UID in the bound object reference ({given}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(Status::conflict("", reference["kind"].as_str().unwrap_or_default(), name, &why));
    }
    if key == "pod" && object["spec"]["serviceAccountName"] != request.target.name.as_str() {
        return Err(Status::bad_request(format!(
            "cannot bind token for serviceaccount \"{}\" to pod running with different serviceaccount name.",
            request.target.name
        )));
    }
    Ok(Some((key, json!({"name": name, "uid": uid}))))
}

/// The user of a token of this cluster for one of `audiences`, if everything about it holds, and which of them it is for.
pub(crate) fn authenticate(cluster: &Cluster, token: &str, audiences: &[&str]) -> Option<(User, Vec<String>)> {
    let claims = cluster.keys.verify(token)?;
    if claims["iss"] == secrets::ISSUER {
        return secrets::authenticate(cluster, token, &claims, audiences);
    }
    let now = cluster.clock.now().as_second();
    let leeway = Duration::from_secs(10).as_secs() as i64;
    let current = claims["exp"].as_i64()? > now && claims["nbf"].as_i64()? <= now + leeway;
    let meant: Vec<&str> =
        claims["aud"].as_array()?.iter().filter_map(Value::as_str).filter(|own| audiences.contains(own)).collect();
    if !current || meant.is_empty() || claims["iss"] != cluster.issuer.as_str() {
        return None;
    }
    let private = &claims["kubernetes.io"];
    let namespace = private["namespace"].as_str()?;
    let name = private["serviceaccount"]["name"].as_str()?;
    let same = |collection: &str, name: &str, uid: &Value| {
        cluster.get(collection, namespace, name).is_some_and(|object| object["metadata"]["uid"] == *uid)
    };
    if !same("serviceaccounts", name, &private["serviceaccount"]["uid"]) {
        return None;
    }
    let mut user = User::service_account(namespace, name);
    private["serviceaccount"]["uid"].as_str()?.clone_into(&mut user.uid);
    for (key, collection) in [("pod", "pods"), ("secret", "secrets")] {
        let Some(bound) = private[key]["name"].as_str() else { continue };
        if !same(collection, bound, &private[key]["uid"]) {
            return None;
        }
        if key == "pod" {
            user.extra.insert("authentication.kubernetes.io/pod-name".to_owned(), vec![bound.to_owned()]);
            let uid = private[key]["uid"].as_str()?.to_owned();
            user.extra.insert("authentication.kubernetes.io/pod-uid".to_owned(), vec![uid]);
        }
    }
    if let Some(id) = claims["jti"].as_str() {
        user.extra.insert("authentication.kubernetes.io/credential-id".to_owned(), vec![format!("JTI={id}")]);
    }
    Some((user, meant.into_iter().map(str::to_owned).collect()))
}
