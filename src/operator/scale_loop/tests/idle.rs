//! An idle count above zero: the HPA's minimum goes with it, so that it does not raise what the loop has lowered.

use super::*;

fn pod(name: &str) -> (String, Value) {
    let pod = json!({
        "metadata": { "name": name, "namespace": "shop", "labels": { "app": "other" } }, "status": { "phase": "Running" },
    });
    (format!("/api/v1/namespaces/shop/pods/{name}"), pod)
}

#[tokio::test]
async fn the_loop_and_the_hpa_agree_while_it_rests_and_while_it_works() {
    let mut object = scaled_object(&json!({
        "spec": { "minReplicaCount": 2, "idleReplicaCount": 1, "cooldownPeriod": 0 },
    }));
    object["spec"]["triggers"] =
        json!([{ "type": "kubernetes-workload", "metadata": { "podSelector": "app=other", "value": "1" } }]);
    let server = Server::start([(SCALED_OBJECT, object), (DEPLOYMENT, deployment(2))], |_| None);
    let (clock, hands) = clock::Clock::manual("2026-05-11T00:00:00Z".parse().unwrap());
    let mut this = ScaleLoop::new(server.watched_by(clock).await, Key::new("shop", "orders"), CancellationToken::new());
    let state = |server: &Server| {
        let hpa = server.object(&format!("{AUTOSCALERS}/keda-hpa-orders")).unwrap();
        let replicas = server.object(DEPLOYMENT).unwrap()["spec"]["replicas"].as_i64().unwrap();
        (replicas, hpa["spec"]["minReplicas"].as_i64().unwrap())
    };
    let turns = async |this: &mut ScaleLoop| {
        for _ in 0..2 {
            hands.advance(Duration::from_secs(30));
            this.phase = match this.phase {
                Phase::Polling { .. } => Phase::Polling { last: None },
                other => other,
            };
            Box::pin(this.turn()).await;
        }
    };
    turns(&mut this).await;
    assert_eq!(state(&server), (1, 1));
    let (path, pod) = pod("busy");
    server.put(&path, pod);
    turns(&mut this).await;
    assert_eq!(state(&server), (2, 2));
    server.remove(&path);
    turns(&mut this).await;
    assert_eq!(state(&server), (1, 1));
}
