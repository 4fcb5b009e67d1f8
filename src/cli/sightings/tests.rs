//! What a plan removes, after reads that failed or were late and an audit that saw more.

use std::sync::Arc;

use aws::cloud::Cloud;
use aws::session::{self, Session};
use clock::Clock;
use provision::{Action, Entry, Failure, Object, plan};
use serde_json::json;

use super::*;

struct Bench {
    cloud: Arc<Cloud>,
    graph: Graph,
    state: State,
    refreshed: Refreshed,
}

fn attributes(value: Value) -> Attributes {
    serde_json::from_value(value).unwrap()
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

impl Bench {
    /// A cluster with an addon, its issuer as a provider, and a role; nothing is recorded, and each look has failed.
    async fn new() -> Self {
        let endpoint_url = Some("http://127.0.0.1:9".to_owned());
        let region = Some("eu-west-1".to_owned());
        let settings = session::Settings { region, endpoint_url, ..session::Settings::new("test") };
        let session = Session::load(settings).await.unwrap().with_static_credentials("AKIDEXAMPLE", "secret", None);
        let cloud = Arc::new(Cloud::new(&session, "demo", "run", "", &BTreeMap::new()));
        let declared = [
            ("aws_iam_role.cluster", json!({"name": "demo-cluster"})),
            ("aws_eks_cluster.this", json!({"name": "demo", "role_arn": "${aws_iam_role.cluster.arn}"})),
            ("aws_eks_addon.coredns", json!({"addon_name": "coredns", "cluster_name": "${aws_eks_cluster.this.name}"})),
            ("aws_iam_openid_connect_provider.this", json!({"url": "${aws_eks_cluster.this.issuer}"})),
        ];
        let node = |(at, desired): (&str, Value)| {
            aws::resources::build(&cloud, &address(at), attributes(desired), Vec::new()).unwrap()
        };
        let graph = Graph::new(declared.map(node)).unwrap();
        let failed = |at: &Address| (at.clone(), Failure::new("Throttling: Rate exceeded"));
        let failures = graph.order().iter().map(failed).collect();
        let state = State::new("lineage", "run", Clock::real().now());
        Self { cloud, graph, state, refreshed: Refreshed { failures, ..Refreshed::default() } }
    }

    fn record(&mut self, at: &str, id: &str) {
        let object = Some(Object::new(id, Attributes::new()));
        let entry = Entry { object, ..Entry::default() };
        self.state.resources.insert(address(at), entry);
    }

    fn read(&mut self, at: &str, reading: Reading) {
        self.refreshed.failures.remove(&address(at));
        self.refreshed.readings.insert(address(at), reading);
    }

    /// What a plan would remove, after the same steps as the engine takes.
    fn removed(&mut self, found: &[Found]) -> Vec<String> {
        let known = known(&self.graph, &self.state, &self.refreshed, found);
        self.graph.add_found(aws::audit::nodes(&self.cloud, found, &known)).unwrap();
        fill(&known, &self.graph, &mut self.refreshed, found);
        let absent = |at: &Address| {
            let is_known = self.refreshed.readings.contains_key(at);
            (!is_known).then(|| (at.clone(), Reading::Absent))
        };
        let absent: Vec<_> = self.graph.order().iter().filter_map(absent).collect();
        self.refreshed.readings.extend(absent);
        let plan = plan::down(&self.graph, &self.state, &self.refreshed).unwrap();
        let removed = plan.changes.iter().filter(|change| change.action == Action::Delete);
        let mut removed: Vec<_> = removed.map(|change| change.address.to_string()).collect();
        removed.sort();
        removed
    }
}

fn found(at: &str, id: &str, object: Value) -> Found {
    Found { address: address(at), object: Object::new(id, attributes(object)), tagged: true }
}

fn role() -> Found {
    found("aws_iam_role.demo-cluster", "demo-cluster", json!({"name": "demo-cluster"}))
}

fn cluster() -> Found {
    found(
        "aws_eks_cluster.demo",
        "demo",
        json!({"name": "demo", "issuer": "https://oidc.example/id/1", "role_arn": "a"}),
    )
}

#[tokio::test]
async fn what_could_not_be_read_is_known_by_its_record_and_removed_once() {
    let mut bench = Bench::new().await;
    // Recorded by an id that no attribute says.
    bench.record("aws_iam_role.cluster", "demo-cluster");
    let nameless = found("aws_iam_role.demo-cluster", "demo-cluster", json!({"arn": "a"}));
    assert_eq!(bench.removed(&[nameless]), ["aws_iam_role.cluster"]);
}

#[tokio::test]
async fn what_could_not_be_read_and_is_not_recorded_is_known_by_its_name() {
    let mut bench = Bench::new().await;
    let addon = json!({"addon_name": "coredns", "cluster_name": "demo"});
    let addon = found("aws_eks_addon.demo/coredns", "demo/coredns", addon);
    // Another kind may have the same name.
    let policy = found("aws_iam_policy.extra", "arn:extra", json!({"name": "demo-cluster"}));
    let all = ["aws_eks_addon.coredns", "aws_eks_cluster.this", "aws_iam_policy.extra", "aws_iam_role.cluster"];
    assert_eq!(bench.removed(&[policy, role(), cluster(), addon]), all);
}

#[tokio::test]
async fn what_one_server_does_not_know_is_removed_once_for_another_has_shown_it() {
    let mut bench = Bench::new().await;
    bench.read("aws_iam_role.cluster", Reading::Absent);
    assert_eq!(bench.removed(&[role()]), ["aws_iam_role.cluster"]);
    // Known by its record alone.
    let mut bench = Bench::new().await;
    bench.record("aws_iam_role.cluster", "demo-cluster");
    bench.read("aws_iam_role.cluster", Reading::Absent);
    let nameless = found("aws_iam_role.demo-cluster", "demo-cluster", json!({"arn": "a"}));
    assert_eq!(bench.removed(&[nameless]), ["aws_iam_role.cluster"]);
}

#[tokio::test]
async fn an_issuer_is_known_by_its_cluster() {
    let mut bench = Bench::new().await;
    bench.read("aws_eks_cluster.this", Reading::Present(cluster().object));
    let provider =
        found("aws_iam_openid_connect_provider.oidc.example/id/1", "arn:1", json!({"url": "oidc.example/id/1"}));
    let all = ["aws_eks_cluster.this", "aws_iam_openid_connect_provider.this"];
    assert_eq!(bench.removed(&[cluster(), provider]), all);
}

#[tokio::test]
async fn what_only_looks_like_it_is_another_thing() {
    let mut bench = Bench::new().await;
    bench.record("aws_eks_cluster.this", "demo");
    bench.record("aws_iam_role.cluster", "demo-cluster");
    let coredns = json!({"addon_name": "coredns", "cluster_name": "old"});
    let seen = [
        cluster(),
        // The same id, of another kind.
        found("aws_ecr_repository.demo", "demo", json!({"name": "demo"})),
        // The same name, in a cluster that was called otherwise.
        found("aws_eks_addon.old/coredns", "old/coredns", coredns),
        // The same name, while what is declared has another id.
        found("aws_iam_role.twice", "twice", json!({"name": "demo-cluster"})),
    ];
    let all = ["aws_ecr_repository.demo", "aws_eks_addon.old/coredns", "aws_eks_cluster.this", "aws_iam_role.twice"];
    assert_eq!(bench.removed(&seen), all);
}

#[tokio::test]
async fn what_is_not_the_stacks_by_its_tag_is_not_removed() {
    let mut bench = Bench::new().await;
    let untagged = Found { tagged: false, ..cluster() };
    assert_eq!(bench.removed(&[untagged]), Vec::<String>::new());
}
