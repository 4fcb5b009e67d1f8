//! Objects beside the stack's: workloads that start no container, and the ScaledObjects that scale them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use http::Method;
use serde_json::{Value, json};

use crate::scenarios::clients::{Answer, Clients, OPERATOR};
use crate::scenarios::stage::Stage;

/// The operator's own Deployment.
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/keda/deployments/keda-operator";
pub(crate) const NAMESPACE: &str = "e2e-objects";
/// Seconds of the system's time between two polls of these objects.
pub(crate) const POLLING: u64 = 2;

/// A namespace of its own with a key for queues.
pub(crate) struct Objects<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) clients: Rc<Clients>,
    queues: RefCell<Vec<String>>,
}

impl<'a> Objects<'a> {
    /// The namespace, the Secret `keys` and the TriggerAuthentication `keys`.
    #[track_caller]
    pub(crate) fn begin(stage: &'a Stage) -> Self {
        let this = Self { stage, clients: stage.clients(), queues: RefCell::default() };
        this.end();
        this.post("/api/v1/namespaces", &json!({"metadata": {"name": NAMESPACE}}));
        let access = stage.access();
        let keys = json!({"id": access.key_id, "secret": access.secret, "wrong": "wrong"});
        this.post(&core("secrets"), &json!({"metadata": {"name": "keys"}, "stringData": keys}));
        this.post(&keda("triggerauthentications"), &authentication("secret"));
        this
    }

    /// Deletes the queues and the namespace, and waits for its end, which needs an operator for the finalizers.
    #[track_caller]
    pub(crate) fn end(&self) {
        let path = format!("/api/v1/namespaces/{NAMESPACE}");
        let _ = self.call(Method::DELETE, &path, "", None);
        let mut seen = None;
        let gone = self.stage.until("the namespace is gone", 120, || {
            seen = Some(self.get(&path));
            matches!(&seen, Some(Err(why)) if why.contains("not found")).then_some(())
        });
        gone.unwrap_or_else(|why| panic!("{why}: {seen:?}"));
        for url in self.queues.take() {
            self.clients.delete_queue(&url).unwrap();
        }
    }

    pub(crate) fn call(&self, method: Method, path: &str, content: &str, body: Option<&Value>) -> Answer<Value> {
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = http::Request::builder().method(method).uri(path).header("content-type", content).body(body);
        self.clients.ask(self.clients.kube.request::<Value>(request.unwrap()))
    }

    pub(crate) fn get(&self, path: &str) -> Answer<Value> {
        self.call(Method::GET, path, "application/json", None)
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        self.call(Method::POST, path, "application/json", Some(body)).unwrap_or_else(|why| panic!("{path}: {why}"))
    }

    #[track_caller]
    pub(crate) fn patch(&self, path: &str, body: &Value) -> Value {
        let patched = self.call(Method::PATCH, path, "application/merge-patch+json", Some(body));
        patched.unwrap_or_else(|why| panic!("{path}: {why}"))
    }

    #[track_caller]
    pub(crate) fn delete(&self, path: &str) {
        self.call(Method::DELETE, path, "application/json", None).unwrap_or_else(|why| panic!("{path}: {why}"));
    }

    /// The operator's Deployment gets these environment variables. `up` leaves what others added to an object, so the one who
    /// calls this takes them away again with [`Self::operator_without`].
    #[track_caller]
    pub(crate) fn operator_with(&self, variables: &[(&str, String)]) {
        let entry = |(name, value): &(&str, String)| json!({"name": name, "value": value});
        self.operator_environment(&variables.iter().map(entry).collect());
    }

    /// Takes these environment variables away from the operator's Deployment.
    #[track_caller]
    pub(crate) fn operator_without(&self, variables: &[(&str, String)]) {
        let entry = |(name, _): &(&str, String)| json!({"name": name, "$patch": "delete"});
        self.operator_environment(&variables.iter().map(entry).collect());
    }

    #[track_caller]
    fn operator_environment(&self, entries: &Value) {
        let container = json!({"name": "keda-operator", "env": entries});
        let change = json!({"spec": {"template": {"spec": {"containers": [container]}}}});
        let patched = self.call(Method::PATCH, DEPLOYMENT, "application/strategic-merge-patch+json", Some(&change));
        patched.unwrap();
    }

    /// The operator gets so many replicas, until the next `up`; waits until they are ready.
    #[track_caller]
    pub(crate) fn operators(&self, replicas: usize) {
        self.patch(DEPLOYMENT, &json!({"spec": {"replicas": replicas}}));
        self.operators_are_ready(replicas);
    }

    /// Waits until so many replicas of the operator's newest template are ready, and no others are left.
    #[track_caller]
    pub(crate) fn operators_are_ready(&self, replicas: usize) {
        let mut seen = Value::Null;
        let ready = self.stage.until("the operators are ready", 240, || {
            let found = self.get(DEPLOYMENT).ok()?;
            seen = found["status"].clone();
            let all = ["updatedReplicas", "readyReplicas", "replicas"].iter().all(|name| seen[*name] == replicas);
            let is_current = seen["observedGeneration"] == found["metadata"]["generation"];
            (all && is_current && self.operator_addresses().len() == replicas).then_some(())
        });
        ready.unwrap_or_else(|why| panic!("{why}: {seen}"));
    }

    /// The operators' pods that are not ending, and their addresses.
    pub(crate) fn operator_addresses(&self) -> BTreeMap<String, String> {
        let pods = self.clients.pods(OPERATOR).unwrap_or_default().into_iter();
        let alive = pods.filter(|pod| pod.metadata.deletion_timestamp.is_none());
        alive.filter_map(|pod| Some((pod.metadata.name?, pod.status?.pod_ip?))).collect()
    }

    /// A Deployment whose pods no scheduler takes: they count as replicas and never start.
    #[track_caller]
    pub(crate) fn deployment(&self, name: &str, replicas: u64) {
        let labels = json!({"app": name});
        let pod = json!({"schedulerName": "nobody", "containers": [{"name": "a", "image": "example.com/none:1"}]});
        let template = json!({"metadata": {"labels": labels}, "spec": pod});
        let spec = json!({"replicas": replicas, "selector": {"matchLabels": labels}, "template": template});
        self.post(&apps("deployments"), &json!({"metadata": {"name": name}, "spec": spec}));
    }

    /// A ScaledObject of one trigger on a new queue of the same name; `change` is merged into its spec. Returns the queue's URL.
    #[track_caller]
    pub(crate) fn scaled(&self, name: &str, target: &str, change: &Value) -> String {
        let url = self.clients.create_queue(&format!("objects-{name}")).unwrap();
        self.queues.borrow_mut().push(url.clone());
        let region = self.stage.access().region;
        let metadata = json!({"queueURL": url, "queueLength": "1", "awsRegion": region});
        let trigger = json!({"type": "aws-sqs-queue", "metadata": metadata, "authenticationRef": {"name": "keys"}});
        let mut spec = json!({
            "scaleTargetRef": {"name": target}, "pollingInterval": POLLING, "cooldownPeriod": 3600,
            "minReplicaCount": 0, "maxReplicaCount": 3, "triggers": [trigger],
        });
        for (key, value) in change.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        let object =
            json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": name}, "spec": spec});
        self.post(&keda("scaledobjects"), &object);
        url
    }

    /// Waits until the condition Ready of a ScaledObject has this status; returns its message.
    #[track_caller]
    pub(crate) fn is_ready(&self, name: &str, status: &str) -> String {
        let mut seen = Value::Null;
        let path = format!("{}/{name}", keda("scaledobjects"));
        let found = self.stage.until(&format!("{name} is Ready={status}"), 120, || {
            let object = self.get(&path).ok()?;
            seen = object["status"]["conditions"].clone();
            let ready = seen.as_array()?.iter().find(|condition| condition["type"] == "Ready")?;
            (ready["status"] == status).then(|| ready["message"].as_str().unwrap_or_default().to_owned())
        });
        found.unwrap_or_else(|why| panic!("{why}: {seen}"))
    }

    /// The replicas that a workload is to have, and the generation of its spec.
    pub(crate) fn size(&self, path: &str) -> Answer<(u64, u64)> {
        let found = self.get(path)?;
        let number = |value: &Value| value.as_u64().ok_or_else(|| format!("no number in {found}"));
        Ok((number(&found["spec"]["replicas"])?, number(&found["metadata"]["generation"])?))
    }

    /// Waits until a workload is to have so many replicas.
    #[track_caller]
    pub(crate) fn has(&self, path: &str, replicas: u64, system: u64) {
        let mut seen = None;
        let found = self.stage.until(&format!("{path} at {replicas}"), system, || {
            seen = Some(self.size(path));
            matches!(seen, Some(Ok((now, _))) if now == replicas).then_some(())
        });
        found.unwrap_or_else(|why| panic!("{why}: {seen:?}"));
    }

    /// So many polls pass, and in none of them the workload's spec is written.
    #[track_caller]
    pub(crate) fn stays(&self, path: &str, polls: u64) {
        let before = self.size(path).unwrap();
        let changed = crate::workspace::wait_until("the workload is written", self.stage.real(polls * POLLING), || {
            self.size(path).ok().filter(|now| *now != before)
        });
        assert!(changed.is_err(), "{path} was {before:?} (replicas, generation) and became {changed:?}");
    }
}

/// The TriggerAuthentication `keys` by this entry of the Secret.
pub(crate) fn authentication(secret: &str) -> Value {
    let entry = |parameter: &str, key: &str| json!({"parameter": parameter, "name": "keys", "key": key});
    let references = [entry("awsAccessKeyID", "id"), entry("awsSecretAccessKey", secret)];
    json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication",
        "metadata": {"name": "keys"}, "spec": {"secretTargetRef": references},
    })
}

pub(crate) fn core(plural: &str) -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/{plural}")
}

pub(crate) fn apps(plural: &str) -> String {
    format!("/apis/apps/v1/namespaces/{NAMESPACE}/{plural}")
}

pub(crate) fn keda(plural: &str) -> String {
    format!("/apis/keda.sh/v1alpha1/namespaces/{NAMESPACE}/{plural}")
}

pub(crate) fn autoscaler(name: &str) -> String {
    format!("/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers/{name}")
}
