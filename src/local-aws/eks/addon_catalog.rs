//! Which addons there are, in which versions, and how they may be configured.

use serde_json::{Value, json};

use super::cluster::VERSIONS as CLUSTER_VERSIONS;
use super::faults::{invalid, not_found};
use super::input::{page, required_parameter};
use super::request_context::RequestContext;
use super::store::Tags;
use crate::fault::Fault;

pub(super) const NAME: &str = "coredns";
/// Newest first; the first is the default.
pub(super) const VERSIONS: [&str; 3] = ["v1.13.1-eksbuild.1", "v1.12.4-eksbuild.1", "v1.11.4-eksbuild.24"];
const KIND: &str = "networking";
const PUBLISHER: &str = "eks";
const OWNER: &str = "aws";

/// What CoreDNS can be configured by, with the type of each.
const OPTIONS: [(&str, &str); 12] = [
    ("affinity", "object"),
    ("autoScaling", "object"),
    ("computeType", "string"),
    ("corefile", "string"),
    ("nodeSelector", "object"),
    ("podAnnotations", "object"),
    ("podDisruptionBudget", "object"),
    ("podLabels", "object"),
    ("replicaCount", "integer"),
    ("resources", "object"),
    ("tolerations", "array"),
    ("topologySpreadConstraints", "array"),
];

pub(super) fn check_version(version: &str) -> Result<&str, Fault> {
    if VERSIONS.contains(&version) { Ok(version) } else { Err(invalid("Addon version specified is not supported")) }
}

/// Checks a configuration, a JSON object.
pub(super) fn check(configuration: &Value) -> Result<(), Fault> {
    let bad = |problem: String| {
        Err(invalid(format!(
            "ConfigurationValue provided in request is not supported: Json schema validation failed with error: [{problem}]"
        )))
    };
    for (name, value) in configuration.as_object().into_iter().flatten() {
        let Some((_, kind)) = OPTIONS.iter().find(|(known, _)| known == name) else {
            return bad(format!(
                "$.{name}: is not defined in the schema and the schema does not allow additional properties"
            ));
        };
        let fits = match *kind {
            "string" => value.is_string(),
            "integer" => value.is_u64(),
            "array" => value.is_array(),
            _ => value.is_object(),
        };
        if !fits && !value.is_null() {
            return bad(format!("$.{name}: {kind} expected"));
        }
    }
    Ok(())
}

pub(super) fn configuration(context: &RequestContext<'_>) -> Result<Value, Fault> {
    context.allowed("DescribeAddonConfiguration", "*", &Tags::new())?;
    let name = required_parameter(context.request, "addonName")?;
    let version = required_parameter(context.request, "addonVersion")?;
    if name != NAME {
        return Err(not_found(format!("Addon {name} specified is not supported: the local EKS has {NAME}")));
    }
    check_version(&version)?;
    let properties: serde_json::Map<String, Value> =
        OPTIONS.iter().map(|(name, kind)| ((*name).to_owned(), json!({ "type": [kind, "null"] }))).collect();
    let schema = json!({
        "$schema": "http://json-schema.org/draft-06/schema#",
        "title": "Coredns",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    Ok(json!({ "addonName": name, "addonVersion": version, "configurationSchema": schema.to_string() }))
}

pub(super) fn versions(context: &RequestContext<'_>) -> Result<Value, Fault> {
    context.allowed("DescribeAddonVersions", "*", &Tags::new())?;
    let wanted = context.request.parameter("kubernetesVersion");
    let fits = |filter: &str, has: &str| {
        let values = context.request.parameters(filter);
        values.is_empty() || values.iter().any(|value| value == has)
    };
    let compatible: Vec<_> =
        CLUSTER_VERSIONS.iter().filter(|version| wanted.as_deref().is_none_or(|wanted| wanted == **version)).collect();
    let shown = !compatible.is_empty()
        && fits("addonName", NAME)
        && fits("types", KIND)
        && fits("publishers", PUBLISHER)
        && fits("owners", OWNER);
    let list = if shown { vec![describe(&compatible)] } else { Vec::new() };
    page(context.request, "addons", list)
}

fn describe(clusters: &[&&str]) -> Value {
    let versions: Vec<_> = VERSIONS
        .iter()
        .enumerate()
        .map(|(index, version)| {
            let fits: Vec<_> = clusters
                .iter()
                .map(|cluster| json!({ "clusterVersion": cluster, "platformVersions": ["*"], "defaultVersion": index == 0 }))
                .collect();
            json!({ "addonVersion": version, "architecture": ["amd64", "arm64"], "compatibilities": fits, "requiresConfiguration": false, "requiresIamPermissions": false })
        })
        .collect();
    json!({ "addonName": NAME, "type": KIND, "publisher": PUBLISHER, "owner": OWNER, "addonVersions": versions })
}
