//! `Warning` headers of writes that do what was asked, and less than somebody may expect.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::admission::webhooks::matching::PASSED_OVER;
use crate::kinds::Resource;
use crate::openapi;

/// Fields of a pod by which daemon sets choose nodes, and nobody else does.
const OF_DAEMON_SETS: [&str; 2] = ["affinity", "nodeSelector"];

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Read,
    Harmless,
    /// Nobody acts on it; the text is the value that changes nothing.
    Unread(&'static str),
}

static FIELDS: LazyLock<HashMap<(&'static str, &'static str), Use>> = LazyLock::new(|| {
    let lines = include_str!("warnings/fields.txt").lines().filter(|line| !line.starts_with('#'));
    let mut fields = HashMap::new();
    for line in lines {
        let mut words = line.split(' ');
        let (Some(owner), Some(becomes)) = (words.next(), words.next()) else { continue };
        for word in words {
            let (name, usual) = word.split_once('=').unwrap_or((word, ""));
            let becomes = match becomes {
                "read" => Use::Read,
                "harmless" => Use::Harmless,
                _ => Use::Unread(usual),
            };
            fields.insert((owner, name), becomes);
        }
    }
    fields
});

/// What whoever writes `object`, as it was sent, ought to know.
pub(crate) fn of(resource: &Resource, object: &Value) -> Vec<String> {
    if resource.custom.is_some() {
        return Vec::new();
    }
    let mut warnings: Vec<String> = of_kind(resource, object).into_iter().collect();
    walk(resource, &object["spec"], &mut vec!["spec"], "spec", &mut warnings);
    warnings
}

/// Of a kind that is kept, and that nothing serves.
fn of_kind(resource: &Resource, object: &Value) -> Option<String> {
    let what = match resource.built_in_kind() {
        "Ingress" => "no Ingress controller runs in the local cluster: nothing serves this Ingress",
        "NetworkPolicy" => "the local cluster does not enforce NetworkPolicies: all traffic is allowed",
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => return of_webhooks(object),
        "StorageClass" => "no provisioner runs in the local cluster: claims of this class stay Pending",
        "Service" if object["spec"]["type"] == "NodePort" => {
            "no node of the local cluster opens node ports: this Service is reached by its cluster address only"
        }
        "Service" if object["spec"]["type"] == "LoadBalancer" => {
            "no load balancer controller runs in the local cluster: this Service gets no external address"
        }
        _ => return None,
    };
    Some(what.to_owned())
}

/// Of webhooks that are to look at what is shown to none.
fn of_webhooks(configuration: &Value) -> Option<String> {
    let rules = configuration["webhooks"].as_array()?.iter().filter_map(|hook| hook["rules"].as_array()).flatten();
    let mut named: Vec<&str> = rules
        .flat_map(|rule| rule["resources"].as_array().into_iter().flatten())
        .filter_map(|one| one.as_str()?.split_once('/').map(|(_, sub)| sub))
        .filter(|sub| PASSED_OVER.contains(sub))
        .collect();
    named.sort_unstable();
    named.dedup();
    (!named.is_empty())
        .then(|| format!("the local API server calls no webhooks for the subresources {}", named.join(", ")))
}

/// The fields at and below a place that nobody acts on.
fn walk<'a>(resource: &Resource, value: &'a Value, names: &mut Vec<&'a str>, path: &str, warnings: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                let at = format!("{path}.{name}");
                names.push(name);
                let found = openapi::field(resource, names).filter(|field| field.declared);
                let read_here = resource.built_in_kind() == "DaemonSet" && OF_DAEMON_SETS.contains(&name.as_str());
                match found.filter(|_| !read_here).and_then(|field| FIELDS.get(&(field.owner, name.as_str()))) {
                    Some(Use::Unread(usual)) => {
                        let is_usual = inner.as_str().map_or_else(
                            || usual.parse::<Value>().is_ok_and(|usual| usual == *inner),
                            |text| text == *usual,
                        );
                        if !says_nothing(inner) && !is_usual {
                            warnings.push(format!("{at}: nothing in the local cluster acts on this field"));
                        }
                    }
                    _ => walk(resource, inner, names, &at, warnings),
                }
                names.pop();
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(resource, item, names, &format!("{path}[{index}]"), warnings);
            }
        }
        _ => {}
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::admission::defaults;
    use crate::kinds::BUILT_IN;

    fn resource(kind: &str) -> &'static Resource {
        BUILT_IN.iter().find(|resource| resource.kind == kind).unwrap()
    }

    fn deployment(pod: &Value) -> Value {
        json!({"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod}}})
    }

    #[test]
    fn a_field_that_nobody_reads_is_said() {
        let pod = json!({"nodeSelector": {"disk": "ssd"}, "affinity": {}, "containers": [
            {"name": "c", "image": "x", "resources": {"claims": [{"name": "gpu"}]}, "tty": false, "stdin": true}]});
        let pod_path = "spec.template.spec";
        assert_eq!(
            of(resource("Deployment"), &deployment(&pod)),
            [
                format!("{pod_path}.containers[0].resources.claims: nothing in the local cluster acts on this field"),
                format!("{pod_path}.containers[0].stdin: nothing in the local cluster acts on this field"),
                format!("{pod_path}.nodeSelector: nothing in the local cluster acts on this field"),
            ]
        );
        assert_eq!(of(resource("DaemonSet"), &deployment(&json!({"nodeSelector": {"disk": "ssd"}}))), [""; 0]);
        let service = json!({"spec": {"sessionAffinity": "ClientIP", "externalTrafficPolicy": "Cluster"}});
        assert_eq!(of(resource("Service"), &service).len(), 1);
        let balanced = json!({"spec": {"type": "LoadBalancer"}});
        assert!(of(resource("Service"), &balanced)[0].contains("no load balancer controller"));
    }

    #[test]
    fn fields_inside_volumes_claims_and_autoscalers_are_said_too() {
        let volumes = json!([
            {"name": "a", "secret": {"secretName": "s", "defaultMode": 256, "items": [{"key": "k", "path": "p", "mode": 420}]}},
            {"name": "b", "emptyDir": {"sizeLimit": "1Gi", "medium": "Memory"}},
        ]);
        let said = of(resource("Deployment"), &deployment(&json!({"volumes": volumes})));
        let fields: Vec<&str> = said.iter().filter_map(|one| one.split(':').next()).collect();
        let path = "spec.template.spec.volumes";
        assert_eq!(fields, [format!("{path}[0].secret.defaultMode"), format!("{path}[1].emptyDir.sizeLimit")]);
        let claim = json!({"spec": {"dataSource": {"kind": "VolumeSnapshot", "name": "s"}}});
        assert_eq!(of(resource("PersistentVolumeClaim"), &claim).len(), 1);
        let volume = json!({"spec": {"mountOptions": ["ro"], "hostPath": {"path": "/"}}});
        assert_eq!(of(resource("PersistentVolume"), &volume).len(), 1);
        assert_eq!(
            of(resource("PodDisruptionBudget"), &json!({"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}})),
            [""; 0]
        );
        assert_eq!(of(resource("Service"), &json!({"spec": {"type": "NodePort"}})).len(), 1);
    }

    #[test]
    fn defaults_are_no_reason_for_a_warning() {
        let probe = json!({"httpGet": {"port": 80}});
        let container = json!({"name": "c", "image": "x", "livenessProbe": probe, "ports": [{"containerPort": 80}]});
        for (kind, mut object) in [
            ("Deployment", deployment(&json!({"containers": [container]}))),
            ("Pod", json!({"spec": {"containers": [container]}})),
            ("Job", deployment(&json!({"containers": [container]}))),
            ("Service", json!({"spec": {"ports": [{"port": 80}]}})),
            ("PodDisruptionBudget", json!({"spec": {"minAvailable": 1}})),
            ("PersistentVolumeClaim", json!({"spec": {"accessModes": ["ReadWriteOnce"]}})),
            ("PersistentVolume", json!({"spec": {"csi": {"driver": "efs.csi.aws.com", "volumeHandle": "fs-1"}}})),
            ("HorizontalPodAutoscaler", json!({"spec": {"maxReplicas": 3, "behavior": {"scaleDown": {}}}})),
            (
                "Pod",
                json!({"spec": {"containers": [], "volumes": [
                {"name": "a", "configMap": {"name": "x"}}, {"name": "b", "secret": {"secretName": "x"}},
                {"name": "c", "projected": {"sources": []}}, {"name": "d", "downwardAPI": {}}, {"name": "e", "emptyDir": {}}]}}),
            ),
            (
                "StatefulSet",
                json!({"spec": {"serviceName": "x", "volumeClaimTemplates": [{"spec": {"accessModes": []}}]}}),
            ),
            ("CronJob", json!({"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {}}}})),
        ] {
            object["metadata"] = json!({"name": "x"});
            defaults::apply(resource(kind), &mut object);
            assert_eq!(of(resource(kind), &object), [""; 0], "{kind}: {object}");
        }
    }

    #[test]
    fn every_field_of_a_listed_type_is_listed_and_is_there() {
        let owners: BTreeSet<&str> = FIELDS.keys().map(|(owner, _)| *owner).collect();
        let wrong = owners.into_iter().filter_map(|owner| {
            let listed: BTreeSet<&str> = FIELDS.keys().filter(|(of, _)| *of == owner).map(|(_, name)| *name).collect();
            let there = openapi::properties(owner);
            let differing: Vec<&&str> = listed.symmetric_difference(&there).collect();
            (!differing.is_empty()).then(|| format!("{owner}: {differing:?}"))
        });
        assert_eq!(wrong.collect::<Vec<_>>(), [""; 0]);
    }

    /// The sources of the controllers, the node and this server.
    fn sources(folder: &Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, text);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn what_is_listed_as_read_stands_in_the_sources() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut text = String::new();
        sources(&here.join("../local-controllers"), &mut text);
        for folder in ["admission", "handlers", "object"] {
            sources(&here.join(folder), &mut text);
        }
        let read = FIELDS.iter().filter(|(_, becomes)| **becomes == Use::Read);
        let missing: Vec<&(&str, &str)> = read
            .map(|(key, _)| key)
            .filter(|(_, name)| !["\"", "/"].iter().any(|start| text.contains(&format!("{start}{name}"))))
            .collect();
        assert_eq!(missing, [&("", ""); 0]);
    }
}
