//! An image to a registry, by the distribution protocol.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::OCI_IMAGE_MEDIA_TYPE;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, RegistryOperation};

use crate::content::{Blob, Image, bug};
use crate::error::Result;
use crate::name::Name;
use crate::refusal::Refusal;
use crate::{credentials, env};

/// Real seconds until a registry counts as absent.
const CONNECT_SECONDS: u64 = 10;
/// Real seconds of silence until it counts as stuck; it reads a whole layer again before it answers.
const SILENCE_SECONDS: u64 = 300;
const USER_AGENT: &str = concat!("sluice/", env!("CARGO_PKG_VERSION"));

/// User name and password of a registry, from elsewhere than Docker's file.
#[derive(Clone)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// How to push.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Who pushes; if not given, whom Docker's configuration file names.
    pub login: Option<Login>,
    /// Speak http although the registry is not this machine.
    pub plain_http: bool,
    /// Docker's configuration file; the user's own if not given.
    pub docker_config: Option<PathBuf>,
}

/// What a push did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Registry, repository, tag and digest: what names exactly this image from now on.
    pub reference: String,
    /// The manifest's digest.
    pub digest: String,
    /// Bytes sent; what the registry had already was not.
    pub sent: u64,
}

/// Sends an image. The manifest goes last, so that a push that broke off left no image, only parts for the next try.
///
/// # Errors
///
/// [`Error::OtherDigest`](crate::Error::OtherDigest) if `name` asks for another image.
/// [`Error::Credentials`](crate::Error::Credentials) if Docker's configuration cannot be used.
/// [`Error::Unreachable`](crate::Error::Unreachable) if the registry gives no answer, and
/// [`Error::NoRegistry`](crate::Error::NoRegistry) if what answers is none. Its refusals are
/// [`Error::Denied`](crate::Error::Denied), [`Error::NoRepository`](crate::Error::NoRepository),
/// [`Error::Broken`](crate::Error::Broken) (a status from 500) and [`Error::Refused`](crate::Error::Refused) (any
/// other).
pub async fn push(image: &Image, name: &Name, options: &Options) -> Result<Pushed> {
    name.expect_digest(image.digest())?;
    let auth = credentials_for(name, options).await?;
    let protocol = if options.plain_http || name.is_loopback() { ClientProtocol::Http } else { ClientProtocol::Https };
    let refusal = Refusal::new(name, &auth, protocol == ClientProtocol::Http);
    let explain = |error| refusal.explain(error);
    let client = client(protocol).map_err(explain)?;
    let location = name.location();
    // Asked for explicitly, since the client would go on without a token and report the refusal of that.
    client.auth(&location, &auth, RegistryOperation::Push).await.map_err(explain)?;
    let mut sent = 0;
    for Blob { data, digest, .. } in [&image.layer, &image.config] {
        // Only to save the upload: a registry that does not say so gets the blob, and its refusal of that is the answer.
        if !client.blob_exists(&location, digest).await.unwrap_or(false) {
            client.push_blob(&location, data.clone(), digest).await.map_err(explain)?;
            sent += data.len() as u64;
        }
    }
    let kind = HeaderValue::from_static(OCI_IMAGE_MEDIA_TYPE);
    let manifest = &image.manifest.data;
    client.push_manifest_raw(&location, manifest.clone(), kind).await.map_err(explain)?;
    let digest = image.digest().to_owned();
    let reference = if name.digest().is_some() { name.to_string() } else { format!("{name}@{digest}") };
    Ok(Pushed { reference, digest, sent: sent + manifest.len() as u64 })
}

/// Helpers are programs that may wait for a person, so they are waited for where nobody else is kept.
pub(crate) async fn credentials_for(name: &Name, options: &Options) -> Result<RegistryAuth> {
    if let Some(Login { user, password }) = &options.login {
        return Ok(RegistryAuth::Basic(user.clone(), password.clone()));
    }
    let Some(file) = options.docker_config.clone().or_else(env::docker_config) else {
        return Ok(RegistryAuth::Anonymous);
    };
    let registry = name.registry().to_owned();
    tokio::task::spawn_blocking(move || credentials::look_up(&file, &registry)).await.map_err(bug)?
}

pub(crate) fn client(protocol: ClientProtocol) -> oci_client::errors::Result<Client> {
    // The HTTP client has no provider of its own and would panic without one. An earlier choice is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::try_from(ClientConfig {
        protocol,
        connect_timeout: Some(Duration::from_secs(CONNECT_SECONDS)),
        read_timeout: Some(Duration::from_secs(SILENCE_SECONDS)),
        user_agent: USER_AGENT,
        ..ClientConfig::default()
    })
}
