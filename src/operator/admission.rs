//! KEDA's admission webhooks: what the checks of an object would find, said to who writes it
//! (`docs/rules.md#keda-admission`).
//!
//! They are served beside the external metrics API and asked only where a ValidatingWebhookConfiguration says so. Each rule
//! holds without them as well. As with KEDA's, whoever reaches the port may ask.

use axum::Json;
use axum::body::Body;
use axum::response::IntoResponse;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use keda::api::{ClusterTriggerAuthentication, ScaleTriggers, ScaledJob, ScaledObject, TriggerAuthentication};
use keda::{admission, validate};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::context::Context;
use crate::owner::Owner;
use crate::scale_loop;

/// Before the resource in a webhook's path, as in KEDA's.
const PREFIX: &str = "/validate-keda-sh-v1alpha1-";
/// Bytes of a review at most: two objects of etcd's largest size.
const REVIEW_MAX: usize = 4 << 20;

#[derive(Deserialize)]
struct Review {
    request: Request,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    uid: String,
    #[serde(default)]
    operation: String,
    dry_run: Option<bool>,
    #[serde(default)]
    object: Value,
    #[serde(default)]
    old_object: Value,
}

/// The resource whose webhook a request calls; `None` if it calls none.
pub(crate) fn resource(request: &Parts) -> Option<String> {
    let resource = request.uri.path().strip_prefix(PREFIX).filter(|_| request.method == Method::POST)?;
    let known = ["scaledobject", "scaledjob", "triggerauthentication", "clustertriggerauthentication"];
    known.contains(&resource).then(|| resource.to_owned())
}

/// Answers one review.
pub(crate) async fn answer(context: &Context, resource: &str, body: Body) -> Response<Body> {
    let read = axum::body::to_bytes(body, REVIEW_MAX).await.map_err(|error| error.to_string());
    match read.and_then(|bytes| serde_json::from_slice::<Review>(&bytes).map_err(|error| error.to_string())) {
        Ok(review) => Json(reviewed(context, resource, &review.request).await).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("this is no AdmissionReview: {error}\n")).into_response(),
    }
}

async fn reviewed(context: &Context, resource: &str, request: &Request) -> Value {
    let checked = match request.operation.as_str() {
        "CREATE" => check(context, resource, request).await,
        "UPDATE" if !only_ends(&request.old_object, &request.object) => check(context, resource, request).await,
        _ => Ok(Vec::new()),
    };
    let mut response = json!({ "uid": request.uid, "allowed": checked.is_ok() });
    match checked {
        Ok(warnings) if warnings.is_empty() => {}
        Ok(warnings) => response["warnings"] = json!(warnings),
        Err(message) => response["status"] = json!({ "code": 403, "reason": "Forbidden", "message": message }),
    }
    json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response })
}

/// Whether an update takes finalizers off and leaves the spec: an end that nothing may hold up.
fn only_ends(old: &Value, new: &Value) -> bool {
    let finalizers = |object: &Value| object["metadata"]["finalizers"].as_array().map_or(0, Vec::len);
    finalizers(new) < finalizers(old) && new["spec"] == old["spec"]
}

/// What is said of an object that may be stored, or why it may not.
async fn check(context: &Context, resource: &str, request: &Request) -> Result<Vec<&'static str>, String> {
    match resource {
        "scaledobject" => {
            let object: ScaledObject = parsed(&request.object)?;
            scaled_object(context, request, &object).await?;
            Ok(admission::warnings(&object.spec))
        }
        "scaledjob" => {
            let object: ScaledJob = parsed(&request.object)?;
            triggers(&object.spec.triggers)
        }
        "clustertriggerauthentication" => {
            let object: ClusterTriggerAuthentication = parsed(&request.object)?;
            admission::authentication(&object.spec.0).map(|()| Vec::new())
        }
        _ => {
            let object: TriggerAuthentication = parsed(&request.object)?;
            admission::authentication(&object.spec).map(|()| Vec::new())
        }
    }
}

fn parsed<K: DeserializeOwned>(object: &Value) -> Result<K, String> {
    K::deserialize(object).map_err(|error| format!("the object cannot be read: {error}"))
}

/// Of a ScaledJob, KEDA's webhook looks at this alone.
fn triggers(triggers: &[ScaleTriggers]) -> Result<Vec<&'static str>, String> {
    validate::list("ScaledJob", triggers).map(|()| Vec::new()).map_err(|error| error.to_string())
}

async fn scaled_object(context: &Context, request: &Request, object: &ScaledObject) -> Result<(), String> {
    let mut object = object.clone();
    if request.operation == "CREATE" {
        // Who comes now comes after all that are there, also after those of this second.
        object.metadata.creation_timestamp = None;
    }
    // Before the rest: with KEDA, too, a container that requests nothing is what is said of a target that could not rest at zero.
    if request.dry_run != Some(true) && object.template().is_some() {
        scale_loop::check_requests(context, &object).await.map_err(|error| error.cause())?;
    }
    validate::scaled_object(&object.spec).map_err(|error| error.to_string())?;
    context.caches.masters.check(&object).map_err(|conflict| conflict.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::scripted::{DEPLOYMENT, SCALED_OBJECT, Server, until};

    fn object(name: &str, spec: &Value) -> Value {
        let mut object = json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
            "metadata": { "name": name, "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z" },
            "spec": { "scaleTargetRef": { "name": "orders" }, "triggers": [{ "type": "cron", "metadata": {} }] },
        });
        json_patch::merge(&mut object["spec"], spec);
        object
    }

    fn deployment() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "orders", "namespace": "shop" },
            "spec": { "template": { "spec": { "containers": [{ "name": "app" }] } } },
        })
    }

    async fn review(context: &Context, resource: &str, request: Value) -> Value {
        let mut request = request;
        request["uid"] = "u".into();
        let answer = reviewed(context, resource, &Request::deserialize(&request).unwrap()).await;
        assert_eq!(answer["response"]["uid"], "u");
        answer["response"].clone()
    }

    async fn created(context: &Context, resource: &str, object: Value) -> String {
        let response = review(context, resource, json!({ "operation": "CREATE", "object": object })).await;
        assert_eq!(response["allowed"] == true, response["status"].is_null(), "{response}");
        response["status"]["message"].as_str().unwrap_or_default().to_owned()
    }

    async fn stage() -> (Arc<Server>, Arc<Context>) {
        let there = object("orders", &json!({}));
        let server = Server::start([(SCALED_OBJECT, there), (DEPLOYMENT, deployment())], |_| None);
        let context = server.watched().await;
        until(|| context.caches.scaled_objects.keys().len() == 1).await;
        (server, context)
    }

    #[tokio::test]
    async fn a_second_master_is_refused_and_one_of_another_workload_is_not() {
        let (_server, context) = stage().await;
        // "a" comes before "orders" by name, and both are of one second.
        let message = created(&context, "scaledobject", object("a", &json!({}))).await;
        let wanted =
            "the workload 'orders' of type 'apps/v1.Deployment' is already managed by the ScaledObject 'orders'";
        assert!(message.starts_with(wanted), "{message}");
        let other = object("a", &json!({ "scaleTargetRef": { "name": "mails" } }));
        assert_eq!(created(&context, "scaledobject", other).await, "");
        assert_eq!(created(&context, "scaledobject", object("orders", &json!({ "minReplicaCount": 2 }))).await, "");
    }

    #[tokio::test]
    async fn a_container_without_a_request_is_refused_but_not_in_a_dry_run() {
        let (server, context) = stage().await;
        server.put("/api/v1/namespaces/shop/limitranges", json!({ "items": [] }));
        let cpu = json!({ "minReplicaCount": 1, "triggers": [{ "type": "cpu", "metricType": "Utilization", "metadata": { "value": "50" } }] });
        let message = created(&context, "scaledobject", object("orders", &cpu)).await;
        let wanted = "the scaledobject has a cpu trigger but the container app doesn't have the cpu request defined";
        assert!(message.starts_with(wanted), "{message}");
        let dry = json!({ "operation": "CREATE", "dryRun": true, "object": object("orders", &cpu) });
        assert_eq!(review(&context, "scaledobject", dry).await["allowed"], true);
    }

    #[tokio::test]
    async fn the_end_of_what_is_wrong_is_not_held_up() {
        let (_server, context) = stage().await;
        let wrong = object("orders", &json!({ "minReplicaCount": 5, "maxReplicaCount": 2 }));
        let mut held = wrong.clone();
        held["metadata"]["finalizers"] = json!(["finalizer.keda.sh"]);
        let update = |old: &Value, new: &Value| json!({ "operation": "UPDATE", "oldObject": old, "object": new });
        assert_eq!(review(&context, "scaledobject", update(&held, &wrong)).await["allowed"], true);
        let refused = review(&context, "scaledobject", update(&wrong, &held)).await;
        assert_eq!((&refused["allowed"], &refused["status"]["code"]), (&json!(false), &json!(403)));
        assert_eq!(review(&context, "scaledobject", json!({ "operation": "DELETE" })).await["allowed"], true);
    }

    #[tokio::test]
    async fn the_other_kinds_have_their_rules() {
        let (_server, context) = stage().await;
        let job = |triggers: Value| json!({ "metadata": { "name": "j" }, "spec": { "jobTargetRef": {}, "triggers": triggers } });
        let trigger = json!({ "type": "cron", "name": "t", "metadata": {} });
        assert_eq!(created(&context, "scaledjob", job(json!([trigger]))).await, "");
        let twice = created(&context, "scaledjob", job(json!([trigger, trigger]))).await;
        assert!(twice.contains("defined multiple times in the ScaledJob"), "{twice}");
        let identity = json!({ "metadata": { "name": "t" }, "spec": { "podIdentity": { "provider": "azure-workload", "identityId": "" } } });
        for kind in ["triggerauthentication", "clustertriggerauthentication"] {
            let message = created(&context, kind, identity.clone()).await;
            assert!(message.starts_with("identityId of PodIdentity should not be empty."), "{message}");
        }
        assert!(created(&context, "scaledobject", json!({ "spec": 7 })).await.contains("cannot be read"));
    }

    #[tokio::test]
    async fn what_is_no_review_is_a_bad_request() {
        let (_server, context) = stage().await;
        assert_eq!(answer(&context, "scaledobject", Body::from("{}")).await.status(), 400);
        let of = |method: Method, path: &str| {
            resource(&http::Request::builder().method(method).uri(path).body(()).unwrap().into_parts().0)
        };
        assert_eq!(of(Method::POST, "/validate-keda-sh-v1alpha1-scaledjob").as_deref(), Some("scaledjob"));
        assert_eq!(of(Method::GET, "/validate-keda-sh-v1alpha1-scaledjob"), None);
        assert_eq!(of(Method::POST, "/validate-keda-sh-v1alpha1-other"), None);
    }
}
