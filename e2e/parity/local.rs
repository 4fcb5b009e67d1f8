//! The local cloud of one test, and a cluster on it, made as any user makes one.

use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_eks::types::{ClusterStatus, VpcConfigRequest};
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Request;

use crate::workspace::{Workspace, wait_until};

const CLUSTER: &str = "parity";
const CLUSTER_LIMIT: Duration = Duration::from_mins(3);

pub(crate) struct Local {
    workspace: Workspace,
    pub(crate) endpoint: String,
    pub(crate) region: String,
    pub(crate) credentials: Credentials,
}

/// An API server, who it is, and a token of an administrator.
pub(crate) struct Cluster {
    pub(crate) server: String,
    pub(crate) authority: String,
    pub(crate) token: String,
}

impl Local {
    /// `sluice local start` with these options.
    pub(crate) fn start(workspace: Workspace, options: &str) -> Self {
        workspace.run(&format!("local start {options}")).with(0);
        let environment = workspace.run("env").with(0).stdout;
        let variable = |name: &str| {
            let line = environment.lines().find_map(|line| line.strip_prefix(&format!("export {name}='")));
            line.and_then(|line| line.strip_suffix('\''))
                .unwrap_or_else(|| panic!("no {name}:\n{environment}"))
                .to_owned()
        };
        let profile = std::fs::read_to_string(variable("AWS_SHARED_CREDENTIALS_FILE")).unwrap();
        let held = |name: &str| {
            let mut rows = profile.lines().filter_map(|line| line.split_once('='));
            rows.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
        };
        let (key, secret) = (held("aws_access_key_id").unwrap(), held("aws_secret_access_key").unwrap());
        let credentials = Credentials::new(key, secret, held("aws_session_token"), None, "e2e");
        Self { endpoint: variable("AWS_ENDPOINT_URL"), region: variable("AWS_REGION"), credentials, workspace }
    }

    pub(crate) fn stop(self) {
        self.workspace.run("local stop").with(0);
        self.workspace.nothing_runs();
    }

    async fn config(&self) -> SdkConfig {
        let provider = tls::Provider::Rustls(CryptoMode::Ring);
        aws_config::defaults(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().tls_provider(provider).build_https())
            .endpoint_url(&self.endpoint)
            .region(Region::new(self.region.clone()))
            .credentials_provider(self.credentials.clone())
            .load()
            .await
    }

    fn wait<T>(question: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(question)
    }

    pub(crate) fn account(&self) -> String {
        Self::wait(async {
            let sts = aws_sdk_sts::Client::new(&self.config().await);
            sts.get_caller_identity().send().await.unwrap().account.unwrap()
        })
    }

    /// A cluster without anything on it.
    pub(crate) fn cluster(&self) -> Cluster {
        Self::wait(async {
            let config = self.config().await;
            let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
            let iam = aws_sdk_iam::Client::new(&config);
            let role = iam.create_role().role_name(CLUSTER).assume_role_policy_document(trust).send().await.unwrap();
            let network = VpcConfigRequest::builder().subnet_ids("subnet-a").subnet_ids("subnet-b").build();
            let eks = aws_sdk_eks::Client::new(&config);
            let make = eks.create_cluster().name(CLUSTER).role_arn(role.role.unwrap().arn);
            make.resources_vpc_config(network).send().await.unwrap();
        });
        let (server, authority) = wait_until("the cluster is active", CLUSTER_LIMIT, || {
            Self::wait(async {
                let eks = aws_sdk_eks::Client::new(&self.config().await);
                let cluster = eks.describe_cluster().name(CLUSTER).send().await.unwrap().cluster.unwrap();
                let authority = cluster.certificate_authority.and_then(|held| held.data);
                (cluster.status == Some(ClusterStatus::Active)).then(|| (cluster.endpoint.unwrap(), authority.unwrap()))
            })
        })
        .unwrap_or_else(|why| panic!("{why}"));
        let authority = String::from_utf8(STANDARD.decode(authority).unwrap()).unwrap();
        Cluster { server, authority, token: self.token() }
    }

    /// `aws eks get-token`: a presigned request that says whose token it is.
    fn token(&self) -> String {
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_mins(1));
        let url = format!("{}/?Action=GetCallerIdentity&Version=2011-06-15", self.endpoint);
        let headers = [("x-k8s-aws-id".to_owned(), CLUSTER.to_owned())];
        let signed = signed(self, "sts", &self.credentials, settings, ("GET", &url, &headers, ""));
        format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(signed.uri().to_string()))
    }

    /// The headers of a signed POST.
    pub(crate) fn sign(
        &self,
        service: &str,
        credentials: &Credentials,
        url: &str,
        headers: &[(String, String)],
        body: &str,
    ) -> Vec<(String, String)> {
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
        let signed = signed(self, service, credentials, settings, ("POST", url, headers, body));
        let all = signed.headers().iter();
        all.map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned())).collect()
    }
}

#[expect(clippy::disallowed_methods, reason = "signatures are made in real time")]
fn signed(
    local: &Local,
    service: &str,
    credentials: &Credentials,
    settings: SigningSettings,
    (method, url, headers, body): (&str, &str, &[(String, String)], &str),
) -> Request<()> {
    let identity = credentials.clone().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(&local.region)
        .name(service)
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let signable = SignableRequest::new(method, url, pairs, SignableBody::Bytes(body.as_bytes())).unwrap();
    let (instructions, _) = sign(signable, &parameters).unwrap().into_parts();
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut request = request.body(()).unwrap();
    instructions.apply_to_request_http1x(&mut request);
    request
}
