//! The election against a scripted API server, with clocks that differ and a server that does not answer.

use clock::ClockHandle;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use serde_json::json;

use super::*;
use crate::scripted::{Server, soon};

const SECOND: Duration = Duration::from_secs(1);
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/keda/leases/operator.keda.sh";

fn elector(server: &std::sync::Arc<Server>, identity: &str, clock: Clock) -> Elector {
    let settings = Settings { identity: identity.to_owned(), ..Settings::default() };
    let mandate = Mandate::new(clock.clone());
    Elector::new(server.client(), &settings, clock, mandate)
}

/// A replica whose clock stands at `second` and moves by hand.
fn replica(server: &std::sync::Arc<Server>, identity: &str, second: i64) -> (Elector, ClockHandle) {
    let (clock, handle) = Clock::manual(Timestamp::from_second(second).unwrap());
    (elector(server, identity, clock), handle)
}

fn lease(holder: &str) -> LeaseSpec {
    LeaseSpec { holder_identity: Some(holder.to_owned()), lease_duration_seconds: Some(15), ..LeaseSpec::default() }
}

#[test]
fn a_lease_is_taken_only_when_free_or_unchanged_for_too_long() {
    assert_eq!(evaluate(&lease(""), "me", SECOND), Step::Take);
    assert_eq!(evaluate(&lease("me"), "me", 99 * SECOND), Step::Renew);
    assert_eq!(evaluate(&lease("other"), "me", 15 * SECOND), Step::Wait);
    assert_eq!(evaluate(&lease("other"), "me", 16 * SECOND), Step::Take);
}

#[tokio::test]
async fn a_lease_that_is_renewed_is_not_taken_whatever_the_clocks_say() {
    // The second replica's clock is a day ahead; by it every renewal is long past.
    let server = Server::start([], |_| None);
    let (first, slow) = replica(&server, "first", 1_000_000);
    let (second, fast) = replica(&server, "second", 1_086_400);
    assert!(first.attempt().await.unwrap().is_some());
    for _ in 0..5 {
        assert!(second.attempt().await.unwrap().is_none());
        slow.advance(10 * SECOND);
        fast.advance(10 * SECOND);
        assert!(first.attempt().await.unwrap().is_some());
    }
    assert!(!second.mandate.holds());
}

#[tokio::test]
async fn a_lease_that_stands_still_is_taken_even_if_its_time_lies_ahead() {
    let server = Server::start([], |_| None);
    let (first, _) = replica(&server, "first", 1_086_400);
    let (second, clock) = replica(&server, "second", 1_000_000);
    assert!(first.attempt().await.unwrap().is_some());
    assert!(second.attempt().await.unwrap().is_none());
    clock.advance(14 * SECOND);
    assert!(second.attempt().await.unwrap().is_none());
    clock.advance(2 * SECOND);
    assert!(second.attempt().await.unwrap().is_some() && second.mandate.holds());
}

#[tokio::test]
async fn the_mandate_ends_before_another_could_take_the_lease() {
    let server = Server::start([], |_| None);
    let (leader, clock) = replica(&server, "leader", 1_000_000);
    assert!(!leader.mandate.holds());
    assert!(leader.attempt().await.unwrap().is_some() && leader.mandate.holds());
    clock.advance(9 * SECOND);
    assert!(leader.mandate.holds());
    clock.advance(SECOND);
    assert!(!leader.mandate.holds(), "it was not renewed for the renew deadline");
}

#[tokio::test]
async fn no_write_is_sent_without_the_mandate_and_reads_are() {
    let server = Server::start([(LEASE, json!({ "metadata": { "name": "operator.keda.sh" } }))], |_| None);
    let clock = Clock::real();
    let mandate = Mandate::new(clock.clone());
    let leases: Api<Lease> = Api::namespaced(mandate.guarded(&server.client()), "keda");
    let write = async || {
        leases.patch("operator.keda.sh", &kube::api::PatchParams::default(), &kube::api::Patch::Merge(json!({}))).await
    };
    let refused = write().await.unwrap_err().to_string();
    assert!(refused.contains("does not hold the leader lease"), "{refused}");
    leases.get("operator.keda.sh").await.unwrap();
    mandate.grant(clock.moment().plus(99 * SECOND));
    write().await.unwrap();
    mandate.revoke();
    write().await.unwrap_err();
    assert_eq!(server.writes().len(), 1);
}

#[tokio::test]
async fn a_connection_that_died_costs_one_attempt_and_not_the_lease() {
    let server = Server::start([], |_| None);
    let is_silent = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let client = {
        let (server, is_silent) = (server.client(), std::sync::Arc::clone(&is_silent));
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let (server, is_silent) = (server.clone(), is_silent.swap(false, std::sync::atomic::Ordering::SeqCst));
            async move {
                if is_silent {
                    std::future::pending::<()>().await;
                }
                server.send(request).await
            }
        });
        Client::new(service, "keda")
    };
    let clock = Clock::scaled(50.0);
    let settings = Settings { identity: "me".to_owned(), ..Settings::default() };
    let elector = Elector::new(client, &settings, clock.clone(), Mandate::new(clock));
    let first = elector.attempt().await.unwrap().unwrap();
    is_silent.store(true, std::sync::atomic::Ordering::SeqCst);
    let again = elector.clock.timeout(elector.timing.renew_deadline, elector.renew()).await.unwrap().unwrap().unwrap();
    assert!(again > first && elector.mandate.holds());
}

#[tokio::test]
async fn a_shutdown_gives_the_lease_back_even_if_the_work_does_not_end() {
    let server = Server::start([], |_| None);
    let elector = elector(&server, "me", Clock::scaled(50.0));
    let stop = CancellationToken::new();
    let begun = std::sync::Arc::new(tokio::sync::Notify::new());
    let begins = std::sync::Arc::clone(&begun);
    let running = elector.run(&stop, |_| async move {
        begins.notify_one();
        std::future::pending::<()>().await;
    });
    let ending = async {
        begun.notified().await;
        stop.cancel();
    };
    let (ended, ()) = soon(Box::pin(async { tokio::join!(running, ending) })).await;
    ended.unwrap();
    assert_eq!(server.object(LEASE).unwrap()["spec"]["holderIdentity"], "");
    assert!(!elector.mandate.holds());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_keeps_its_thread_busy_delays_no_renewal() {
    let (renewed, renewals) = std::sync::mpsc::channel();
    let renewed = std::sync::Mutex::new(renewed);
    let server = Server::start([], move |line| {
        if line.starts_with("PUT") {
            let _ = renewed.lock().unwrap().send(());
        }
        None
    });
    let [duration, renew_deadline, retry] = [15_000, 10_000, 50].map(Duration::from_millis);
    let timing = LeaseTiming { duration, renew_deadline, retry };
    let settings = Settings { identity: "me".to_owned(), lease: timing, ..Settings::default() };
    let clock = Clock::real();
    let elector = Elector::new(server.client(), &settings, clock.clone(), Mandate::new(clock));
    let stop = CancellationToken::new();
    let (said, heard) = std::sync::mpsc::channel();
    let leading = elector.run(&stop, |_| async move {
        said.send(renewals.recv_timeout(5 * SECOND)).unwrap();
    });
    soon(Box::pin(leading)).await.unwrap();
    heard.recv().unwrap().expect("the lease was renewed while the work kept its thread");
}

#[tokio::test]
async fn a_leader_that_is_replaced_may_not_write_and_its_work_is_dropped() {
    let server = Server::start([], |_| None);
    let elector = elector(&server, "me", Clock::scaled(50.0));
    let stop = CancellationToken::new();
    let other = std::sync::Arc::clone(&server);
    let replaced = async move {
        other.put(LEASE, json!({ "metadata": { "name": "operator.keda.sh" }, "spec": { "holderIdentity": "other", "leaseDurationSeconds": 15 } }));
        std::future::pending::<()>().await;
    };
    let lost = soon(Box::pin(elector.run(&stop, |_| replaced))).await.unwrap_err();
    assert!(matches!(lost, Error::LeadershipLost { .. }) && !elector.mandate.holds());
    assert_eq!(server.object(LEASE).unwrap()["spec"]["holderIdentity"], "other");
}

#[test]
fn a_fast_clock_never_makes_a_lease_shorter_than_the_real_floor() {
    let timing = LeaseTiming::default();
    assert_eq!(stretched(timing, &Clock::real()), timing);
    let fast = Clock::scaled(30.0);
    let stretched = stretched(timing, &fast);
    assert!(fast.to_real(stretched.duration) + Duration::from_millis(1) >= REAL_FLOOR);
    // Seen at load 16 on two cores: an answer after 3.4 s cost the lease, and with it the operator's process.
    assert!(fast.to_real(stretched.renew_deadline) > Duration::from_secs(9));
    assert!(stretched.retry < stretched.renew_deadline && stretched.renew_deadline < stretched.duration);
}
