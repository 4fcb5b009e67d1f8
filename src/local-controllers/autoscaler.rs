//! The horizontal pod autoscaler: every sync period it asks the metrics, decides, and writes the target's scale.

mod algorithm;
mod behavior;
mod metrics;
mod status;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use local_apiserver::Client;
use serde_json::Value;

use crate::cache::{Cache, Change};
use crate::discovery::Resource;
use crate::error::{Error, Result};
use crate::event::Recorder;
use crate::object::{Key, deleting, integer, items, labels, pod_ready, second, text, uid};
use crate::selector::text_selects;
use crate::work::Controller;
use algorithm::{Outcome, Verdict, combine};
use behavior::{Behavior, History};
use metrics::{Reading, Sizes};
use status::Draft;

const HPAS: &str = "horizontalpodautoscalers.autoscaling";
/// How often each HPA is looked at; `--horizontal-pod-autoscaler-sync-period` of the controller manager.
const SYNC_PERIOD: Duration = Duration::from_secs(15);

pub(crate) struct Autoscaler {
    cache: Arc<Cache>,
    /// Acts as system:serviceaccount:kube-system:horizontal-pod-autoscaler.
    client: Client,
    events: Recorder,
    histories: Mutex<BTreeMap<String, History>>,
}

impl Controller for Autoscaler {
    type Key = Key;
    const NAME: &'static str = "autoscaler";
    const WORKERS: usize = 5;

    fn concerns(&self, change: &Change) -> Vec<(Key, Duration)> {
        let Some(object) = change.object().filter(|_| change.id == HPAS) else { return vec![] };
        if change.new.is_none() {
            self.histories.lock().unwrap_or_else(PoisonError::into_inner).remove(uid(object));
        }
        // A change waits for the next period too: the queue of the real controller lets each key pass once per period.
        vec![(Key::of(object), SYNC_PERIOD)]
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>> {
        let Some(hpa) = self.cache.get(HPAS, &key.namespace, &key.name) else { return Ok(None) };
        if deleting(&hpa) {
            return Ok(None);
        }
        if let Err(error) = self.sync(&hpa).await {
            tracing::debug!(%key, %error, "an HPA could not be worked on; next try in a period");
        }
        Ok(Some(SYNC_PERIOD))
    }
}

/// The scale of an HPA's target.
struct Scale {
    path: String,
    object: Value,
}

impl Scale {
    fn wanted(&self) -> i64 {
        integer(&self.object, "/spec/replicas").unwrap_or(0)
    }
}

/// What one sync decided.
struct Decision {
    replicas: i64,
    reason: String,
    metrics: Vec<Value>,
}

impl Autoscaler {
    pub(crate) fn new(cache: &Arc<Cache>, client: Client) -> Self {
        let events = Recorder::new(cache, "horizontal-pod-autoscaler");
        Self { cache: Arc::clone(cache), client, events, histories: Mutex::default() }
    }

    async fn sync(&self, hpa: &Value) -> Result<()> {
        let mut draft = Draft::of(hpa, second(self.cache.clock.now()));
        let scale = match self.scale(hpa).await {
            Ok(scale) => scale,
            Err(why) => {
                self.events.warning(hpa, "FailedGetScale", &why).await;
                let message = format!("the HPA controller was unable to get the target's current scale: {why}");
                draft.condition("AbleToScale", false, "FailedGetScale", &message);
                return self.write(hpa, draft).await;
            }
        };
        draft.condition(
            "AbleToScale",
            true,
            "SucceededGetScale",
            "the HPA controller was able to get the target's current scale",
        );
        let current = scale.wanted();
        let now = self.cache.clock.moment();
        self.with_history(hpa, |history| *history = history.take().or_else(|| Some(History::start(now, current))));
        let Some(decision) = self.decide(hpa, &scale, &mut draft).await else {
            return self.write(hpa, draft).await;
        };
        let rescale = decision.replicas != current;
        if rescale && !self.rescale(hpa, &scale, &decision, &mut draft).await {
            let desired = draft.desired();
            draft.sizes(current, desired, decision.metrics, false);
            return self.write(hpa, draft).await;
        }
        draft.sizes(current, decision.replicas, decision.metrics, rescale);
        self.write(hpa, draft).await
    }

    fn with_history<T>(&self, hpa: &Value, change: impl FnOnce(&mut Option<History>) -> T) -> T {
        let mut histories = self.histories.lock().unwrap_or_else(PoisonError::into_inner);
        let mut history = histories.remove(uid(hpa));
        let result = change(&mut history);
        if let Some(history) = history {
            histories.insert(uid(hpa).to_owned(), history);
        }
        result
    }

    /// The target's scale subresource, whatever kind the target is of.
    async fn scale(&self, hpa: &Value) -> Result<Scale, String> {
        let reference = &hpa["spec"]["scaleTargetRef"];
        let (api_version, kind) = (text(reference, "/apiVersion"), text(reference, "/kind"));
        let target = self.target(api_version, kind).await.map_err(|error| error.to_string())?;
        let target = target.ok_or_else(|| {
            format!(
                "no matches for kind \"{kind}\" in group \"{}\"",
                api_version.split_once('/').map_or("", |(group, _)| group)
            )
        })?;
        let path = target.path(text(hpa, "/metadata/namespace"), text(reference, "/name"));
        let path = format!("{path}/scale");
        let object = self.client.get(&path).await.map_err(|status| status.message().to_owned())?;
        Ok(Scale { path, object })
    }

    async fn target(&self, api_version: &str, kind: &str) -> Result<Option<Resource>> {
        let known = self.cache.resources().into_iter().find(|one| one.kind == kind && one.api_version() == api_version);
        if known.is_some() {
            return Ok(known);
        }
        Ok(self.cache.discover().await?.find(api_version, kind).cloned())
    }

    /// What the size is to be. Nothing if no decision is possible; the draft says why.
    async fn decide(&self, hpa: &Value, scale: &Scale, draft: &mut Draft) -> Option<Decision> {
        let current = scale.wanted();
        let min = integer(hpa, "/spec/minReplicas").unwrap_or(1);
        let max = integer(hpa, "/spec/maxReplicas").unwrap_or(min);
        let bare =
            |replicas: i64, reason: &str| Some(Decision { replicas, reason: reason.to_owned(), metrics: vec![] });
        if current == 0 && min != 0 {
            let message = "scaling is disabled since the replica count of the target is zero";
            draft.condition("ScalingActive", false, "ScalingDisabled", message);
            return bare(0, "");
        }
        if current > max {
            return bare(max, "Current number of replicas above Spec.MaxReplicas");
        }
        if current < min {
            return bare(min, "Current number of replicas below Spec.MinReplicas");
        }
        self.ask_metrics(hpa, scale, draft, (min, max)).await
    }

    async fn ask_metrics(&self, hpa: &Value, scale: &Scale, draft: &mut Draft, limits: (i64, i64)) -> Option<Decision> {
        let current = scale.wanted();
        let selector = text(&scale.object, "/status/selector");
        if selector.is_empty() {
            self.events.warning(hpa, "SelectorRequired", "selector is required").await;
            draft.condition("ScalingActive", false, "InvalidSelector", "the HPA target's scale is missing a selector");
            return None;
        }
        let sizes = self.sizes(hpa, scale, selector);
        let tolerance = behavior::tolerance(hpa);
        let (mut outcomes, mut statuses) = (Vec::new(), Vec::new());
        for spec in items(hpa, "/spec/metrics") {
            let namespace = text(hpa, "/metadata/namespace");
            let Reading { outcome, status } = metrics::read(&self.client, namespace, spec, sizes, tolerance).await;
            if let Outcome::Failed { reason, message, .. } = &outcome {
                self.events.warning(hpa, reason, message).await;
            }
            outcomes.push(outcome);
            statuses.push(status);
        }
        match combine(&outcomes, current) {
            Verdict::Unknown { reason, message, error } => {
                let message = format!("the HPA was unable to compute the replica count: {message}");
                draft.condition("ScalingActive", false, reason, &message);
                let desired = draft.desired();
                draft.sizes(current, desired, statuses, false);
                self.events.warning(hpa, "FailedComputeMetricsReplicas", &error).await;
                None
            }
            Verdict::Replicas { replicas, metric, partial } => {
                let message = format!("the HPA was able to successfully calculate a replica count from {metric}");
                draft.condition("ScalingActive", true, "ValidMetricFound", &message);
                if let Some(error) = partial {
                    tracing::debug!(hpa = %Key::of(hpa), error, "some metrics failed");
                }
                let replicas = self.settle(hpa, draft, current, replicas, limits);
                let reason = if replicas > current {
                    format!("{metric} above target")
                } else {
                    "All metrics below target".to_owned()
                };
                Some(Decision { replicas, reason, metrics: statuses })
            }
        }
    }

    /// Sizes as the scale reports them, and the target's pods as they are.
    fn sizes(&self, hpa: &Value, scale: &Scale, selector: &str) -> Sizes {
        let pods = self.cache.list("pods", Some(text(hpa, "/metadata/namespace")));
        let pods: Vec<_> = pods.iter().filter(|pod| text_selects(selector, &labels(pod))).collect();
        let ready = pods.iter().filter(|pod| text(pod, "/status/phase") == "Running" && pod_ready(pod)).count();
        Sizes {
            wanted: scale.wanted(),
            existing: integer(&scale.object, "/status/replicas").unwrap_or(0),
            ready: ready as i64,
            pods: pods.len(),
        }
    }

    fn settle(&self, hpa: &Value, draft: &mut Draft, current: i64, wanted: i64, limits: (i64, i64)) -> i64 {
        let now = self.cache.clock.moment();
        let settled = self.with_history(hpa, |history| {
            let history = history.get_or_insert_with(|| History::start(now, current));
            Behavior::of(hpa).settle(history, now, current, wanted, limits)
        });
        draft.condition("AbleToScale", true, settled.able.0, settled.able.1);
        draft.condition("ScalingLimited", settled.limited, settled.limit.0, settled.limit.1);
        settled.replicas
    }

    /// Writes the scale. Returns whether that succeeded.
    async fn rescale(&self, hpa: &Value, scale: &Scale, decision: &Decision, draft: &mut Draft) -> bool {
        let (current, size, reason) = (scale.wanted(), decision.replicas, &decision.reason);
        let mut changed = scale.object.clone();
        changed["spec"]["replicas"] = size.into();
        if let Err(status) = self.client.update(&scale.path, &changed).await {
            let why = status.message();
            let message = format!("New size: {size}; reason: {reason}; error: {why}");
            self.events.warning(hpa, "FailedRescale", &message).await;
            let message = format!("the HPA controller was unable to update the target scale: {why}");
            draft.condition("AbleToScale", false, "FailedUpdateScale", &message);
            return false;
        }
        let message = format!("the HPA controller was able to update the target scale to {size}");
        draft.condition("AbleToScale", true, "SucceededRescale", &message);
        self.events.normal(hpa, "SuccessfulRescale", &format!("New size: {size}; reason: {reason}")).await;
        let now = self.cache.clock.moment();
        self.with_history(hpa, |history| {
            if let Some(history) = history {
                Behavior::of(hpa).note(history, now, current, size);
            }
        });
        true
    }

    /// Writes the status if it differs.
    async fn write(&self, hpa: &Value, draft: Draft) -> Result<()> {
        if !draft.differs_from(hpa) {
            return Ok(());
        }
        let changed = draft.into_object();
        let path = self.cache.resource(HPAS)?.path(text(hpa, "/metadata/namespace"), text(hpa, "/metadata/name"));
        let action = format!("failed to update the status of HPA {}", Key::of(hpa));
        let made = self.client.update(&format!("{path}/status"), &changed).await.map_err(Error::api(action))?;
        self.cache.learn(HPAS, made);
        Ok(())
    }
}
