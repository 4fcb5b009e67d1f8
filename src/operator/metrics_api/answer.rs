//! What is answered: discovery, and the value of one metric (KEDA.md, D.2, D.4 and D.6).

use axum::body::Body;
use http::request::Parts;
use http::{Method, Response, StatusCode, header};
use jiff::Timestamp;
use keda::decision::Outcome;
use keda::metric::{self, Spec};
use keda::{api::ScaledObject, fallback};
use serde_json::{Value, json};

use super::access::{Access, Front, Refusal, Wanted};
use super::route::{self, GROUP, Route, VERSION};
use crate::caches::Key;
use crate::context::Context;
use crate::target::Target;

/// Answers one request; `is_proxy` if it came with the front proxy's certificate.
pub(super) async fn answer(
    context: &Context,
    access: &Access,
    front: &Front,
    is_proxy: bool,
    request: &Parts,
) -> Response<Body> {
    let path = request.uri.path();
    let route = Route::of(path);
    if route == Route::Health {
        return text("ok");
    }
    let wanted = match &route {
        Route::Metric { namespace, name } => Wanted::Metric { namespace: namespace.clone(), name: name.clone() },
        _ => Wanted::Path { path: path.to_owned(), verb: request.method.as_str().to_ascii_lowercase() },
    };
    if let Err(Refusal { code, message }) = access.check(front, is_proxy, &request.headers, wanted).await {
        return failure(code, &message);
    }
    if request.method != Method::GET {
        return failure(
            StatusCode::METHOD_NOT_ALLOWED,
            "the server does not allow this method on the requested resource",
        );
    }
    match route {
        Route::Groups => {
            reply(StatusCode::OK, &json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [group()] }))
        }
        Route::Group => reply(StatusCode::OK, &group()),
        Route::Resources => reply(StatusCode::OK, &resources()),
        Route::Metric { namespace, name } => {
            match value(context, &namespace, &name, request.uri.query().unwrap_or_default()).await {
                Ok(list) => reply(StatusCode::OK, &list),
                Err(cause) => failure(StatusCode::INTERNAL_SERVER_ERROR, &format!("Internal error occurred: {cause}")),
            }
        }
        Route::Health | Route::Unknown => {
            failure(StatusCode::NOT_FOUND, "the server could not find the requested resource")
        }
    }
}

fn group() -> Value {
    let version = json!({ "groupVersion": format!("{GROUP}/{VERSION}"), "version": VERSION });
    json!({ "kind": "APIGroup", "apiVersion": "v1", "name": GROUP, "versions": [version], "preferredVersion": version })
}

fn resources() -> Value {
    json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": format!("{GROUP}/{VERSION}"),
        "resources": [{
            "name": "externalmetrics", "singularName": "", "namespaced": true, "kind": "ExternalMetricValueList",
            "verbs": ["get"],
        }],
    })
}

/// The list with the metric's one value, or why there is none.
async fn value(context: &Context, namespace: &str, name: &str, query: &str) -> Result<Value, String> {
    let key = Key::new(namespace, &route::scaled_object(query)?);
    let object = context.caches.scaled_objects.get(&key).ok_or_else(|| format!("ScaledObject {key} not found"))?;
    let triggers = context.sources.of(context, &object).await;
    let Some((spec, at, reading)) = triggers.metric(context, &key, name).await else {
        // A trigger that cannot be built has no metric; its reason helps more than "no such metric".
        triggers.specs()?;
        return Err(format!("no matching metrics found for {name}"));
    };
    let value = match reading.outcome {
        Outcome::Sample(sample) => sample.value,
        Outcome::Failed(cause) => match fallen_back(context, &object, &spec).await {
            Some(value) => value,
            None => return Err(format!("metric:{name} encountered error: {cause}")),
        },
    };
    Ok(list(name, at, value))
}

/// The value that stands in for one that cannot be read, if a fallback is in force.
async fn fallen_back(context: &Context, object: &ScaledObject, spec: &Spec) -> Option<f64> {
    let wanted = object.spec.fallback.as_ref()?;
    let status = object.status.as_ref()?;
    if !fallback::engaged(wanted, &status.health, &spec.name) {
        return None;
    }
    let ready = match spec.target {
        metric::Target::AverageValue(_) => 0,
        metric::Target::Value(_) => Target::resolve(&context.client, object).await.ok()?.ready_replicas().await.ok()?,
    };
    fallback::value(wanted, spec.target, ready)
}

fn list(name: &str, at: Timestamp, value: f64) -> Value {
    // Whole seconds, as metav1.Time is written.
    let at = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "kind": "ExternalMetricValueList", "apiVersion": format!("{GROUP}/{VERSION}"), "metadata": {},
        "items": [{ "metricName": name, "metricLabels": null, "timestamp": at, "value": metric::quantity(value) }],
    })
}

fn failure(code: StatusCode, message: &str) -> Response<Body> {
    let reason = match code {
        StatusCode::UNAUTHORIZED => "Unauthorized",
        StatusCode::FORBIDDEN => "Forbidden",
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::METHOD_NOT_ALLOWED => "MethodNotAllowed",
        _ => "InternalError",
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code.as_u16(),
    });
    reply(code, &status)
}

fn reply(code: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

fn text(body: &'static str) -> Response<Body> {
    Response::new(Body::from(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_written_as_keda_writes_it() {
        let at: Timestamp = "2026-11-24T04:00:00.75Z".parse().unwrap();
        let item = list("s0-aws-sqs-orders", at, 2.5)["items"][0].clone();
        assert_eq!(
            item,
            json!({ "metricName": "s0-aws-sqs-orders", "metricLabels": null, "timestamp": "2026-11-24T04:00:00Z", "value": "2500m" })
        );
    }

    #[test]
    fn discovery_lists_one_resource_and_no_metric() {
        let resources = resources();
        assert_eq!(resources["resources"].as_array().unwrap().len(), 1);
        assert_eq!(resources["resources"][0]["name"], "externalmetrics");
    }
}
