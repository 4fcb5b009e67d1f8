//! TriggerAuthentication and its cluster-wide form: where a trigger's credentials come from.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AwsSecretManager, AzureKeyVault, BoundServiceAccountToken, GcpSecretManager, HashiCorpVault, OAuth2,
    TriggerAuthenticationStatus,
};

/// TriggerAuthenticationSpec defines the various ways to authenticate
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "keda.sh",
    version = "v1alpha1",
    kind = "TriggerAuthentication",
    namespaced,
    status = "TriggerAuthenticationStatus",
    shortname = "ta",
    shortname = "triggerauth",
    derive = "PartialEq",
    doc = "TriggerAuthentication defines how a trigger can authenticate",
    printcolumn(name = "PodIdentity", type_ = "string", json_path = ".spec.podIdentity.provider"),
    printcolumn(name = "Secret", type_ = "string", json_path = ".spec.secretTargetRef[*].name"),
    printcolumn(name = "Env", type_ = "string", json_path = ".spec.env[*].name"),
    printcolumn(name = "VaultAddress", type_ = "string", json_path = ".spec.hashiCorpVault.address"),
    printcolumn(name = "ScaledObjects", type_ = "string", json_path = ".status.scaledobjects", priority = 1),
    printcolumn(name = "ScaledJobs", type_ = "string", json_path = ".status.scaledjobs", priority = 1)
)]
#[serde(rename_all = "camelCase")]
pub struct TriggerAuthenticationSpec {
    /// AuthPodIdentity allows users to select the platform native identity mechanism
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_identity: Option<AuthPodIdentity>,
    /// Parameters from Secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secret_target_ref: Vec<AuthTargetRef>,
    /// Parameters from ConfigMaps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub config_map_target_ref: Vec<AuthTargetRef>,
    /// Parameters from the environment of the target's container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<AuthEnvironment>,
    /// A file with parameters as a JSON object of strings, in the place of all other sources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
    /// HashiCorpVault is used to authenticate using Hashicorp Vault
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hashi_corp_vault: Option<Box<HashiCorpVault>>,
    /// AzureKeyVault is used to authenticate using Azure Key Vault
    #[serde(skip_serializing_if = "Option::is_none")]
    pub azure_key_vault: Option<Box<AzureKeyVault>>,
    /// GCPSecretManager is used to authenticate using GCP Secret Manager
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gcp_secret_manager: Option<Box<GcpSecretManager>>,
    /// AwsSecretManager is used to authenticate using AwsSecretManager
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_secret_manager: Option<Box<AwsSecretManager>>,
    /// Parameters that are tokens of ServiceAccounts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bound_service_account_token: Vec<BoundServiceAccountToken>,
    /// OAuth2 is used to authenticate by client credentials
    #[serde(rename = "oauth2", skip_serializing_if = "Option::is_none")]
    pub oauth2: Option<Box<OAuth2>>,
}

impl TriggerAuthenticationSpec {
    /// The file that has all parameters, if one has.
    pub fn file_path(&self) -> Option<&str> {
        self.file_path.as_deref().filter(|path| !path.is_empty())
    }
}

/// The spec of a ClusterTriggerAuthentication: that of a TriggerAuthentication, field by field.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "keda.sh",
    version = "v1alpha1",
    kind = "ClusterTriggerAuthentication",
    status = "TriggerAuthenticationStatus",
    shortname = "cta",
    shortname = "clustertriggerauth",
    derive = "PartialEq",
    doc = "ClusterTriggerAuthentication defines how a trigger can authenticate globally",
    printcolumn(name = "PodIdentity", type_ = "string", json_path = ".spec.podIdentity.provider"),
    printcolumn(name = "Secret", type_ = "string", json_path = ".spec.secretTargetRef[*].name"),
    printcolumn(name = "Env", type_ = "string", json_path = ".spec.env[*].name"),
    printcolumn(name = "FilePath", type_ = "string", json_path = ".spec.filePath"),
    printcolumn(name = "VaultAddress", type_ = "string", json_path = ".spec.hashiCorpVault.address"),
    printcolumn(name = "ScaledObjects", type_ = "string", json_path = ".status.scaledobjects", priority = 1),
    printcolumn(name = "ScaledJobs", type_ = "string", json_path = ".status.scaledjobs", priority = 1)
)]
#[serde(transparent)]
pub struct ClusterTriggerAuthenticationSpec(pub TriggerAuthenticationSpec);

/// AuthPodIdentity allows users to select the platform native identity mechanism
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthPodIdentity {
    /// PodIdentityProvider contains the list of providers
    pub provider: PodIdentityProvider,
    /// Azure only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<String>,
    /// Set identityTenantId to override the default Azure tenant id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_tenant_id: Option<String>,
    /// Set identityAuthorityHost to override the default Azure authority host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_authority_host: Option<String>,
    /// RoleArn sets the AWS RoleArn to be used. Mutually exclusive with IdentityOwner
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// ExternalID sets the External ID to be used when assuming an identity. This is only applicable when using AWS pod identity with a RoleArn.
    #[serde(rename = "externalID", skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// IdentityOwner configures which identity has to be used during auto discovery, keda or the scaled workload. Mutually exclusive with roleArn
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_owner: Option<IdentityOwner>,
}

/// The providers of KEDA 2.14; later versions dropped azure and aws-kiam, which are still read so that they can be named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum PodIdentityProvider {
    #[expect(missing_docs, reason = "the name says all, and a doc here would turn the schema's enum into a oneOf")]
    Azure,
    #[expect(missing_docs, reason = "as above")]
    AzureWorkload,
    #[expect(missing_docs, reason = "as above")]
    Gcp,
    #[expect(missing_docs, reason = "as above")]
    Aws,
    #[expect(missing_docs, reason = "as above")]
    AwsEks,
    #[expect(missing_docs, reason = "as above")]
    AwsKiam,
    #[default]
    #[expect(missing_docs, reason = "as above")]
    None,
}

/// Whose identity provider `aws` uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum IdentityOwner {
    #[default]
    #[expect(missing_docs, reason = "the operator's own; a doc here would turn the schema's enum into a oneOf")]
    Keda,
    #[expect(missing_docs, reason = "the role named on the workload's ServiceAccount; see above")]
    Workload,
}

/// AuthTargetRef is used to authenticate using a reference to a key of a Secret or ConfigMap
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthTargetRef {
    /// The parameter that it fills.
    pub parameter: String,
    /// The object's name.
    pub name: String,
    /// The key in it.
    pub key: String,
}

/// AuthEnvironment is used to authenticate using environment variables in the destination ScaleTarget spec
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthEnvironment {
    /// The parameter that it fills.
    pub parameter: String,
    /// The variable's name.
    pub name: String,
    /// The container; the first if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_name: Option<String>,
}
