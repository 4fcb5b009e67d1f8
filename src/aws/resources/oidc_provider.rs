//! `aws_iam_openid_connect_provider`: url, client_id_list, thumbprint_list (may be left out); computed arn. The id is the
//! ARN.

use std::collections::BTreeSet;

use provision::{Attributes, Context, Failure, Known, Object, Reading, Schema};
use serde_json::json;

use super::edit::Edit;
use super::passing::{call, made_before};
use super::role::{gone, iam_tags, tags_json};
use super::value::{self, text, texts, without_scheme};
use super::wait::{IAM_PROPAGATION, Look, until};
use crate::cloud::Cloud;
use crate::error::{Error, Result};

pub(super) const SCHEMA: Schema =
    Schema { force_new: &["url"], computed: &["arn"], sensitive: &[], open: &[], set_once: &[] };

pub(super) async fn read(cloud: &Cloud, known: Known<'_>) -> Result<Reading, Failure> {
    if let Some(url) = known.desired.get("url") {
        for arn in list(cloud).await? {
            if arn.split_once(":oidc-provider/").is_some_and(|(_, host)| host == without_scheme(url)) {
                return Ok(fetch(cloud, &arn).await?.map_or(Reading::Absent, |object| cloud.claim(object)));
            }
        }
    }
    if let Some(recorded) = known.recorded
        && let Some(object) = fetch(cloud, &recorded.id).await?
    {
        return Ok(cloud.claim(object));
    }
    // The issuer may be gone or not be known: what carries our tag is ours.
    for arn in list(cloud).await? {
        if let Some(object) = fetch(cloud, &arn).await?
            && let ours @ Reading::Present(_) = cloud.claim(object)
        {
            return Ok(ours);
        }
    }
    Ok(Reading::Absent)
}

/// The ARNs of all providers of the account.
pub(crate) async fn list(cloud: &Cloud) -> Result<Vec<String>> {
    let answer = cloud.iam.list_open_id_connect_providers().send().await;
    let answer = answer.map_err(|error| Error::from_sdk("iam:ListOpenIDConnectProviders", &error))?;
    let providers = answer.open_id_connect_provider_list.unwrap_or_default();
    Ok(providers.into_iter().filter_map(|provider| provider.arn).collect())
}

pub(crate) async fn fetch(cloud: &Cloud, arn: &str) -> Result<Option<Object>> {
    let answer = match cloud.iam.get_open_id_connect_provider().open_id_connect_provider_arn(arn).send().await {
        Ok(answer) => answer,
        Err(error) => {
            let error = Error::from_sdk("iam:GetOpenIDConnectProvider", &error);
            return if error.is_not_found() { Ok(None) } else { Err(error) };
        }
    };
    let attributes = value::attributes([
        ("url", json!(answer.url().map(|url| format!("https://{}", without_scheme(&json!(url)))))),
        ("arn", json!(arn)),
        ("client_id_list", json!(answer.client_id_list())),
        ("thumbprint_list", json!(answer.thumbprint_list())),
        ("tags", tags_json(answer.tags())),
    ]);
    Ok(Some(Object::new(arn, attributes)))
}

pub(super) async fn create(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    const OPERATION: &str = "iam:CreateOpenIDConnectProvider";
    let url = text(desired, "url")?;
    let made = call(context, || async {
        let call = cloud.iam.create_open_id_connect_provider().url(url);
        let call = call.set_client_id_list(texts(desired, "client_id_list"));
        let call = call.set_thumbprint_list(texts(desired, "thumbprint_list")).set_tags(Some(iam_tags(desired)));
        match call.send().await.map_err(|error| Error::from_sdk(OPERATION, &error)) {
            Err(error) if error.is_already_there() => Ok(Err(error)),
            answer => {
                let arn = answer?.open_id_connect_provider_arn;
                arn.map(Ok).ok_or_else(|| Error::answer(OPERATION, "it holds no ARN"))
            }
        }
    });
    let what = format!("OIDC provider {url}");
    let arn = match made.await? {
        Ok(arn) => arn,
        Err(taken) => made_before(cloud, &what, taken, context, || of_issuer(cloud, url)).await?.id,
    };
    fresh(cloud, &arn, context).await
}

/// The issuer's provider.
async fn of_issuer(cloud: &Cloud, url: &str) -> Result<Option<Object>> {
    let url = json!(url);
    let is_of_issuer =
        |arn: &String| arn.split_once(":oidc-provider/").is_some_and(|(_, host)| host == without_scheme(&url));
    match list(cloud).await?.into_iter().find(is_of_issuer) {
        Some(arn) => fetch(cloud, &arn).await,
        None => Ok(None),
    }
}

async fn fresh(cloud: &Cloud, arn: &str, context: &Context) -> Result<Object, Failure> {
    until(context, &format!("OIDC provider {arn}"), IAM_PROPAGATION, || async {
        let found = fetch(cloud, arn).await?;
        Ok(found.map_or_else(|| Look::Waiting("not visible yet".into()), Look::Done))
    })
    .await
}

pub(super) async fn update(cloud: &Cloud, edit: Edit<'_>, context: &Context) -> Result<Object, Failure> {
    let arn = edit.current.id.as_str();
    if edit.touches("client_id_list") {
        let of = |attributes| texts(attributes, "client_id_list").unwrap_or_default().into_iter().collect();
        let (have, want): (BTreeSet<String>, BTreeSet<String>) = (of(&edit.current.attributes), of(edit.desired));
        for id in want.difference(&have) {
            call(context, || async {
                let call = cloud.iam.add_client_id_to_open_id_connect_provider().open_id_connect_provider_arn(arn);
                let answer = call.client_id(id).send().await;
                answer.map(drop).map_err(|error| Error::from_sdk("iam:AddClientIDToOpenIDConnectProvider", &error))
            })
            .await?;
        }
        for id in have.difference(&want) {
            call(context, || async {
                let call = cloud.iam.remove_client_id_from_open_id_connect_provider().open_id_connect_provider_arn(arn);
                let answer = call.client_id(id).send().await;
                answer.map(drop).map_err(|error| Error::from_sdk("iam:RemoveClientIDFromOpenIDConnectProvider", &error))
            })
            .await?;
        }
    }
    if edit.touches("thumbprint_list") {
        call(context, || async {
            let call = cloud.iam.update_open_id_connect_provider_thumbprint().open_id_connect_provider_arn(arn);
            let answer = call.set_thumbprint_list(texts(edit.desired, "thumbprint_list")).send().await;
            answer.map(drop).map_err(|error| Error::from_sdk("iam:UpdateOpenIDConnectProviderThumbprint", &error))
        })
        .await?;
    }
    fresh(cloud, arn, context).await
}

pub(super) async fn delete(cloud: &Cloud, current: &Object, context: &Context) -> Result<(), Failure> {
    call(context, || async {
        let call = cloud.iam.delete_open_id_connect_provider().open_id_connect_provider_arn(&current.id);
        gone(call.send().await.map_err(|error| Error::from_sdk("iam:DeleteOpenIDConnectProvider", &error)))
    })
    .await
}
