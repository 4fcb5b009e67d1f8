//! A trigger that speaks by itself, against a clock that a test moves.

use clock::Clock;

use super::*;

/// Polled once an hour; the window of its trigger opens at 8:00.
fn by_window() -> Value {
    let window = json!({ "type": "cron", "metadata": {
        "timezone": "UTC", "start": "0 8 * * *", "end": "0 18 * * *", "desiredReplicas": "5",
    } });
    let mut object = scaled_object(&json!({ "spec": { "pollingInterval": 3600, "minReplicaCount": 0 } }));
    object["spec"]["triggers"] = json!([window]);
    object
}

fn replicas(server: &Server) -> Value {
    server.object(DEPLOYMENT).unwrap()["spec"]["replicas"].clone()
}

#[tokio::test]
async fn an_object_is_polled_at_once_when_its_trigger_says_that_it_is_active() {
    let server = Server::start([(SCALED_OBJECT, by_window()), (DEPLOYMENT, deployment(0))], |_| None);
    let (clock, hands) = Clock::manual("2026-05-11T07:57:00Z".parse().unwrap());
    let context = server.watched_by(clock).await;
    let stop = CancellationToken::new();
    let this = ScaleLoop::new(context, Key::new("shop", "orders"), stop.clone());
    let running = tokio::spawn(this.run(Arc::default()));
    let scenario = async {
        while !server.calls().iter().any(|call| call.line == format!("GET {DEPLOYMENT}/scale")) {
            tokio::task::yield_now().await;
        }
        let mut passed = 0;
        while replicas(&server) == 0 {
            hands.advance(Duration::from_secs(1));
            passed += 1;
            assert!(passed < 600, "an hourly poll would find it as well");
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
        }
        assert!(passed >= 180, "before the window opened: after {passed} s");
        stop.cancel();
        running.await.unwrap();
    };
    Clock::real().timeout(Duration::from_mins(1), scenario).await.unwrap();
}
