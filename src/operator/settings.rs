//! The operator's settings: everything resolved, nothing read from the environment here.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use crate::listening::Listening;

/// The settings of one operator process. [`Settings::default`] has KEDA's defaults; [`Settings::from_env`] adds the environment.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Namespaces whose ScaledObjects are looked after; empty means all.
    pub watch_namespaces: Vec<String>,
    /// The operator's own namespace: its lease and its certificate secret live here.
    pub namespace: String,
    /// Where ClusterTriggerAuthentications find their Secrets and ConfigMaps.
    pub cluster_object_namespace: String,
    /// Secrets of no other namespace than that one are read.
    pub restricts_secrets: bool,
    /// Folders with certificates of those whom all triggers trust.
    pub authorities: Vec<PathBuf>,
    /// Folder of the files that ClusterTriggerAuthentications name; none is read without it.
    pub credential_files: Option<PathBuf>,
    /// Environment variables of KEDA's that are set and change nothing.
    pub unserved: Vec<&'static str>,
    /// Who this process is in the lease and in events; the pod's name.
    pub identity: String,
    /// Address that servers listen on which name none of their own.
    pub bind: IpAddr,
    /// Address of the external metrics API (TLS), if it has one of its own.
    pub metrics_api_address: Option<IpAddr>,
    /// Port of the external metrics API.
    pub metrics_api_port: u16,
    /// Prometheus' `/metrics`.
    pub telemetry: Listening,
    /// `/healthz` and `/readyz`.
    pub health: Listening,
    /// Name of the leader lease; KEDA's own name, so that KEDA and this operator never act at the same time.
    pub lease_name: String,
    /// How long leadership lasts without renewal.
    pub lease: LeaseTiming,
    /// Name of the Service in front of the external metrics API; the serving certificate is made for it.
    pub metrics_service: String,
    /// DNS domain of the cluster.
    pub cluster_domain: String,
    /// Name of the APIService whose caBundle is kept right.
    pub api_service: String,
    /// Name of the Secret that holds the certificates, shared by all replicas.
    pub certificate_secret: String,
    /// ScaledObjects that are reconciled at the same time, at most.
    pub reconciles_max: usize,
}

/// The three durations of leader election, in system time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTiming {
    /// A lease that was not renewed for this long may be taken by another.
    pub duration: Duration,
    /// A leader that could not renew for this long steps down.
    pub renew_deadline: Duration,
    /// Pause between attempts.
    pub retry: Duration,
}

impl Default for LeaseTiming {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            watch_namespaces: Vec::new(),
            namespace: "keda".to_owned(),
            cluster_object_namespace: "keda".to_owned(),
            restricts_secrets: false,
            authorities: vec![PathBuf::from("/custom/ca")],
            credential_files: None,
            unserved: Vec::new(),
            identity: "keda-operator".to_owned(),
            bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            metrics_api_address: None,
            metrics_api_port: 6443,
            telemetry: Listening::Port(8080),
            health: Listening::Port(8081),
            lease_name: "operator.keda.sh".to_owned(),
            lease: LeaseTiming::default(),
            metrics_service: "keda-operator-metrics-apiserver".to_owned(),
            cluster_domain: "cluster.local".to_owned(),
            api_service: "v1beta1.external.metrics.k8s.io".to_owned(),
            certificate_secret: "kedaorg-certs".to_owned(),
            reconciles_max: 5,
        }
    }
}

impl Settings {
    /// DNS names under which the external metrics API is reached.
    pub(crate) fn metrics_service_names(&self) -> Vec<String> {
        let (service, namespace) = (&self.metrics_service, &self.namespace);
        vec![
            service.clone(),
            format!("{service}.{namespace}"),
            format!("{service}.{namespace}.svc"),
            format!("{service}.{namespace}.svc.{}", self.cluster_domain),
        ]
    }
}
