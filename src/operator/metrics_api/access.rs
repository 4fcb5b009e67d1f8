//! Who asks, and whether they may: the front proxy's headers or a bearer token, then a SubjectAccessReview.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clock::{Clock, Moment};
use http::HeaderMap;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PostParams;
use kube::{Api, Client};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::request_info::Wanted;
use crate::certificates::Serving;
use crate::error::brief;

/// How long an answer is remembered, real time: past several periods of the HPA (15 s), whose requests are nearly all there are. A
/// right that is taken away counts for as long after that.
const MEMORY: Duration = Duration::from_mins(1);
/// Answers that are remembered at the most.
const REMEMBERED_MAX: usize = 16_384;
/// Members of this group are not reviewed (delegating authorizer, `AlwaysAllowGroups`).
const MASTERS: &str = "system:masters";
const AUTHENTICATED: &str = "system:authenticated";
const UNAUTHENTICATED: &str = "system:unauthenticated";
const ANONYMOUS: &str = "system:anonymous";

/// What ConfigMap `kube-system/extension-apiserver-authentication` says of the front proxy, and TLS that asks for its
/// certificate.
pub(super) struct Front {
    pub(super) tls: Arc<ServerConfig>,
    pub(super) headers: Headers,
}

/// Why the front proxy's CA cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrontError {
    #[error("{}", brief(.0))]
    Read(kube::Error),
    #[error("it has no requestheader-client-ca-file")]
    NoAuthority,
    #[error("requestheader-client-ca-file: {0}")]
    Pem(rustls_pki_types::pem::Error),
    #[error("requestheader-client-ca-file: {0}")]
    Authority(rustls::Error),
    #[error(transparent)]
    Verifier(rustls::server::VerifierBuilderError),
    #[error(transparent)]
    Tls(rustls::Error),
}

/// Whose headers are believed, and which these are.
pub(super) struct Headers {
    names: Vec<String>,
    user_from: Vec<String>,
    uid_from: Vec<String>,
    groups_from: Vec<String>,
    extra_from: Vec<String>,
}

impl Front {
    pub(super) async fn load(client: &Client, serving: &Serving) -> Result<Self, FrontError> {
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "kube-system");
        let found = maps.get("extension-apiserver-authentication").await.map_err(FrontError::Read)?;
        let data = found.data.unwrap_or_default();
        let pem = data.get("requestheader-client-ca-file").ok_or(FrontError::NoAuthority)?;
        Ok(Self { tls: Arc::new(tls(pem, serving)?), headers: Headers::read(&data) })
    }
}

impl Headers {
    pub(super) fn read(data: &BTreeMap<String, String>) -> Self {
        Self {
            names: list(data, "requestheader-allowed-names", &[]),
            user_from: list(data, "requestheader-username-headers", &["X-Remote-User"]),
            uid_from: list(data, "requestheader-uid-headers", &["X-Remote-Uid"]),
            groups_from: list(data, "requestheader-group-headers", &["X-Remote-Group"]),
            extra_from: list(data, "requestheader-extra-headers-prefix", &["X-Remote-Extra-"]),
        }
    }

    /// Whether the headers of a caller with this (verified) certificate are believed; no list means any name.
    pub(super) fn trusts(&self, common_name: Option<&str>) -> bool {
        self.names.is_empty() || common_name.is_some_and(|name| self.names.iter().any(|allowed| allowed == name))
    }

    /// The user that the front proxy speaks for.
    fn user(&self, headers: &HeaderMap) -> Option<UserInfo> {
        let values = |name: &String| -> Vec<String> {
            headers.get_all(name.as_str()).iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
        };
        let name = self.user_from.iter().flat_map(values).find(|name| !name.is_empty())?;
        let mut extra = BTreeMap::<String, Vec<String>>::new();
        for (header, value) in headers {
            let mut prefixes = self.extra_from.iter();
            let key = prefixes.find_map(|prefix| header.as_str().strip_prefix(&prefix.to_ascii_lowercase()));
            if let (Some(key), Ok(value)) = (key, value.to_str()) {
                let key: String = form_urlencoded::parse(key.as_bytes()).map(|(key, _)| key.into_owned()).collect();
                extra.entry(key).or_default().push(value.to_owned());
            }
        }
        let groups = self.groups_from.iter().flat_map(values).collect();
        let uid = self.uid_from.iter().flat_map(values).find(|uid| !uid.is_empty());
        Some(UserInfo { username: Some(name), groups: Some(groups), extra: Some(extra), uid })
    }
}

fn list(data: &BTreeMap<String, String>, key: &str, default: &[&str]) -> Vec<String> {
    let found = data.get(key).and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
    found.unwrap_or_else(|| default.iter().map(|&name| name.to_owned()).collect())
}

fn tls(authority_pem: &str, serving: &Serving) -> Result<ServerConfig, FrontError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority_pem.as_bytes()) {
        roots.add(certificate.map_err(FrontError::Pem)?).map_err(FrontError::Authority)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(FrontError::Verifier)?;
    let config =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(FrontError::Tls)?;
    let mut config = config.with_client_cert_verifier(verifier).with_cert_resolver(Arc::new(serving.clone()));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Why a request is not served.
#[derive(Debug)]
pub(super) enum Refusal {
    /// A credential that is none.
    Unauthorized,
    /// The user may not have this; the reviewer's reason may be empty.
    Forbidden { user: String, reason: String },
    /// Nobody could say who it is or what they may.
    Undecided(String),
}

/// User, groups, and what they want.
type Question = (String, Vec<String>, Wanted);

/// Asks the API server on behalf of callers, and remembers its answers for a moment.
pub(super) struct Access {
    client: Client,
    clock: Clock,
    /// Whether they may, and since when that is known.
    remembered: Mutex<HashMap<Question, (bool, Moment)>>,
}

impl Access {
    pub(super) fn new(client: Client, clock: Clock) -> Self {
        Self { client, clock, remembered: Mutex::default() }
    }

    /// Passes if the caller of a request with these headers may have what is wanted.
    pub(super) async fn check(
        &self,
        front: &Headers,
        is_proxy: bool,
        headers: &HeaderMap,
        wanted: Wanted,
    ) -> Result<(), Refusal> {
        let user = if is_proxy { front.user(headers) } else { None };
        let user = match user {
            Some(user) => user,
            None => self.by_token(headers).await?,
        };
        let user = authenticated(user);
        let groups = user.groups.clone().unwrap_or_default();
        if groups.iter().any(|group| group == MASTERS) || is_open(&wanted) {
            return Ok(());
        }
        let name = user.username.clone().unwrap_or_default();
        let key = (name.clone(), groups.clone(), wanted);
        if self.remembers(&key).is_some() {
            return Ok(());
        }
        if let Some(all) = key.2.of_all_metrics() {
            let all = (name, groups, all);
            let may = match self.remembers(&all) {
                Some(may) => may,
                None => self.may_all(&user, all).await?,
            };
            if may {
                return Ok(());
            }
        }
        self.review(user, &key.2).await?;
        self.remember(key, true);
        Ok(())
    }

    /// Whether the user may read every metric, as the HPA may: then one review answers for all of them.
    async fn may_all(&self, user: &UserInfo, all: Question) -> Result<bool, Refusal> {
        let may = match self.review(user.clone(), &all.2).await {
            Ok(()) => true,
            Err(Refusal::Forbidden { .. }) => false,
            Err(other) => return Err(other),
        };
        self.remember(all, may);
        Ok(may)
    }

    /// The user of a bearer token; nobody in particular without one.
    async fn by_token(&self, headers: &HeaderMap) -> Result<UserInfo, Refusal> {
        let header = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|header| header.strip_prefix("Bearer ")).map(str::trim);
        let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(anonymous()) };
        let review = TokenReview {
            spec: TokenReviewSpec { token: Some(token.to_owned()), audiences: None },
            ..TokenReview::default()
        };
        let reviews: Api<TokenReview> = Api::all(self.client.clone());
        let reviewed = reviews.create(&PostParams::default(), &review).await.map_err(undecided)?;
        let status = reviewed.status.unwrap_or_default();
        status.user.filter(|_| status.authenticated == Some(true)).ok_or(Refusal::Unauthorized)
    }

    async fn review(&self, user: UserInfo, wanted: &Wanted) -> Result<(), Refusal> {
        let name = user.username.clone().unwrap_or_default();
        let spec = SubjectAccessReviewSpec {
            user: user.username,
            uid: user.uid,
            groups: user.groups,
            extra: user.extra,
            resource_attributes: wanted.resource_attributes(),
            non_resource_attributes: wanted.path_attributes(),
        };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let reviews: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let reviewed = reviews.create(&PostParams::default(), &review).await.map_err(undecided)?;
        let status = reviewed.status.unwrap_or_default();
        if status.allowed {
            return Ok(());
        }
        Err(Refusal::Forbidden { user: name, reason: status.reason.unwrap_or_default() })
    }

    fn remembers(&self, key: &Question) -> Option<bool> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(key).filter(|(_, at)| self.is_fresh(*at)).map(|(may, _)| *may)
    }

    fn remember(&self, key: Question, may: bool) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, (_, at)| self.is_fresh(*at));
        }
        if remembered.len() < REMEMBERED_MAX {
            remembered.insert(key, (may, self.clock.moment()));
        }
    }

    fn is_fresh(&self, at: Moment) -> bool {
        self.clock.to_real(self.clock.elapsed(at)) < MEMORY
    }
}

/// Whoever shows no credential (k8s.io/apiserver, `pkg/authentication/request/anonymous`).
fn anonymous() -> UserInfo {
    UserInfo {
        username: Some(ANONYMOUS.to_owned()),
        groups: Some(vec![UNAUTHENTICATED.to_owned()]),
        ..UserInfo::default()
    }
}

/// A user that somebody vouched for is a member of `system:authenticated`, whether or not that is said: the aggregator asks as
/// users without any group (k8s.io/apiserver, `pkg/authentication/group/authenticated_group_adder.go`).
fn authenticated(mut user: UserInfo) -> UserInfo {
    let groups = user.groups.get_or_insert_default();
    let is_grouped = groups.iter().any(|group| group == AUTHENTICATED || group == UNAUTHENTICATED);
    if !is_grouped && user.username.as_deref() != Some(ANONYMOUS) {
        groups.push(AUTHENTICATED.to_owned());
    }
    user
}

/// Whether anybody may have it (delegating authorizer, `AlwaysAllowPaths`).
fn is_open(wanted: &Wanted) -> bool {
    matches!(wanted, Wanted::Path { path, .. } if matches!(path.as_str(), "/healthz" | "/livez" | "/readyz"))
}

/// The API server did not answer; that is neither a yes nor a no.
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn undecided(error: kube::Error) -> Refusal {
    Refusal::Undecided(format!("the API server could not be asked who this is and what they may: {}", brief(&error)))
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde_json::json;

    use super::*;
    use crate::scripted::Server;

    const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

    /// Requests of one user through the front proxy, where these resources may be read.
    struct Stage {
        server: Arc<Server>,
        access: Access,
        hands: clock::ClockHandle,
    }

    impl Stage {
        fn start(allowed: &[&str]) -> Self {
            let server = Server::start([(REVIEWS, json!({ "allowed": allowed }))], |_| None);
            let (clock, hands) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
            Self { access: Access::new(server.client(), clock), server, hands }
        }

        async fn may(&self, user: &'static str, metric: &str) -> bool {
            let path = format!("/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/{metric}");
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static("x-remote-user"),
                http::HeaderValue::from_static(user),
            )]);
            let wanted = Wanted::of(&Method::GET, &path, "");
            self.access.check(&Headers::read(&BTreeMap::new()), true, &headers, wanted).await.is_ok()
        }

        fn reviews(&self) -> usize {
            self.server.calls().len()
        }
    }

    #[tokio::test]
    async fn one_review_answers_for_all_metrics_of_who_may_read_all_until_a_minute_has_passed() {
        let stage = Stage::start(&["*"]);
        for number in 0..50 {
            assert!(stage.may("hpa", &format!("s0-{number}")).await);
        }
        assert_eq!(stage.reviews(), 1);
        stage.hands.advance(Duration::from_secs(59));
        assert!(stage.may("hpa", "s0-1").await);
        assert_eq!(stage.reviews(), 1);
        stage.server.put(REVIEWS, json!({}));
        assert!(!stage.may("somebody", "s0-1").await, "what one may is not what another may");
        stage.hands.advance(Duration::from_secs(1));
        assert!(!stage.may("hpa", "s0-1").await, "a right that is gone");
    }

    #[tokio::test]
    async fn who_may_read_one_metric_is_reviewed_for_each() {
        let stage = Stage::start(&["s0-own"]);
        assert!(stage.may("reader", "s0-own").await && !stage.may("reader", "s0-other").await);
        assert_eq!(stage.reviews(), 3, "for all, and for each");
        assert!(stage.may("reader", "s0-own").await);
        assert_eq!(stage.reviews(), 3);
        assert!(!stage.may("reader", "s0-other").await, "a no is not remembered");
        assert_eq!(stage.reviews(), 4);
    }
}
