//! What any user has: a Kubernetes client and an AWS SDK, called repeatedly until they return what is expected.

use std::path::Path;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, LogParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use tokio::runtime::Runtime;

pub(crate) const OPERATOR: (&str, &str) = ("keda", "keda-operator");
pub(crate) const WORKLOAD: (&str, &str) = ("myproject", "myapp");

/// What went wrong, in the service's own words.
pub(crate) type Answer<T> = Result<T, String>;

/// Where AWS is, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) endpoint: String,
    pub(crate) region: String,
    pub(crate) key_id: String,
    pub(crate) secret: String,
}

/// Replicas of a Deployment: wanted, existing, ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Replicas {
    pub(crate) desired: i32,
    pub(crate) current: i32,
    pub(crate) ready: i32,
}

/// A condition of a ScaledObject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) status: String,
    pub(crate) message: String,
}

pub(crate) struct Clients {
    runtime: Runtime,
    config: Config,
    pub(crate) kube: Client,
    aws: SdkConfig,
    sqs: aws_sdk_sqs::Client,
    pub(crate) iam: aws_sdk_iam::Client,
}

impl Clients {
    pub(crate) fn new(kubeconfig: &Path, context: Option<&str>, access: &Access) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (config, kube) = runtime.block_on(async {
            let file = Kubeconfig::read_from(kubeconfig).unwrap();
            let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
            let config = Config::from_custom_kubeconfig(file, &options).await.unwrap();
            (config.clone(), Client::try_from(config).unwrap())
        });
        let aws = runtime.block_on(aws(access));
        let (sqs, iam) = (aws_sdk_sqs::Client::new(&aws), aws_sdk_iam::Client::new(&aws));
        Self { runtime, config, kube, aws, sqs, iam }
    }

    /// Waits for an answer.
    pub(crate) fn ask<T, E: std::error::Error>(&self, question: impl Future<Output = Result<T, E>>) -> Answer<T> {
        self.runtime.block_on(question).map_err(|error| explained(&error))
    }

    pub(crate) fn replicas(&self) -> Answer<Replicas> {
        let (namespace, name) = WORKLOAD;
        let found: Deployment = self.ask(Api::namespaced(self.kube.clone(), namespace).get(name))?;
        let status = found.status.unwrap_or_default();
        Ok(Replicas {
            desired: found.spec.and_then(|spec| spec.replicas).unwrap_or(1),
            current: status.replicas.unwrap_or(0),
            ready: status.ready_replicas.unwrap_or(0),
        })
    }

    /// What the HPA wants.
    pub(crate) fn wanted(&self) -> Answer<i32> {
        let (namespace, name) = WORKLOAD;
        let hpas: Api<HorizontalPodAutoscaler> = Api::namespaced(self.kube.clone(), namespace);
        let found = self.ask(hpas.get(&format!("keda-hpa-{name}")))?;
        Ok(found.status.map_or(0, |status| status.desired_replicas))
    }

    fn pods_api(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.kube.clone(), namespace)
    }

    /// The pods of the operator or the workload.
    pub(crate) fn pods(&self, (namespace, name): (&str, &str)) -> Answer<Vec<Pod>> {
        let label = if (namespace, name) == OPERATOR { "app" } else { "app.kubernetes.io/name" };
        let selector = ListParams::default().labels(&format!("{label}={name}"));
        self.ask(self.pods_api(namespace).list(&selector)).map(|list| list.items)
    }

    /// `kubectl delete pod NAME --grace-period=0 --force`.
    pub(crate) fn kill_pod(&self, namespace: &str, name: &str) -> Answer<()> {
        let hard = DeleteParams::default().grace_period(0);
        self.ask(self.pods_api(namespace).delete(name, &hard)).map(drop)
    }

    /// The end of a pod's log.
    pub(crate) fn log_end(&self, namespace: &str, name: &str) -> Answer<String> {
        let end = LogParams { tail_lines: Some(15), ..LogParams::default() };
        self.ask(self.pods_api(namespace).logs(name, &end))
    }

    /// Who leads the operators, and how often that has changed.
    pub(crate) fn leader(&self) -> Answer<(String, i32)> {
        let leases: Api<Lease> = Api::namespaced(self.kube.clone(), OPERATOR.0);
        let list = self.ask(leases.list(&ListParams::default()))?;
        let spec = list.items.into_iter().find_map(|lease| lease.spec).ok_or("there is no lease")?;
        Ok((spec.holder_identity.unwrap_or_default(), spec.lease_transitions.unwrap_or(0)))
    }

    /// A condition of the workload's ScaledObject.
    pub(crate) fn condition(&self, kind: &str) -> Answer<Condition> {
        let (namespace, name) = WORKLOAD;
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("keda.sh", "v1alpha1", "ScaledObject"));
        let objects: Api<DynamicObject> = Api::namespaced_with(self.kube.clone(), namespace, &resource);
        let object = self.ask(objects.get(name))?;
        let conditions = object.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.iter().find(|condition| condition["type"] == kind);
        let text = |key: &str| found.and_then(|found| found[key].as_str()).unwrap_or_default().to_owned();
        Ok(Condition { status: text("status"), message: text("message") })
    }

    /// Messages that wait, and messages that are being worked on.
    pub(crate) fn queue(&self, url: &str) -> Answer<(u64, u64)> {
        use QueueAttributeName::{
            ApproximateNumberOfMessages as Waiting, ApproximateNumberOfMessagesNotVisible as Busy,
        };
        let call = self.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        let attributes = self.ask(call.send())?.attributes.unwrap_or_default();
        let number = |name| attributes.get(&name).and_then(|text| text.parse().ok()).ok_or("a count is missing");
        Ok((number(Waiting)?, number(Busy)?))
    }

    /// Creates a queue and returns its URL.
    pub(crate) fn create_queue(&self, name: &str) -> Answer<String> {
        let made = self.ask(self.sqs.create_queue().queue_name(name).send())?;
        made.queue_url.ok_or_else(|| "no URL".to_owned())
    }

    /// Sends so many messages.
    pub(crate) fn send(&self, url: &str, count: usize) -> Answer<()> {
        (0..count)
            .try_for_each(|_| self.ask(self.sqs.send_message().queue_url(url).message_body("e2e").send()).map(drop))
    }

    pub(crate) fn delete_queue(&self, url: &str) -> Answer<()> {
        self.ask(self.sqs.delete_queue().queue_url(url).send()).map(drop)
    }

    /// `kubectl delete clusterrolebinding NAME`.
    pub(crate) fn delete_cluster_role_binding(&self, name: &str) -> Answer<()> {
        let bindings: Api<ClusterRoleBinding> = Api::all(self.kube.clone());
        self.ask(bindings.delete(name, &DeleteParams::default())).map(drop)
    }

    /// Millicores that the only node has left for pods.
    pub(crate) fn millicores_left(&self) -> Answer<u64> {
        let nodes: Vec<Node> = self.ask(Api::all(self.kube.clone()).list(&ListParams::default()))?.items;
        let [node] = nodes.as_slice() else { return Err(format!("{} nodes, not one", nodes.len())) };
        let all = node.status.as_ref().and_then(|status| status.allocatable.as_ref()?.get("cpu"));
        let all = all.and_then(|quantity| millicores(&quantity.0)).ok_or("the node names no CPU")?;
        let pods: Vec<Pod> = self.ask(Api::all(self.kube.clone()).list(&ListParams::default()))?.items;
        let containers = pods.into_iter().filter_map(|pod| pod.spec).flat_map(|spec| spec.containers);
        let requests = containers.filter_map(|container| container.resources?.requests?.remove("cpu"));
        Ok(all.saturating_sub(requests.filter_map(|quantity| millicores(&quantity.0)).sum()))
    }

    /// `kubectl create token ACCOUNT`, for the API server itself or for another audience.
    pub(crate) fn token(&self, namespace: &str, account: &str, audience: Option<&str>) -> Answer<String> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.kube.clone(), namespace);
        let mut wanted = TokenRequest::default();
        wanted.spec.audiences.extend(audience.map(str::to_owned));
        let token = self.ask(accounts.create_token_request(account, &PostParams::default(), &wanted))?;
        token.status.map(|status| status.token).ok_or_else(|| "no token".to_owned())
    }

    /// Lists the workload's pods with this token.
    pub(crate) fn list_pods_with(&self, token: String) -> Answer<()> {
        let mut config = self.config.clone();
        config.auth_info = kube::config::AuthInfo { token: Some(token.into()), ..Default::default() };
        let _inside = self.runtime.enter();
        let client = Client::try_from(config).map_err(|error| error.to_string())?;
        let pods: Api<Pod> = Api::namespaced(client, WORKLOAD.0);
        self.ask(pods.list(&ListParams::default())).map(drop)
    }

    /// Where the API server is.
    pub(crate) fn server(&self) -> http::Uri {
        self.config.cluster_url.clone()
    }

    /// What the external metrics API of one operator's pod answers to this token.
    pub(crate) fn metrics_of(&self, address: &str, token: &str, path: &str) -> Answer<serde_json::Value> {
        let mut config = Config::new(format!("https://{address}:6443").parse().unwrap());
        // Its certificate is the Service's, which one pod does not have as its name.
        config.accept_invalid_certs = true;
        config.auth_info = kube::config::AuthInfo { token: Some(token.to_owned().into()), ..Default::default() };
        let _inside = self.runtime.enter();
        let client = Client::try_from(config).map_err(|error| error.to_string())?;
        let request = http::Request::get(path).body(Vec::new()).unwrap();
        self.ask(client.request(request))
    }

    /// Who one is after `aws sts assume-role-with-web-identity`.
    pub(crate) fn assume(&self, role_arn: &str, token: &str) -> Answer<String> {
        let sts = aws_sdk_sts::Client::new(&self.aws);
        let call = sts.assume_role_with_web_identity().role_arn(role_arn).role_session_name("e2e");
        let answer = self.ask(call.web_identity_token(token).send())?;
        answer.assumed_role_user.map(|user| user.arn).ok_or_else(|| "nobody".to_owned())
    }

    /// Asks AWS who one is with the same key and another secret.
    pub(crate) fn who_with_secret(&self, access: &Access, secret: &str) -> Answer<String> {
        let access = Access { secret: secret.to_owned(), ..access.clone() };
        let sts = aws_sdk_sts::Client::new(&self.runtime.block_on(aws(&access)));
        self.ask(sts.get_caller_identity().send()).map(|who| who.arn.unwrap_or_default())
    }
}

/// `250m`, `2` or `0.5` in millicores.
fn millicores(quantity: &str) -> Option<u64> {
    match quantity.strip_suffix('m') {
        Some(text) => text.parse().ok(),
        None => quantity.parse::<f64>().ok().map(|cores| (cores * 1000.0) as u64),
    }
}

/// The SDK with this access.
pub(crate) async fn aws(access: &Access) -> SdkConfig {
    let http =
        aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .endpoint_url(&access.endpoint)
        .region(Region::new(access.region.clone()))
        .credentials_provider(Credentials::new(&access.key_id, &access.secret, None, None, "e2e"))
        .load()
        .await
}

/// An error with its causes: SDKs keep the service's own words at the bottom.
fn explained(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
