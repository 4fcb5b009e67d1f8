//! The node agent: runs the containers of bound pods as processes of this machine, and reports how they are.

mod container;
mod environment;
mod expansion;
mod file_system;
mod hook;
mod image;
mod kubeconfig;
mod last_words;
mod log;
mod mounts;
mod node_limits;
mod pod;
mod preparation;
mod probe;
mod process;
mod restart;
mod sandbox;
mod stand_in;
mod state;
mod status;
mod user;
mod volumes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Options;
use crate::cache::{Cache, Change};
use crate::event::Recorder;
use crate::object::{text, uid};
use crate::scheduler::NODE_PREFIX;
use pod::Pod;

/// Real time that containers get to end when the local cloud stops.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// Real time for which a pod's folder outlives it, so that followers of its logs can finish.
const KEPT: Duration = Duration::from_secs(5);

/// What all pods share.
struct Node {
    cache: Arc<Cache>,
    options: Arc<Options>,
    events: Recorder,
    stop: CancellationToken,
}

impl Node {
    /// Host and port of the API server, as the KUBERNETES_SERVICE variables name them.
    fn server_address(&self) -> (String, String) {
        let address = self.options.server_url.split("://").last().unwrap_or_default();
        let address = address.split('/').next().unwrap_or_default();
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "443"));
        (host.to_owned(), port.to_owned())
    }
}

/// Runs pods until `stop`; returns when all containers have ended.
pub(crate) fn run(
    cache: &Arc<Cache>,
    options: Arc<Options>,
    stop: CancellationToken,
) -> impl Future<Output = ()> + Send + use<> {
    let changes = cache.subscribe();
    let events = Recorder::new(cache, "kubelet");
    let node = Arc::new(Node { cache: Arc::clone(cache), options, events, stop });
    serve(node, changes)
}

async fn serve(node: Arc<Node>, mut changes: UnboundedReceiver<Arc<Change>>) {
    let mut pods: BTreeMap<String, watch::Sender<Option<Arc<Value>>>> = BTreeMap::new();
    let mut lives = JoinSet::new();
    loop {
        tokio::select! {
            () = node.stop.cancelled() => break,
            Some(ended) = lives.join_next(), if !lives.is_empty() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "the agent of a pod broke off");
                }
            }
            change = changes.recv() => match change {
                Some(change) if change.id == "pods" => note(&node, &mut pods, &mut lives, &change),
                Some(_) => {}
                None => break,
            },
        }
    }
    // Every pod hears of the stop itself; senders stay alive until all have ended.
    while lives.join_next().await.is_some() {}
    drop(pods);
}

fn note(
    node: &Arc<Node>,
    pods: &mut BTreeMap<String, watch::Sender<Option<Arc<Value>>>>,
    lives: &mut JoinSet<()>,
    change: &Change,
) {
    let Some(object) = change.object() else { return };
    let id = uid(object).to_owned();
    match (&change.new, pods.get(&id)) {
        (None, Some(known)) => {
            known.send_replace(None);
            pods.remove(&id);
        }
        (Some(object), Some(known)) => drop(known.send_replace(Some(Arc::clone(object)))),
        (Some(object), None) if text(object, "/spec/nodeName").starts_with(NODE_PREFIX) => {
            let (sender, latest) = watch::channel(Some(Arc::clone(object)));
            let pod = Arc::new(Pod::new(node, object, latest));
            pods.insert(id, sender);
            lives.spawn(live(pod));
        }
        _ => {}
    }
}

/// A pod's life and, a little later, the end of its folder.
async fn live(pod: Arc<Pod>) {
    let (folder, node) = (pod.dir.clone(), Arc::clone(&pod.node));
    pod.live().await;
    tokio::select! {
        () = node.cache.pause(KEPT) => {}
        () = node.stop.cancelled() => return,
    }
    if let Err(error) = local_container::remove(&folder) {
        tracing::warn!(folder = %folder.display(), %error, "failed to remove a pod's folder");
    }
}
