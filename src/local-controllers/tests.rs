//! All controllers on a real API server in this process, on a scaled clock: scenarios from the object to its consequences.

mod metrics_server;
mod pods;
mod volumes;
mod workloads;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use clock::Clock;
use local_apiserver::{ApiServer, Client, User};
use local_eks::{FargateProfile, FargateSelector};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::object::{condition, items, text};
use crate::{Images, Options};
use metrics_server::{Discovery, MetricsServer};

/// An HPA's period of 15 s takes 75 ms.
const SCALE: f64 = 200.0;
const PODS: &str = "/api/v1/namespaces/default/pods";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const HPAS: &str = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers";

struct Plane {
    server: ApiServer,
    client: Client,
    stop: CancellationToken,
    controllers: JoinHandle<()>,
    // Keeps the profiles.
    _profiles: watch::Sender<Vec<FargateProfile>>,
    /// Removed at the end, with the pods' folders.
    folder: tempfile::TempDir,
}

impl Plane {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (certificate_pem, key_pem) = certificate();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server_url = format!("https://{}", listener.local_addr().unwrap());
        let clock = Clock::scaled(SCALE);
        let server = local_apiserver::start(local_apiserver::Options {
            audit: None,
            listener,
            certificate_pem: certificate_pem.clone(),
            key_pem,
            ca_pem: certificate_pem.clone(),
            issuer: "https://issuer.test".to_owned(),
            sts_endpoint: "http://127.0.0.1:1".to_owned(),
            cluster_name: "test".to_owned(),
            region: "eu-west-1".to_owned(),
            version: "1.35".to_owned(),
            clock: clock.clone(),
            faults: local_faults::Faults::default(),
            pods_dir: folder.path().to_owned(),
        })
        .unwrap();
        let incidents = local_faults::Incidents::new(clock.clone());
        let options = Options {
            clock,
            retries_pods: true,
            pods_dir: folder.path().to_owned(),
            cluster_name: "test".to_owned(),
            server_url,
            ca_pem: certificate_pem,
            images: Images {
                built_in: BTreeMap::from([("sh".to_owned(), PathBuf::from("/bin/sh"))]),
                file: Some(folder.path().join("images.json")),
            },
            environment: BTreeMap::from([("GIVEN".to_owned(), "by the node".to_owned())]),
            launcher: Vec::new(),
            walls: crate::Walls::None,
            hidden: Vec::new(),
            incidents,
            pod_network: 99,
        };
        let selectors = vec![FargateSelector { namespace: "default".to_owned(), labels: BTreeMap::new() }];
        let profile = FargateProfile { name: "default".to_owned(), selectors, pod_execution_role_arn: String::new() };
        let (profiles, seen) = watch::channel(vec![profile]);
        let stop = CancellationToken::new();
        let client = server.client(User::system_masters("admin"));
        let factory = client_factory(&server);
        let controllers = tokio::spawn(crate::run(options, factory, seen, stop.clone()));
        let plane = Self { server, client, stop, controllers, _profiles: profiles, folder };
        plane.until("/api/v1/namespaces/default/serviceaccounts/default", |found| found.map(drop)).await;
        plane
    }

    async fn create(&self, path: &str, object: Value) {
        self.client.create(path, &object).await.unwrap();
    }

    async fn get(&self, path: &str) -> Option<Value> {
        self.client.get(path).await.ok()
    }

    /// Waits until what is at `path` (nothing, if it is not there) is as wanted.
    async fn until<T>(&self, path: &str, wanted: impl Fn(Option<Value>) -> Option<T>) -> T {
        let look = || async { wanted(self.get(path).await) };
        let found = Clock::real().poll_until(Duration::from_secs(20), Duration::from_millis(10), look).await;
        match found {
            Ok(found) => found,
            Err(clock::Elapsed) => panic!("{path} stayed {:#}", self.get(path).await.unwrap_or_default()),
        }
    }

    async fn end(self) {
        self.stop.cancel();
        self.controllers.await.unwrap();
        self.server.stop().await;
    }
}

fn client_factory(server: &ApiServer) -> impl Fn(User) -> Client + use<> {
    let clients = [
        User::system_masters("system:kube-controller-manager"),
        User::service_account("kube-system", "horizontal-pod-autoscaler"),
    ]
    .map(|user| server.client(user));
    move |user| clients.iter().find(|client| *client.user() == user).unwrap().clone()
}

fn certificate() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    (parameters.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn pod_spec(script: &str) -> Value {
    json!({"terminationGracePeriodSeconds": 0, "containers": [{"name": "main", "image": "sh", "args": ["-c", script]}]})
}

fn scenario<F: Future<Output = ()>>(test: impl Fn(Plane) -> F) {
    // The launcher of containers ties them to a thread; a runtime of its own keeps that thread for the whole scenario.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { test(Plane::start().await).await });
}

#[test]
fn a_job_runs_its_pods_to_the_end() {
    scenario(|plane| async move {
        let mut spec = pod_spec("exit 0");
        spec["restartPolicy"] = "Never".into();
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
            "spec": {"completions": 2, "template": {"spec": spec}}});
        plane.create("/apis/batch/v1/namespaces/default/jobs", job).await;
        let status = plane
            .until("/apis/batch/v1/namespaces/default/jobs/j", |job| {
                job.filter(|job| condition(job, "Complete").is_some())
            })
            .await["status"]
            .take();
        assert_eq!(status["succeeded"], 2, "{status}");
        assert_eq!(text(&status, "/conditions/0/type"), "SuccessCriteriaMet");
        plane.end().await;
    });
}

#[test]
fn an_indexed_job_gives_each_pod_its_index_and_keeps_what_it_counted() {
    scenario(|plane| async move {
        let jobs = "/apis/batch/v1/namespaces/default/jobs";
        let mut spec = pod_spec("test 0$JOB_COMPLETION_INDEX -ne 1");
        spec["restartPolicy"] = "Never".into();
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "i"}, "spec": {
            "completionMode": "Indexed", "completions": 3, "parallelism": 3, "backoffLimitPerIndex": 0,
            "template": {"spec": spec},
        }});
        plane.create(jobs, job).await;
        let over = |job: Option<Value>| job.filter(|job| condition(job, "Failed").is_some());
        let job = plane.until(&format!("{jobs}/i"), over).await;
        assert_eq!(text(condition(&job, "Failed").unwrap(), "/reason"), "FailedIndexes", "{job:#}");
        assert_eq!((text(&job, "/status/completedIndexes"), text(&job, "/status/failedIndexes")), ("0,2", "1"));
        assert_eq!((&job["status"]["succeeded"], &job["status"]["failed"]), (&2.into(), &1.into()));
        // Nothing holds the pods any more.
        let pods = plane.client.list(PODS).await.unwrap();
        for pod in items(&pods, "/items") {
            plane.client.delete(&format!("{PODS}/{}", text(pod, "/metadata/name")), None).await.unwrap();
        }
        plane.until(PODS, |list| items(&list?, "/items").is_empty().then_some(())).await;
        plane.end().await;
    });
}

#[test]
fn a_pod_that_goes_after_its_end_stays_counted() {
    scenario(|plane| async move {
        let jobs = "/apis/batch/v1/namespaces/default/jobs";
        let mut spec = pod_spec("exit 0");
        spec["restartPolicy"] = "Never".into();
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "k"}, "spec": {
            "completions": 2, "parallelism": 1, "template": {"spec": spec},
        }});
        plane.create(jobs, job).await;
        let first = plane
            .until(PODS, |list| {
                let list = list?;
                items(&list, "/items").first().map(|pod| text(pod, "/metadata/name").to_owned())
            })
            .await;
        plane.client.delete(&format!("{PODS}/{first}"), None).await.ok();
        let over = |job: Option<Value>| job.filter(|job| condition(job, "Complete").is_some());
        let job = plane.until(&format!("{jobs}/k"), over).await;
        assert_eq!(job["status"]["succeeded"], 2, "{job:#}");
        assert_eq!(job["status"]["uncountedTerminatedPods"], json!({}), "{job:#}");
        plane.end().await;
    });
}

#[test]
fn a_cron_job_makes_a_job_at_each_moment() {
    scenario(|plane| async move {
        let path = "/apis/batch/v1/namespaces/default/cronjobs";
        let mut spec = pod_spec("exit 0");
        spec["restartPolicy"] = "Never".into();
        let cron = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "c"}, "spec": {
            "schedule": "@every 1s", "jobTemplate": {"spec": {"template": {"spec": spec}}},
        }});
        plane.create(path, cron).await;
        let successful = |cron: Option<Value>| {
            let cron = cron?;
            (!text(&cron, "/status/lastSuccessfulTime").is_empty()).then_some(cron)
        };
        let cron = plane.until(&format!("{path}/c"), successful).await;
        assert!(!text(&cron, "/status/lastScheduleTime").is_empty(), "{cron:#}");
        let jobs = plane.client.list("/apis/batch/v1/namespaces/default/jobs").await.unwrap();
        let owner = text(&jobs, "/items/0/metadata/ownerReferences/0/kind");
        assert_eq!(owner, "CronJob");
        plane.end().await;
    });
}

#[test]
fn a_pod_that_no_profile_takes_waits_and_says_why() {
    scenario(|plane| async move {
        plane.until("/api/v1/namespaces/kube-public/serviceaccounts/default", |found| found.map(drop)).await;
        let pod =
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": pod_spec("exec sleep 60")});
        plane.create("/api/v1/namespaces/kube-public/pods", pod).await;
        let scheduled =
            plane.until("/api/v1/namespaces/kube-public/pods/p", |pod| condition(&pod?, "PodScheduled").cloned()).await;
        assert_eq!(text(&scheduled, "/reason"), "Unschedulable");
        let message = text(&scheduled, "/message");
        assert!(message.contains("no active Fargate profile matches namespace \"kube-public\""), "{message}");
        plane.end().await;
    });
}

#[test]
fn an_image_that_is_not_mapped_says_how_to_map_it() {
    scenario(|plane| async move {
        let mut spec = pod_spec("case $PATH in /bin:*) ;; *) exit 1 ;; esac");
        spec["restartPolicy"] = "Never".into();
        spec["containers"][0]["image"] = "registry.test/nginx:1".into();
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec});
        plane.create(PODS, pod).await;
        let message = plane
            .until(&format!("{PODS}/p"), |pod| {
                let pod = pod?;
                let waiting = pod.pointer("/status/containerStatuses/0/state/waiting")?;
                (text(waiting, "/reason") == "ImagePullBackOff").then(|| text(waiting, "/message").to_owned())
            })
            .await;
        assert!(message.contains("--run-image nginx=PROGRAM"), "{message}");
        // Mapped late, it is found by the next attempt, and has its folder first on its path.
        let mapping = json!({"stack": {"registry.test/nginx": "/bin/sh"}, "flags": {}});
        std::fs::write(plane.folder.path().join("images.json"), mapping.to_string()).unwrap();
        plane.until(&format!("{PODS}/p"), |pod| (text(&pod?, "/status/phase") == "Succeeded").then_some(())).await;
        plane.end().await;
    });
}

#[test]
fn a_container_is_given_the_nodes_variables_and_what_its_pod_says_goes_before_them() {
    scenario(|plane| async move {
        let script = "test \"$GIVEN\" = \"$EXPECTED\" && test \"$(sh -c 'echo found')\" = found";
        let env = |given: &[(&str, &str)]| -> Vec<Value> {
            given.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
        };
        let settings = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"},
            "data": {"GIVEN": "by a map"}});
        plane.create("/api/v1/namespaces/default/configmaps", settings).await;
        let out = json!({"sluice.dev/aws-endpoint": "false"});
        for (name, annotations, given, sources) in [
            ("given", json!({}), env(&[("EXPECTED", "by the node")]), json!([])),
            ("own", json!({}), env(&[("GIVEN", "own"), ("EXPECTED", "own")]), json!([])),
            ("map", json!({}), env(&[("EXPECTED", "by a map")]), json!([{"configMapRef": {"name": "settings"}}])),
            ("out", out, env(&[("EXPECTED", "")]), json!([])),
        ] {
            let mut spec = pod_spec(script);
            spec["restartPolicy"] = "Never".into();
            spec["containers"][0]["env"] = given.into();
            spec["containers"][0]["envFrom"] = sources;
            let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "annotations": annotations},
                "spec": spec});
            plane.create(PODS, pod).await;
            let phase = plane
                .until(&format!("{PODS}/{name}"), |pod| {
                    let phase = text(&pod?, "/status/phase").to_owned();
                    ["Succeeded", "Failed"].contains(&phase.as_str()).then_some(phase)
                })
                .await;
            assert_eq!(phase, "Succeeded", "{name}");
        }
        plane.end().await;
    });
}

#[test]
fn deleting_a_namespace_takes_everything_with_it() {
    scenario(|plane| async move {
        let path = "/api/v1/namespaces/terminating";
        plane.create("/api/v1/namespaces", json!({"metadata": {"name": "terminating"}})).await;
        let held = json!({"metadata": {"name": "held", "finalizers": ["example.com/hold"]}});
        plane.create("/api/v1/namespaces/terminating/configmaps", held).await;
        plane.client.delete(path, None).await.unwrap();
        let message = plane
            .until(path, |namespace| {
                let namespace = namespace?;
                let remaining = condition(&namespace, "NamespaceFinalizersRemaining")?;
                (text(remaining, "/status") == "True").then(|| text(remaining, "/message").to_owned())
            })
            .await;
        assert!(message.contains("example.com/hold in 1 resource instances"), "{message}");
        let release = json!({"metadata": {"finalizers": null}});
        let held = "/api/v1/namespaces/terminating/configmaps/held";
        plane.client.patch(held, local_apiserver::PatchType::Merge, &release).await.unwrap();
        plane.until(path, |namespace| namespace.is_none().then_some(())).await;
        plane.end().await;
    });
}

#[test]
fn a_server_that_refuses_the_aggregator_keeps_every_namespace() {
    scenario(|plane| async move {
        let metrics = MetricsServer::start().await;
        metrics.serve_as(Discovery::RefusesGroupless);
        metrics.register(&plane.client).await;
        let api = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.external.metrics.k8s.io";
        let available = |api: Option<Value>| (text(condition(&api?, "Available")?, "/status") == "True").then_some(());
        plane.until(api, available).await;
        let path = "/api/v1/namespaces/terminating";
        plane.create("/api/v1/namespaces", json!({"metadata": {"name": "terminating"}})).await;
        plane.client.delete(path, None).await.unwrap();
        let message = plane
            .until(path, |namespace| {
                let namespace = namespace?;
                let failure = condition(&namespace, "NamespaceDeletionDiscoveryFailure")?;
                (text(failure, "/status") == "True").then(|| text(failure, "/message").to_owned())
            })
            .await;
        assert_eq!(
            message,
            "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: \
             external.metrics.k8s.io/v1beta1: stale GroupVersion discovery: external.metrics.k8s.io/v1beta1"
        );
        assert!(metrics.has_received("system:kube-aggregator [system:masters] /apis 404"));
        assert!(metrics.has_received("system:kube-aggregator [] /apis/external.metrics.k8s.io/v1beta1 403"));
        metrics.serve_as(Discovery::Plain);
        plane.until(path, |namespace| namespace.is_none().then_some(())).await;
        assert!(metrics.has_received("system:kube-aggregator [] /apis/external.metrics.k8s.io/v1beta1 200"));
        plane.end().await;
    });
}

#[test]
fn what_a_remote_server_reports_is_part_of_discovery_and_of_openapi() {
    scenario(|plane| async move {
        let metrics = MetricsServer::start().await;
        metrics.serve_as(Discovery::Aggregated);
        metrics.register(&plane.client).await;
        let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        for code in [200, 304] {
            let list = plane.client.get_as("/apis", accept).await.unwrap();
            let group = |group: &&Value| text(group, "/metadata/name") == "external.metrics.k8s.io";
            let version = &items(&list, "/items").iter().find(group).unwrap()["versions"][0];
            assert_eq!(version["freshness"], "Current");
            assert_eq!(version["resources"][0]["resource"], "externalmetrics");
            assert!(metrics.has_received(&format!("system:kube-aggregator [system:masters] /apis {code}")));
        }
        let index = plane.get("/openapi/v3").await.unwrap();
        let name = "apis/external.metrics.k8s.io/v1beta1";
        assert_eq!(index["paths"][name]["serverRelativeURL"], format!("/openapi/v3/{name}?hash=1"));
        assert!(index["paths"]["apis/apps/v1"].is_object(), "{index}");
        assert!(metrics.has_received("system:aggregator [] /openapi/v3 200"));
        let document = plane.get(&format!("/openapi/v3/{name}")).await.unwrap();
        assert_eq!(document["info"]["title"], "theirs");
        assert!(plane.get("/openapi/v3/apis/nothing.test/v1").await.is_none());
        plane.end().await;
    });
}

#[test]
fn an_external_metric_scales_a_deployment_out_and_back() {
    scenario(|plane| async move {
        let metrics = MetricsServer::start().await;
        metrics.register(&plane.client).await;
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {
            "selector": {"matchLabels": {"app": "d"}},
            "template": {"metadata": {"labels": {"app": "d"}}, "spec": pod_spec("exec sleep 600")}}});
        plane.create(DEPLOYMENTS, deployment).await;
        let hpa = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"}, "spec": {
            "maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 600}},
            "metrics": [{"type": "External", "external": {"metric": {"name": "depth"},
                "target": {"type": "AverageValue", "averageValue": "3"}}}]}});
        plane.create(HPAS, hpa).await;
        let at = |replicas: i64| {
            move |deployment: Option<Value>| (deployment?["status"]["readyReplicas"] == replicas).then_some(())
        };
        let (deployment, hpa) = (format!("{DEPLOYMENTS}/d"), format!("{HPAS}/h"));
        metrics.set(Some("12"));
        plane.until(&deployment, at(3)).await;
        let reason = |kind: &'static str, reason: &'static str| {
            move |hpa: Option<Value>| (text(condition(&hpa?, kind)?, "/reason") == reason).then_some(())
        };
        plane.until(&hpa, reason("ScalingLimited", "TooManyReplicas")).await;
        metrics.set(None);
        plane.until(&hpa, reason("ScalingActive", "FailedGetExternalMetric")).await;
        assert_eq!(plane.get(&deployment).await.unwrap()["spec"]["replicas"], 3, "a missing metric changes nothing");
        metrics.set(Some("0"));
        plane.until(&hpa, reason("AbleToScale", "ScaleDownStabilized")).await;
        plane.until(&deployment, at(1)).await;
        let events = plane.client.list("/api/v1/namespaces/default/events").await.unwrap();
        let sizes = items(&events, "/items").iter().filter(|event| text(event, "/reason") == "SuccessfulRescale");
        let sizes: Vec<&str> = sizes.map(|event| text(event, "/message")).collect();
        assert!(sizes.contains(&"New size: 3; reason: external metric depth(nil) above target"), "{sizes:?}");
        assert!(sizes.contains(&"New size: 1; reason: All metrics below target"), "{sizes:?}");
        plane.end().await;
    });
}
