//! The definitions have KEDA's form, and the committed file is what the types say.

use super::*;

const GENERATED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../templates/kubernetes/crds.yaml");

/// The definitions as one YAML file of several documents.
fn crds_yaml() -> String {
    let mut text =
        String::from("# Generated from src/keda/api by its drift test: UPDATE_GENERATED=1 cargo test -p keda\n");
    for crd in crds().unwrap() {
        text.push_str("---\n");
        text.push_str(serde_saphyr::to_string(&crd).unwrap().trim_end());
        text.push('\n');
    }
    text
}

#[test]
fn the_generated_file_is_up_to_date() {
    let wanted = crds_yaml();
    #[expect(clippy::disallowed_methods, reason = "the switch of the generator, which is this test")]
    if std::env::var("UPDATE_GENERATED").is_ok_and(|flag| flag == "1") {
        std::fs::write(GENERATED, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(GENERATED).unwrap();
    assert!(found == wanted, "templates/kubernetes/crds.yaml is stale; run UPDATE_GENERATED=1 cargo test -p keda");
}

#[test]
fn the_yaml_reads_back_as_the_definitions() {
    let documents: Vec<CustomResourceDefinition> = serde_saphyr::from_multiple(&crds_yaml()).unwrap();
    assert_eq!(documents, crds().unwrap());
}

/// What the API server demands of a structural schema: every node has a type (or is int-or-string), the logical
/// keywords appear only in the int-or-string form.
fn offences(path: &str, schema: &Value, found: &mut Vec<String>) {
    let Some(object) = schema.as_object() else { return };
    let int_or_string = object.contains_key("x-kubernetes-int-or-string");
    if !object.contains_key("type") && !int_or_string {
        found.push(format!("{path}: no type"));
    }
    for key in ["anyOf", "oneOf", "allOf", "not", "$ref", "nullable", "default", "definitions"] {
        let is_meant = (int_or_string && key == "anyOf")
            || (key == "default" && (path.ends_with(".fallback.behavior") || path.ends_with(".oauth2.type")));
        if object.contains_key(key) && !is_meant {
            found.push(format!("{path}: {key}"));
        }
    }
    for (name, child) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
        offences(&format!("{path}.{name}"), child, found);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = object.get(key) {
            offences(&format!("{path}[{key}]"), child, found);
        }
    }
}

#[test]
fn the_schemas_are_structural_and_plain() {
    let mut found = Vec::new();
    for crd in crds().unwrap() {
        let version = serde_json::to_value(&crd.spec.versions[0]).unwrap();
        offences(&crd.spec.names.kind, version.pointer("/schema/openAPIV3Schema").unwrap(), &mut found);
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn the_columns_are_those_of_keda() {
    let columns = |kind: &str| {
        let crds = crds().unwrap();
        let crd = crds.iter().find(|crd| crd.spec.names.kind == kind).unwrap();
        let columns = crd.spec.versions[0].additional_printer_columns.clone().unwrap();
        columns.into_iter().map(|column| column.name.to_uppercase()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        columns("ScaledObject"),
        "SCALETARGETKIND SCALETARGETNAME MIN MAX READY ACTIVE FALLBACK PAUSED TRIGGERS AUTHENTICATIONS AGE"
    );
    assert_eq!(columns("ScaledJob"), "MIN MAX READY ACTIVE PAUSED TRIGGERS AUTHENTICATIONS AGE");
    let authentication = "PODIDENTITY SECRET ENV VAULTADDRESS SCALEDOBJECTS SCALEDJOBS";
    assert_eq!(columns("TriggerAuthentication"), authentication);
    let cluster_wide = authentication.replace("VAULTADDRESS", "FILEPATH VAULTADDRESS");
    assert_eq!(columns("ClusterTriggerAuthentication"), cluster_wide);
}

#[test]
fn names_scopes_and_subresources_are_those_of_keda() {
    let found: Vec<_> = crds()
        .unwrap()
        .into_iter()
        .map(|crd| {
            assert!(crd.spec.versions[0].subresources.as_ref().unwrap().status.is_some());
            (crd.metadata.name.unwrap(), crd.spec.scope, crd.spec.names.short_names.unwrap().join(","))
        })
        .collect();
    let row = |name: &str, scope: &str, short: &str| (name.to_owned(), scope.to_owned(), short.to_owned());
    assert_eq!(
        found,
        [
            row("clustertriggerauthentications.keda.sh", "Cluster", "cta,clustertriggerauth"),
            row("scaledjobs.keda.sh", "Namespaced", "sj"),
            row("scaledobjects.keda.sh", "Namespaced", "so"),
            row("triggerauthentications.keda.sh", "Namespaced", "ta,triggerauth"),
        ]
    );
}

#[test]
fn the_fields_that_came_after_2_14_are_there_with_their_limits() {
    let crds = crds().unwrap();
    let node = |kind: &str, path: &str| {
        let crd = crds.iter().find(|crd| crd.spec.names.kind == kind).unwrap();
        let version = serde_json::to_value(&crd.spec.versions[0]).unwrap();
        let found = version.pointer(&format!("/schema/openAPIV3Schema/properties{path}")).cloned();
        found.unwrap_or_else(|| panic!("{kind} has no {path}"))
    };
    let spec = |path: &str| node("ScaledObject", &format!("/spec/properties{path}"));
    let behavior = spec("/fallback/properties/behavior");
    assert_eq!((behavior["default"].as_str(), behavior["enum"].as_array().unwrap().len()), (Some("static"), 5));
    for count in ["failureThreshold", "replicas"] {
        assert_eq!(spec(&format!("/fallback/properties/{count}"))["minimum"], 0.0);
    }
    assert_eq!(spec("/triggers")["minItems"], 1);
    assert_eq!(spec("/triggers/items/properties/type")["minLength"], 1);
    assert_eq!(spec("/scaleTargetRef/properties/name")["minLength"], 1);
    let kinds = spec("/triggers/items/properties/authenticationRef/properties/kind")["enum"].clone();
    assert_eq!(kinds, json!(["TriggerAuthentication", "ClusterTriggerAuthentication"]));
    for field in ["triggersTypes", "authenticationsTypes", "triggersActivity"] {
        node("ScaledObject", &format!("/status/properties/{field}"));
    }
    for kind in ["TriggerAuthentication", "ClusterTriggerAuthentication"] {
        for field in ["boundServiceAccountToken", "filePath", "oauth2", "podIdentity/properties/externalID"] {
            node(kind, &format!("/spec/properties/{field}"));
        }
        assert_eq!(node(kind, "/spec/properties/oauth2/properties/type")["default"], "clientCredentials");
    }
}

#[test]
fn a_scaled_job_takes_a_whole_job_and_the_metadata_of_its_pods() {
    let crds = crds().unwrap();
    let crd = crds.iter().find(|crd| crd.spec.names.kind == "ScaledJob").unwrap();
    let version = serde_json::to_value(&crd.spec.versions[0]).unwrap();
    let spec = version.pointer("/schema/openAPIV3Schema/properties/spec").unwrap();
    assert_eq!(spec["required"], json!(["jobTargetRef", "triggers"]));
    let job = &spec["properties"]["jobTargetRef"];
    assert_eq!(job["required"], json!(["template"]));
    for field in ["parallelism", "backoffLimit", "ttlSecondsAfterFinished", "suspend", "podFailurePolicy"] {
        assert!(job["properties"].get(field).is_some(), "{field}");
    }
    let template = &job["properties"]["template"]["properties"];
    assert_eq!(template["metadata"]["x-kubernetes-preserve-unknown-fields"], true);
    let container = &template["spec"]["properties"]["containers"]["items"];
    assert_eq!(container["required"], json!(["name"]));
    assert!(container["properties"]["resources"]["properties"].get("requests").is_some());
}

#[test]
fn pod_identity_is_an_enum_and_metric_type_is_not() {
    let crds = crds().unwrap();
    let schema = |kind: &str, path: &str| {
        let crd = crds.iter().find(|crd| crd.spec.names.kind == kind).unwrap();
        let version = serde_json::to_value(&crd.spec.versions[0]).unwrap();
        version.pointer(&format!("/schema/openAPIV3Schema/properties/spec/properties{path}")).unwrap().clone()
    };
    let provider = schema("TriggerAuthentication", "/podIdentity/properties/provider");
    assert_eq!(provider["enum"], json!(["azure", "azure-workload", "gcp", "aws", "aws-eks", "aws-kiam", "none"]));
    let owner = schema("TriggerAuthentication", "/podIdentity/properties/identityOwner");
    assert_eq!(owner["enum"], json!(["keda", "workload"]));
    assert_eq!(schema("ScaledObject", "/triggers/items/properties/metricType").get("enum"), None);
    let rules =
        "/advanced/properties/horizontalPodAutoscalerConfig/properties/behavior/properties/scaleDown/properties";
    let window = schema("ScaledObject", &format!("{rules}/stabilizationWindowSeconds"));
    assert_eq!((window["minimum"].clone(), window["maximum"].clone()), (json!(0.0), json!(3600.0)));
}
