//! Which content a registry has under a name.

use std::fmt;

use oci_client::RegistryOperation;
use oci_client::client::ClientProtocol;
use oci_client::errors::OciDistributionError;

use crate::error::{Error, Result};
use crate::name::Name;
use crate::push::{Options, client, credentials_for};
use crate::refusal::Refusal;

/// The kinds of manifest that nodes run (OCI Image Specification, "Media types"; Docker's "Image manifest v2, schema 2").
const KINDS: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// What was found under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tagged {
    /// The manifest's (or the index's) digest, `sha256:…`.
    Content(String),
    /// There is none of this name.
    Missing,
    /// The registry does not tell this reader.
    Denied,
}

impl fmt::Display for Tagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(digest) => f.write_str(digest),
            Self::Missing => f.write_str("there is no such image"),
            Self::Denied => f.write_str("the registry does not show it with these credentials"),
        }
    }
}

/// The content under a name, by its digest. The image itself is not fetched.
///
/// # Errors
///
/// Those of [`look()`](crate::look()).
pub async fn tagged(name: &Name, options: &Options) -> Result<Tagged> {
    let auth = credentials_for(name, options).await?;
    let protocol = if options.plain_http || name.is_loopback() { ClientProtocol::Http } else { ClientProtocol::Https };
    let refusal = Refusal::new(name, &auth, protocol == ClientProtocol::Http);
    let client = client(protocol).map_err(|error| refusal.explain(error))?;
    let location = name.location();
    let found = async {
        client.auth(&location, &auth, RegistryOperation::Pull).await?;
        client.pull_manifest_raw(&location, &auth, &KINDS).await
    };
    let found: Result<_, OciDistributionError> = found.await;
    match found {
        Ok((_, digest)) => Ok(Tagged::Content(digest)),
        Err(error) => match refusal.explain_look(error) {
            Error::NoRepository { .. } => Ok(Tagged::Missing),
            Error::Denied { .. } => Ok(Tagged::Denied),
            other => Err(other),
        },
    }
}
