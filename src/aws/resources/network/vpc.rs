//! A VPC, and whether names resolve in it.

use provision::{Attributes, Context, Failure, Object};
use serde_json::json;

use super::{Part, made, ready};
use crate::cloud::Cloud;
use crate::ec2::{self, Form};
use crate::error::Result;
use crate::resources::passing::call;
use crate::resources::value::{switch, text};

/// Ours, EC2's when it is read, and EC2's when it is set. Hosts have names only where names resolve, so that comes first.
const SWITCHES: [(&str, &str, &str); 2] = [
    ("enable_dns_support", "enableDnsSupport", "EnableDnsSupport.Value"),
    ("enable_dns_hostnames", "enableDnsHostnames", "EnableDnsHostnames.Value"),
];

/// Adds what a list does not say.
pub(super) async fn complete(cloud: &Cloud, object: &mut Object) -> Result<()> {
    for (ours, theirs, _) in SWITCHES {
        match ec2::vpc_attribute(cloud.session(), &object.id, theirs).await {
            Ok(value) => drop(object.attributes.insert(ours.to_owned(), json!(value))),
            // It went in between, or does not show everywhere yet.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub(super) async fn create(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    let form = Form::default().with("CidrBlock", text(desired, "cidr_block")?);
    let id = made(cloud, Part::Vpc, ("ec2:CreateVpc", form), desired, context).await?;
    ready(cloud, Part::Vpc, &id, desired, context).await?;
    set(cloud, &id, desired, context).await?;
    ready(cloud, Part::Vpc, &id, desired, context).await
}

/// One attribute a call (EC2 API Reference, ModifyVpcAttribute).
pub(super) async fn set(cloud: &Cloud, id: &str, desired: &Attributes, context: &Context) -> Result<(), Failure> {
    for (ours, _, parameter) in SWITCHES {
        let Some(value) = switch(desired, ours) else { continue };
        let form = Form::default().with("VpcId", id).with(parameter, value.to_string());
        call(context, || async { ec2::request(cloud.session(), "ec2:ModifyVpcAttribute", &form).await.map(drop) })
            .await?;
    }
    Ok(())
}
