//! The address that a NAT gateway shows: it costs by the hour, used or not.

use provision::{Attributes, Context, Failure, Object};

use super::{Part, made, ready};
use crate::cloud::Cloud;
use crate::ec2::Form;

pub(super) async fn create(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    let form = Form::default().with("Domain", "vpc");
    let id = made(cloud, Part::Address, ("ec2:AllocateAddress", form), desired, context).await?;
    ready(cloud, Part::Address, &id, desired, context).await
}
