//! Volumes, claims to them, and the classes of both.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::cell::{created, name, text_or};

/// `RWO,ROX`, in this order.
fn modes(list: &Value) -> Value {
    let modes =
        [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
    let held = |mode: &str| list.as_array().into_iter().flatten().any(|one| one == mode);
    modes.into_iter().filter(|(mode, _)| held(mode)).map(|(_, short)| short).collect::<Vec<_>>().join(",").into()
}

fn phase(object: &Value) -> Value {
    if object["metadata"]["deletionTimestamp"].is_null() {
        text_or(&object["status"]["phase"], "").into()
    } else {
        "Terminating".into()
    }
}

pub(crate) fn volume(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, claim) = (&object["spec"], &object["spec"]["claimRef"]);
    let claim = match claim["name"].as_str() {
        Some(name) => format!("{}/{name}", text_or(&claim["namespace"], "")),
        None => String::new(),
    };
    vec![
        name(object),
        text_or(&spec["capacity"]["storage"], "0").into(),
        modes(&spec["accessModes"]),
        text_or(&spec["persistentVolumeReclaimPolicy"], "").into(),
        phase(object),
        claim.into(),
        text_or(&spec["storageClassName"], "").into(),
        text_or(&spec["volumeAttributesClassName"], "<unset>").into(),
        text_or(&object["status"]["reason"], "").into(),
        created(object, now),
        text_or(&spec["volumeMode"], "<unset>").into(),
    ]
}

pub(crate) fn claim(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let bound = spec["volumeName"].as_str().is_some_and(|name| !name.is_empty());
    vec![
        name(object),
        phase(object),
        text_or(&spec["volumeName"], "").into(),
        if bound { text_or(&status["capacity"]["storage"], "0") } else { String::new() }.into(),
        if bound { modes(&status["accessModes"]) } else { "".into() },
        text_or(&spec["storageClassName"], "").into(),
        text_or(&spec["volumeAttributesClassName"], "<unset>").into(),
        created(object, now),
        text_or(&spec["volumeMode"], "<unset>").into(),
    ]
}

pub(crate) fn class(object: &Value, now: Timestamp) -> Vec<Value> {
    let annotations = &object["metadata"]["annotations"];
    let default = annotations["storageclass.kubernetes.io/is-default-class"] == "true";
    let name = text_or(&object["metadata"]["name"], "");
    vec![
        if default { json!(format!("{name} (default)")) } else { json!(name) },
        object["provisioner"].clone(),
        text_or(&object["reclaimPolicy"], "Delete").into(),
        text_or(&object["volumeBindingMode"], "Immediate").into(),
        (object["allowVolumeExpansion"] == true).into(),
        created(object, now),
    ]
}
