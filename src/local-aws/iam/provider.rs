//! OIDC identity providers.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::input::{date, exists, merge_tags, missing, quota, remove_tags, tag_list, tag_page};
use super::model::{Provider, Tags};
use super::store::Store;
use crate::fault::Fault;
use crate::request::Service;
use crate::validation::required;
use crate::{coverage, model, strings};

/// AWS's default quota.
const PROVIDERS_MAX: usize = 100;
const CLIENT_IDS_MAX: usize = 100;
const THUMBPRINTS_MAX: usize = 5;

/// The ARN of the provider at `url`.
pub(super) fn arn(account: &str, url: &str) -> String {
    format!("arn:aws:iam::{account}:oidc-provider/{}", bare(url))
}

fn bare(url: &str) -> &str {
    url.strip_prefix("https://").unwrap_or(url).trim_end_matches('/')
}

fn thumbprints(input: &Value) -> Result<Vec<String>, Fault> {
    let list = strings::list(input.get("ThumbprintList"));
    if list.len() > THUMBPRINTS_MAX {
        let message = format!("Thumbprint list must contain fewer than {THUMBPRINTS_MAX} entries.");
        return Err(Fault::sender("InvalidInput", message));
    }
    match list.iter().find(|one| one.len() != 40 || !one.chars().all(|c| c.is_ascii_hexdigit())) {
        Some(bad) => Err(Fault::sender("InvalidInput", format!("Thumbprint {bad} must be 40 hexadecimal characters."))),
        None => Ok(list),
    }
}

impl Store {
    pub(super) fn perform_on_provider(&mut self, action: &str, input: &Value, now: Timestamp) -> Result<Value, Fault> {
        match action {
            "CreateOpenIDConnectProvider" => self.create_provider(input, now),
            "ListOpenIDConnectProviders" => {
                let list: Vec<_> = self.providers.keys().map(|arn| json!({ "Arn": arn })).collect();
                Ok(json!({ "OpenIDConnectProviderList": list }))
            }
            "GetOpenIDConnectProvider" => {
                let provider = self.provider(input)?;
                Ok(json!({
                    "Url": provider.url,
                    "ClientIDList": provider.client_ids,
                    "ThumbprintList": provider.thumbprints,
                    "CreateDate": date(provider.created_at),
                    "Tags": tag_list(&provider.tags),
                }))
            }
            "ListOpenIDConnectProviderTags" => tag_page(&self.provider(input)?.tags, input),
            // Documented as idempotent: one that is not there is no error.
            "DeleteOpenIDConnectProvider" => {
                self.providers.remove(required(input, "OpenIDConnectProviderArn")?);
                Ok(Value::Null)
            }
            "AddClientIDToOpenIDConnectProvider" | "RemoveClientIDFromOpenIDConnectProvider" => {
                let id = required(input, "ClientID")?.to_owned();
                let provider = self.provider(input)?;
                provider.client_ids.retain(|one| *one != id);
                if action.starts_with("Add") {
                    if provider.client_ids.len() >= CLIENT_IDS_MAX {
                        return Err(quota("ClientIdsPerOpenIdConnectProvider", CLIENT_IDS_MAX));
                    }
                    provider.client_ids.push(id);
                }
                Ok(Value::Null)
            }
            "UpdateOpenIDConnectProviderThumbprint" => {
                self.provider(input)?.thumbprints = thumbprints(input)?;
                Ok(Value::Null)
            }
            "TagOpenIDConnectProvider" => merge_tags(&mut self.provider(input)?.tags, input).map(|()| Value::Null),
            "UntagOpenIDConnectProvider" => {
                remove_tags(&mut self.provider(input)?.tags, input);
                Ok(Value::Null)
            }
            other => Err(coverage::not_offered(Service::Iam, other).unwrap_or_else(|| {
                Fault::sender(
                    "InvalidAction",
                    format!("Could not find operation {other} for version {}", model::of(Service::Iam).version),
                )
            })),
        }
    }

    fn provider(&mut self, input: &Value) -> Result<&mut Provider, Fault> {
        let arn = required(input, "OpenIDConnectProviderArn")?;
        self.providers.get_mut(arn).ok_or_else(|| missing(format!("OpenIDConnect Provider not found for arn {arn}")))
    }

    fn create_provider(&mut self, input: &Value, now: Timestamp) -> Result<Value, Fault> {
        let url = required(input, "Url")?;
        let parsed = url::Url::parse(url).ok().filter(|parsed| parsed.scheme() == "https" && parsed.query().is_none());
        if parsed.is_none() {
            return Err(Fault::sender(
                "ValidationError",
                format!("Invalid Open ID Connect Provider URL: {url} must be an https address without a query"),
            ));
        }
        let arn = arn(&self.account, url);
        if self.providers.contains_key(&arn) {
            return Err(exists(format!("Provider with url {url} already exists.")));
        }
        if self.providers.len() >= PROVIDERS_MAX {
            return Err(quota("OpenIdConnectProvidersPerAccount", PROVIDERS_MAX));
        }
        let client_ids = strings::list(input.get("ClientIDList"));
        if client_ids.len() > CLIENT_IDS_MAX {
            return Err(quota("ClientIdsPerOpenIdConnectProvider", CLIENT_IDS_MAX));
        }
        let mut tags = Tags::new();
        merge_tags(&mut tags, input)?;
        let provider = Provider {
            arn: arn.clone(),
            url: bare(url).to_owned(),
            client_ids,
            thumbprints: thumbprints(input)?,
            created_at: now,
            tags,
        };
        let mut value = json!({ "OpenIDConnectProviderArn": arn });
        if !provider.tags.is_empty() {
            value["Tags"] = tag_list(&provider.tags);
        }
        self.providers.insert(arn, provider);
        Ok(value)
    }
}
