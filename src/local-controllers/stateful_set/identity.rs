//! Who a pod of a StatefulSet is: its name, labels, host name and claims follow from its ordinal.

use serde_json::{Value, json};

use crate::history::{self, HASH_LABEL};
use crate::object::{items, name, text};
use crate::template;

pub(super) const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
pub(super) const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

/// The ordinal in the name of a pod of this set.
pub(super) fn ordinal(set: &Value, pod: &Value) -> Option<i64> {
    let digits = name(pod).strip_prefix(name(set))?.strip_prefix('-')?;
    // No sign and no leading zeroes: each ordinal has one name.
    digits.parse::<i64>().ok().filter(|number| *number >= 0 && number.to_string() == digits)
}

/// The claim of a pod for one of `volumeClaimTemplates`.
pub(super) fn claim_name(set: &Value, template: &Value, ordinal: i64) -> String {
    format!("{}-{}-{ordinal}", name(template), name(set))
}

/// The pod of an ordinal as a revision has it.
pub(super) fn build(set: &Value, ordinal: i64, revision: &Value) -> Value {
    let mut pod = template::pod(&history::template(revision), set, "apps/v1", "StatefulSet");
    pod["metadata"]["name"] = format!("{}-{ordinal}", name(set)).into();
    pod["metadata"]["labels"][HASH_LABEL] = name(revision).into();
    pod["spec"]["hostname"] = pod["metadata"]["name"].clone();
    if !text(set, "/spec/serviceName").is_empty() {
        pod["spec"]["subdomain"] = set["spec"]["serviceName"].clone();
    }
    identify(set, ordinal, &mut pod);
    mount(set, ordinal, &mut pod);
    pod
}

fn identify(set: &Value, ordinal: i64, pod: &mut Value) {
    pod["metadata"]["labels"][POD_NAME] = format!("{}-{ordinal}", name(set)).into();
    pod["metadata"]["labels"][POD_INDEX] = ordinal.to_string().into();
}

/// Volumes for the claims; they take the place of the template's volumes of the same name.
fn mount(set: &Value, ordinal: i64, pod: &mut Value) {
    let templates = items(set, "/spec/volumeClaimTemplates");
    if templates.is_empty() {
        return;
    }
    let own = |one: &Value| {
        let claim = json!({"claimName": claim_name(set, one, ordinal)});
        json!({"name": name(one), "persistentVolumeClaim": claim})
    };
    let mut volumes: Vec<Value> = templates.iter().map(own).collect();
    let others = items(pod, "/spec/volumes").iter();
    let others: Vec<Value> =
        others.filter(|volume| templates.iter().all(|one| name(one) != text(volume, "/name"))).cloned().collect();
    volumes.extend(others);
    pod["spec"]["volumes"] = volumes.into();
}

/// Whether a pod (an adopted one, say) carries the labels that name it.
pub(super) fn is_identified(set: &Value, pod: &Value) -> bool {
    let label = |key: &str| pod["metadata"]["labels"][key].as_str();
    ordinal(set, pod).is_none_or(|ordinal| {
        label(POD_NAME) == Some(name(pod)) && label(POD_INDEX) == Some(ordinal.to_string().as_str())
    })
}

pub(super) fn repaired(set: &Value, pod: &Value) -> Value {
    let mut fixed = pod.clone();
    if let Some(ordinal) = ordinal(set, pod) {
        identify(set, ordinal, &mut fixed);
    }
    fixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_named_by_its_ordinal() {
        let set = json!({
            "metadata": {"name": "web", "namespace": "n", "uid": "u"},
            "spec": {"serviceName": "svc", "volumeClaimTemplates": [{"metadata": {"name": "data"}}]},
        });
        let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"volumes": [
            {"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]}, "$patch": "replace"});
        let revision = json!({"metadata": {"name": "web-abc"}, "data": {"spec": {"template": template}}});
        let pod = build(&set, 3, &revision);
        assert_eq!((name(&pod), ordinal(&set, &pod)), ("web-3", Some(3)));
        assert_eq!(
            pod["metadata"]["labels"],
            json!({"app": "web", HASH_LABEL: "web-abc", POD_NAME: "web-3", POD_INDEX: "3"})
        );
        assert_eq!((&pod["spec"]["hostname"], &pod["spec"]["subdomain"]), (&json!("web-3"), &json!("svc")));
        assert_eq!(
            pod["spec"]["volumes"],
            json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-3"}}, {"name": "tmp", "emptyDir": {}}])
        );
        for invalid in ["web", "web-", "web-x", "web-01", "web--1", "webs-1"] {
            assert_eq!(ordinal(&set, &json!({"metadata": {"name": invalid}})), None, "{invalid}");
        }
    }
}
