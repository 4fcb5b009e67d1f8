//! The control planes: an API server with its controllers and node agent per EKS cluster, started and ended on request.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use clock::Clock;
use local_aws::control_plane::{Endpoint, Request, Spec};
use local_container::Walls;
use local_faults::{Faults, Incidents, Kind};
use local_server::Lines;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::authority::Authority;
use crate::pod_network::PodNetwork;
use crate::profiles::Profiles;
use crate::walls;

pub(crate) struct Planes {
    pub(crate) authority: Authority,
    pub(crate) sts_endpoint: String,
    pub(crate) region: String,
    pub(crate) clock: Clock,
    pub(crate) faults: Faults,
    pub(crate) incidents: Incidents,
    pub(crate) pods_dir: PathBuf,
    /// The file that maps images to programs, beside `sluice` itself.
    pub(crate) images: PathBuf,
    pub(crate) program: PathBuf,
    pub(crate) walls: Walls,
    /// Where the API servers' audit log goes, that of all clusters into one.
    pub(crate) audit: Option<Lines>,
}

/// One running control plane.
struct Plane {
    server: Arc<local_apiserver::ApiServer>,
    profiles: Arc<Profiles>,
    stop: CancellationToken,
    controllers: JoinHandle<()>,
    _network: PodNetwork,
}

impl Planes {
    /// Serves requests until `stop`; ends every control plane before it returns.
    pub(crate) async fn run(self, mut requests: mpsc::Receiver<Request>, stop: CancellationToken) {
        let mut running: BTreeMap<String, Plane> = BTreeMap::new();
        loop {
            let request = tokio::select! {
                () = stop.cancelled() => break,
                request = requests.recv() => request,
            };
            match request {
                None => break,
                Some(Request::Start { spec, reply }) => {
                    let name = spec.name.clone();
                    let outcome = self.start(&spec);
                    let answer = outcome.map(|(plane, endpoint)| {
                        running.insert(name, plane);
                        endpoint
                    });
                    // The asker may have given up; then the cluster is deleted by a later request.
                    let _ = reply.send(answer);
                }
                Some(Request::Update { spec }) => {
                    // EKS says what changes only of clusters that are ACTIVE.
                    if let Some(plane) = running.get(&spec.name) {
                        plane.server.activate();
                        plane.update(&spec);
                    }
                }
                Some(Request::Stop { name, reply }) => {
                    if let Some(plane) = running.remove(&name) {
                        plane.stop().await;
                    }
                    let _ = reply.send(());
                }
            }
        }
        futures::future::join_all(running.into_values().map(Plane::stop)).await;
    }

    fn start(&self, spec: &Spec) -> Result<(Plane, Endpoint), String> {
        let network = PodNetwork::claim()?;
        let listener =
            TcpListener::bind(("127.0.0.1", 0)).map_err(|error| format!("no port for the API server: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let url = format!("https://{address}");
        let issuer = format!("{url}/id/{}", uuid::Uuid::new_v4().simple().to_string().to_uppercase());
        let serving = self.authority.serving().map_err(|error| error.to_string())?;
        let server = local_apiserver::start(local_apiserver::Options {
            listener,
            certificate_pem: serving.certificate_pem,
            key_pem: serving.key_pem,
            ca_pem: self.authority.pem(),
            issuer: issuer.clone(),
            sts_endpoint: self.sts_endpoint.clone(),
            cluster_name: spec.name.clone(),
            region: self.region.clone(),
            version: spec.version.clone(),
            clock: self.clock.clone(),
            faults: self.faults.clone(),
            pods_dir: self.pods_dir.clone(),
            audit: self.audit.clone(),
        })
        .map_err(|error| error.to_string())?;
        let server = Arc::new(server);
        let (profiles, profiles_seen) = watch::channel(Vec::new());
        let stop = CancellationToken::new();
        let options = local_controllers::Options {
            clock: self.clock.clone(),
            retries_pods: !self.faults.has(Kind::FargateLate),
            pods_dir: self.pods_dir.clone(),
            cluster_name: spec.name.clone(),
            server_url: url.clone(),
            ca_pem: self.authority.pem(),
            images: self.images(),
            environment: BTreeMap::from([("AWS_ENDPOINT_URL".to_owned(), self.sts_endpoint.clone())]),
            launcher: walls::launcher(&self.program),
            walls: self.walls,
            hidden: self.hidden(),
            incidents: self.incidents.clone(),
            pod_network: network.number,
        };
        let clients = server.clone();
        let controllers = tokio::spawn(local_controllers::run(
            options,
            move |user| clients.client(user),
            profiles_seen,
            stop.clone(),
        ));
        let late = self.faults.lasts(Kind::FargateLate, &spec.name);
        let profiles = Arc::new(Profiles::new(profiles, late, self.clock.clone()));
        let plane = Plane { server, profiles, stop, controllers, _network: network };
        plane.update(spec);
        tracing::info!(cluster = spec.name, url, "control plane started");
        Ok((plane, Endpoint { url, ca_pem: self.authority.pem(), issuer }))
    }

    fn images(&self) -> local_controllers::Images {
        let built_in = BTreeMap::from([(crate::images::OWN.to_owned(), self.program.clone())]);
        local_controllers::Images { built_in, file: Some(self.images.clone()) }
    }

    /// What no pod may see of the machine: the stack's own folder and its owner's home.
    fn hidden(&self) -> Vec<PathBuf> {
        let own = self.pods_dir.parent().map(PathBuf::from);
        own.into_iter().chain(std::env::home_dir()).collect()
    }
}

impl Plane {
    fn update(&self, spec: &Spec) {
        self.server.set_access(spec.access.clone());
        self.profiles.update(&spec.profiles, &self.stop);
    }

    async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.controllers.await {
            tracing::error!(%error, "the controllers did not end well");
        }
        self.server.stop().await;
    }
}
