//! The watches of inputs: metadata only, a kind only while something of it is used. Those of workloads say their generations too.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount};
use kube::api::{ObjectMeta, PartialObjectMeta};
use kube::core::NamespaceResourceScope;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};

use super::{CONFIG_MAP, DEPLOYMENT, Inputs, KINDS, SECRET, SERVICE_ACCOUNT, STATEFUL_SET, Seen, is_workload};
use crate::client::WATCH_SECONDS;
use crate::key::{Key, Reference};
use crate::settings::Settings;

impl Inputs {
    /// Follows what is used; never ends.
    pub(crate) fn follow(self: &Arc<Self>, client: &Client, settings: &Settings) -> impl Future<Output = ()> + use<> {
        let mut watches = Vec::new();
        for kind in KINDS {
            for namespace in namespaces(kind, settings) {
                watches.push(self.watch(kind, client, namespace));
            }
        }
        async move { drop(join_all(watches).await) }
    }

    /// What the watch of a workload's kind says is its generation too.
    fn learn(&self, input: &Reference, metadata: Option<&ObjectMeta>) {
        if is_workload(input.kind) {
            self.generations.learn(input, metadata);
        }
    }

    fn watch(
        self: &Arc<Self>,
        kind: &'static str,
        client: &Client,
        namespace: Option<String>,
    ) -> BoxFuture<'static, ()> {
        let inputs = Arc::clone(self);
        match kind {
            SECRET => watched::<Secret>(inputs, kind, client, namespace).boxed(),
            CONFIG_MAP => watched::<ConfigMap>(inputs, kind, client, namespace).boxed(),
            SERVICE_ACCOUNT => watched::<ServiceAccount>(inputs, kind, client, namespace).boxed(),
            DEPLOYMENT => watched::<Deployment>(inputs, kind, client, namespace).boxed(),
            STATEFUL_SET => watched::<StatefulSet>(inputs, kind, client, namespace).boxed(),
            _ => std::future::ready(()).boxed(),
        }
    }
}

/// Where objects of a kind may be used from; `None` stands for all namespaces.
fn namespaces(kind: &str, settings: &Settings) -> Vec<Option<String>> {
    let home = settings.cluster_object_namespace.clone();
    if kind == SECRET && settings.restricts_secrets {
        return vec![Some(home)];
    }
    if settings.watch_namespaces.is_empty() {
        return vec![None];
    }
    let mut all: BTreeSet<_> = settings.watch_namespaces.iter().cloned().collect();
    if matches!(kind, SECRET | CONFIG_MAP) {
        all.insert(home);
    }
    all.into_iter().map(Some).collect()
}

fn watched<K>(
    inputs: Arc<Inputs>,
    kind: &'static str,
    client: &Client,
    namespace: Option<String>,
) -> impl Future<Output = ()> + Send + use<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Send + Sync + 'static,
{
    let api: Api<PartialObjectMeta<K>> = match &namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    async move {
        let Some(in_use) = KINDS.iter().position(|one| *one == kind).and_then(|at| inputs.in_use.get(at)) else {
            return;
        };
        let mut in_use = in_use.subscribe();
        while in_use.wait_for(|is_used| *is_used).await.is_ok() {
            let following = drain(&inputs, kind, namespace.as_deref(), api.clone());
            let unused = async { drop(in_use.wait_for(|is_used| !*is_used).await) };
            tokio::select! {
                () = unused => {}
                () = following => {}
            }
        }
    }
}

async fn drain<K>(inputs: &Inputs, kind: &'static str, namespace: Option<&str>, api: Api<PartialObjectMeta<K>>)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Send + Sync + 'static,
{
    let config = watcher::Config::default().timeout(WATCH_SECONDS);
    let mut events = std::pin::pin!(watcher(api, config).default_backoff());
    let input = |metadata: &ObjectMeta| Reference { kind, key: Key::of(metadata) };
    let (mut listed, mut is_failing) = (BTreeSet::new(), false);
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Apply(object)) => {
                let input = input(&object.metadata);
                inputs.learn(&input, Some(&object.metadata));
                inputs.hear(&input, state(kind, &object.metadata), false);
            }
            Ok(watcher::Event::Delete(object)) => {
                let input = input(&object.metadata);
                inputs.learn(&input, None);
                inputs.hear(&input, Seen::Absent, false);
            }
            Ok(watcher::Event::Init) => listed.clear(),
            Ok(watcher::Event::InitApply(object)) => {
                let input = input(&object.metadata);
                inputs.learn(&input, Some(&object.metadata));
                let is_used = inputs.is_used(&input);
                if is_used {
                    inputs.hear(&input, state(kind, &object.metadata), true);
                }
                if is_used || is_workload(kind) {
                    listed.insert(input);
                }
            }
            Ok(watcher::Event::InitDone) => {
                is_failing = false;
                inputs.generations.learn_all(kind, namespace, &listed);
                let is_here = |input: &Reference| namespace.is_none_or(|namespace| input.key.namespace == namespace);
                for missing in inputs.used(kind).iter().filter(|input| is_here(input) && !listed.contains(*input)) {
                    inputs.hear(missing, Seen::Absent, true);
                }
            }
            Err(error) if is_failing => tracing::debug!(kind, error = %error, "watch failed; trying again"),
            Err(error) => {
                is_failing = true;
                tracing::warn!(kind, error = %error, "watch failed; until it works, changes are noticed after a failed reading only");
            }
        }
    }
}

fn state(kind: &str, metadata: &ObjectMeta) -> Seen {
    let version = if is_workload(kind) {
        metadata.generation.and_then(|generation| u64::try_from(generation).ok())
    } else {
        super::version(metadata)
    };
    version.map_or(Seen::Unknown, Seen::At)
}
