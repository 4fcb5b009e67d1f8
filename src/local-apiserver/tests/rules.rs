//! Rules and selectable fields of custom resources.

use super::*;

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const BUGS: &str = "/apis/example.com/v1/namespaces/default/bugs";

fn definition(rule: &str) -> Value {
    let spec = json!({"type": "object", "x-kubernetes-validations": [{"rule": rule}], "properties": {
        "min": {"type": "integer"}, "max": {"type": "integer"},
        "color": {"type": "string", "maxLength": 8, "x-kubernetes-validations": [{"rule": "self == oldSelf"}]},
    }});
    let status = json!({"type": "object", "properties": {"seen": {"type": "integer", "x-kubernetes-validations": [
        {"rule": "self >= 0", "message": "seen is never negative"}]}}});
    let schema = json!({"type": "object", "properties": {"spec": spec, "status": status}});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "bugs.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": {"plural": "bugs", "singular": "bug", "kind": "Bug"},
            "versions": [{"name": "v1", "served": true, "storage": true, "selectableFields": [{"jsonPath": ".spec.color"}],
                "subresources": {"status": {}}, "schema": {"openAPIV3Schema": schema}}]}})
}

fn bug(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Bug", "metadata": {"name": name}, "spec": spec})
}

#[tokio::test]
async fn a_definition_whose_rule_names_no_field_is_refused() {
    let server = server();
    let client = admin(&server);
    let refusal = refused(&client, CRDS, &definition("self.nothing > 1")).await;
    assert_eq!(refusal.code(), 422);
    assert!(
        refusal.message().contains(
            "spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule: Invalid value: "
        ) && refusal.message().contains("undefined field 'nothing'"),
        "{refusal}"
    );
    for (path, why) in [
        (".spec.nothing", "is an invalid path: does not refer to a valid field"),
        (".spec", "must point to a field of type string, boolean or integer"),
        ("spec.color", "is an invalid path: expected [ or . but got: spec"),
    ] {
        let mut wrong = definition("true");
        wrong["spec"]["versions"][0]["selectableFields"] = json!([{"jsonPath": path}]);
        let refusal = refused(&client, CRDS, &wrong).await;
        assert!(refusal.message().contains(why), "{path}: {refusal}");
    }
}

#[tokio::test]
async fn where_there_are_no_rules_none_is_said_to_be_unchecked() {
    let server = server();
    let client = admin(&server);
    let mut plain = definition("true");
    plain["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"color": {"type": "string", "maxLength": 8}}},
    }});
    client.create(CRDS, &plain).await.unwrap();
    let long = refused(&client, BUGS, &bug("one", &json!({"color": "very long name"}))).await;
    assert_eq!(
        long.message(),
        "Bug.example.com \"one\" is invalid: spec.color: Too long: may not be more than 8 bytes"
    );
}

#[tokio::test]
async fn objects_are_evaluated_when_they_are_made_and_when_they_change() {
    let server = server();
    let client = admin(&server);
    client.create(CRDS, &definition("self.min <= self.max")).await.unwrap();
    let refusal = refused(&client, BUGS, &bug("one", &json!({"min": 6, "max": 5}))).await;
    assert_eq!(
        (refusal.code(), refusal.message()),
        (422, "Bug.example.com \"one\" is invalid: spec: Invalid value: failed rule: self.min <= self.max")
    );
    let long = refused(&client, BUGS, &bug("one", &json!({"min": 6, "max": 5, "color": "very long name"}))).await;
    assert_eq!(
        long.message(),
        "Bug.example.com \"one\" is invalid: [spec.color: Too long: may not be more than 8 bytes, <nil>: Invalid value: null: some \
         validation rules were not checked because the object was invalid; correct the existing errors to complete validation]"
    );
    client.create(BUGS, &bug("one", &json!({"min": 1, "max": 5, "color": "red"}))).await.unwrap();
    let path = format!("{BUGS}/one");
    for kind in [PatchType::Merge, PatchType::Apply] {
        let mut change = json!({"spec": {"color": "blue", "min": 1, "max": 5}});
        if kind == PatchType::Apply {
            change = bug("one", &change["spec"]);
        }
        let at = if kind == PatchType::Apply { format!("{path}?fieldManager=x&force=true") } else { path.clone() };
        let refusal = client.patch(&at, kind, &change).await.unwrap_err();
        assert!(
            refusal.message().ends_with("spec.color: Invalid value: \"blue\": failed rule: self == oldSelf"),
            "{refusal}"
        );
    }
    let refusal =
        client.patch(&format!("{path}/status"), PatchType::Merge, &json!({"status": {"seen": -1}})).await.unwrap_err();
    assert!(refusal.message().ends_with("status.seen: Invalid value: -1: seen is never negative"), "{refusal}");
    client.patch(&format!("{path}/status"), PatchType::Merge, &json!({"status": {"seen": 1}})).await.unwrap();
}

#[tokio::test]
async fn what_a_newer_definition_would_refuse_may_stay_while_it_is_not_touched() {
    let server = server();
    let client = admin(&server);
    client.create(CRDS, &definition("true")).await.unwrap();
    client.create(BUGS, &bug("one", &json!({"min": 6, "max": 5, "color": "red"}))).await.unwrap();
    let mut newer = client.get(&format!("{CRDS}/bugs.example.com")).await.unwrap();
    let properties = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
    newer.pointer_mut(properties).unwrap()["x-kubernetes-validations"] = json!([{"rule": "self.min <= self.max"}]);
    newer.pointer_mut(properties).unwrap()["properties"]["color"]["maxLength"] = 2.into();
    client.update(&format!("{CRDS}/bugs.example.com"), &newer).await.unwrap();
    let path = format!("{BUGS}/one");
    let labels = json!({"metadata": {"labels": {"a": "b"}}});
    client.patch(&path, PatchType::Merge, &labels).await.unwrap();
    let refusal = client.patch(&path, PatchType::Merge, &json!({"spec": {"min": 7}})).await.unwrap_err();
    assert!(refusal.message().contains("spec: Invalid value: failed rule: self.min <= self.max"), "{refusal}");
    client.patch(&path, PatchType::Merge, &json!({"spec": {"min": 1}})).await.unwrap();
}

#[tokio::test]
async fn declared_fields_can_be_selected_by() {
    let server = server();
    let client = admin(&server);
    client.create(CRDS, &definition("true")).await.unwrap();
    for (name, color) in [("one", "red"), ("two", "blue")] {
        client.create(BUGS, &bug(name, &json!({"color": color}))).await.unwrap();
    }
    let list = client.list(&format!("{BUGS}?fieldSelector=spec.color%3Dred")).await.unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let list = client.list(&format!("{BUGS}?fieldSelector=spec.color!%3Dnone")).await.unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let mut watch = client.watch(BUGS, "fieldSelector=spec.color%3Dblue").await.unwrap();
    assert_eq!(watch.next().await.unwrap().object["metadata"]["name"], "two");
    let refusal = client.list(&format!("{BUGS}?fieldSelector=spec.min%3D1")).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.message()), (400, "field label not supported: spec.min"));
}
