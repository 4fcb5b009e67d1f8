//! The secret stores that a TriggerAuthentication may name. The schema takes all of KEDA 2.20's; which of them can be
//! read is decided at run time (see `validate`), so that nothing is ignored in silence.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AuthPodIdentity;

/// HashiCorpVault is used to authenticate using Hashicorp Vault
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HashiCorpVault {
    /// The server's URL.
    pub address: String,
    /// token or kubernetes.
    pub authentication: String,
    /// What to read.
    #[schemars(length(min = 1))]
    pub secrets: Vec<VaultSecret>,
    /// Vault namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Credential defines the Hashicorp Vault credentials depending on the authentication method
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<VaultCredential>,
    /// Vault role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Mount of the auth method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount: Option<String>,
}

/// VaultSecret defines the mapping between the path of the secret in Vault to the parameter
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultSecret {
    /// The parameter that it fills.
    pub parameter: String,
    /// Path in Vault.
    pub path: String,
    /// Key in the secret.
    pub key: String,
    /// secretV2, secret or pki; guessed if empty.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// Arguments of a pki request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pki_data: Option<VaultPkiData>,
}

/// Arguments of a request to Vault's pki engine
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultPkiData {
    /// Common name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_name: Option<String>,
    /// Alternative names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alt_names: Option<String>,
    /// IP addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_sans: Option<String>,
    /// URIs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri_sans: Option<String>,
    /// Other names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_sans: Option<String>,
    /// Time to live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// Format of the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

/// Credential defines the Hashicorp Vault credentials depending on the authentication method
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultCredential {
    /// A Vault token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Path of a ServiceAccount's token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// A ServiceAccount for which a token is requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
}

impl std::fmt::Debug for VaultCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VaultCredential")
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("service_account", &self.service_account)
            .field("service_account_name", &self.service_account_name)
            .finish()
    }
}

/// AzureKeyVault is used to authenticate using Azure Key Vault
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureKeyVault {
    /// The vault's URI.
    pub vault_uri: String,
    /// What to read.
    #[schemars(length(min = 1))]
    pub secrets: Vec<AzureKeyVaultSecret>,
    /// AzureKeyVaultCredentials defines the Azure Key Vault credentials
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<AzureKeyVaultCredentials>,
    /// The identity to read with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_identity: Option<AuthPodIdentity>,
    /// Where the cloud's endpoints are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud: Option<AzureKeyVaultCloudInfo>,
}

/// AzureKeyVaultSecret maps a secret to a parameter
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AzureKeyVaultSecret {
    /// The parameter that it fills.
    pub parameter: String,
    /// The secret's name.
    pub name: String,
    /// The latest if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// AzureKeyVaultCredentials names an application and where its secret is
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureKeyVaultCredentials {
    /// The application.
    pub client_id: String,
    /// Its tenant.
    pub tenant_id: String,
    /// Where its secret is.
    pub client_secret: FromSecret,
}

/// Endpoints of an Azure cloud
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureKeyVaultCloudInfo {
    /// The cloud's name, or Private.
    #[serde(rename = "type")]
    pub type_: String,
    /// Resource URL of Key Vault.
    #[serde(rename = "keyVaultResourceURL", skip_serializing_if = "Option::is_none")]
    pub key_vault_resource_url: Option<String>,
    /// Active Directory endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_directory_endpoint: Option<String>,
}

/// GCPSecretManager is used to authenticate using GCP Secret Manager
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GcpSecretManager {
    /// What to read.
    #[schemars(length(min = 1))]
    pub secrets: Vec<GcpSecretManagerSecret>,
    /// Where the service account key is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<GcpCredentials>,
    /// The identity to read with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_identity: Option<AuthPodIdentity>,
}

/// GCPSecretManagerSecret maps a secret to a parameter
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GcpSecretManagerSecret {
    /// The parameter that it fills.
    pub parameter: String,
    /// The secret's id.
    pub id: String,
    /// latest if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// GCPCredentials says where the service account key is
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GcpCredentials {
    /// Where the key is.
    pub client_secret: FromSecret,
}

/// AwsSecretManager is used to authenticate using AwsSecretManager
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsSecretManager {
    /// What to read.
    #[schemars(length(min = 1))]
    pub secrets: Vec<AwsSecretManagerSecret>,
    /// Where static keys are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<AwsSecretManagerCredentials>,
    /// The identity to read with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_identity: Option<AuthPodIdentity>,
    /// The region to read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// AwsSecretManagerSecret maps a secret to a parameter
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsSecretManagerSecret {
    /// The parameter that it fills.
    pub parameter: String,
    /// The secret's name.
    pub name: String,
    /// A version by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// A version by stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_stage: Option<String>,
    /// A field of the secret, if it is a JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key: Option<String>,
}

/// AwsSecretManagerCredentials says where static keys are
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsSecretManagerCredentials {
    /// Where the access key is.
    pub access_key: FromSecret,
    /// Where the secret key is.
    pub access_secret_key: FromSecret,
    /// Where the session token is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<FromSecret>,
}

/// BoundServiceAccountToken is a parameter that is a token of a ServiceAccount
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoundServiceAccountToken {
    /// The parameter that it fills.
    pub parameter: String,
    /// The ServiceAccount, in the trigger's namespace.
    pub service_account_name: String,
}

/// OAuth2 is used to authenticate by client credentials
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OAuth2 {
    /// clientCredentials.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["clientCredentials"]))]
    pub type_: Option<String>,
    /// The client.
    pub client_id: String,
    /// Where its secret is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<FromSecret>,
    /// Where tokens are given out.
    pub token_url: String,
    /// What the token is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// More parameters of the request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub token_url_params: BTreeMap<String, String>,
}

/// A value that comes from a Secret
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FromSecret {
    /// Its source.
    pub value_from: ValueFromSecret,
}

/// The source of a value
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValueFromSecret {
    /// A key of a Secret.
    pub secret_key_ref: SecretKeyRef,
}

/// A key of a Secret
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretKeyRef {
    /// The Secret's name.
    pub name: String,
    /// The key in it.
    pub key: String,
}
