//! Probes: startup first, then liveness and readiness side by side, with periods and thresholds in system time.

mod grpc;
mod http;

use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::pod::Pod;
use super::process::Inside;
use crate::event::Severity;
use crate::object::{integer, items, text};

/// The least real time that a probe gets: its timeout is there against hangs, and a scaled second is too short for
/// any answer.
const REAL_TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// The least real time for which a container must have been silent before it is taken for dead.
const REAL_SILENCE_MIN: Duration = Duration::from_secs(5);

/// One probe of one container.
#[derive(Clone, Copy)]
struct Probe<'a> {
    kind: &'static str,
    spec: &'a Value,
}

impl Probe<'_> {
    fn seconds(&self, field: &str, default: i64, min: i64) -> Duration {
        Duration::from_secs(integer(self.spec, &format!("/{field}")).unwrap_or(default).max(min) as u64)
    }

    fn threshold(&self, field: &str, default: i64) -> i64 {
        integer(self.spec, &format!("/{field}")).unwrap_or(default).max(1)
    }
}

/// Watches a running container: keeps `started` and `ready` up to date and asks for its end when it is not alive.
pub(super) async fn watch(pod: Arc<Pod>, index: usize, container: Value, inside: Inside, end: mpsc::Sender<Verdict>) {
    let probe = |kind: &'static str, field: &str| {
        let spec = container.get(field).filter(|spec| spec.is_object())?;
        Some(Probe { kind, spec })
    };
    if let Some(startup) = probe("Startup", "startupProbe")
        && !until_settled(&pod, &container, &inside, startup).await
    {
        drop(end.send(verdict(&container, startup, "startup")).await);
        return;
    }
    let readiness = probe("Readiness", "readinessProbe");
    pod.set(index, |one| {
        one.started = true;
        one.ready = readiness.is_none();
    });
    let readiness = async {
        if let Some(probe) = readiness {
            follow(&pod, &container, &inside, probe, |ready| pod.set(index, |one| one.ready = ready)).await;
        }
    };
    let liveness = async {
        if let Some(probe) = probe("Liveness", "livenessProbe")
            && !alive(&pod, &container, &inside, probe).await
        {
            drop(end.send(verdict(&container, probe, "liveness")).await);
        }
    };
    futures::join!(readiness, liveness);
}

/// A container is to be ended, and started again as its policy says.
pub(super) struct Verdict {
    pub(super) why: String,
    /// The grace of the probe that says so; the pod's own if it has none.
    pub(super) grace: Option<Duration>,
}

fn verdict(container: &Value, probe: Probe<'_>, name: &str) -> Verdict {
    let grace = integer(probe.spec, "/terminationGracePeriodSeconds");
    Verdict {
        why: format!("Container {} failed {name} probe, will be restarted", text(container, "/name")),
        grace: grace.map(|seconds| Duration::from_secs(seconds.max(0) as u64)),
    }
}

/// Runs the startup probe until it succeeds (true) or fails too often (false).
async fn until_settled(pod: &Pod, container: &Value, inside: &Inside, probe: Probe<'_>) -> bool {
    pod.cache.clock.sleep(probe.seconds("initialDelaySeconds", 0, 0)).await;
    let mut failures = 0;
    loop {
        if attempt(pod, container, inside, probe).await {
            return true;
        }
        failures += 1;
        if failures >= probe.threshold("failureThreshold", 3) {
            return false;
        }
        pod.cache.clock.sleep(probe.seconds("periodSeconds", 10, 1)).await;
    }
}

/// Returns when the container counts as dead: when it has failed as often as the probe says, and for as long as
/// [`real_floor`] says.
async fn alive(pod: &Pod, container: &Value, inside: &Inside, probe: Probe<'_>) -> bool {
    let clock = &pod.cache.clock;
    clock.sleep(probe.seconds("initialDelaySeconds", 0, 0)).await;
    let (period, threshold) = (probe.seconds("periodSeconds", 10, 1), probe.threshold("failureThreshold", 3));
    let floor = real_floor(clock, period, threshold);
    let (mut failures, mut since) = (0, clock.moment());
    loop {
        if attempt(pod, container, inside, probe).await {
            (failures, since) = (0, clock.moment());
        } else {
            failures += 1;
        }
        if failures >= threshold && clock.elapsed(since) >= floor {
            return false;
        }
        clock.sleep(period).await;
    }
}

/// How long a container must have been silent, in system time, before it is taken for dead. A fast clock shrinks the periods
/// of a probe, but not the stalls of a busy machine; where the periods take longer by themselves, they decide alone.
fn real_floor(clock: &Clock, period: Duration, threshold: i64) -> Duration {
    let periods = period.saturating_mul(u32::try_from(threshold - 1).unwrap_or(u32::MAX));
    clock.to_system(REAL_SILENCE_MIN.min(periods))
}

/// Reports readiness, for ever.
async fn follow(pod: &Pod, container: &Value, inside: &Inside, probe: Probe<'_>, report: impl Fn(bool)) {
    pod.cache.clock.sleep(probe.seconds("initialDelaySeconds", 0, 0)).await;
    let (mut same, mut last) = (0, None);
    loop {
        let succeeded = attempt(pod, container, inside, probe).await;
        same = if last == Some(succeeded) { same + 1 } else { 1 };
        last = Some(succeeded);
        let (field, default) = if succeeded { ("successThreshold", 1) } else { ("failureThreshold", 3) };
        if same >= probe.threshold(field, default) {
            report(succeeded);
        }
        pod.cache.clock.sleep(probe.seconds("periodSeconds", 10, 1)).await;
    }
}

async fn attempt(pod: &Pod, container: &Value, inside: &Inside, probe: Probe<'_>) -> bool {
    let clock = &pod.cache.clock;
    let limit = probe.seconds("timeoutSeconds", 1, 1).max(clock.to_system(REAL_TIMEOUT_MIN));
    let outcome = match clock.timeout(limit, check(pod, container, inside, probe.spec)).await {
        Ok(outcome) => outcome,
        Err(_) => Err("context deadline exceeded (the probe got no answer in time)".to_owned()),
    };
    let Err(why) = outcome else { return true };
    let field = format!("spec.containers{{{}}}", text(container, "/name"));
    let message = format!("{} probe failed: {why}", probe.kind);
    pod.events.container(&pod.object(), &field, Severity::Warning, "Unhealthy", &message).await;
    false
}

/// Does once what a probe or a hook says.
pub(super) async fn check(pod: &Pod, container: &Value, inside: &Inside, spec: &Value) -> Result<(), String> {
    if let Some(get) = spec.get("httpGet") {
        let host = if text(get, "/host").is_empty() { pod.address.as_str() } else { text(get, "/host") };
        let port = port(container, get).ok_or_else(|| "the probe's port is not one of the container's".to_owned())?;
        return http::get(host, port, get).await;
    }
    if let Some(socket) = spec.get("tcpSocket") {
        let host = if text(socket, "/host").is_empty() { pod.address.as_str() } else { text(socket, "/host") };
        let port =
            port(container, socket).ok_or_else(|| "the probe's port is not one of the container's".to_owned())?;
        let connected = TcpStream::connect((host, port)).await;
        return connected.map(drop).map_err(|error| format!("dial tcp {host}:{port}: {error}"));
    }
    if let Some(call) = spec.get("grpc") {
        let port = port(container, call).ok_or_else(|| "the probe's port is not a port".to_owned())?;
        return grpc::check(&pod.address, port, text(call, "/service")).await;
    }
    if let Some(exec) = spec.get("exec") {
        let words: Vec<String> =
            items(exec, "/command").iter().filter_map(|one| one.as_str().map(str::to_owned)).collect();
        return inside.command.exec(inside.pid, &words).await;
    }
    Err("the probe's type is not supported; use httpGet, tcpSocket, grpc or exec".to_owned())
}

/// A number, or a container port by its name.
fn port(container: &Value, action: &Value) -> Option<u16> {
    let port = &action["port"];
    if let Some(number) = port.as_u64() {
        return u16::try_from(number).ok();
    }
    let name = port.as_str()?;
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let named = items(container, "/ports").iter().find(|one| text(one, "/name") == name)?;
    u16::try_from(integer(named, "/containerPort")?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_of_the_machine_is_no_death_however_fast_the_clock_runs() {
        let (period, threshold) = (Duration::from_secs(10), 3);
        let fast = Clock::scaled(30.0);
        // 20 s of the system are 0.7 s of the machine.
        assert_eq!(fast.to_real(real_floor(&fast, period, threshold)).as_secs(), 5);
        for slow in [Clock::real(), Clock::scaled(2.0)] {
            assert!(real_floor(&slow, period, threshold) <= period * 2, "the periods decide");
        }
        // Who asks for a second gets no more than the stretched second.
        assert_eq!(real_floor(&Clock::real(), Duration::from_secs(1), 1), Duration::ZERO);
        assert_eq!(fast.to_real(real_floor(&fast, Duration::from_secs(1), 3)).as_secs(), 2);
    }
}
