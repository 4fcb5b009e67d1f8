//! A container's environment variables, from literals, fields of the pod, ConfigMaps and Secrets.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::Value;

use super::expansion::expand;
use crate::object::{flag, items, labels, strings, text};
use crate::quantity::to_milli;

/// An object that supplies configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    /// `configmaps` or `secrets`.
    pub(super) id: &'static str,
    pub(super) name: String,
}

/// What was found under each source; sources that do not exist are absent.
pub(super) type Sources = BTreeMap<Source, BTreeMap<String, Vec<u8>>>;

/// Everything that a container's variables refer to.
pub(super) fn sources(container: &Value) -> Vec<Source> {
    let from = items(container, "/envFrom").iter().flat_map(|one| {
        let map = text(one, "/configMapRef/name");
        let secret = text(one, "/secretRef/name");
        [("configmaps", map), ("secrets", secret)]
    });
    let single = items(container, "/env").iter().flat_map(|one| {
        let map = text(one, "/valueFrom/configMapKeyRef/name");
        let secret = text(one, "/valueFrom/secretKeyRef/name");
        [("configmaps", map), ("secrets", secret)]
    });
    let named = from.chain(single).filter(|(_, name)| !name.is_empty());
    named.map(|(id, name)| Source { id, name: name.to_owned() }).collect()
}

/// The data of a ConfigMap or Secret as bytes.
pub(super) fn data_of(id: &str, object: &Value) -> BTreeMap<String, Vec<u8>> {
    let decode = |text: &String| base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
    let plain = strings(object, "/data");
    let mut data: BTreeMap<String, Vec<u8>> = if id == "secrets" {
        plain.iter().map(|(key, value)| (key.clone(), decode(value))).collect()
    } else {
        plain.into_iter().map(|(key, value)| (key, value.into_bytes())).collect()
    };
    data.extend(strings(object, "/binaryData").iter().map(|(key, value)| (key.clone(), decode(value))));
    data
}

/// The variables in order of definition, each able to refer to those before it. The error is the message of
/// CreateContainerConfigError.
pub(super) fn build(pod: &Value, container: &Value, sources: &Sources) -> Result<Vec<(String, String)>, String> {
    let mut variables: Vec<(String, String)> = Vec::new();
    for from in items(container, "/envFrom") {
        let (id, reference) = match from.get("configMapRef") {
            Some(reference) => ("configmaps", reference),
            None => ("secrets", &from["secretRef"]),
        };
        let source = Source { id, name: text(reference, "/name").to_owned() };
        match sources.get(&source) {
            Some(data) => variables.extend(data.iter().map(|(key, value)| {
                (format!("{}{key}", text(from, "/prefix")), String::from_utf8_lossy(value).into_owned())
            })),
            None if flag(reference, "/optional") => {}
            None => return Err(missing(&source)),
        }
    }
    for one in items(container, "/env") {
        let value = match one.get("valueFrom") {
            Some(from) if from.is_object() => resolve(pod, container, from, sources)?,
            _ => Some(expand(text(one, "/value"), |name| lookup(&variables, name))),
        };
        if let Some(value) = value {
            let name = text(one, "/name").to_owned();
            variables.retain(|(known, _)| *known != name);
            variables.push((name, value));
        }
    }
    Ok(variables)
}

pub(super) fn lookup(variables: &[(String, String)], name: &str) -> Option<String> {
    variables.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

fn missing(source: &Source) -> String {
    let kind = if source.id == "secrets" { "secret" } else { "configmap" };
    format!("{kind} \"{}\" not found", source.name)
}

fn resolve(pod: &Value, container: &Value, from: &Value, sources: &Sources) -> Result<Option<String>, String> {
    if let Some(reference) = from.get("fieldRef") {
        return field(pod, text(reference, "/fieldPath")).map(Some);
    }
    if let Some(reference) = from.get("resourceFieldRef") {
        return resource(pod, container, reference).map(Some);
    }
    let (id, reference) = match from.get("configMapKeyRef") {
        Some(reference) => ("configmaps", reference),
        None => ("secrets", &from["secretKeyRef"]),
    };
    let source = Source { id, name: text(reference, "/name").to_owned() };
    let key = text(reference, "/key");
    match sources.get(&source).map(|data| data.get(key)) {
        Some(Some(value)) => Ok(Some(String::from_utf8_lossy(value).into_owned())),
        _ if flag(reference, "/optional") => Ok(None),
        Some(None) => {
            let kind = if id == "secrets" { "Secret" } else { "ConfigMap" };
            Err(format!("couldn't find key {key} in {kind} {}/{}", crate::object::namespace(pod), source.name))
        }
        None => Err(missing(&source)),
    }
}

/// A field of the pod, as the downward API names it.
pub(super) fn field(pod: &Value, path: &str) -> Result<String, String> {
    if let Some((map, key)) = path.strip_suffix('\'').and_then(|path| path.split_once("['")) {
        let values = match map {
            "metadata.labels" => labels(pod),
            "metadata.annotations" => strings(pod, "/metadata/annotations"),
            _ => return Err(format!("unsupported fieldPath: {path}")),
        };
        return Ok(values.get(key).cloned().unwrap_or_default());
    }
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        return field(pod, &format!("{map}['{key}'"));
    }
    let quoted = |pointer: &str| {
        let lines = strings(pod, pointer).into_iter().map(|(key, value)| format!("{key}={value:?}"));
        lines.collect::<Vec<_>>().join("\n")
    };
    match path {
        "metadata.labels" => Ok(quoted("/metadata/labels")),
        "metadata.annotations" => Ok(quoted("/metadata/annotations")),
        "status.podIPs" | "status.hostIPs" => {
            let all = items(pod, &format!("/{}", path.replace('.', "/"))).iter().map(|one| text(one, "/ip"));
            Ok(all.collect::<Vec<_>>().join(","))
        }
        "metadata.name"
        | "metadata.namespace"
        | "metadata.uid"
        | "spec.nodeName"
        | "spec.serviceAccountName"
        | "status.podIP"
        | "status.hostIP" => Ok(text(pod, &format!("/{}", path.replace('.', "/"))).to_owned()),
        _ => Err(format!("unsupported fieldPath: {path}")),
    }
}

/// A request or limit of a container, divided and rounded up.
pub(super) fn resource(pod: &Value, container: &Value, reference: &Value) -> Result<String, String> {
    let other = text(reference, "/containerName");
    let container = items(pod, "/spec/containers").iter().find(|one| text(one, "/name") == other).unwrap_or(container);
    let requested = text(reference, "/resource");
    let (kind, name) = requested.split_once('.').ok_or_else(|| format!("unsupported resource: {requested}"))?;
    let value = text(container, &format!("/resources/{kind}/{name}"));
    let amount = to_milli(value).unwrap_or(0);
    let divisor = to_milli(text(reference, "/divisor")).filter(|divisor| *divisor > 0).unwrap_or(1000);
    Ok(((amount + divisor - 1) / divisor).to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod() -> Value {
        json!({
            "metadata": {"name": "p", "namespace": "x", "uid": "u", "labels": {"app": "web"},
                         "annotations": {"a/b": "c"}},
            "spec": {"nodeName": "n", "serviceAccountName": "s", "containers": []},
            "status": {"podIP": "127.9.0.2", "podIPs": [{"ip": "127.9.0.2"}]},
        })
    }

    #[test]
    fn fields_of_the_pod_are_found_by_their_paths() {
        for (path, value) in [
            ("metadata.name", "p"),
            ("metadata.labels['app']", "web"),
            ("metadata.annotations['a/b']", "c"),
            ("spec.serviceAccountName", "s"),
            ("status.podIPs", "127.9.0.2"),
        ] {
            assert_eq!(field(&pod(), path).as_deref(), Ok(value), "{path}");
        }
        assert!(field(&pod(), "spec.hostname").is_err());
    }

    #[test]
    fn later_variables_refer_to_earlier_ones_and_win_over_them() {
        let container = json!({
            "envFrom": [{"prefix": "C_", "configMapRef": {"name": "m"}}],
            "env": [
                {"name": "A", "value": "1"},
                {"name": "B", "value": "$(A)$(C_k)$(LATER)"},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "A", "value": "2"},
                {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "missing", "optional": true}}},
            ],
        });
        let source = Source { id: "configmaps", name: "m".to_owned() };
        let data = data_of("configmaps", &json!({"data": {"k": "v"}}));
        let built = build(&pod(), &container, &Sources::from([(source, data)])).unwrap();
        assert_eq!(lookup(&built, "B").as_deref(), Some("1v$(LATER)"));
        assert_eq!(lookup(&built, "A").as_deref(), Some("2"));
        assert_eq!(lookup(&built, "IP").as_deref(), Some("127.9.0.2"));
        assert_eq!(lookup(&built, "S"), None);
    }

    #[test]
    fn a_missing_source_is_named() {
        let container = json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]});
        assert_eq!(build(&pod(), &container, &Sources::new()), Err("secret \"s\" not found".to_owned()));
        let source = Source { id: "secrets", name: "s".to_owned() };
        let found = build(&pod(), &container, &Sources::from([(source, BTreeMap::new())]));
        assert_eq!(found, Err("couldn't find key k in Secret x/s".to_owned()));
    }

    #[test]
    fn resources_are_divided_and_rounded_up() {
        let container = json!({"resources": {"limits": {"cpu": "250m", "memory": "256Mi"}}});
        let get = |resource_name: &str, divisor: &str| {
            resource(&pod(), &container, &json!({"resource": resource_name, "divisor": divisor})).unwrap()
        };
        assert_eq!(get("limits.cpu", ""), "1");
        assert_eq!(get("limits.cpu", "1m"), "250");
        assert_eq!(get("limits.memory", "1Mi"), "256");
    }
}
