//! One cluster's shared state: store, keys, access entries, custom resources.

pub(crate) mod address;
pub(crate) mod bootstrap;
mod eks_cache;
mod front_proxy;
mod infancy;
mod keys;
pub(crate) mod remote_documents;
mod roles;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use clock::Clock;
use local_eks::AccessEntry;
use local_server::Lines;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::eks_cache::EksCache;
use self::front_proxy::FrontProxy;
use self::infancy::Infancy;
use self::keys::Keys;
use self::remote_documents::RemoteDocuments;
use crate::crd::{definition, served};
use crate::error::Error;
use crate::kinds::{BUILT_IN, Resource};
use crate::options::Options;
use crate::store::{Object, Store};

/// Shared by all handlers.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Clock,
    pub(crate) stop: CancellationToken,
    /// What is late or refused while it is new.
    pub(crate) infancy: Infancy,
    pub(crate) keys: Keys,
    pub(crate) front_proxy: FrontProxy,
    pub(crate) eks_cache: EksCache,
    pub(crate) documents: RemoteDocuments,
    pub(crate) issuer: String,
    pub(crate) sts_endpoint: String,
    /// The EKS cluster's name.
    pub(crate) name: String,
    pub(crate) region: String,
    pub(crate) version: String,
    pub(crate) ca_pem: String,
    pub(crate) pods_dir: PathBuf,
    pub(crate) audit: Option<Lines>,
    pub(crate) port: u16,
    /// Held by who makes an object where a quota counts, so that two do not take the same last place.
    pub(crate) quota_turn: Mutex<()>,
    access: RwLock<Arc<Vec<AccessEntry>>>,
    custom: RwLock<Custom>,
}

/// What the definitions serve, worked out from the collection of definitions as it was at `revision`.
#[derive(Debug, Default)]
struct Custom {
    revision: u64,
    /// What each definition serves.
    parts: Vec<(Object, Vec<Arc<Resource>>)>,
    /// All of it.
    resources: Arc<Vec<Arc<Resource>>>,
}

impl Custom {
    /// The same for later definitions; those that have not changed are not worked out again.
    fn at(&self, revision: u64, definitions: Vec<Object>) -> Self {
        let known: HashMap<*const Value, &Vec<Arc<Resource>>> =
            self.parts.iter().map(|(definition, served)| (Arc::as_ptr(definition), served)).collect();
        let serves = |definition: Object| {
            let served = known.get(&Arc::as_ptr(&definition)).map_or_else(
                || served::resources(&definition).into_iter().map(Arc::new).collect(),
                |served| (*served).clone(),
            );
            (definition, served)
        };
        let parts: Vec<(Object, Vec<Arc<Resource>>)> = definitions.into_iter().map(serves).collect();
        let resources = parts.iter().flat_map(|(_, served)| served.iter().cloned()).collect();
        Self { revision, parts, resources: Arc::new(resources) }
    }
}

impl Cluster {
    pub(crate) fn new(options: Options, stop: CancellationToken) -> Result<Self, Error> {
        let Options {
            listener,
            certificate_pem: _,
            key_pem: _,
            ca_pem,
            issuer,
            sts_endpoint,
            cluster_name,
            region,
            version,
            clock,
            faults,
            pods_dir,
            audit,
        } = options;
        Ok(Self {
            store: Arc::new(Store::new(clock.clone())),
            keys: Keys::generate().map_err(Error::Keys)?,
            front_proxy: FrontProxy::generate().map_err(Error::Keys)?,
            eks_cache: EksCache::default(),
            documents: RemoteDocuments::default(),
            port: listener.local_addr().map_err(Error::Listener)?.port(),
            infancy: Infancy::new(faults, &cluster_name, clock.clone()),
            clock,
            stop,
            issuer,
            sts_endpoint,
            name: cluster_name,
            region,
            version,
            ca_pem,
            pods_dir,
            audit,
            quota_turn: Mutex::default(),
            access: RwLock::default(),
            custom: RwLock::default(),
        })
    }

    pub(crate) fn set_access(&self, access: Vec<AccessEntry>) {
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(access);
        self.eks_cache.clear();
    }

    pub(crate) fn access(&self) -> Arc<Vec<AccessEntry>> {
        self.access.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Custom resources that are established, in all served versions.
    ///
    /// They follow from the stored definitions alone: whatever is remembered counts only for the revision of the collection
    /// that it was worked out from, so that a write which has returned is served, whoever writes at the same time.
    pub(crate) fn custom(&self) -> Arc<Vec<Arc<Resource>>> {
        let stored = self.store.changed(definition::COLLECTION);
        {
            let held = self.custom.read().unwrap_or_else(PoisonError::into_inner);
            if held.revision >= stored {
                return held.resources.clone();
            }
        }
        let mut held = self.custom.write().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, so that no earlier state is kept after a later one.
        let (definitions, revision) = self.store.snapshot(definition::COLLECTION);
        if held.revision < revision {
            *held = held.at(revision, definitions);
        }
        held.resources.clone()
    }

    /// Everything served from this store.
    pub(crate) fn resources(&self) -> Vec<Arc<Resource>> {
        BUILT_IN.iter().cloned().chain(self.custom().iter().cloned()).collect()
    }

    pub(crate) fn resource(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Resource>> {
        let same = |r: &&Arc<Resource>| r.plural == plural && r.group == group && r.version == version;
        BUILT_IN.iter().find(same).cloned().or_else(|| self.custom().iter().find(same).cloned())
    }

    /// Audiences under which this server accepts tokens.
    pub(crate) fn audiences(&self) -> [&str; 2] {
        [&self.issuer, "https://kubernetes.default.svc"]
    }

    /// The clock's time as Kubernetes writes it: whole seconds, `Z`.
    pub(crate) fn now_text(&self) -> String {
        self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// A stored object by its kind's collection.
    pub(crate) fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.store.get(kind, namespace, name)
    }
}
