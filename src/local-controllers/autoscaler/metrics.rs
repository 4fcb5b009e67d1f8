//! Asking for metrics through the API server, as the autoscaler's ServiceAccount.

use local_apiserver::Client;
use serde_json::{Value, json};

use super::algorithm::{Outcome, Proposal, Tolerance, for_average, for_value, is_settled};
use crate::object::{items, text};
use crate::quantity::{from_milli, to_milli};
use crate::selector::{in_go_syntax, to_query};

/// The target's sizes, as its scale and its pods report them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) wanted: i64,
    pub(super) existing: i64,
    pub(super) ready: i64,
    pub(super) pods: usize,
}

/// One metric of the spec: what it asks for, and its entry in `status.currentMetrics`.
pub(super) struct Reading {
    pub(super) outcome: Outcome,
    pub(super) status: Value,
}

/// `error` is the message with what the real controller puts before it on its way up.
fn failed(reason: &'static str, message: String, error: String) -> Reading {
    // The real controller has an entry for each metric of the spec, and leaves that of a failed one empty.
    Reading { outcome: Outcome::Failed { reason, message, error }, status: json!({"type": ""}) }
}

pub(super) async fn read(
    client: &Client,
    namespace: &str,
    spec: &Value,
    sizes: Sizes,
    tolerance: Tolerance,
) -> Reading {
    match text(spec, "/type") {
        "External" => external(client, namespace, &spec["external"], sizes, tolerance).await,
        "Resource" => resource(client, namespace, &spec["resource"]).await,
        "ContainerResource" => resource(client, namespace, &spec["containerResource"]).await,
        "Pods" => custom(client, namespace, "pods", text(spec, "/pods/metric/name"), "FailedGetPodsMetric").await,
        "Object" => {
            custom(client, namespace, "object", text(spec, "/object/metric/name"), "FailedGetObjectMetric").await
        }
        other => {
            let message = format!("unknown metric source type \"{other}\"");
            failed("InvalidMetricSourceType", message.clone(), message)
        }
    }
}

async fn external(client: &Client, namespace: &str, spec: &Value, sizes: Sizes, tolerance: Tolerance) -> Reading {
    const REASON: &str = "FailedGetExternalMetric";
    let (name, selector) = (text(spec, "/metric/name"), spec.pointer("/metric/selector"));
    let shown = in_go_syntax(selector);
    let total = match external_total(client, namespace, name, selector).await {
        Ok(total) => total,
        Err(why) => {
            let message = format!("unable to get external metric {namespace}/{name}/{shown}: {why}");
            let error =
                format!("failed to get {name} external metric value: failed to get {name} external metric: {message}");
            return failed(REASON, message, error);
        }
    };
    let target = |field: &str| to_milli(text(spec, &format!("/target/{field}"))).filter(|milli| *milli > 0);
    let (proposal, current) = if let Some(average) = target("averageValue") {
        let proposal = for_average(total, average, sizes.existing, tolerance);
        (proposal, json!({"averageValue": from_milli(proposal.usage_milli)}))
    } else if let Some(value) = target("value") {
        let settled = is_settled(total, value, tolerance);
        if sizes.wanted != 0 && sizes.pods == 0 && !settled {
            let why = "no pods returned by selector while calculating replica count";
            let message = format!("unable to calculate ready pods: {why}");
            let error =
                format!("failed to get {name} external metric value: failed to get external metric {name}: {message}");
            return failed(REASON, message, error);
        }
        let proposal: Proposal = for_value(total, value, sizes.wanted, sizes.ready, tolerance);
        (proposal, json!({"value": from_milli(proposal.usage_milli)}))
    } else {
        let why = "invalid external metric source: neither a value target nor an average value target was set";
        return failed(REASON, why.to_owned(), format!("failed to get {name} external metric value: {why}"));
    };
    let status = json!({"type": "External", "external": {"metric": spec["metric"], "current": current}});
    let name = format!("external metric {name}({shown})");
    Reading { outcome: Outcome::Proposed { replicas: proposal.replicas, name }, status }
}

/// The sum of all values that the external metrics API gives.
async fn external_total(
    client: &Client,
    namespace: &str,
    name: &str,
    selector: Option<&Value>,
) -> Result<i128, String> {
    let mut path = format!("/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{}", percent_encoded(name));
    let query = selector.map(to_query).unwrap_or_default();
    if !query.is_empty() {
        path = format!("{path}?labelSelector={}", percent_encoded(&query));
    }
    let answer = client.get(&path).await;
    let answer =
        answer.map_err(|status| format!("unable to fetch metrics from external metrics API: {}", status.message()))?;
    let found = items(&answer, "/items");
    if found.is_empty() {
        return Err("no metrics returned from external metrics API".to_owned());
    }
    let value = |item: &Value| {
        let value = text(item, "/value");
        to_milli(value).ok_or_else(|| format!("the external metrics API gave \"{value}\", which is no quantity"))
    };
    found.iter().map(value).sum()
}

/// Everything but letters, digits and `-_.~` as `%XX`: a segment of a path or a value of a query.
fn percent_encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    encoded.collect::<Vec<_>>().concat()
}

/// There is no metrics server in the local cloud, and the answer is the real controller's where there is none. Who installs
/// one gets a warning that its values are not used.
async fn resource(client: &Client, namespace: &str, spec: &Value) -> Reading {
    let path = format!("/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods");
    let why = match client.get(&path).await {
        // What client-go adds to an answer that is no Status of the metrics API itself.
        Err(status) if status.code() == 404 => {
            let cause = "the server could not find the requested resource (get pods.metrics.k8s.io)";
            format!("unable to fetch metrics from resource metrics API: {cause}")
        }
        Err(status) => format!("unable to fetch metrics from resource metrics API: {}", status.message()),
        Ok(_) => {
            "the local cloud's autoscaler does not calculate with resource metrics; use an external metric".to_owned()
        }
    };
    let name = text(spec, "/name");
    let held = if text(spec, "/target/averageValue").is_empty() { "utilization" } else { "usage" };
    let message = format!("failed to get {name} {held}: unable to get metrics for resource {name}: {why}");
    match text(spec, "/container") {
        "" => {
            let error = format!("failed to get {name} resource metric value: {message}");
            failed("FailedGetResourceMetric", message, error)
        }
        container => {
            let error = format!("failed to get {container} container metric value: {message}");
            failed("FailedGetContainerResourceMetric", message, error)
        }
    }
}

/// The same for custom metrics.
async fn custom(client: &Client, namespace: &str, what: &str, name: &str, reason: &'static str) -> Reading {
    let path = format!("/apis/custom.metrics.k8s.io/v1beta2/namespaces/{namespace}/pods/*/{}", percent_encoded(name));
    let why = match client.get(&path).await {
        Err(status) => format!("unable to fetch metrics from custom metrics API: {}", status.message()),
        Ok(_) => {
            "the local cloud's autoscaler does not calculate with custom metrics; use an external metric".to_owned()
        }
    };
    let message = format!("unable to get metric {name}: {why}");
    let error = format!("failed to get {what} metric value: {message}");
    failed(reason, message, error)
}

#[cfg(test)]
mod tests {
    #[test]
    fn selectors_are_encoded_for_the_query() {
        assert_eq!(super::percent_encoded("scaledobject.keda.sh/name=a b"), "scaledobject.keda.sh%2Fname%3Da%20b");
    }
}
