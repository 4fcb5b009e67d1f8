//! What a definition serves, and how its objects are stored.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::Digest;

use super::{rules, termination};
use crate::kinds::{CustomVersion, Resource, Scale, collection};

/// The served resources of a definition.
pub(crate) fn resources(crd: &Value) -> Vec<Resource> {
    let versions = crd["spec"]["versions"].as_array().into_iter().flatten();
    let served = versions.filter(|version| version["served"] == true);
    let mut all: Vec<Resource> = served.map(|version| resource(crd, version)).collect();
    // Discovery prefers stable versions, then the higher ones.
    all.sort_by_key(|resource| std::cmp::Reverse(rank(&resource.version)));
    all
}

/// The resource as whose objects the instances are stored, whether it is served or not.
pub(crate) fn stored(crd: &Value) -> Option<Resource> {
    let mut versions = crd["spec"]["versions"].as_array().into_iter().flatten();
    versions.find(|version| version["storage"] == true).map(|version| resource(crd, version))
}

fn resource(crd: &Value, version: &Value) -> Resource {
    let spec = &crd["spec"];
    let names = &spec["names"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let texts = |value: &Value| value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
    let kind = text(&names["kind"]);
    let or =
        |value: &Value, default: String| value.as_str().filter(|held| !held.is_empty()).map_or(default, str::to_owned);
    let scale = &version["subresources"]["scale"];
    let path = |field: &str| scale[field].as_str().unwrap_or_default().trim_start_matches('.').to_owned();
    Resource {
        group: text(&spec["group"]),
        version: text(&version["name"]),
        list_kind: or(&names["listKind"], format!("{kind}List")),
        plural: text(&names["plural"]),
        singular: or(&names["singular"], kind.to_lowercase()),
        short_names: texts(&names["shortNames"]),
        categories: texts(&names["categories"]),
        namespaced: spec["scope"] == "Namespaced",
        status: !version["subresources"]["status"].is_null(),
        scale: scale.is_object().then(|| Scale {
            spec_replicas: path("specReplicasPath"),
            status_replicas: path("statusReplicasPath"),
            selector: path("labelSelectorPath"),
        }),
        virtual_only: false,
        row: None,
        kind,
        custom: Some(Arc::new(CustomVersion {
            schema: Some(version["schema"]["openAPIV3Schema"].clone()).filter(|schema| !schema.is_null()),
            rules: rules::Rules::of(&version["schema"]["openAPIV3Schema"]).map(Arc::new),
            selectable: selectable(version),
            columns: version["additionalPrinterColumns"].as_array().cloned().unwrap_or_default(),
            definition: text(&crd["metadata"]["uid"]),
            terminating: termination::is_under_way(crd),
            storage_hash: storage_hash(spec),
        })),
    }
}

fn selectable(version: &Value) -> Vec<String> {
    let fields = version["selectableFields"].as_array().into_iter().flatten();
    fields.filter_map(|field| field["jsonPath"].as_str()).map(|path| path.trim_start_matches('.').to_owned()).collect()
}

fn storage_hash(spec: &Value) -> String {
    let stored = spec["versions"].as_array().into_iter().flatten().find(|version| version["storage"] == true);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let version = text(&stored.map_or(Value::Null, |version| version["name"].clone()));
    let name = format!("{}/{version}/{}", text(&spec["group"]), text(&spec["names"]["kind"]));
    STANDARD.encode(&sha2::Sha256::digest(name.as_bytes())[..8])
}

/// Kubernetes' version order: `v2` > `v1` > `v1beta1` > `v1alpha1`.
fn rank(version: &str) -> (u8, u32, u32) {
    let rest = version.strip_prefix('v').unwrap_or(version);
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let major = digits(rest);
    let tail = &rest[major.len()..];
    let stage = if tail.is_empty() { 2 } else { u8::from(tail.starts_with("beta")) };
    let minor = tail.trim_start_matches(char::is_alphabetic).parse().unwrap_or(0);
    (stage, major.parse().unwrap_or(0), minor)
}

/// The collection of a definition's objects.
pub(crate) fn collection_of(crd: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    collection(&text(&crd["spec"]["group"]), &text(&crd["spec"]["names"]["plural"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_rank_as_kubernetes_ranks_them() {
        let mut versions = ["v1alpha1", "v2", "v1beta2", "v1", "v1beta1"];
        versions.sort_by_key(|version| std::cmp::Reverse(rank(version)));
        assert_eq!(versions, ["v2", "v1", "v1beta2", "v1beta1", "v1alpha1"]);
    }
}
