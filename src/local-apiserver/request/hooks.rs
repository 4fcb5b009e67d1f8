//! The webhooks that a request may meet, as they are configured when it comes.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::cluster::Cluster;
use crate::kinds::Resource;

const GROUP: &str = "admissionregistration.k8s.io";

/// The webhooks of the moment in which a request came.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    pub(crate) mutating: Vec<Arc<Hook>>,
    pub(crate) validating: Vec<Arc<Hook>>,
    warnings: Mutex<Vec<String>>,
}

/// One webhook of a configuration.
#[derive(Debug)]
pub(crate) struct Hook {
    pub(crate) name: String,
    pub(crate) spec: Value,
}

impl Hooks {
    /// Those of all configurations, by the configurations' names; none for the kinds that could lock everybody out.
    pub(crate) fn of(cluster: &Cluster, resource: &Resource) -> Self {
        if resource.group == GROUP {
            return Self::default();
        }
        let all = |plural: &str| {
            let (mut configurations, _) = cluster.store.list(&format!("{plural}.{GROUP}"), None);
            configurations.sort_by_key(|one| one["metadata"]["name"].as_str().unwrap_or_default().to_owned());
            let hooks = configurations.iter().flat_map(|one| one["webhooks"].as_array().cloned().unwrap_or_default());
            hooks
                .map(|spec| Arc::new(Hook { name: spec["name"].as_str().unwrap_or_default().to_owned(), spec }))
                .collect()
        };
        Self {
            mutating: all("mutatingwebhookconfigurations"),
            validating: all("validatingwebhookconfigurations"),
            warnings: Mutex::default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.mutating.is_empty() && self.validating.is_empty()
    }

    /// Keeps what a webhook has to say to whoever writes.
    pub(crate) fn add_warnings(&self, said: impl Iterator<Item = String>) {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).extend(said);
    }

    /// What webhooks had to say to whoever writes.
    pub(crate) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
