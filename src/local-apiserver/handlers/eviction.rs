//! `pods/eviction`: a deletion that asks the pod's disruption budget first.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{delete, scale};
use crate::request::Reply;
use crate::request::resource_request::ResourceRequest;
use crate::selector::Selector;
use crate::status::Status;
use crate::store::{Object, Stale};

const BUDGETS: &str = "poddisruptionbudgets.policy";

pub(super) fn serve(request: &ResourceRequest<'_>) -> Result<Reply, Status> {
    let mut options = request.call.body_as("policy", "v1", "Eviction")?["deleteOptions"].take();
    let pod = request.stored()?;
    let terminating = !pod["metadata"]["deletionTimestamp"].is_null();
    // Whoever does not work is missed by nobody.
    if !terminating && pod["status"]["phase"] == "Running" {
        match budgets_of(request, &pod)?.as_slice() {
            [] => {}
            [budget] => spend(request, &pod, budget.clone())?,
            _ => {
                let why =
                    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
                return Err(Status::failure(500, "InternalError", why));
            }
        }
    }
    // The budget was asked for this pod, and not for one that has got its name meanwhile.
    if options["preconditions"]["uid"].is_null() {
        options["preconditions"]["uid"] = pod["metadata"]["uid"].clone();
    }
    delete::remove(request, &options)?;
    let success = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(Reply::json(201, success))
}

fn budgets_of(request: &ResourceRequest<'_>, pod: &Value) -> Result<Vec<Object>, Status> {
    let (budgets, _) = request.cluster.store.list(BUDGETS, Some(&request.target.namespace));
    let mut found = Vec::new();
    for budget in budgets.into_iter().filter(|budget| budget["spec"]["selector"].is_object()) {
        let text = scale::selector_text(&budget["spec"]["selector"]);
        if Selector::parse(&request.resource, Some(&text), None)?.matches(pod) {
            found.push(budget);
        }
    }
    Ok(found)
}

/// Takes one disruption from the budget.
fn spend(request: &ResourceRequest<'_>, pod: &Value, mut budget: Object) -> Result<(), Status> {
    loop {
        let name = budget["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let number = |field: &str| budget["status"][field].as_i64().unwrap_or(0);
        let (healthy, desired, allowed) =
            (number("currentHealthy"), number("desiredHealthy"), number("disruptionsAllowed"));
        let ready = pod["status"]["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|one| one["type"] == "Ready" && one["status"] == "True");
        let always = budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow";
        if !ready && (always || (healthy >= desired && desired > 0)) {
            return Ok(());
        }
        if number("observedGeneration") < budget["metadata"]["generation"].as_i64().unwrap_or(0) {
            return Err(refusal(&format!("The disruption budget {name} is still being processed by the server.")));
        }
        if allowed <= 0 {
            let why = if healthy <= desired {
                format!("needs {desired} healthy pods and has {healthy} currently")
            } else {
                "does not allow evicting pods currently".to_owned()
            };
            return Err(refusal(&format!("The disruption budget {name} {why}")));
        }
        if request.call.dry_run() {
            return Ok(());
        }
        let mut new = (*budget).clone();
        new["status"]["disruptionsAllowed"] = (allowed - 1).into();
        // The controller counts the pod as gone from now on, also before it sees its deletion.
        let pod_name = pod["metadata"]["name"].as_str().unwrap_or_default();
        new["status"]["disruptedPods"][pod_name] = request.cluster.now_text().into();
        match request.cluster.store.replace(BUDGETS, &budget, new) {
            Ok(_) | Err(Stale::Gone) => return Ok(()),
            Err(_) => match request.cluster.get(BUDGETS, &request.target.namespace, &name) {
                Some(current) => budget = Arc::clone(&current),
                None => return Ok(()),
            },
        }
    }
}

fn refusal(why: &str) -> Status {
    Status::failure(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.")
        .with_cause(json!({"reason": "DisruptionBudget", "message": why}))
}
