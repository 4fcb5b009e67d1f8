//! Prometheus metrics under KEDA's names (`docs/rules.md#keda-prometheus-metrics`).
//!
//! Where KEDA 2.14 had two names for one number (the older one deprecated), both are served. The text is Prometheus' own format and not
//! OpenMetrics, as KEDA's is by default: there a counter may be called `keda_scaler_errors` beside `keda_scaler_errors_total`.

mod objects;
#[cfg(target_os = "linux")]
mod process;
mod requests;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use self::objects::Objects;
pub(crate) use self::requests::Requests;
use crate::key::Reference;

type Labels<const N: usize> = [(&'static str, String); N];
type Gauges<const N: usize> = Family<Labels<N>, Gauge<f64, AtomicU64>>;

/// The content type of the exposition.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Counters of KEDA 2.14 without the ending `_total`. They are served as gauges, which get no ending.
const BARE_ERRORS: &str = "keda_scaler_errors";
const BARE_OBJECT_ERRORS: &str = "keda_scaled_object_errors";
const BARE_JOB_ERRORS: &str = "keda_scaled_job_errors";

/// Which metric of which trigger of which object a number belongs to.
pub(crate) struct Series<'a> {
    pub(crate) object: &'a Reference,
    /// The external metric's name.
    pub(crate) metric: &'a str,
    /// The trigger's name, else its type.
    pub(crate) scaler: &'a str,
    pub(crate) index: usize,
}

/// All metrics of the operator.
pub(crate) struct Telemetry {
    registry: Registry,
    objects: Arc<Objects>,
    errors_total: Counter,
    triggers: Gauges<1>,
    resources: Gauges<2>,
    leader: Gauge,
    requests: Requests,
}

impl Telemetry {
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            objects: Arc::default(),
            errors_total: Counter::default(),
            triggers: Family::default(),
            resources: Family::default(),
            leader: Gauge::default(),
            requests: Requests::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let build = Gauges::default();
        // The one that the HPA's labels have: what tools that know KEDA may expect of this operator.
        let version = keda::KEDA_VERSION.to_owned();
        let labels = [
            ("version", version),
            ("git_commit", String::new()),
            ("goversion", String::new()),
            ("goos", std::env::consts::OS.to_owned()),
            ("goarch", std::env::consts::ARCH.to_owned()),
        ];
        build.get_or_create(&labels).set(1.0);
        let registry = &mut self.registry;
        registry.register("keda_build_info", "Version of the operator", build);
        registry.register_collector(Box::new(Arc::clone(&self.objects)));
        registry.register("keda_scaler_errors", "Errors of all scalers", self.errors_total.clone());
        registry.register("keda_trigger_registered_total", "Triggers by type", self.triggers.clone());
        registry.register("keda_trigger_totals", "The same (deprecated)", self.triggers.clone());
        registry.register("keda_resource_registered_total", "Objects by type and namespace", self.resources.clone());
        registry.register("keda_resource_totals", "The same (deprecated)", self.resources.clone());
        registry.register("leader_election_master_status", "Whether this replica leads", self.leader.clone());
        self.requests.register(registry);
        #[cfg(target_os = "linux")]
        registry.register_collector(Box::new(process::ThisProcess));
    }

    /// Where the requests to the API server are counted.
    pub(crate) fn requests(&self) -> &Requests {
        &self.requests
    }

    /// A metric was read in `seconds` of real time.
    pub(crate) fn read(&self, series: &Series<'_>, value: f64, active: bool, seconds: f64) {
        self.objects.change(series.object, |object| {
            let numbers = object.metric(series);
            (numbers.value, numbers.is_active, numbers.latency) = (Some(value), Some(active), Some(seconds));
            // The counters exist from the first success on, so that an increase can be seen.
            numbers.count_errors(0);
            object.count_errors(0);
        });
    }

    /// A metric was made of others, which were read.
    pub(crate) fn composed(&self, series: &Series<'_>, value: f64, active: bool) {
        self.objects.change(series.object, |object| {
            let numbers = object.metric(series);
            (numbers.value, numbers.is_active) = (Some(value), Some(active));
        });
    }

    /// A metric could not be read, or its scaler not be built.
    pub(crate) fn failed(&self, series: &Series<'_>) {
        self.errors_total.inc();
        self.objects.change(series.object, |object| {
            let numbers = object.metric(series);
            numbers.is_active = Some(false);
            numbers.count_errors(1);
            object.count_errors(1);
        });
    }

    /// Something is wrong with an object.
    pub(crate) fn object_failed(&self, object: &Reference) {
        self.objects.change(object, |object| object.count_errors(1));
    }

    /// Of ScaledObjects only, as in KEDA.
    pub(crate) fn paused(&self, object: &Reference, paused: bool) {
        self.objects.change(object, |object| object.is_paused = Some(paused));
    }

    /// A poll began `seconds` of real time later than planned.
    pub(crate) fn poll_late(&self, object: &Reference, seconds: f64) {
        self.objects.change(object, |object| object.late = Some(seconds));
    }

    pub(crate) fn leading(&self, leading: bool) {
        self.leader.set(i64::from(leading));
    }

    /// So many objects more of this type in a namespace.
    pub(crate) fn count_object(&self, kind: &str, namespace: &str, more: f64) {
        count(&self.resources, &[("type", kind.to_owned()), ("namespace", namespace.to_owned())], more);
    }

    /// So many triggers more of this type.
    pub(crate) fn count_trigger(&self, kind: &str, more: f64) {
        count(&self.triggers, &[("type", kind.to_owned())], more);
    }

    /// The metric is gone.
    pub(crate) fn retire(&self, series: &Series<'_>) {
        self.objects.retire(series);
    }

    /// The object is gone, and its metrics with it.
    pub(crate) fn forget(&self, object: &Reference) {
        self.objects.forget(object);
    }

    /// Everything as text.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => plain(&text),
            Err(_) => String::new(),
        }
    }
}

/// OpenMetrics as Prometheus' own text format: there a counter's family is called as its samples are, and nothing marks the end.
fn plain(openmetrics: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut help = None;
    for line in openmetrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), Some(name), Some(words)) => help = Some((name, words)),
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => {
                let ending = if kind == "counter" { "_total" } else { "" };
                let is_bare = [BARE_ERRORS, BARE_OBJECT_ERRORS, BARE_JOB_ERRORS].contains(&name);
                let kind = if is_bare { "counter" } else { kind };
                let help = help.take().filter(|(of, _)| *of == name);
                lines.extend(help.map(|(_, words)| format!("# HELP {name}{ending} {words}")));
                lines.push(format!("# TYPE {name}{ending} {kind}"));
            }
            (Some("#"), ..) => {}
            _ => lines.push(line.to_owned()),
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A total that is zero is not served.
fn count<const N: usize>(totals: &Gauges<N>, labels: &Labels<N>, more: f64) {
    if totals.get_or_create(labels).inc_by(more) + more <= 0.0 {
        totals.remove(labels);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;
    use crate::owner::{SCALED_JOB, SCALED_OBJECT};

    #[test]
    fn names_and_labels_are_those_of_keda() {
        let telemetry = Telemetry::new();
        let object = Reference { kind: "ScaledObject", key: Key::new("shop", "orders") };
        let series = Series { object: &object, metric: "s0-aws-sqs-orders", scaler: "aws-sqs-queue", index: 0 };
        telemetry.read(&series, 9.0, true, 0.25);
        telemetry.failed(&series);
        let text = telemetry.render();
        let labels = r#"namespace="shop",metric="s0-aws-sqs-orders",scaledObject="orders",scaler="aws-sqs-queue",triggerIndex="0",type="scaledobject""#;
        for line in [
            format!("keda_scaler_metrics_value{{{labels}}} 9.0"),
            format!("keda_scaler_detail_errors_total{{{labels}}} 1"),
            format!("keda_scaler_active{{{labels}}} 0.0"),
            format!("keda_scaler_errors{{{labels}}} 1.0"),
            "keda_scaler_errors_total 1".to_owned(),
            r#"keda_scaled_object_errors{namespace="shop",scaledObject="orders"} 1.0"#.to_owned(),
            "# TYPE keda_scaler_errors counter\n".to_owned(),
            "# TYPE keda_scaler_errors_total counter\n".to_owned(),
            format!("keda_build_info{{version=\"{}\"", keda::KEDA_VERSION),
            r#"keda_scaled_object_errors_total{namespace="shop",scaledObject="orders"} 1"#.to_owned(),
        ] {
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("keda_scaled_job_errors{"), "{text}");
        let families: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let once: std::collections::BTreeSet<_> = families.iter().collect();
        assert!(families.len() == once.len() && !text.contains("# EOF"), "each family is there once: {text}");
        if cfg!(target_os = "linux") {
            let numbers: Vec<_> = text.lines().filter(|line| line.starts_with("process_")).collect();
            let names = ["resident_memory_bytes", "virtual_memory_bytes", "open_fds", "max_fds", "start_time_seconds"];
            for name in names.iter().chain(&["cpu_seconds_total"]) {
                let begin = format!("process_{name} ");
                let value = numbers.iter().find_map(|line| line.strip_prefix(&begin)?.parse::<f64>().ok());
                assert!(value.is_some_and(|value| value >= 0.0), "{name} is not in {numbers:?}");
            }
        }
        telemetry.poll_late(&object, 0.5);
        telemetry.retire(&series);
        telemetry.forget(&object);
        let text = telemetry.render();
        assert!(!text.contains("orders"), "{text}");
    }

    #[test]
    fn a_scaled_job_and_a_scaled_object_of_one_name_have_series_of_their_own() {
        let telemetry = Telemetry::new();
        let of = |kind| Reference { kind, key: Key::new("shop", "orders") };
        for kind in [SCALED_JOB, SCALED_OBJECT] {
            let object = of(kind);
            telemetry.failed(&Series { object: &object, metric: "s0-m", scaler: "s", index: 0 });
            telemetry.poll_late(&object, 0.5);
        }
        telemetry.paused(&of(SCALED_OBJECT), true);
        let job = [
            r#"keda_scaled_job_errors_total{namespace="shop",scaledJob="orders"} 1"#,
            r#"keda_scaled_job_errors{namespace="shop",scaledJob="orders"} 1.0"#,
            r#"keda_internal_scale_loop_latency_seconds{namespace="shop",type="scaledjob",resource="orders"} 0.5"#,
            r#"scaledObject="orders",scaler="s",triggerIndex="0",type="scaledjob"} 1"#,
        ];
        let text = telemetry.render();
        for line in job {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        telemetry.forget(&of(SCALED_JOB));
        let text = telemetry.render();
        assert!(job[..3].iter().all(|line| !text.contains(line)), "{text}");
        for line in
            ["keda_scaled_object_errors_total{", "keda_scaled_object_paused{", r#"type="scaledobject",resource"#]
        {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
