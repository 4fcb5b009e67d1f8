//! The operator's objects as a Helm chart that takes the values of KEDA's.
//!
//! The objects are those of [`manifests`](crate::manifests), from the same templates; `templates/chart/overlay.yaml` says what in them
//! the chart's values decide. The rest of `templates/chart` is the chart's own.
//!
//! Source of the names: the values of kedacore/charts, `keda` 2.14 to 2.20.

mod overlay;
mod text;

use serde_json::{Value, json};

use crate::chart::overlay::Overlay;
use crate::templates::{Result, embedded, parse_yaml, render, render_yaml};

/// The chart's name, as KEDA's is called.
pub const NAME: &str = "keda";
/// Where its objects are, before the release says it.
const NAMESPACE: &str = "keda";

/// One file of the chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Below the chart's folder, with slashes.
    pub path: String,
    /// Content.
    pub text: String,
}

/// The files of the chart, `Chart.yaml` first. `image` is the operator's, if the values name no other; `version` is the chart's and
/// the operator's; `crds` is the text of the CRD documents, which another crate owns.
///
/// # Errors
///
/// [`Error`](crate::Error) if an embedded file is broken: a mistake of this program.
pub fn files(image: &str, version: &str, crds: &str) -> Result<Vec<File>> {
    let own = json!({ "image": image, "version": version });
    let mut files = Vec::new();
    for name in ["Chart.yaml", "values.yaml"] {
        files.push(File { path: name.to_owned(), text: render(&format!("chart/{name}"), &own)? });
    }
    // Go's templates, which are not ours to render.
    for name in [
        "_helpers.tpl",
        "NOTES.txt",
        "default-roles.yaml",
        "extra-objects.yaml",
        "monitoring.yaml",
        "watch-namespace.yaml",
    ] {
        files.push(File { path: format!("templates/{name}"), text: embedded(&format!("chart/{name}"))?.to_owned() });
    }
    let overlay = Overlay::read(embedded("chart/overlay.yaml")?)?;
    let operator = json!({
        "namespace": NAMESPACE, "service_account": "keda-operator", "image": image, "replicas": 1, "role_arn": "irsa",
    });
    let data = json!({ "region": "", "operator": operator });
    let mut add = |name: &str, objects: Vec<Value>| -> Result<()> {
        let text = objects.iter().map(|object| overlay.apply(object)).collect::<Result<String>>()?;
        files.push(File { path: format!("templates/{name}"), text });
        Ok(())
    };
    add("crds.yaml", parse_yaml("kubernetes/crds.yaml", crds)?)?;
    add("rbac.yaml", render_yaml("kubernetes/operator-rbac.yaml", &data)?)?;
    add("operator.yaml", render_yaml("kubernetes/operator.yaml", &data)?)?;
    add("metrics.yaml", render_yaml("kubernetes/metrics.yaml", &data)?)?;
    let webhooks = "../docs/admission-webhooks.yaml";
    add("webhooks.yaml", parse_yaml(webhooks, embedded(webhooks)?)?)?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn file(path: &str) -> String {
        let files =
            files("sluice:1", "1.2.3", "apiVersion: v1\nkind: CustomResourceDefinition\nmetadata: {name: a.keda.sh}\n")
                .unwrap();
        files.into_iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}")).text
    }

    #[test]
    fn values_decide_what_the_overlay_says_and_nothing_else_of_an_object() {
        let operator = file("templates/operator.yaml");
        for line in [
            "  replicas: {{ .Values.operator.replicaCount }}",
            "          image: {{ include \"keda.image\" . | quote }}",
            "              protocol: \"TCP\"",
            "          resources: {{- .Values.resources.operator | toYaml | nindent 12 }}",
            "  namespace: {{ .Release.Namespace | quote }}",
        ] {
            assert!(operator.contains(line), "{line}\n{operator}");
        }
        assert!(!operator.contains("AWS_REGION"), "a field that is dropped");
        let crds = file("templates/crds.yaml");
        assert!(crds.starts_with("{{- if .Values.crds.install }}\n---\napiVersion: \"v1\"\n"), "{crds}");
        let rbac = file("templates/rbac.yaml");
        let secrets = "ternary (list \"configmaps\" \"serviceaccounts\")";
        assert!(rbac.contains(secrets) && !rbac.contains("resources: [\"*\"]"), "rules by their resources\n{rbac}");
        assert!(rbac.contains("{{- if and .Values.rbac.create (not .Values.watchNamespace) }}\n---\n"), "{rbac}");
        assert_eq!(rbac.matches("name: {{ .Values.serviceAccount.operator.name | quote }}").count(), 2, "{rbac}");
    }

    /// In a release that watches some namespaces, the rights that no namespace bounds are written once more.
    #[test]
    fn the_rights_outside_of_namespaces_are_some_of_the_operators() {
        let data = json!({ "operator": { "namespace": NAMESPACE, "service_account": "a" } });
        let operator = render_yaml("kubernetes/operator-rbac.yaml", &data).unwrap();
        let granted = rights(&operator[0]);
        let text = embedded("chart/watch-namespace.yaml").unwrap();
        let from = text.find("rules:").unwrap();
        let to = from + text[from..].find("---").unwrap();
        let own = parse_yaml("rules", &text[from..to]).unwrap();
        let own = rights(&own[0]);
        assert!(own.is_subset(&granted) && own.len() == 8, "{own:?}");
    }

    fn rights(role: &Value) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        for rule in role["rules"].as_array().unwrap() {
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    found.insert(format!("{verb} {resource} {}", rule["resourceNames"]));
                }
            }
        }
        found
    }
}
