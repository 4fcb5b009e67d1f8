//! Tags of EKS resources, by ARN.

use http::Method;
use serde_json::{Value, json};

use super::faults::{not_found, unknown};
use super::input::{check_tags, tags};
use super::request_context::RequestContext;
use super::store::{Store, Tags};
use crate::fault::Fault;

impl Store {
    fn tags_of(&mut self, arn: &str) -> Result<&mut Tags, Fault> {
        for cluster in self.clusters.values_mut() {
            if cluster.arn == arn {
                return Ok(&mut cluster.tags);
            }
            let profiles = cluster.profiles.values_mut().map(|one| (&one.arn, &mut one.tags));
            let addons = cluster.addons.values_mut().map(|one| (&one.arn, &mut one.tags));
            let entries = cluster.entries.values_mut().map(|one| (&one.arn, &mut one.tags));
            if let Some((_, tags)) = profiles.chain(addons).chain(entries).find(|(one, _)| *one == arn) {
                return Ok(tags);
            }
        }
        Err(Fault { code: "NotFoundException".into(), ..not_found(format!("Resource was not found: {arn}")) })
    }
}

pub(super) fn call(context: &RequestContext<'_>, arn: &str) -> Result<Value, Fault> {
    let existing = context.cloud.eks().tags_of(arn).map(|tags| tags.clone()).unwrap_or_default();
    match context.request.method {
        Method::GET => {
            context.allowed("ListTagsForResource", arn, &existing)?;
            Ok(json!({ "tags": context.cloud.eks().tags_of(arn)? }))
        }
        Method::POST => {
            context.allowed("TagResource", arn, &existing)?;
            let mut store = context.cloud.eks();
            let held = store.tags_of(arn)?;
            // On top of what is there now: somebody else may have tagged it since it was looked up.
            let mut merged = held.clone();
            merged.extend(tags(&context.body));
            check_tags(&merged)?;
            *held = merged;
            Ok(json!({}))
        }
        Method::DELETE => {
            context.allowed("UntagResource", arn, &existing)?;
            let keys = context.request.parameters("tagKeys");
            context.cloud.eks().tags_of(arn)?.retain(|key, _| !keys.contains(key));
            Ok(json!({}))
        }
        _ => Err(unknown(context.request)),
    }
}
