//! What polls cost while nothing is to be done: calls of the API server and of the source.

use clock::{Clock, ClockHandle};

use super::*;
use crate::owner::Owner;

const PODS: &str = "GET /api/v1/namespaces/shop/pods";

/// An object that counts pods, with a target at a generation, by a clock that the test moves.
struct Stage {
    server: Arc<Server>,
    hands: ClockHandle,
    this: ScaleLoop,
}

fn pod(number: usize) -> (String, Value) {
    let pod =
        json!({ "metadata": { "name": format!("p{number}"), "namespace": "shop" }, "status": { "phase": "Running" } });
    (format!("/api/v1/namespaces/shop/pods/p{number}"), pod)
}

fn target(replicas: i32, generation: i64) -> Value {
    let mut target = deployment(replicas);
    json_patch::merge(&mut target, &json!({ "metadata": { "uid": "t", "generation": generation } }));
    target
}

impl Stage {
    async fn start(replicas: i32, pods: usize) -> Self {
        let mut object = scaled_object(&json!({ "spec": { "minReplicaCount": 0, "cooldownPeriod": 300 } }));
        object["spec"]["triggers"] =
            json!([{ "type": "kubernetes-workload", "metadata": { "podSelector": "app=web", "value": "1" } }]);
        let server = Server::start([(SCALED_OBJECT, object), (DEPLOYMENT, target(replicas, 1))], |_| None);
        for (path, pod) in (0..pods).map(pod) {
            server.put(&path, pod);
        }
        let (clock, hands) = Clock::manual("2026-05-11T00:00:00Z".parse().unwrap());
        let context = server.watched_by(clock).await;
        let this = ScaleLoop::new(context, Key::new("shop", "orders"), CancellationToken::new());
        let stage = Self { server, hands, this };
        stage.until_known(1).await;
        stage
    }

    /// Waits until the watch has the target's generation.
    async fn until_known(&self, generation: i64) {
        let reference = Reference { kind: "Deployment", key: Key::new("shop", "orders") };
        let known = || self.this.context.caches.inputs.generations.of(&reference).map(|(_, generation)| generation);
        let seen = async {
            while known() != Some(generation) {
                tokio::task::yield_now().await;
            }
        };
        Clock::real().timeout(Duration::from_mins(1), seen).await.unwrap();
    }

    /// So many polls, 30 s apart, and the calls with this beginning meanwhile.
    async fn polls(&mut self, count: usize, call: &str) -> usize {
        let before = self.count(call);
        for _ in 0..count {
            self.hands.advance(Duration::from_secs(30));
            let object = self.server.scaled_object();
            self.this.poll(&object).await;
        }
        self.count(call) - before
    }

    /// A request of the HPA.
    async fn request(&self) -> f64 {
        let object = self.server.scaled_object();
        let triggers = self.this.context.sources.of(&self.this.context, &object as &dyn Owner);
        let polling = object.spec.polling();
        let (_, _, reading) = triggers.metric(&self.this.context, &object, "s0-workload-shop", polling).await.unwrap();
        let keda::decision::Outcome::Sample(sample) = reading.outcome else { panic!("{reading:?}") };
        sample.value
    }

    fn count(&self, call: &str) -> usize {
        self.server.calls().iter().filter(|one| one.line.starts_with(call)).count()
    }
}

fn scale(method: &str) -> String {
    format!("{method} {DEPLOYMENT}/scale")
}

#[tokio::test]
async fn an_idle_target_is_read_once_for_each_of_its_generations() {
    let mut stage = Stage::start(0, 0).await;
    assert_eq!(stage.polls(10, &scale("GET")).await, 1);
    assert_eq!(stage.server.writes().iter().filter(|line| line.ends_with("/status")).count(), 1, "nothing changes");
    // Somebody scales it by hand: an idle object goes back to zero as before.
    stage.server.put(DEPLOYMENT, target(2, 2));
    stage.until_known(2).await;
    stage.polls(12, &scale("GET")).await;
    assert_eq!(stage.server.object(DEPLOYMENT).unwrap()["spec"]["replicas"], 0);
}

#[tokio::test]
async fn a_count_that_is_remembered_is_read_again_before_another_is_written() {
    let mut stage = Stage::start(0, 0).await;
    stage.polls(2, &scale("GET")).await;
    // The watch is behind: it still has the generation of when there was none.
    let mut hidden = target(5, 1);
    hidden["metadata"]["generation"] = 1.into();
    stage.server.put(DEPLOYMENT, hidden);
    let (path, pod) = pod(0);
    stage.server.put(&path, pod);
    assert_eq!(stage.polls(1, &scale("PUT")).await, 0, "five are there already, so nothing is woken up");
    assert_eq!(stage.server.object(DEPLOYMENT).unwrap()["spec"]["replicas"], 5);
}

#[tokio::test]
async fn a_poll_each_30_s_and_a_request_each_15_s_make_two_reads_a_minute() {
    let mut stage = Stage::start(3, 3).await;
    stage.polls(1, PODS).await;
    for offset in [1, 5, 7, 10, 14] {
        stage.hands.advance(Duration::from_secs(30));
        let before = stage.count(PODS);
        for _ in 0..20 {
            let object = stage.server.scaled_object();
            stage.this.poll(&object).await;
            stage.hands.advance(Duration::from_secs(offset));
            assert!((stage.request().await - 3.0).abs() < f64::EPSILON);
            stage.hands.advance(Duration::from_secs(15));
            stage.request().await;
            stage.hands.advance(Duration::from_secs(15 - offset));
        }
        let reads = stage.count(PODS) - before;
        assert!(reads <= 21, "{reads} reads in 10 minutes, requests {offset} s after the polls");
    }
    let patches = stage.server.writes().iter().filter(|line| line.ends_with("/status")).count();
    assert!(patches <= 55, "{patches} writes of the status in 52 minutes");
}

#[tokio::test]
async fn a_poll_that_may_wake_the_target_up_reads_and_so_does_the_request_after_it() {
    let mut stage = Stage::start(0, 0).await;
    assert_eq!(stage.polls(5, PODS).await, 5);
    let (path, one) = pod(0);
    stage.server.put(&path, one);
    assert_eq!(stage.polls(1, &scale("PUT")).await, 1);
    let (path, another) = pod(1);
    stage.server.put(&path, another);
    stage.hands.advance(Duration::from_secs(1));
    assert!((stage.request().await - 2.0).abs() < f64::EPSILON, "what came since is counted");
}
