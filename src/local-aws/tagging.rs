//! The Resource Groups Tagging API: finding resources of all services by their tags.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::authorization::Access;
use crate::caller::Call;
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::request::{Request, Service};
use crate::{coverage, ec2, ecr, intake, strings};

/// Performs `action`; there is GetResources.
pub(crate) fn call(cloud: &Cloud, call: &Call, action: &str, request: &Request) -> Result<Value, Fault> {
    if action != "GetResources" {
        return Err(coverage::not_offered(Service::Tagging, action).unwrap_or_else(|| {
            Fault::sender("InvalidAction", format!("The action {action} is not valid for this endpoint."))
        }));
    }
    let input: Value = serde_json::from_slice(&request.body)
        .map_err(|_| Fault::sender("MalformedInput", "The request body is no JSON."))?;
    intake::check(Service::Tagging, action, &input)?;
    cloud.authorize(call, Access::new("tag:GetResources", "*"))?;
    let mut all = cloud.sqs().tagged();
    all.extend(cloud.iam().tagged());
    all.extend(cloud.eks().tagged());
    all.extend(cloud.cloudwatch_logs().tagged());
    all.extend(cloud.ecr().tagged(|name| ecr::arn(cloud, name)));
    let of_ec2 = cloud.ec2().tagged(&cloud.clock);
    all.extend(of_ec2.into_iter().map(|(kind, id, tags)| (ec2::arn::of_kind(cloud, kind, &id), tags)));
    let filters = input.get("TagFilters").and_then(Value::as_array).cloned().unwrap_or_default();
    let kinds = strings::list(input.get("ResourceTypeFilters"));
    let arns = strings::list(input.get("ResourceARNList"));
    let other = !filters.is_empty() || !kinds.is_empty() || input.get("ResourcesPerPage").is_some();
    if !arns.is_empty() && other {
        // API Reference, GetResources: a list of ARNs goes with no other parameter.
        let message = "ResourceARNList cannot be used together with other parameters.";
        return Err(Fault::sender("InvalidParameterException", message));
    }
    let start: usize = match input.get("PaginationToken").and_then(Value::as_str).filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => {
            token.parse().map_err(|_| Fault::sender("PaginationTokenExpiredException", "The token is not valid."))?
        }
    };
    let size = input.get("ResourcesPerPage").and_then(Value::as_u64).unwrap_or(100).clamp(1, 100) as usize;
    let found: Vec<_> = all
        .into_iter()
        .filter(|(arn, tags)| {
            !tags.is_empty()
                && (arns.is_empty() || arns.contains(arn))
                && is_kind(arn, &kinds)
                && filters.iter().all(|filter| has(tags, filter))
        })
        .collect();
    let end = start.saturating_add(size);
    let token = if found.len() > end { end.to_string() } else { String::new() };
    let list: Vec<_> = found
        .iter()
        .skip(start)
        .take(size)
        .map(|(arn, tags)| {
            let tags: Vec<_> = tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
            json!({ "ResourceARN": arn, "Tags": tags })
        })
        .collect();
    Ok(json!({ "PaginationToken": token, "ResourceTagMappingList": list }))
}

/// `service` or `service:type`, as in an ARN.
fn is_kind(arn: &str, kinds: &[String]) -> bool {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    let [_, _, service, _, _, resource] = parts.as_slice() else { return false };
    kinds.is_empty()
        || kinds.iter().any(|kind| match kind.split_once(':') {
            None => kind == service,
            // A queue's ARN has no type.
            Some((wanted, of)) => wanted == *service && (*service == "sqs" || resource.split('/').next() == Some(of)),
        })
}

fn has(tags: &BTreeMap<String, String>, filter: &Value) -> bool {
    let key = filter.get("Key").and_then(Value::as_str).unwrap_or_default();
    let values = strings::list(filter.get("Values"));
    tags.get(key).is_some_and(|value| values.is_empty() || values.contains(value))
}
