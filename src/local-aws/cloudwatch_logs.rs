//! CloudWatch Logs: groups with their retention and tags. Nothing writes into them here, so there are no streams and no events.
//!
//! Source: CloudWatch Logs API Reference; the ARNs that calls are authorised on are those of AWS's own refusals.

mod faults;
mod group;
pub(crate) mod store;

use serde_json::{Value, json};

use crate::authorization::{Access, request_tags, resource_tags, tag_keys};
use crate::caller::Call;
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::policy::Context;
use crate::request::{Request, Service};
use crate::{coverage, intake, strings};
use faults::absent;
use group::{Tags, check_tags, tags};
use store::{Store, name};

/// Performs `action`.
pub(crate) fn call(cloud: &Cloud, call: &Call, action: &str, request: &Request) -> Result<Value, Fault> {
    if !coverage::of(Service::CloudwatchLogs).iter().any(|one| one.operation == action) {
        return Err(coverage::not_offered(Service::CloudwatchLogs, action).unwrap_or_else(|| {
            Fault::sender("InvalidAction", format!("The action {action} is not valid for this endpoint."))
        }));
    }
    let input: Value = serde_json::from_slice(&request.body)
        .map_err(|_| Fault::sender("MalformedInput", "The request body is no JSON."))?;
    intake::check(Service::CloudwatchLogs, action, &input)?;
    authorize(cloud, call, action, &input)?;
    let mut store = cloud.cloudwatch_logs();
    match action {
        "CreateLogGroup" => store.create(&input, call.now),
        "DescribeLogGroups" => store.describe(&input),
        "DeleteLogGroup" => store.delete(name(&input)?),
        "PutRetentionPolicy" => store.retain(name(&input)?, input.get("retentionInDays").and_then(Value::as_u64)),
        "DeleteRetentionPolicy" => store.retain(name(&input)?, None),
        _ => tagging(&mut store, action, &input),
    }
}

fn tagging(store: &mut Store, action: &str, input: &Value) -> Result<Value, Fault> {
    let arn = input.get("resourceArn").and_then(Value::as_str).unwrap_or_default();
    let group = store.by_arn(arn).ok_or_else(absent)?;
    match action {
        "TagResource" => {
            // On top of what is there now.
            let mut merged = group.tags.clone();
            merged.extend(tags(input));
            check_tags(&merged)?;
            group.tags = merged;
            Ok(json!({}))
        }
        "UntagResource" => {
            let keys = strings::list(input.get("tagKeys"));
            group.tags.retain(|key, _| !keys.contains(key));
            Ok(json!({}))
        }
        _ => Ok(json!({ "tags": group.tags })),
    }
}

fn authorize(cloud: &Cloud, call: &Call, action: &str, input: &Value) -> Result<(), Fault> {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let (resource, held) = {
        let mut store = cloud.cloudwatch_logs();
        let of = |name: &str| format!("{}:log-stream:", store.arn(name));
        match (text("logGroupName"), text("resourceArn")) {
            (Some(name), _) => (of(name), store.groups.get(name).map(|group| group.tags.clone()).unwrap_or_default()),
            (None, Some(arn)) => (arn.to_owned(), store.by_arn(arn).map(|one| one.tags.clone()).unwrap_or_default()),
            // A list is of all groups.
            (None, None) => (of(""), Tags::new()),
        }
    };
    let requested = tags(input);
    let mut context = Context::default();
    resource_tags(&mut context, &held);
    request_tags(&mut context, &requested);
    tag_keys(&mut context, strings::list(input.get("tagKeys")));
    // A group that is made with tags takes the permission to tag it.
    let tagging = (action == "CreateLogGroup" && !requested.is_empty()).then_some("logs:TagResource");
    let action = format!("logs:{action}");
    std::iter::once(action.as_str()).chain(tagging).try_for_each(|action| {
        cloud.authorize(call, Access { context: context.clone(), ..Access::new(action, &resource) })
    })
}
