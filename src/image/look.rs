//! What a registry has under a name: for which platforms, or why it does not say.

use oci_client::RegistryOperation;
use oci_client::client::ClientProtocol;
use oci_client::errors::OciDistributionError;
use oci_client::manifest::OciManifest;
use oci_client::secrets::RegistryAuth;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::name::Name;
use crate::push::{Options, client, credentials_for};
use crate::refusal::Refusal;

/// With whose credentials it is looked.
#[derive(Debug, Clone)]
pub enum Reader {
    /// The user's, as Docker keeps them.
    User(Options),
    /// Nobody's, as a node without a pull secret.
    Nobody,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The image, for these platforms, such as `linux/amd64`.
    Image(Vec<String>),
    /// There is none of this name.
    Missing,
    /// The registry does not tell this reader.
    Denied,
}

/// Looks for an image without fetching its layers.
///
/// # Errors
///
/// [`Error::Credentials`] if Docker's configuration cannot be used. [`Error::Unreachable`] if the registry gives no answer, and
/// [`Error::NoRegistry`] if what answers is none. Other refusals as of a push.
pub async fn look(name: &Name, reader: &Reader) -> Result<Seen> {
    let (auth, plain_http) = match reader {
        Reader::User(options) => (credentials_for(name, options).await?, options.plain_http),
        Reader::Nobody => (RegistryAuth::Anonymous, false),
    };
    let protocol = if plain_http || name.is_loopback() { ClientProtocol::Http } else { ClientProtocol::Https };
    let refusal = Refusal::new(name, &auth, protocol == ClientProtocol::Http);
    let client = client(protocol).map_err(|error| refusal.explain(error))?;
    let location = name.location();
    let found = async {
        client.auth(&location, &auth, RegistryOperation::Pull).await?;
        let (manifest, _) = client.pull_manifest(&location, &auth).await?;
        match manifest {
            OciManifest::ImageIndex(index) => {
                let platforms = index.manifests.iter().filter_map(|entry| entry.platform.as_ref());
                Ok(platforms.map(|platform| format!("{}/{}", platform.os, platform.architecture)).collect())
            }
            OciManifest::Image(manifest) => {
                let mut config = Vec::new();
                client.pull_blob(&location, &manifest.config, &mut config).await?;
                Ok(vec![platform(&config)])
            }
        }
    };
    let found: Result<Vec<String>, OciDistributionError> = found.await;
    match found {
        Ok(platforms) => Ok(Seen::Image(platforms)),
        Err(error) => unless_answered(refusal.explain_look(error)),
    }
}

fn unless_answered(error: Error) -> Result<Seen> {
    match error {
        Error::NoRepository { .. } => Ok(Seen::Missing),
        Error::Denied { .. } => Ok(Seen::Denied),
        other => Err(other),
    }
}

/// `os/architecture` of an image's configuration (OCI Image Configuration); `unknown` for what it does not say.
fn platform(config: &[u8]) -> String {
    let config: Value = serde_json::from_slice(config).unwrap_or_default();
    let text = |key: &str| config.get(key).and_then(Value::as_str).unwrap_or("unknown").to_owned();
    format!("{}/{}", text("os"), text("architecture"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_says_its_platform() {
        assert_eq!(platform(br#"{"architecture":"arm64","os":"linux"}"#), "linux/arm64");
        assert_eq!(platform(b"no json"), "unknown/unknown");
    }
}
