//! The ARNs of what EC2 holds.

use super::store::Kind;
use crate::cloud::Cloud;

/// The ARN of a thing.
pub(crate) fn of(cloud: &Cloud, kind: Kind, id: &str) -> String {
    of_kind(cloud, kind.resource(), id)
}

/// The ARN of a thing whose kind is given as ARNs name it.
pub(crate) fn of_kind(cloud: &Cloud, kind: &str, id: &str) -> String {
    format!("arn:aws:ec2:{}:{}:{kind}/{id}", cloud.region, cloud.account)
}
