//! What is done right after a container has started and before it is asked to end.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::pod::Pod;
use super::probe;
use super::process::{Inside, signal};
use crate::event::Severity;
use crate::object::{integer, text};

/// Runs `lifecycle.postStart`. The error is the event's text; the container does not survive it.
pub(super) async fn post_start(pod: &Pod, container: &Value, inside: &Inside) -> Result<(), String> {
    let Some(action) = container.pointer("/lifecycle/postStart") else { return Ok(()) };
    let Err(why) = act(pod, container, inside, action).await else { return Ok(()) };
    let message = format!("PostStartHook failed: {why}");
    pod.container_event(container, Severity::Warning, "FailedPostStartHook", &message).await;
    Err("FailedPostStartHook".to_owned())
}

/// Runs `lifecycle.preStop`, then sends the signal by which the container ends.
pub(super) async fn stop(pod: &Pod, container: &Value, inside: &Inside) {
    if let Some(action) = container.pointer("/lifecycle/preStop")
        && let Err(why) = act(pod, container, inside, action).await
    {
        let message = format!("PreStopHook failed: {why}");
        pod.container_event(container, Severity::Warning, "FailedPreStopHook", &message).await;
    }
    signal(inside.pid, stop_signal(container));
}

/// `lifecycle.stopSignal`, SIGTERM where a container does not choose.
fn stop_signal(container: &Value) -> Signal {
    text(container, "/lifecycle/stopSignal").parse().unwrap_or(Signal::SIGTERM)
}

async fn act(pod: &Pod, container: &Value, inside: &Inside, action: &Value) -> Result<(), String> {
    if let Some(seconds) = integer(action, "/sleep/seconds") {
        pod.cache.clock.sleep(Duration::from_secs(seconds.max(0) as u64)).await;
        return Ok(());
    }
    probe::check(pod, container, inside, action).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_chooses_its_signal() {
        assert_eq!(stop_signal(&json!({})), Signal::SIGTERM);
        assert_eq!(stop_signal(&json!({"lifecycle": {"stopSignal": "SIGUSR1"}})), Signal::SIGUSR1);
    }
}
