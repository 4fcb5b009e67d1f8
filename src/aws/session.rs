//! Who calls AWS, where, and over which HTTP client.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::ProvideRegion as _;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::config::IdentityCache;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::origin::Origin;
use aws_types::service_config::ServiceConfigKey;

use crate::agent;
use crate::error::{Error, Result};
use crate::partition;
use crate::recording::Recording;

/// One connection pool for the process; ring is the only crypto provider that is compiled in.
static HTTP: LazyLock<SharedHttpClient> = LazyLock::new(|| {
    aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https()
});

/// How long a session of an assumed role lasts: as the Go SDK asks for it, so that a role whose sessions may be no longer than that
/// serves, and a trust that is withdrawn ends soon. (A web identity's lasts as long as STS has it.)
const ASSUMED_SECONDS: i32 = 900;

const CONNECT: Duration = Duration::from_secs(5);
/// SQS itself holds a long poll for 20 s.
const READ: Duration = Duration::from_mins(1);

/// What a caller may fix; everything left out comes from the environment and the profile, as with any AWS tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The part of the program that calls, by which it names itself: `cli`, `operator`, `worker`.
    pub component: &'static str,
    /// The profile's name.
    pub profile: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The endpoint of all services.
    pub endpoint_url: Option<String>,
}

impl Settings {
    /// Nothing but who calls.
    pub fn new(component: &'static str) -> Self {
        Self { component, profile: None, region: None, endpoint_url: None }
    }
}

/// Credentials, region and endpoint. Cheap to clone; clones share cached credentials.
#[derive(Clone)]
pub struct Session {
    pub(crate) config: SdkConfig,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("region", &self.region())
            .field("endpoint", &self.config.endpoint_url())
            .finish_non_exhaustive()
    }
}

/// The answer of `sts:GetCallerIdentity`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CallerIdentity {
    /// Twelve digits.
    pub account_id: String,
    /// The caller, an assumed role's session included.
    pub arn: String,
    /// The caller's unique id.
    pub user_id: String,
}

impl Session {
    /// The session that the environment, the profile and `settings` describe. Credentials are looked for at first use.
    ///
    /// # Errors
    ///
    /// [`Error::NoRegion`] if no region is set.
    pub async fn load(settings: Settings) -> Result<Self> {
        let Settings { component, profile, region, endpoint_url } = settings;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(agent::named(HTTP.clone(), component))
            .retry_config(RetryConfig::standard())
            // Without one, a connection that died (sleep, a change of network) holds a call for a quarter of an hour.
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(READ).build());
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = region {
            loader = loader.region(Region::new(region));
        }
        let mut session = Self { config: loader.load().await };
        if session.config.region().is_none() {
            return Err(Error::NoRegion);
        }
        if let Some(endpoint) = endpoint_url {
            session = session.with_endpoint(&endpoint);
        }
        Ok(session)
    }

    /// The same where no region need be set, since each call names its own: what has to be called for credentials is then
    /// called in `otherwise`.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub async fn load_or(settings: Settings, otherwise: &str) -> Result<Self> {
        match Self::load(settings.clone()).await {
            Err(Error::NoRegion) => Self::load(Settings { region: Some(otherwise.to_owned()), ..settings }).await,
            loaded => loaded,
        }
    }

    /// The region that the environment or the profile names: `AWS_REGION`, `AWS_DEFAULT_REGION`, `region` of the profile that
    /// `AWS_PROFILE` chooses. The instance that the program may run on is not asked.
    pub async fn configured_region() -> Option<String> {
        let variable = EnvironmentVariableRegionProvider::new();
        let region = match variable.region().await {
            Some(region) => Some(region),
            None => ProfileFileRegionProvider::new().region().await,
        };
        region.map(|region| region.to_string()).filter(|region| !region.is_empty())
    }

    /// The region's name.
    pub fn region(&self) -> &str {
        self.config.region().map_or("", |region| region.as_ref())
    }

    /// The same caller in another region.
    #[must_use]
    pub fn with_region(&self, region: &str) -> Self {
        Self { config: self.config.to_builder().region(Region::new(region.to_owned())).build() }
    }

    /// The same caller against another endpoint, for all services.
    #[must_use]
    pub fn with_endpoint(&self, url: &str) -> Self {
        let mut builder = self.config.to_builder().endpoint_url(url);
        // Said by the program, so it goes before AWS_ENDPOINT_URL_<SERVICE>.
        builder.insert_origin("endpoint_url", Origin::shared_config());
        Self { config: builder.build() }
    }

    /// The same with each exchange recorded. What is asked for credentials is not.
    #[must_use]
    pub fn recorded_by(&self, recording: &Recording) -> Self {
        let client = self.config.http_client().unwrap_or_else(|| HTTP.clone());
        Self { config: self.config.to_builder().http_client(recording.of(client)).build() }
    }

    /// The same place as another caller.
    #[must_use]
    pub fn with_static_credentials(&self, id: &str, secret: &str, token: Option<&str>) -> Self {
        let credentials = Credentials::new(id, secret, token.map(str::to_owned), None, "static");
        self.with_provider(SharedCredentialsProvider::new(credentials))
    }

    /// The session of `role_arn`, assumed by this one at first use and again before it expires.
    #[must_use]
    pub fn assume_role(&self, role_arn: &str, session_name: &str) -> Self {
        self.with_provider(SharedCredentialsProvider::new(Assumed {
            client: aws_sdk_sts::Client::new(&self.config),
            role_arn: role_arn.to_owned(),
            session_name: session_name.to_owned(),
            token_file: None,
        }))
    }

    /// The session of `role_arn`, assumed with the token in `token_file` (read anew each time) at first use and again
    /// before it expires.
    #[must_use]
    pub fn assume_role_with_web_identity(&self, role_arn: &str, token_file: &Path, session_name: &str) -> Self {
        self.with_provider(SharedCredentialsProvider::new(Assumed {
            client: aws_sdk_sts::Client::new(&self.config),
            role_arn: role_arn.to_owned(),
            session_name: session_name.to_owned(),
            token_file: Some(token_file.to_owned()),
        }))
    }

    /// Who this session is, as STS sees it.
    ///
    /// # Errors
    ///
    /// [`Error::Service`] if STS refuses. [`Error::Answer`] if the account, the ARN or the user id is missing. Another
    /// [`Error`] if the call gets no usable answer.
    pub async fn caller_identity(&self) -> Result<CallerIdentity> {
        const OPERATION: &str = "sts:GetCallerIdentity";
        let client = aws_sdk_sts::Client::new(&self.config);
        let answer = client.get_caller_identity().send().await.map_err(|error| Error::from_sdk(OPERATION, &error))?;
        let missing = || Error::answer(OPERATION, "account, ARN or user id is missing");
        Ok(CallerIdentity {
            account_id: answer.account.ok_or_else(missing)?,
            arn: answer.arn.ok_or_else(missing)?,
            user_id: answer.user_id.ok_or_else(missing)?,
        })
    }

    /// The credentials as they are now, for signing by hand.
    pub(crate) async fn credentials(&self, operation: &'static str) -> Result<Credentials> {
        let provider = self
            .config
            .credentials_provider()
            .ok_or_else(|| Error::Credentials { operation, message: "no credentials provider is configured".into() })?;
        provider.provide_credentials().await.map_err(|error| {
            let inner = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<Error>()).cloned();
            inner.unwrap_or_else(|| Error::Credentials { operation, message: crate::error::chain(&error) })
        })
    }

    /// The endpoint configured for one service, if any: said by the program, for the service, for all.
    pub(crate) fn endpoint_of(&self, service_id: &str) -> Option<String> {
        let general = self.config.endpoint_url().map(str::to_owned);
        if self.config.get_origin("endpoint_url").is_client_config() {
            return general;
        }
        let key =
            ServiceConfigKey::builder().service_id(service_id).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
        let own = key.ok().and_then(|key| self.config.service_config()?.load_config(key));
        own.or(general)
    }

    /// The endpoint of a service in the region, without a slash at its end: the configured one, else AWS's own.
    pub(crate) fn endpoint(&self, service_id: &str, host: &str) -> String {
        let url = self.endpoint_of(service_id).unwrap_or_else(|| self.own_endpoint(host));
        url.trim_end_matches('/').to_owned()
    }

    /// AWS's own endpoint of a service in the region.
    pub(crate) fn own_endpoint(&self, host: &str) -> String {
        format!("https://{host}.{}.{}", self.region(), partition::domain(self.region()))
    }

    fn with_provider(&self, provider: SharedCredentialsProvider) -> Self {
        let builder = self.config.to_builder().credentials_provider(provider);
        // A cache of its own: the parent's cache holds the parent's identity.
        Self { config: builder.identity_cache(IdentityCache::lazy().build()).build() }
    }
}

/// Credentials of a role, by the calling session or by a web identity token. The session's identity cache keeps and
/// refreshes them.
#[derive(Debug)]
struct Assumed {
    client: aws_sdk_sts::Client,
    role_arn: String,
    session_name: String,
    token_file: Option<PathBuf>,
}

impl Assumed {
    async fn assume(&self) -> Result<Credentials> {
        const ROLE: &str = "sts:AssumeRole";
        const WEB: &str = "sts:AssumeRoleWithWebIdentity";
        let (operation, credentials) = if let Some(file) = &self.token_file {
            let token = tokio::fs::read_to_string(file).await.map_err(|error| Error::Credentials {
                operation: WEB,
                message: format!("cannot read the token file {}: {error}", file.display()),
            })?;
            let call = self.client.assume_role_with_web_identity().web_identity_token(token.trim());
            let answer = call.role_arn(&self.role_arn).role_session_name(&self.session_name).send().await;
            (WEB, answer.map_err(|error| Error::from_sdk(WEB, &error))?.credentials)
        } else {
            let call = self.client.assume_role().role_arn(&self.role_arn).duration_seconds(ASSUMED_SECONDS);
            let answer = call.role_session_name(&self.session_name).send().await;
            (ROLE, answer.map_err(|error| Error::from_sdk(ROLE, &error))?.credentials)
        };
        let credentials = credentials.ok_or_else(|| Error::answer(operation, "it holds no credentials"))?;
        let expiry = std::time::SystemTime::try_from(credentials.expiration)
            .map_err(|_| Error::answer(operation, "its expiration is no time"))?;
        let token = Some(credentials.session_token);
        Ok(Credentials::new(credentials.access_key_id, credentials.secret_access_key, token, Some(expiry), "sts"))
    }
}

impl ProvideCredentials for Assumed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let credentials: provider::Result = self.assume().await.map_err(CredentialsError::provider_error);
            credentials
        })
    }
}
