//! Every turn ends, also where the API server never answers.

use super::*;
use clock::{Clock, ClockHandle};

/// A server that does not answer about the Deployment, and the loop of an object.
async fn silent(change: &Value, replicas: i32) -> (Arc<Server>, ScaleLoop, ClockHandle) {
    let objects = [(SCALED_OBJECT, scaled_object(change)), (DEPLOYMENT, deployment(replicas))];
    let server = Server::start(objects, |_| None);
    let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
    let context = server.watched_by(clock).await;
    server.silence(Some(DEPLOYMENT));
    (server, ScaleLoop::new(context, Key::new("shop", "orders"), CancellationToken::new()), handle)
}

/// A turn that hangs until its limit passes.
async fn cut_off(server: &Server, this: &mut ScaleLoop, handle: &ClockHandle) -> Option<Moment> {
    let mut turn = Box::pin(this.turn());
    let called = async {
        while !server.calls().iter().any(|call| call.line.contains(DEPLOYMENT)) {
            tokio::task::yield_now().await;
        }
    };
    soon(async {
        tokio::select! {
            _ = &mut turn => panic!("the turn ended, so it did not wait for the API server"),
            () = called => {}
        }
    })
    .await;
    // Its limit counts from before the call.
    handle.advance(ScaleLoop::LIMIT);
    soon(turn).await
}

#[tokio::test]
async fn a_poll_goes_on_after_a_call_that_is_never_answered() {
    let active = json!({ "metadata": { "annotations": { "autoscaling.keda.sh/force-activation": "true" } } });
    let (server, mut this, handle) = silent(&active, 0).await;
    let Some(again) = cut_off(&server, &mut this, &handle).await else { panic!("the loop ended") };
    assert!(again > this.context.clock.moment(), "it is tried again after a pause");
    server.silence(None);
    handle.advance(again.since(this.context.clock.moment()));
    soon(Box::pin(this.turn())).await;
    assert_eq!(server.object(DEPLOYMENT).unwrap()["spec"]["replicas"], 1);
}

#[tokio::test]
async fn a_finalizer_goes_after_a_call_that_is_never_answered() {
    let deleted = json!({
        "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["finalizer.keda.sh"] },
        "spec": { "advanced": { "restoreToOriginalReplicaCount": true } },
        "status": { "originalReplicaCount": 1 },
    });
    let (server, mut this, handle) = silent(&deleted, 2).await;
    let Some(again) = cut_off(&server, &mut this, &handle).await else { panic!("the loop ended") };
    server.silence(None);
    handle.advance(again.since(this.context.clock.moment()));
    soon(Box::pin(this.turn())).await;
    let finalizers = server.object(SCALED_OBJECT).unwrap()["metadata"]["finalizers"].clone();
    assert!(finalizers.as_array().is_none_or(Vec::is_empty), "{finalizers}");
}

/// Lets a turn go on that does not end yet.
async fn goes_on<T>(turn: impl Future<Output = T>, why: &str) {
    let a_while = async {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = turn => panic!("the turn ended while {why}"),
        () = a_while => {}
    }
}

#[tokio::test]
async fn who_waits_until_others_are_checked_is_not_given_up() {
    let objects = [(SCALED_OBJECT, scaled_object(&json!({}))), (DEPLOYMENT, deployment(0))];
    let server = Server::start(objects, |_| None);
    let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
    let context = server.watched_by(clock).await;
    let mut this = ScaleLoop::new(Arc::clone(&context), Key::new("shop", "orders"), CancellationToken::new());
    let others = u32::try_from(context.reconciles.available_permits()).unwrap();
    let others = context.reconciles.acquire_many(others).await.unwrap();
    let mut turn = Box::pin(this.turn());
    for _ in 0..2 {
        goes_on(&mut turn, "all permits were held by others").await;
        handle.advance(ScaleLoop::LIMIT);
    }
    assert_eq!(server.writes(), Vec::<String>::new());
    drop(others);
    soon(turn).await;
    assert!(server.object(&format!("{AUTOSCALERS}/keda-hpa-orders")).is_some() && this.backoff.until().is_none());
}

#[tokio::test]
async fn a_poll_waits_a_moment_for_those_that_began_before_it_and_no_longer() {
    let cron = json!({ "type": "cron", "metadata": {
        "timezone": "Etc/UTC", "start": "0 0 1 1 *", "end": "59 23 31 12 *", "desiredReplicas": "3",
    } });
    let object = scaled_object(&json!({ "spec": { "triggers": [cron] } }));
    let server = Server::start([(SCALED_OBJECT, object), (DEPLOYMENT, deployment(1))], |_| None);
    let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
    let context = server.watched_by(clock.clone()).await;
    let mut this = ScaleLoop::new(Arc::clone(&context), Key::new("shop", "orders"), CancellationToken::new());
    let others = u32::try_from(context.polls.available_permits()).unwrap();
    let others = context.polls.acquire_many(others).await.unwrap();
    // Its writes wake it once more, for a check.
    soon(Box::pin(this.turn())).await;
    let next = soon(Box::pin(this.turn())).await.unwrap();
    assert!(matches!(this.phase, Phase::Polling { last: Some(_) }), "the poll after a check has that permit");
    handle.advance(next.since(clock.moment()));
    let before = this.phase;
    let mut turn = Box::pin(this.turn());
    goes_on(&mut turn, "others are polled").await;
    handle.advance(std::time::Duration::from_millis(300));
    soon(turn).await;
    assert_ne!(this.phase, before, "they do not end, and it is polled all the same");
    drop(others);
}
