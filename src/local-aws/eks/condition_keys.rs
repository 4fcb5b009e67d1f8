//! EKS's own condition keys, from the parameters of a call.
//!
//! Source: Service Authorization Reference, "Condition keys for Amazon Elastic Kubernetes Service".

use serde_json::Value;

use crate::policy::Context;
use crate::strings;

/// Keys and the members that they are the values of, as paths in the body.
const KEYS: [(&str, &[&str]); 14] = [
    ("principalArn", &["principalArn"]),
    ("policyArn", &["policyArn"]),
    ("kubernetesGroups", &["kubernetesGroups"]),
    ("username", &["username"]),
    ("accessEntryType", &["type"]),
    ("accessScope", &["accessScope", "type"]),
    ("namespaces", &["accessScope", "namespaces"]),
    ("authenticationMode", &["accessConfig", "authenticationMode"]),
    ("bootstrapClusterCreatorAdminPermissions", &["accessConfig", "bootstrapClusterCreatorAdminPermissions"]),
    ("kubernetesVersion", &["version"]),
    ("endpointPublicAccess", &["resourcesVpcConfig", "endpointPublicAccess"]),
    ("endpointPrivateAccess", &["resourcesVpcConfig", "endpointPrivateAccess"]),
    ("supportType", &["upgradePolicy", "supportType"]),
    ("deletionProtection", &["deletionProtection"]),
];

/// Sets `eks:…` for what the body says, and for the principal and the policy that the address names.
pub(super) fn describe(context: &mut Context, body: &Value, segments: &[String]) {
    for (key, path) in KEYS {
        let value = path.iter().try_fold(body, |value, part| value.get(*part));
        let texts = match value {
            Some(Value::Array(_)) => strings::list(value),
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Bool(flag)) => vec![flag.to_string()],
            _ => Vec::new(),
        };
        if !texts.is_empty() {
            context.set_all(&format!("eks:{key}"), texts);
        }
    }
    for setup in body["logging"]["clusterLogging"].as_array().into_iter().flatten() {
        for kind in strings::list(setup.get("types")) {
            let enabled = setup.get("enabled").and_then(Value::as_bool).unwrap_or_default();
            context.set(&format!("eks:loggingType/{kind}"), enabled.to_string());
        }
    }
    if let [clusters, cluster, rest @ ..] = segments
        && clusters == "clusters"
    {
        context.set("eks:clusterName", cluster.as_str());
        let part =
            |name: &str| rest.iter().position(|one| one == name).map(|at| rest.get(at + 1..).unwrap_or_default());
        let until = |parts: &[String]| {
            parts.iter().take_while(|part| *part != "access-policies").cloned().collect::<Vec<_>>().join("/")
        };
        for (key, named) in
            [("principalArn", part("access-entries").map(until)), ("policyArn", part("access-policies").map(until))]
        {
            if let Some(arn) = named.filter(|arn| !arn.is_empty()) {
                context.set(&format!("eks:{key}"), arn);
            }
        }
    }
}
