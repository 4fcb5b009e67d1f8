//! Workloads, and what goes with them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::cell::{created, joined, name, number, selector, text_or};
use crate::table::age::{age, human};

/// The names and the images of the containers of a pod template.
fn containers(object: &Value) -> (Value, Value) {
    let containers = &object["spec"]["template"]["spec"]["containers"];
    (joined(containers, "name"), joined(containers, "image"))
}

/// `ready/wanted`.
fn ready(object: &Value) -> Value {
    format!("{}/{}", number(&object["status"]["readyReplicas"]), number(&object["spec"]["replicas"])).into()
}

pub(crate) fn deployment(object: &Value, now: Timestamp) -> Vec<Value> {
    let (names, images) = containers(object);
    vec![
        name(object),
        ready(object),
        number(&object["status"]["updatedReplicas"]).into(),
        number(&object["status"]["availableReplicas"]).into(),
        created(object, now),
        names,
        images,
        selector(&object["spec"]["selector"]),
    ]
}

/// Of replica sets and replication controllers.
pub(crate) fn replicas(object: &Value, now: Timestamp) -> Vec<Value> {
    let (names, images) = containers(object);
    vec![
        name(object),
        number(&object["spec"]["replicas"]).into(),
        number(&object["status"]["replicas"]).into(),
        number(&object["status"]["readyReplicas"]).into(),
        created(object, now),
        names,
        images,
        selector(&object["spec"]["selector"]),
    ]
}

pub(crate) fn stateful_set(object: &Value, now: Timestamp) -> Vec<Value> {
    let (names, images) = containers(object);
    vec![name(object), ready(object), created(object, now), names, images]
}

pub(crate) fn job(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let (names, images) = containers(object);
    let done = |kind: &str| {
        status["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|held| held["type"] == kind && held["status"] == "True")
    };
    let state = if done("Complete") {
        "Complete"
    } else if done("Failed") {
        "Failed"
    } else if object["metadata"]["deletionTimestamp"].is_string() {
        "Terminating"
    } else {
        let others = ["Suspended", "FailureTarget", "SuccessCriteriaMet"];
        others.into_iter().find(|kind| done(kind)).unwrap_or("Running")
    };
    let completions = match spec["completions"].as_i64() {
        Some(wanted) => format!("{}/{wanted}", number(&status["succeeded"])),
        None => match number(&spec["parallelism"]) {
            0 | 1 => format!("{}/1", number(&status["succeeded"])),
            several => format!("{}/1 of {several}", number(&status["succeeded"])),
        },
    };
    let at = |field: &str| status[field].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let duration =
        at("startTime").map(|start| human(at("completionTime").unwrap_or(now).as_second() - start.as_second()));
    vec![
        name(object),
        state.into(),
        completions.into(),
        duration.unwrap_or_default().into(),
        created(object, now),
        names,
        images,
        selector(&spec["selector"]),
    ]
}

pub(crate) fn cron_job(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, last) = (&object["spec"], &object["status"]["lastScheduleTime"]);
    let job = &spec["jobTemplate"]["spec"];
    let containers = &job["template"]["spec"]["containers"];
    vec![
        name(object),
        spec["schedule"].clone(),
        text_or(&spec["timeZone"], "<none>").into(),
        if spec["suspend"] == true { "True" } else { "False" }.into(),
        object["status"]["active"].as_array().map_or(0, Vec::len).into(),
        if last.is_null() { json!("<none>") } else { json!(age(last, now)) },
        created(object, now),
        joined(containers, "name"),
        joined(containers, "image"),
        selector(&job["selector"]),
    ]
}

pub(crate) fn daemon_set(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let pod = &spec["template"]["spec"];
    let fields = [
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    ];
    let mut cells = vec![name(object)];
    cells.extend(fields.map(|field| number(&status[field]).into()));
    cells.extend([
        selector(&pod["nodeSelector"]),
        created(object, now),
        joined(&pod["containers"], "name"),
        joined(&pod["containers"], "image"),
        selector(&spec["selector"]),
    ]);
    cells
}

pub(crate) fn controller_revision(object: &Value, now: Timestamp) -> Vec<Value> {
    let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let mut controller = owners.filter(|owner| owner["controller"] == true).map(|owner| {
        let version = text_or(&owner["apiVersion"], "");
        let group = version.split_once('/').map(|(group, _)| format!(".{group}")).unwrap_or_default();
        format!("{}{group}/{}", text_or(&owner["kind"], "").to_lowercase(), text_or(&owner["name"], ""))
    });
    let controller = controller.next_back().unwrap_or_else(|| "<none>".to_owned());
    vec![name(object), controller.into(), number(&object["revision"]).into(), created(object, now)]
}

pub(crate) fn disruption_budget(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let shown = |value: &Value| if value.is_null() { json!("N/A") } else { json!(value.to_string().trim_matches('"')) };
    vec![
        name(object),
        shown(&spec["minAvailable"]),
        shown(&spec["maxUnavailable"]),
        number(&status["disruptionsAllowed"]).into(),
        created(object, now),
    ]
}

pub(crate) fn priority_class(object: &Value, now: Timestamp) -> Vec<Value> {
    let default = object["globalDefault"] == true;
    vec![
        name(object),
        object["value"].clone(),
        default.into(),
        created(object, now),
        text_or(&object["preemptionPolicy"], "PreemptLowerPriority").into(),
    ]
}
