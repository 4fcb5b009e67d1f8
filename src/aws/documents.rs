//! What says who may do what: the documents of roles, the issuers that IAM trusts, the policies of queues.

use serde_json::Value;

use crate::cloud::Cloud;
use crate::error::Result;
use crate::resources::{oidc_provider, policy, queue, role};

/// A role with every document that bears on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDocuments {
    /// Its trust policy.
    pub trust: Value,
    /// Its inline and attached policies, each with what it is called.
    pub policies: Vec<(String, Value)>,
    /// Its permissions boundary: the ARN, and the document or why it cannot be read.
    pub boundary: Option<(String, std::result::Result<Value, String>)>,
}

/// An OIDC provider of IAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcProvider {
    /// Its ARN.
    pub arn: String,
    /// The issuer without `https://`.
    pub url: String,
    /// The audiences that it takes.
    pub client_ids: Vec<String>,
}

/// Reads a role; `None` if there is none of that name.
///
/// # Errors
///
/// Those of the calls. A boundary that cannot be read is none.
pub async fn of_role(cloud: &Cloud, name: &str) -> Result<Option<RoleDocuments>> {
    let (Some(found), Some(attached)) = (role::fetch(cloud, name).await?, role::attached(cloud, name).await?) else {
        return Ok(None);
    };
    let get = |key: &str| found.attributes.get(key).cloned().unwrap_or_default();
    let inline = get("inline_policies");
    let mut policies: Vec<_> = inline
        .as_object()
        .into_iter()
        .flatten()
        .map(|(policy, document)| (format!("inline policy {policy} of role {name}"), document.clone()))
        .collect();
    for arn in attached {
        // One that was detached and deleted meanwhile says nothing any more.
        if let Some(document) = of_policy(cloud, &arn).await? {
            policies.push((format!("policy {}", arn.rsplit('/').next().unwrap_or(&arn)), document));
        }
    }
    let boundary = match get("permissions_boundary").as_str() {
        None => None,
        Some(arn) => {
            let read = of_policy(cloud, arn).await.map_err(|error| error.to_string());
            Some((arn.to_owned(), read.and_then(|found| found.ok_or_else(|| "there is no such policy".to_owned()))))
        }
    };
    Ok(Some(RoleDocuments { trust: get("assume_role_policy"), policies, boundary }))
}

async fn of_policy(cloud: &Cloud, arn: &str) -> Result<Option<Value>> {
    let found = policy::fetch(cloud, arn).await?;
    Ok(found.and_then(|policy| policy.attributes.get("policy").cloned()))
}

/// The provider of an issuer, which is given without `https://`.
///
/// # Errors
///
/// Those of the calls.
pub async fn provider(cloud: &Cloud, issuer: &str) -> Result<Option<OidcProvider>> {
    for arn in oidc_provider::list(cloud).await? {
        if arn.split_once(":oidc-provider/").is_none_or(|(_, host)| host != issuer) {
            continue;
        }
        let Some(found) = oidc_provider::fetch(cloud, &arn).await? else { continue };
        let ids = found.attributes.get("client_id_list").and_then(Value::as_array).cloned().unwrap_or_default();
        let client_ids = ids.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        return Ok(Some(OidcProvider { arn, url: issuer.to_owned(), client_ids }));
    }
    Ok(None)
}

/// The policy of a queue; `None` if it has none, or there is no such queue.
///
/// # Errors
///
/// Those of the calls.
pub async fn of_queue(cloud: &Cloud, name: &str) -> Result<Option<Value>> {
    let found = queue::fetch(cloud, name).await?;
    Ok(found.and_then(|queue| queue.attributes.get("policy").cloned()).filter(|policy| !policy.is_null()))
}
