//! Custom kinds that are called like built-in ones, as Knative's Service is.

use super::*;
use crate::kinds::BUILT_IN;

const GROUP: &str = "namesakes.test";

async fn define(client: &Client, kind: &str, plural: &str) {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let version = json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{GROUP}")},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": {"plural": plural, "kind": kind}, "versions": [version]},
    });
    client.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition).await.unwrap();
}

#[tokio::test]
async fn a_custom_kind_with_the_name_of_a_built_in_one_is_a_custom_kind() {
    let server = server();
    let client = admin(&server);
    let mut faults = Vec::new();
    let mut known = std::collections::BTreeSet::new();
    for resource in BUILT_IN.iter().filter(|resource| known.insert(resource.plural.clone())) {
        let (kind, plural) = (resource.kind.as_str(), resource.plural.as_str());
        define(&client, kind, plural).await;
        let list = format!("/apis/{GROUP}/v1/namespaces/default/{plural}");
        // A name that no Service and no namespace may have, and one that a namespace has.
        for name in ["1.a", "default"] {
            if let Err(fault) = live(&client, &list, kind, name).await {
                faults.push(format!("{kind} {name}: {fault}"));
            }
        }
        let own = format!(
            "/api{}/{plural}",
            if resource.group.is_empty() { "/v1".to_owned() } else { format!("s/{}", resource.api_version()) }
        );
        let built_in = client.list(&own).await.unwrap_or_default();
        if built_in["items"].as_array().into_iter().flatten().any(|item| item["metadata"]["name"] == "1.a") {
            faults.push(format!("{kind}: stored among the built-in objects"));
        }
    }
    assert_eq!(faults, [""; 0]);
}

#[tokio::test]
async fn a_custom_kind_with_the_name_of_a_subresource_is_of_its_own_group() {
    let server = server();
    let client = admin(&server);
    for (kind, plural) in [("Scale", "scales"), ("Eviction", "evictions"), ("TokenRequest", "tokenrequests")] {
        define(&client, kind, plural).await;
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{GROUP}");
        let mut definition = client.get(&path).await.unwrap();
        definition["spec"]["versions"][0]["subresources"] = json!({"status": {}});
        client.update(&path, &definition).await.unwrap();
        let listed = client.get(&format!("/apis/{GROUP}/v1")).await.unwrap();
        let status = format!("{plural}/status");
        let found = listed["resources"].as_array().unwrap().iter().find(|one| one["name"] == status.as_str()).unwrap();
        assert_eq!((&found["kind"], &found["group"]), (&json!(kind), &Value::Null));
    }
}

/// An object's life, or what in it a custom object does not meet.
async fn live(client: &Client, list: &str, kind: &str, name: &str) -> Result<(), String> {
    let object =
        json!({"apiVersion": format!("{GROUP}/v1"), "kind": kind, "metadata": {"name": name}, "spec": {"a": 1}});
    let as_sent = |shown: &Value, sent: &Value| {
        let (mut shown, mut sent) = (shown.clone(), sent.clone());
        let labels = shown["metadata"]["labels"].take();
        (shown["metadata"], sent["metadata"]) = (Value::Null, Value::Null);
        if shown == sent && labels.is_null() { Ok(()) } else { Err(format!("{shown} with labels {labels}")) }
    };
    let path = format!("{list}/{name}");
    let mut made = client.create(list, &object).await.map_err(|status| format!("create: {status}"))?;
    as_sent(&made, &object)?;
    if made["metadata"]["generation"] != 1 {
        return Err(format!("generation {}", made["metadata"]["generation"]));
    }
    made["spec"]["a"] = 2.into();
    let updated = client.update(&path, &made).await.map_err(|status| format!("update: {status}"))?;
    as_sent(&updated, &made)?;
    let table =
        client.get_as(&path, "application/json;as=Table;v=v1;g=meta.k8s.io").await.map_err(|why| why.to_string())?;
    let columns: Vec<&Value> = table["columnDefinitions"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    if columns != ["Name", "Age"] {
        return Err(format!("columns {columns:?}"));
    }
    for part in ["log", "exec"] {
        match client.get(&format!("{path}/{part}")).await {
            Err(status) if status.is_not_found() => {}
            other => return Err(format!("{part}: {other:?}")),
        }
    }
    for part in ["binding", "eviction", "token"] {
        match client.create(&format!("{path}/{part}"), &json!({})).await {
            Err(status) if status.is_not_found() => {}
            other => return Err(format!("{part}: {other:?}")),
        }
    }
    let options = json!({"gracePeriodSeconds": 30});
    let gone = client.delete(&path, Some(&options)).await.map_err(|status| format!("delete: {status}"))?;
    if gone["kind"] != "Status" {
        return Err(format!("a deletion answers {gone}"));
    }
    client.get(&path).await.map_or(Ok(()), |left| Err(format!("left after its deletion: {left}")))
}
