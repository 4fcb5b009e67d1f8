//! The numbers of each object with triggers and of its metrics.
//!
//! They are kept by object, and their labels are made when somebody asks for them: ten thousand objects have a dozen series each.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::{BARE_ERRORS, BARE_JOB_ERRORS, BARE_OBJECT_ERRORS, Series};
use crate::key::Reference;
use crate::owner::{SCALED_JOB, SCALED_OBJECT};

/// The numbers of all objects.
#[derive(Debug, Default)]
pub(super) struct Objects(Mutex<HashMap<Reference, Object>>);

/// What is not known yet is not served.
#[derive(Debug, Default)]
pub(super) struct Object {
    errors: Option<u64>,
    pub(super) is_paused: Option<bool>,
    /// How late the last poll began, in seconds of real time.
    pub(super) late: Option<f64>,
    metrics: Vec<Metric>,
}

/// The numbers of one metric of one trigger.
#[derive(Debug)]
struct Metric {
    name: Box<str>,
    scaler: Box<str>,
    index: usize,
    numbers: Numbers,
}

#[derive(Debug, Default)]
pub(super) struct Numbers {
    pub(super) value: Option<f64>,
    /// How long the last reading took, in seconds of real time.
    pub(super) latency: Option<f64>,
    pub(super) is_active: Option<bool>,
    errors: Option<u64>,
}

/// Makes the counter exist, so that an increase can be seen, and counts that many more.
fn count(counter: &mut Option<u64>, more: u64) {
    *counter.get_or_insert_default() += more;
}

impl Object {
    pub(super) fn count_errors(&mut self, more: u64) {
        count(&mut self.errors, more);
    }

    pub(super) fn metric(&mut self, series: &Series<'_>) -> &mut Numbers {
        let at = self.metrics.iter().position(|metric| metric.is(series)).unwrap_or_else(|| {
            // Most objects have one, and a first push would make room for four.
            self.metrics.reserve_exact(1);
            let (name, scaler) = (series.metric.into(), series.scaler.into());
            self.metrics.push(Metric { name, scaler, index: series.index, numbers: Numbers::default() });
            self.metrics.len() - 1
        });
        &mut self.metrics[at].numbers
    }
}

impl Metric {
    fn is(&self, series: &Series<'_>) -> bool {
        (&*self.name, &*self.scaler, self.index) == (series.metric, series.scaler, series.index)
    }
}

impl Numbers {
    pub(super) fn count_errors(&mut self, more: u64) {
        count(&mut self.errors, more);
    }
}

impl Objects {
    /// Changes the numbers of an object.
    pub(super) fn change(&self, object: &Reference, change: impl FnOnce(&mut Object)) {
        let mut objects = self.lock();
        match objects.get_mut(object) {
            Some(known) => change(known),
            None => change(objects.entry(object.clone()).or_default()),
        }
    }

    /// The metric is gone.
    pub(super) fn retire(&self, series: &Series<'_>) {
        if let Some(object) = self.lock().get_mut(series.object) {
            object.metrics.retain(|metric| !metric.is(series));
        }
    }

    /// The object is gone.
    pub(super) fn forget(&self, object: &Reference) {
        self.lock().remove(object);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Reference, Object>> {
        // Each number is consistent by itself, so a panic elsewhere does not spoil them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Objects {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let objects = self.lock();
        let mut page = Page { encoder: &mut encoder, objects: &objects };
        let millis = |seconds: Option<f64>| seconds.map(|seconds| seconds * 1000.0);
        let number = |is: Option<bool>| is.map(|is| if is { 1.0 } else { 0.0 });
        let same = "The same in milliseconds (deprecated)";
        page.metrics("keda_scaler_metrics_value", "Value of a scaler's metric", |of| gauge(of.value))?;
        page.metrics("keda_scaler_metrics_latency_seconds", "Time to read a scaler's metric", |of| gauge(of.latency))?;
        page.metrics("keda_scaler_metrics_latency", same, |of| gauge(millis(of.latency)))?;
        page.metrics("keda_scaler_active", "Whether a scaler is active", |of| gauge(number(of.is_active)))?;
        page.metrics("keda_scaler_detail_errors", "Errors of a scaler", |of| of.errors.map(ConstCounter::new))?;
        page.metrics(BARE_ERRORS, "Errors of a scaler (deprecated)", |of| bare(of.errors))?;
        for (kind, label, name, errors, bare_name, bare_errors) in [
            (
                SCALED_OBJECT,
                "scaledObject",
                "keda_scaled_object_errors",
                "Errors of a ScaledObject",
                BARE_OBJECT_ERRORS,
                "Errors of a ScaledObject (deprecated)",
            ),
            (
                SCALED_JOB,
                "scaledJob",
                "keda_scaled_job_errors",
                "Errors of a ScaledJob",
                BARE_JOB_ERRORS,
                "Errors of a ScaledJob (deprecated)",
            ),
        ] {
            page.named(kind, label, name, errors, |of| of.errors.map(ConstCounter::new))?;
            page.named(kind, label, bare_name, bare_errors, |of| bare(of.errors))?;
        }
        let paused = "Whether a ScaledObject is paused";
        page.named(SCALED_OBJECT, "scaledObject", "keda_scaled_object_paused", paused, |of| {
            gauge(number(of.is_paused))
        })?;
        let late = "Delay of a poll's start behind its plan";
        page.resources("keda_internal_scale_loop_latency_seconds", late, |of| gauge(of.late))?;
        page.resources("keda_internal_scale_loop_latency", same, |of| gauge(millis(of.late)))
    }
}

fn gauge(value: Option<f64>) -> Option<ConstGauge<f64>> {
    value.map(ConstGauge::new)
}

/// A counter that is served as a gauge.
fn bare(count: Option<u64>) -> Option<ConstGauge<f64>> {
    gauge(count.map(|count| count as f64))
}

/// The text that is written, family by family.
struct Page<'page, 'encoder> {
    encoder: &'page mut DescriptorEncoder<'encoder>,
    objects: &'page HashMap<Reference, Object>,
}

impl Page<'_, '_> {
    /// A number of each metric.
    fn metrics<N: EncodeMetric>(&mut self, name: &str, help: &str, of: impl Fn(&Numbers) -> Option<N>) -> fmt::Result {
        let each = self.objects.iter().flat_map(|(object, it)| it.metrics.iter().map(move |metric| (object, metric)));
        let series = each.filter_map(|(object, metric)| {
            let labels = [
                ("namespace", object.key.namespace.clone()),
                ("metric", metric.name.to_string()),
                ("scaledObject", object.key.name.clone()),
                ("scaler", metric.scaler.to_string()),
                ("triggerIndex", metric.index.to_string()),
                ("type", object.kind.to_lowercase()),
            ];
            Some((labels, of(&metric.numbers)?))
        });
        family(self.encoder, name, help, series)
    }

    /// A number of each object of a kind, whose name is in the label `label`.
    fn named<N: EncodeMetric>(
        &mut self,
        kind: &str,
        label: &'static str,
        name: &str,
        help: &str,
        of: impl Fn(&Object) -> Option<N>,
    ) -> fmt::Result {
        let each = self.objects.iter().filter(|(object, _)| object.kind == kind);
        let series = each.filter_map(|(object, it)| {
            Some(([("namespace", &*object.key.namespace), (label, &*object.key.name)], of(it)?))
        });
        family(self.encoder, name, help, series)
    }

    /// A number of each object, of whatever kind.
    fn resources<N: EncodeMetric>(&mut self, name: &str, help: &str, of: impl Fn(&Object) -> Option<N>) -> fmt::Result {
        let series = self.objects.iter().filter_map(|(object, it)| {
            let labels = [
                ("namespace", object.key.namespace.clone()),
                ("type", object.kind.to_lowercase()),
                ("resource", object.key.name.clone()),
            ];
            Some((labels, of(it)?))
        });
        family(self.encoder, name, help, series)
    }
}

/// A family without series is not served.
fn family<L: EncodeLabelSet, N: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    series: impl Iterator<Item = (L, N)>,
) -> fmt::Result {
    let mut series = series.peekable();
    let Some((_, first)) = series.peek() else { return Ok(()) };
    let mut family = encoder.encode_descriptor(name, help, None, first.metric_type())?;
    series.try_for_each(|(labels, number)| number.encode(family.encode_family(&labels)?))
}
