//! What wakes which loop, and how loops end.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::scripted::{SCALED_OBJECT, Server, soon, until};

fn scaled_object() -> serde_json::Value {
    json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
        "metadata": { "name": "orders", "namespace": "shop", "uid": "u", "resourceVersion": "7", "generation": 1 },
        "spec": {
            "scaleTargetRef": { "name": "orders" },
            "triggers": [{ "type": "aws-sqs-queue", "metadata": {
                "queueURL": "http://127.0.0.1:9/1/orders", "awsRegion": "eu-west-1", "identityOwner": "operator",
            } }],
        },
    })
}

#[tokio::test]
async fn no_loop_is_started_again_once_a_shutdown_began() {
    // Without a target the object is checked once and then waits.
    for _ in 0..20 {
        let server = Server::start([(SCALED_OBJECT, scaled_object())], |_| None);
        let context = server.watched().await;
        let stop = CancellationToken::new();
        let running = tokio::spawn(run(context, stop.clone()));
        let wrote = || server.writes().iter().any(|line| line.ends_with("/status"));
        until(wrote).await;
        stop.cancel();
        let before = server.calls().len();
        soon(running).await.unwrap();
        let after: Vec<_> = server.calls()[before..].iter().map(|call| call.line.clone()).collect();
        assert_eq!(after, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_loop_that_breaks_again_and_again_is_begun_after_growing_pauses() {
    let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
    let (stop, begun) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
    let supervising = tokio::spawn({
        let (clock, stop, begun) = (clock.clone(), stop.clone(), Arc::clone(&begun));
        async move {
            let start = || {
                begun.fetch_add(1, Ordering::SeqCst);
                async { panic!("broken by the test") }
            };
            supervised(&clock, &stop, &of("ScaledObject", &Key::new("shop", "orders")), start).await;
        }
    });
    let begins = async |count| {
        until(|| begun.load(Ordering::SeqCst) >= count).await;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        begun.load(Ordering::SeqCst)
    };
    assert_eq!(begins(1).await, 1);
    for (seconds, count) in [(1, 2), (2, 3), (4, 4)] {
        handle.advance(std::time::Duration::from_millis(seconds * 1000 - 1));
        assert_eq!(begins(count - 1).await, count - 1, "before {seconds} s");
        handle.advance(std::time::Duration::from_millis(1));
        assert_eq!(begins(count).await, count, "after {seconds} s");
    }
    stop.cancel();
    soon(supervising).await.unwrap();
}
