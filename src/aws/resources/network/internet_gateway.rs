//! An internet gateway, attached to its VPC.

use provision::{Attributes, Context, Failure, Object};

use super::{Part, fetch, gone, made, ready};
use crate::cloud::Cloud;
use crate::ec2::{self, Form};
use crate::resources::passing::call;
use crate::resources::value::text;

pub(super) async fn create(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    let form = ("ec2:CreateInternetGateway", Form::default());
    let id = made(cloud, Part::InternetGateway, form, desired, context).await?;
    let shown = ready(cloud, Part::InternetGateway, &id, desired, context).await?;
    attach(cloud, &shown, desired, context).await?;
    ready(cloud, Part::InternetGateway, &id, desired, context).await
}

fn both(id: &str, vpc: &str) -> Form {
    Form::default().with("InternetGatewayId", id).with("VpcId", vpc)
}

/// Attaches it where it is wanted, if it is not; it is taken off another VPC first.
pub(super) async fn attach(
    cloud: &Cloud,
    shown: &Object,
    desired: &Attributes,
    context: &Context,
) -> Result<(), Failure> {
    let (id, wanted) = (shown.id.as_str(), text(desired, "vpc_id")?);
    match shown.text("vpc_id") {
        Some(vpc) if vpc == wanted => return Ok(()),
        Some(other) => detach(cloud, id, other, context).await?,
        None => {}
    }
    let form = both(id, wanted);
    call(context, || async {
        match ec2::request(cloud.session(), "ec2:AttachInternetGateway", &form).await {
            // By a try whose answer was lost.
            Err(error) if error.has_code("Resource.AlreadyAssociated") => {
                let there = fetch(cloud, Part::InternetGateway, id).await?;
                let is_ours = there.is_some_and(|object| object.text("vpc_id") == Some(wanted));
                if is_ours { Ok(()) } else { Err(error) }
            }
            answer => answer.map(drop),
        }
    })
    .await
}

async fn detach(cloud: &Cloud, id: &str, vpc: &str, context: &Context) -> Result<(), Failure> {
    let form = both(id, vpc);
    call(context, || async {
        match ec2::request(cloud.session(), "ec2:DetachInternetGateway", &form).await {
            Err(error) if error.is_not_found() || error.has_code("Gateway.NotAttached") => Ok(()),
            answer => answer.map(drop),
        }
    })
    .await
}

pub(super) async fn delete(cloud: &Cloud, current: &Object, context: &Context) -> Result<(), Failure> {
    let id = current.id.as_str();
    let shown = call(context, || fetch(cloud, Part::InternetGateway, id)).await?;
    if let Some(vpc) = shown.as_ref().and_then(|object| object.text("vpc_id")) {
        detach(cloud, id, vpc, context).await?;
    }
    gone(cloud, "ec2:DeleteInternetGateway", ("InternetGatewayId", id), context).await
}
