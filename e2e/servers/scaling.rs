//! What is looked at on every trigger: 0 → 3 → 0, a wrong credential, a server that is away and comes back, a source that does
//! not exist.

use serde_json::{Value, json};

use crate::scenarios::objects::{Objects, apps, core, keda};
use crate::servers::server::Server;

/// Seconds of the system's time; the operator's deadlines are real ones and longer than that.
const PATIENCE: u64 = 1800;

/// One ScaledObject of one trigger, with a workload and a TriggerAuthentication of its own.
pub(crate) struct Scaled<'a> {
    objects: &'a Objects<'a>,
    name: String,
}

impl<'a> Scaled<'a> {
    /// The parameters become a Secret.
    #[track_caller]
    pub(crate) fn new(
        objects: &'a Objects<'a>,
        name: &str,
        type_: &str,
        metadata: &Value,
        parameters: &[(&str, &str)],
    ) -> Self {
        objects.deployment(name, 0);
        let data: serde_json::Map<_, _> =
            parameters.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let secret = json!({"metadata": {"name": name}, "stringData": data});
        objects.post(&core("secrets"), &secret);
        let entry = |(key, _): &(&str, &str)| json!({"parameter": key, "name": name, "key": key});
        let references: Vec<_> = parameters.iter().map(entry).collect();
        let authentication = json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication", "metadata": {"name": name},
            "spec": {"secretTargetRef": references},
        });
        objects.post(&keda("triggerauthentications"), &authentication);
        let trigger = json!({"type": type_, "metadata": metadata, "authenticationRef": {"name": name}});
        let at_once =
            json!({"horizontalPodAutoscalerConfig": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}}});
        let object = json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": name},
            "spec": {
                "scaleTargetRef": {"name": name}, "pollingInterval": 15, "cooldownPeriod": 30, "minReplicaCount": 0,
                "maxReplicaCount": 5, "advanced": at_once, "triggers": [trigger],
            },
        });
        objects.post(&keda("scaledobjects"), &object);
        Self { objects, name: name.to_owned() }
    }

    /// Waits until the workload is to have so many replicas.
    #[track_caller]
    pub(crate) fn has(&self, replicas: u64) {
        self.objects.has(&self.path(), replicas, PATIENCE);
    }

    /// Waits until the object is ready.
    #[track_caller]
    pub(crate) fn is_ready(&self) {
        self.objects.is_ready(&self.name, "True");
    }

    /// Waits until the trigger fails; the message holds these parts, and no credential.
    #[track_caller]
    pub(crate) fn fails(&self, parts: &[&str]) {
        let message = self.objects.is_ready(&self.name, "False");
        for part in parts {
            assert!(message.contains(part), "{}: {part:?} is missing in {message}", self.name);
        }
        assert!(!message.contains("secret"), "{message}");
    }

    /// While its server is away the workload stays as it is; afterwards the object is ready again.
    #[track_caller]
    pub(crate) fn outlives(all: &[&Self], server: &Server) {
        server.stop();
        for scaled in all {
            scaled.fails(&["127.0.0.1"]);
            scaled.stays();
        }
        server.start();
        for scaled in all {
            scaled.is_ready();
        }
    }

    /// In ten polls nothing is written to the workload.
    #[track_caller]
    pub(crate) fn stays(&self) {
        self.objects.stays(&self.path(), 10);
    }

    fn path(&self) -> String {
        format!("{}/{}", apps("deployments"), self.name)
    }
}
