//! What is answered: discovery, OpenAPI, health, and the value of one metric
//! (`docs/rules.md#keda-external-metrics-discovery`, `docs/rules.md#keda-external-metrics-answers`).

use axum::body::Body;
use http::request::Parts;
use http::{HeaderMap, Method, Response, header};
use jiff::Timestamp;
use keda::api::{Fallback, ScaledObject};
use keda::decision::{Outcome, Reading};
use keda::fallback;
use keda::metric::{self, Spec};
use keda::modifiers::{Composite, Modifiers};
use keda::naming::COMPOSITE_METRIC;
use serde_json::{Value, json};

use super::accept::{self, Form, negotiate};
use super::access::{Access, Headers, Refusal};
use super::page::Page;
use super::request_info::{Wanted, is_watch};
use super::route::{self, GROUP, Route, VERSION};
use super::{discovery, openapi};
use crate::caches::Change;
use crate::context::Context;
use crate::key::Key;
use crate::sources::TriggersError;
use crate::target::Target;

/// Answers one request; `is_proxy` if it came with the front proxy's certificate.
pub(super) async fn answer(
    context: &Context,
    access: &Access,
    front: &Headers,
    is_proxy: bool,
    request: &Parts,
) -> Response<Body> {
    let (path, query) = (request.uri.path(), request.uri.query().unwrap_or_default());
    let wanted = Wanted::of(&request.method, path, query);
    let page = match access.check(front, is_proxy, &request.headers, wanted.clone()).await {
        Ok(()) => page(context, request, path, query).await,
        Err(refusal) => refused(refusal, &wanted),
    };
    page.into()
}

fn refused(refusal: Refusal, wanted: &Wanted) -> Page {
    match refusal {
        Refusal::Unauthorized => Page::status(401, "Unauthorized", "Unauthorized").without_details(),
        Refusal::Undecided(message) => Page::status(500, "InternalError", &message),
        Refusal::Forbidden { user, reason } => {
            let reason = if reason.is_empty() { reason } else { format!(": {reason}") };
            let why = format!("forbidden: User {user:?} cannot {wanted}{reason}");
            let Wanted::Resource(it) = wanted else { return Page::status(403, "Forbidden", &why).no_sniff() };
            let name = if it.name.is_empty() { String::new() } else { format!(" {:?}", it.name) };
            let mut details = json!({ "group": it.group, "kind": it.plural, "name": it.name });
            if let Some(details) = details.as_object_mut() {
                details.retain(|_, value| value != "");
            }
            let why = format!("{}.{}{name} is {why}", it.plural, it.group);
            Page::failure(403, "Forbidden", &why, &details).no_sniff()
        }
    }
}

/// The page of a path. What the router of an API server serves takes `GET` only; its plain pages look at no method.
async fn page(context: &Context, request: &Parts, path: &str, query: &str) -> Page {
    let requested = &request.headers;
    match Route::of(path) {
        Route::Index => discovery::paths(200),
        Route::Unknown => discovery::paths(404),
        Route::UnknownResource => no_resource(),
        Route::Health { whole } if whole => Page::text("ok").no_sniff(),
        Route::Health { .. } => Page::text("ok"),
        Route::OpenApi2 => openapi::second(requested),
        Route::OpenApi3 => openapi::index(requested),
        Route::OpenApiDocument(name) => {
            openapi::document(&name, query, requested).unwrap_or_else(|| discovery::paths(404))
        }
        _ if request.method != Method::GET => {
            Page::status(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        }
        Route::Version => match accept::route(header_text(requested, header::ACCEPT), &[Form::Json]) {
            Ok(()) => Page::json(200, &discovery::PROGRAM),
            Err(refusal) => refusal,
        },
        Route::Groups => document(&discovery::GROUPS, requested, query, true),
        Route::Group => document(&discovery::ONE_GROUP, requested, query, false),
        Route::Resources => document(&discovery::RESOURCES, requested, query, false),
        Route::Metric { namespace, name } => metric(context, &namespace, &name, query, requested).await,
    }
}

fn no_resource() -> Page {
    Page::status(404, "NotFound", "the server could not find the requested resource")
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn document(value: &Value, requested: &HeaderMap, query: &str, is_root: bool) -> Page {
    let pretty = is_pretty(requested, query);
    match negotiate(header_text(requested, header::ACCEPT), is_root) {
        Err(refusal) => refusal,
        Ok(agreed) => match agreed.aggregated {
            Some(version) => discovery::aggregated(version, agreed, requested, pretty),
            None => Page::document(value, agreed, pretty),
        },
    }
}

/// Whether a person reads it: said in the query, or known by the program's name.
fn is_pretty(requested: &HeaderMap, query: &str) -> bool {
    match form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "pretty") {
        Some((_, value)) if !value.is_empty() => matches!(value.as_ref(), "true" | "1" | "t" | "T" | "TRUE" | "True"),
        _ => {
            let agent = header_text(requested, header::USER_AGENT);
            ["curl", "Wget", "Mozilla/5.0"].iter().any(|name| agent.starts_with(name))
        }
    }
}

async fn metric(context: &Context, namespace: &str, name: &str, query: &str, requested: &HeaderMap) -> Page {
    let agreed = match negotiate(header_text(requested, header::ACCEPT), false) {
        Ok(agreed) => agreed,
        Err(refusal) => return refusal,
    };
    if is_watch(query) {
        let message = format!("watch is not supported on resources of kind \"*.{GROUP}\"");
        return Page::failure(405, "MethodNotAllowed", &message, &json!({ "group": GROUP, "kind": "*" }));
    }
    match value(context, namespace, name, query).await {
        Ok(list) => Page::document(&list, agreed, is_pretty(requested, query)),
        Err(cause) => Page::status(500, "InternalError", &format!("Internal error occurred: {cause}")),
    }
}

/// Why a metric has no value.
#[derive(Debug, thiserror::Error)]
enum NoValue {
    #[error("{0}")]
    Selector(String),
    #[error("ScaledObject {0} not found")]
    NoScaledObject(Key),
    #[error(transparent)]
    Triggers(TriggersError),
    #[error("{0}")]
    Formula(String),
    #[error("no matching metrics found for {0}")]
    NoMetric(String),
    #[error("metric:{name} encountered error: {cause}")]
    Reading { name: String, cause: String },
}

/// The list with the metric's one value, or why there is none.
async fn value(context: &Context, namespace: &str, name: &str, query: &str) -> Result<Value, NoValue> {
    let key = Key::new(namespace, &route::scaled_object(query).map_err(NoValue::Selector)?);
    let Some(object) = context.caches.scaled_objects.object(&key) else { return Err(NoValue::NoScaledObject(key)) };
    // The HPA that asks was made for the spec that is in force.
    let object = context.sources.accepted.in_force(&object).unwrap_or(object);
    if name.eq_ignore_ascii_case(COMPOSITE_METRIC)
        && let Some(modifiers) = Modifiers::of(&object.spec).map_err(|error| NoValue::Formula(error.to_string()))?
    {
        return composite(context, &key, &object, &modifiers).await;
    }
    let triggers = context.sources.of(context, &*object);
    let Some((spec, at, reading)) = triggers.metric(context, &*object, name, object.spec.polling()).await else {
        // A trigger that cannot be built has no metric; its reason helps more than "no such metric".
        let (_, errors) = triggers.specs(context, &*object).await;
        return Err(errors.map_or_else(|| NoValue::NoMetric(name.to_owned()), NoValue::Triggers));
    };
    count(context, &key, &object, &reading);
    let value = match reading.outcome {
        Outcome::Sample(sample) => sample.value,
        Outcome::Failed(cause) => match fallen_back(context, &key, &object, &spec).await {
            Some(value) => value,
            None => return Err(NoValue::Reading { name: name.to_owned(), cause }),
        },
    };
    Ok(list(name, at, value))
}

/// The list with the metric that the object's formula makes of all triggers, or why there is none.
async fn composite(
    context: &Context,
    key: &Key,
    object: &ScaledObject,
    modifiers: &Modifiers,
) -> Result<Value, NoValue> {
    let triggers = context.sources.of(context, object);
    let (readings, at) = triggers.metrics(context, object, object.spec.polling()).await;
    for reading in &readings {
        count(context, key, object, reading);
    }
    let status = object.status.clone().unwrap_or_default();
    let health = context.failures.counted(key, &status.health);
    let failed = |cause| NoValue::Reading { name: COMPOSITE_METRIC.to_owned(), cause };
    let wanted = object.spec.fallback.as_ref();
    let value = match (modifiers.composite(wanted, &health, &readings), wanted) {
        (Composite::Sample(sample), _) => sample.value,
        (Composite::FallenBack, Some(wanted)) => {
            stand_in(context, object, wanted, modifiers.spec().target).await.ok_or_else(|| {
                failed("the fallback's value cannot be calculated without the target's replicas".to_owned())
            })?
        }
        (Composite::FallenBack, None) => return Err(failed("there is no fallback".to_owned())),
        (Composite::Failed(cause), _) => return Err(failed(cause)),
    };
    Ok(list(COMPOSITE_METRIC, at, value))
}

/// Counts what a request found, where a fallback depends on it. The loop is woken if that puts one in force, or ends it.
fn count(context: &Context, key: &Key, object: &ScaledObject, reading: &Reading) {
    let (Some(wanted), Some(status)) = (&object.spec.fallback, &object.status) else { return };
    let is_engaged = || fallback::engaged(wanted, &context.failures.counted(key, &status.health), &reading.metric);
    let was_engaged = is_engaged();
    context.failures.record(key, &reading.metric, reading.error().is_none());
    if was_engaged != is_engaged() {
        context.caches.announce(Change::Health(key.clone()));
    }
}

/// The value that stands in for one that cannot be read, if a fallback is in force.
async fn fallen_back(context: &Context, key: &Key, object: &ScaledObject, spec: &Spec) -> Option<f64> {
    let wanted = object.spec.fallback.as_ref()?;
    let health = context.failures.counted(key, &object.status.as_ref()?.health);
    if !fallback::engaged(wanted, &health, &spec.name) {
        return None;
    }
    stand_in(context, object, wanted, spec.target).await
}

/// The value of a metric held at `held` that makes the HPA want what the fallback says.
async fn stand_in(context: &Context, object: &ScaledObject, wanted: &Fallback, held: metric::Target) -> Option<f64> {
    let target = async || Target::resolve(&context.client, object).await.ok();
    let current = if fallback::follows_current(wanted) { target().await?.replicas().await.ok()? } else { 0 };
    let ready = match held {
        metric::Target::AverageValue(_) => 0,
        metric::Target::Value(_) => target().await?.ready_replicas().await.ok()?,
    };
    fallback::value(fallback::replicas(wanted, current), held, ready)
}

fn list(name: &str, at: Timestamp, value: f64) -> Value {
    // Whole seconds, as metav1.Time is written.
    let at = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "kind": "ExternalMetricValueList", "apiVersion": format!("{GROUP}/{VERSION}"), "metadata": {},
        "items": [{ "metricName": name, "metricLabels": null, "timestamp": at, "value": metric::quantity(value) }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{DEPLOYMENT, SCALED_OBJECT, Server, soon};

    const SELECTOR: &str = "labelSelector=scaledobject.keda.sh%2Fname%3Dorders";

    #[tokio::test]
    async fn requests_of_the_hpa_count_for_a_fallback_without_any_poll() {
        let object = json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
            "metadata": { "name": "orders", "namespace": "shop", "uid": "u", "resourceVersion": "7", "generation": 1 },
            "spec": {
                "scaleTargetRef": { "name": "orders" },
                "fallback": { "failureThreshold": 2, "replicas": 3, "behavior": "currentReplicasIfHigher" },
                "triggers": [{ "type": "aws-sqs-queue", "metadata": {
                    "queueURL": "http://127.0.0.1:9/1/orders", "awsRegion": "eu-west-1", "identityOwner": "operator",
                } }],
            },
            "status": { "health": { "s0-aws-sqs-orders": { "numberOfFailures": 1, "status": "Failing" } } },
        });
        let target = json!({ "metadata": { "name": "orders", "namespace": "shop" }, "spec": { "replicas": 4 } });
        let context = Server::start([(SCALED_OBJECT, object), (DEPLOYMENT, target)], |_| None).watched().await;
        let mut changes = context.caches.subscribe();
        let request = async || value(&context, "shop", "s0-aws-sqs-orders", SELECTOR).await;
        assert!(request().await.is_err(), "two failures are borne: one of a poll, one of a request");
        let list = request().await.unwrap();
        assert_eq!(list["items"][0]["value"], "20", "4 replicas, which are more than 3, times 5");
        assert!(
            matches!(soon(changes.recv()).await, Ok(Change::Health(key)) if key.name == "orders"),
            "it is shown at once"
        );
    }

    fn with_formula(formula: &str, change: &Value) -> Value {
        let trigger = |name: &str| json!({ "type": "kubernetes-workload", "name": name, "metadata": { "podSelector": "app=web" } });
        let mut object = json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
            "metadata": { "name": "orders", "namespace": "shop", "uid": "u", "resourceVersion": "7", "generation": 1 },
            "spec": {
                "scaleTargetRef": { "name": "orders" }, "triggers": [trigger("a"), trigger("b")],
                "advanced": { "scalingModifiers": { "formula": formula, "target": "2.5" } },
            },
            "status": {},
        });
        json_patch::merge(&mut object, change);
        object
    }

    #[tokio::test]
    async fn the_composite_metric_is_answered_by_its_name_and_a_source_by_its_own() {
        let server = Server::start([(SCALED_OBJECT, with_formula("a * 2 + b / 2", &json!({})))], |_| None);
        server.put_pods(3);
        let context = server.watched().await;
        let list = value(&context, "shop", "composite-metric", SELECTOR).await.unwrap();
        assert_eq!(
            (&list["items"][0]["metricName"], &list["items"][0]["value"]),
            (&"composite-metric".into(), &"7500m".into())
        );
        let source = value(&context, "shop", "s1-workload-shop", SELECTOR).await.unwrap();
        assert_eq!(source["items"][0]["value"], "3");
    }

    #[tokio::test]
    async fn a_fallback_stands_for_the_composite_metric_or_is_left_to_the_formula() {
        let answers = async |formula: &str, behavior: &str| {
            let fallback = json!({ "failureThreshold": 1, "replicas": 4, "behavior": behavior });
            let object = with_formula(formula, &json!({ "spec": { "fallback": fallback } }));
            let refuses = |line: &str| line.ends_with("/pods").then_some((403, "pods is forbidden"));
            let context = Server::start([(SCALED_OBJECT, object)], refuses).watched().await;
            let request = async || value(&context, "shop", "composite-metric", SELECTOR).await;
            let first = request().await.unwrap_err().to_string();
            assert!(first.contains("metric:composite-metric") && first.contains("pods is forbidden"), "{first}");
            request().await.map(|list| list["items"][0]["value"].clone()).map_err(|error| error.to_string())
        };
        assert_eq!(answers("a + b", "static").await.unwrap(), "10", "4 replicas at 2.5 each");
        assert_eq!(answers("(a ?? 1) + (b ?? 2)", "scalingModifiers").await.unwrap(), "3");
        assert_eq!(answers("a ?? nil", "scalingModifiers").await.unwrap(), "10");
        assert!(answers("a + b", "scalingModifiers").await.unwrap_err().contains("nil"));
    }

    #[test]
    fn a_value_is_written_as_keda_writes_it() {
        let at: Timestamp = "2026-11-24T04:00:00.75Z".parse().unwrap();
        let item = list("s0-aws-sqs-orders", at, 2.5)["items"][0].clone();
        assert_eq!(
            item,
            json!({ "metricName": "s0-aws-sqs-orders", "metricLabels": null, "timestamp": "2026-11-24T04:00:00Z", "value": "2500m" })
        );
    }
}
