//! The engine on an in-memory cloud: order, idempotence, failures, kills, references, state.

#[path = "removal_tests.rs"]
mod removal;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use clock::Clock;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::lock::{Holder, Lock, Mode};
use crate::{
    Action, Address, Attributes, Context, Entry, Event, Failure, Graph, GraphError, Health, Known, Node, Object,
    Options, Outcome, Plan, Reading, Resource, Schema, State, Store, apply, plan, refresh, render, store,
};

/// What exists, and every call in order.
#[derive(Default)]
struct FakeCloud {
    objects: BTreeMap<String, Object>,
    calls: Vec<String>,
    refuse: BTreeSet<String>,
    foreign: BTreeSet<String>,
}

type Shared = Arc<Mutex<FakeCloud>>;

struct Thing {
    address: Address,
    desired: Attributes,
    depends_on: Vec<Address>,
    lives_in: Option<Address>,
    turn: Option<u8>,
    slot: Option<&'static str>,
    cloud: Shared,
}

impl Thing {
    fn act(&self, verb: &str) -> Result<(), Failure> {
        let mut cloud = self.cloud.lock().unwrap();
        let call = format!("{verb} {}", self.address.name());
        if cloud.refuse.contains(&call) {
            return Err(Failure::new(format!("{call} was refused")));
        }
        cloud.calls.push(call);
        Ok(())
    }

    fn put(&self, desired: &Attributes) -> Object {
        let mut attributes = desired.clone();
        attributes.insert("arn".into(), json!(format!("arn:{}", self.address.name())));
        let object = Object::new(self.address.name(), attributes);
        self.cloud.lock().unwrap().objects.insert(self.address.to_string(), object.clone());
        object
    }
}

impl Resource for Thing {
    fn address(&self) -> &Address {
        &self.address
    }
    fn desired(&self) -> &Attributes {
        &self.desired
    }
    fn schema(&self) -> Schema {
        Schema {
            force_new: &["fixed"],
            computed: &["arn"],
            sensitive: &["secret"],
            open: &["open"],
            set_once: &["once"],
        }
    }
    fn depends_on(&self) -> Vec<Address> {
        self.depends_on.clone()
    }
    fn lives_in(&self) -> Option<Address> {
        self.lives_in.clone()
    }
    fn removal_turn(&self) -> Option<u8> {
        self.turn
    }
    fn slot(&self) -> Option<String> {
        self.slot.map(str::to_owned)
    }
    fn goes_with_container(&self) -> bool {
        self.lives_in.is_some()
    }
    fn may_outlive(&self, dependency: &Address) -> bool {
        self.desired.get("outlives").is_some_and(|name| name == dependency.name())
    }
    fn is_disturbed_by(&self, dependency: &Address) -> bool {
        self.desired.get("needs").is_some_and(|name| name == dependency.name())
    }
    fn identity(&self) -> String {
        format!("thing {}", self.address.name())
    }
    fn read<'a>(&'a self, _: Known<'a>, _: &'a Context) -> BoxFuture<'a, Result<Reading, Failure>> {
        async {
            let cloud = self.cloud.lock().unwrap();
            if cloud.refuse.contains(&format!("read {}", self.address.name())) {
                return Err(Failure::new("read was refused"));
            }
            if cloud.foreign.contains(self.address.name()) {
                return Ok(Reading::Foreign("it is somebody's".into()));
            }
            Ok(cloud.objects.get(&self.address.to_string()).cloned().map_or(Reading::Absent, Reading::Present))
        }
        .boxed()
    }
    fn create<'a>(&'a self, desired: &'a Attributes, _: &'a Context) -> BoxFuture<'a, Result<Object, Failure>> {
        async { self.act("create").map(|()| self.put(desired)) }.boxed()
    }
    fn update<'a>(
        &'a self,
        _: &'a Object,
        desired: &'a Attributes,
        _: &'a [String],
        _: &'a Context,
    ) -> BoxFuture<'a, Result<Object, Failure>> {
        async { self.act("update").map(|()| self.put(desired)) }.boxed()
    }
    fn delete<'a>(&'a self, _: &'a Object, _: &'a Context) -> BoxFuture<'a, Result<(), Failure>> {
        async {
            self.act("delete")?;
            self.cloud.lock().unwrap().objects.remove(&self.address.to_string());
            Ok(())
        }
        .boxed()
    }
}

fn address(name: &str) -> Address {
    Address::new("thing", name)
}

fn thing(cloud: &Shared, name: &str, desired: Value, depends_on: &[&str]) -> Node {
    lodger(cloud, name, desired, depends_on, None)
}

fn lodger(cloud: &Shared, name: &str, desired: Value, depends_on: &[&str], lives_in: Option<&str>) -> Node {
    let desired: Attributes = serde_json::from_value(desired).unwrap();
    let depends_on = depends_on.iter().map(|name| address(name)).collect();
    Arc::new(Thing {
        address: address(name),
        desired,
        depends_on,
        lives_in: lives_in.map(address),
        turn: None,
        slot: None,
        cloud: cloud.clone(),
    })
}

/// A thing with a turn when things are removed, perhaps one of which there may be only one.
fn taking_turns(cloud: &Shared, name: &str, turn: u8, depends_on: &[&str], slot: Option<&'static str>) -> Node {
    let depends_on = depends_on.iter().map(|name| address(name)).collect();
    let (desired, cloud) = (Attributes::from([("size".to_owned(), json!(1))]), cloud.clone());
    Arc::new(Thing { address: address(name), desired, depends_on, lives_in: None, turn: Some(turn), slot, cloud })
}

struct Bench {
    folder: tempfile::TempDir,
    cloud: Shared,
    clock: Clock,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, cloud: Shared::default(), clock: Clock::scaled(1000.0) }
    }
    fn store(&self) -> Store {
        self.try_store().unwrap()
    }
    fn try_store(&self) -> Result<Store, store::StoreError> {
        let path = self.folder.path().join("stack/state.json");
        let (pid, since) = (std::process::id(), self.clock.now());
        let holder = Holder { pid, host: "here".into(), operation: "up".into(), since };
        let lock = Lock::take(&path, Mode::Exclusive, &holder)?;
        let emergency = self.folder.path().join("rescued.json");
        Store::open(store::Options { path, emergency, run: "run-1".into(), clock: self.clock.clone() }, &lock)
    }
    async fn plan(&self, graph: &Graph, state: &State) -> Result<Plan, plan::Unplannable> {
        let (events, _) = mpsc::unbounded_channel();
        let cloud = refresh(graph, state, &self.clock, &events, &CancellationToken::new()).await;
        plan::up(graph, state, &cloud)
    }
    async fn apply(&self, plan: &Plan, graph: &Graph, store: &mut Store) -> (Outcome, Vec<Event>) {
        let (events, mut received) = mpsc::unbounded_channel();
        let options = Options::new(&self.clock, events, CancellationToken::new());
        let outcome = apply(plan, graph, store, &options).await.unwrap();
        drop(options);
        let mut all = Vec::new();
        while let Ok(event) = received.try_recv() {
            all.push(event);
        }
        (outcome, all)
    }
    async fn up(&self, graph: &Graph) -> (Plan, Outcome) {
        let mut store = self.store();
        let plan = self.plan(graph, &store.state).await.unwrap();
        let (outcome, _) = self.apply(&plan, graph, &mut store).await;
        (plan, outcome)
    }
    async fn down(&self, graph: &Graph) -> (Plan, Outcome) {
        let mut store = self.store();
        let (events, _) = mpsc::unbounded_channel();
        let cloud = refresh(graph, &store.state, &self.clock, &events, &CancellationToken::new()).await;
        let plan = plan::down(graph, &store.state, &cloud).unwrap();
        let (outcome, _) = self.apply(&plan, graph, &mut store).await;
        store.close().unwrap();
        (plan, outcome)
    }
    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.cloud.lock().unwrap().calls)
    }
    fn refuse(&self, call: &str) {
        self.cloud.lock().unwrap().refuse.insert(call.to_owned());
    }
    fn relent(&self) {
        self.cloud.lock().unwrap().refuse.clear();
    }
    fn pair(&self) -> Graph {
        let nodes = [
            thing(&self.cloud, "b", json!({"peer": "${thing.a.arn}", "size": 1}), &[]),
            thing(&self.cloud, "a", json!({"size": 1, "secret": "hush"}), &[]),
        ];
        Graph::new(nodes).unwrap()
    }
}

fn actions(plan: &Plan) -> Vec<(String, Action)> {
    plan.changes.iter().map(|change| (change.address.name().to_owned(), change.action)).collect()
}

#[tokio::test]
async fn up_twice_changes_nothing_and_down_reverses_the_order() {
    let bench = Bench::new();
    let graph = bench.pair();
    let (plan, outcome) = bench.up(&graph).await;
    assert_eq!(plan.summary().to_string(), "Plan: 2 to add, 0 to change, 0 to destroy.");
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(outcome.objects[&address("b")].attributes["peer"], json!("arn:a"));
    assert_eq!(bench.calls(), ["create a", "create b"]);
    let (again, _) = bench.up(&graph).await;
    assert!(again.is_empty() && again.drift.is_empty(), "{again:?}");
    let (_, outcome) = bench.down(&graph).await;
    assert!(outcome.is_success());
    assert_eq!(bench.calls(), ["delete b", "delete a"]);
    assert!(!bench.store().path().exists());
}

#[tokio::test]
async fn unknown_values_show_as_such_and_secrets_nowhere() {
    let bench = Bench::new();
    let graph = bench.pair();
    let (plan, _) = bench.up(&graph).await;
    let text: Vec<String> = render(&plan).into_iter().map(|line| line.text).collect();
    assert!(text.contains(&"      + peer: (known after apply)".to_owned()), "{text:#?}");
    let state = std::fs::read_to_string(bench.store().path()).unwrap();
    let plan = serde_json::to_string(&plan).unwrap();
    for text in [text.join("\n"), state, plan] {
        assert!(!text.contains("hush"), "{text}");
    }
}

#[tokio::test]
async fn a_change_is_an_update_and_a_fixed_one_a_replacement_that_spreads() {
    let bench = Bench::new();
    let make = |size: u32, fixed: &str| {
        let a = thing(&bench.cloud, "a", json!({"size": size, "fixed": fixed}), &[]);
        let b = thing(&bench.cloud, "b", json!({"fixed": "${thing.a.id}"}), &[]);
        let c = lodger(&bench.cloud, "c", json!({}), &[], Some("a"));
        Graph::new([a, b, c]).unwrap()
    };
    bench.up(&make(1, "x")).await;
    bench.calls();
    let (plan, _) = bench.up(&make(2, "x")).await;
    assert_eq!(plan.summary().to_string(), "Plan: 0 to add, 1 to change, 0 to destroy.");
    assert_eq!(bench.calls(), ["update a"]);
    let (plan, _) = bench.up(&make(2, "y")).await;
    assert!(plan.changes.iter().all(|change| change.action == Action::Replace), "{plan:?}");
    let calls = bench.calls();
    assert_eq!(calls[2..4], ["delete a", "create a"], "{calls:?}");
}

#[tokio::test]
async fn what_can_be_set_once_is_set_in_place_and_changed_by_a_replacement() {
    let bench = Bench::new();
    let make = |once: Value| Graph::new([thing(&bench.cloud, "a", once, &[])]).unwrap();
    bench.up(&make(json!({}))).await;
    bench.calls();
    bench.up(&make(json!({"once": "x"}))).await;
    assert_eq!(bench.calls(), ["update a"]);
    let (plan, _) = bench.up(&make(json!({"once": "y"}))).await;
    assert_eq!((plan.changes[0].action, bench.calls().len()), (Action::Replace, 2));
}

#[tokio::test]
async fn to_want_none_of_an_attribute_takes_it_away() {
    let bench = Bench::new();
    let make = |bound: Value| Graph::new([thing(&bench.cloud, "a", json!({"bound": bound}), &[])]).unwrap();
    let (plan, _) = bench.up(&make(Value::Null)).await;
    assert!(!crate::render(&plan).iter().any(|line| line.text.contains("bound")), "nothing is not shown as something");
    bench.up(&make(json!("x"))).await;
    let (plan, _) = bench.up(&make(Value::Null)).await;
    let fields = &plan.changes[0].fields;
    assert_eq!(
        (plan.changes[0].action, &fields[0].after),
        (Action::Update, &crate::diff::After::Removed),
        "{fields:?}"
    );
}

#[tokio::test]
async fn a_failure_stops_its_dependants_only_and_the_next_run_goes_on() {
    let bench = Bench::new();
    let nodes = [
        thing(&bench.cloud, "a", json!({}), &[]),
        thing(&bench.cloud, "b", json!({}), &["a"]),
        thing(&bench.cloud, "c", json!({}), &[]),
    ];
    let graph = Graph::new(nodes).unwrap();
    bench.refuse("create a");
    let (_, outcome) = bench.up(&graph).await;
    assert_eq!((outcome.failures.len(), outcome.skipped.as_slice()), (1, [address("b")].as_slice()));
    assert_eq!(bench.calls(), ["create c"]);
    assert_eq!(bench.store().state.resources[&address("a")].pending, Some(Action::Create));
    bench.relent();
    let (plan, outcome) = bench.up(&graph).await;
    assert!(outcome.is_success());
    assert_eq!(actions(&plan)[2], ("c".to_owned(), Action::NoOp));
    assert_eq!(bench.calls(), ["create a", "create b"]);
}

#[tokio::test]
async fn a_failed_read_is_no_absence_and_a_foreign_object_is_left_alone() {
    let bench = Bench::new();
    let graph = bench.pair();
    bench.refuse("read a");
    let error = bench.plan(&graph, &bench.store().state).await.unwrap_err();
    assert_eq!(error.to_string(), "thing.a: read was refused");
    bench.relent();
    bench.cloud.lock().unwrap().foreign.insert("a".into());
    let error = bench.plan(&graph, &bench.store().state).await.unwrap_err().to_string();
    assert!(error.contains("thing a exists and is not ours: it is somebody's"), "{error}");
    let (plan, outcome) = bench.down(&graph).await;
    assert!(outcome.is_success() && plan.is_empty());
    assert!(bench.calls().is_empty());
    assert_eq!(plan.notes.len(), 1);
}

#[tokio::test]
async fn what_was_made_before_a_kill_is_adopted_without_a_state() {
    let bench = Bench::new();
    let graph = bench.pair();
    bench.up(&graph).await;
    std::fs::remove_file(bench.store().path()).unwrap();
    bench.cloud.lock().unwrap().objects.remove("thing.b");
    bench.calls();
    let (plan, _) = bench.up(&graph).await;
    assert!(plan.changes[0].adopted);
    assert_eq!(bench.calls(), ["create b"]);
    assert_eq!(bench.store().state.resources.len(), 2);
}

#[tokio::test]
async fn settling_is_finished_broken_is_replaced_and_contents_wait() {
    let bench = Bench::new();
    let nodes = [thing(&bench.cloud, "a", json!({}), &[]), lodger(&bench.cloud, "in", json!({}), &[], Some("a"))];
    let graph = Graph::new(nodes).unwrap();
    bench.up(&graph).await;
    bench.calls();
    let ail = |health| bench.cloud.lock().unwrap().objects.get_mut("thing.a").unwrap().health = health;
    ail(Health::Settling("CREATING".into()));
    bench.refuse("read in");
    let store = bench.store();
    let plan = bench.plan(&graph, &store.state).await.unwrap();
    assert_eq!(actions(&plan), [("a".to_owned(), Action::Update), ("in".to_owned(), Action::Create)]);
    bench.relent();
    let mut store = store;
    let (outcome, _) = bench.apply(&plan, &graph, &mut store).await;
    drop(store);
    assert!(outcome.is_success(), "{outcome:?}");
    // Looked at again once its container was ready: it was there.
    assert_eq!(bench.calls(), ["update a"]);
    ail(Health::Broken("FAILED".into()));
    bench.up(&graph).await;
    assert_eq!(bench.calls(), ["delete in", "delete a", "create a", "create in"]);
}

#[tokio::test]
async fn an_unreadable_lodger_goes_with_its_container() {
    let bench = Bench::new();
    let nodes = [thing(&bench.cloud, "a", json!({}), &[]), lodger(&bench.cloud, "in", json!({}), &[], Some("a"))];
    let graph = Graph::new(nodes).unwrap();
    bench.up(&graph).await;
    bench.calls();
    bench.refuse("read in");
    let (_, outcome) = bench.down(&graph).await;
    assert!(outcome.is_success());
    assert_eq!(bench.calls(), ["delete a"]);
}

#[tokio::test]
async fn a_stopped_apply_starts_nothing() {
    let bench = Bench::new();
    let graph = bench.pair();
    let mut store = bench.store();
    let plan = bench.plan(&graph, &store.state).await.unwrap();
    let (events, _received) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    stop.cancel();
    let outcome = apply(&plan, &graph, &mut store, &Options::new(&bench.clock, events, stop)).await.unwrap();
    assert!(outcome.interrupted && !outcome.is_success());
    assert!(bench.calls().is_empty());
}

#[tokio::test]
async fn a_state_that_cannot_be_written_stops_everything_and_is_rescued() {
    let bench = Bench::new();
    let graph = bench.pair();
    let mut store = bench.store();
    let plan = bench.plan(&graph, &store.state).await.unwrap();
    // A folder in the place of the temporary file cannot be written, whoever runs this.
    std::fs::create_dir(bench.folder.path().join("stack/state.json.new")).unwrap();
    let (events, _received) = mpsc::unbounded_channel();
    let options = Options::new(&bench.clock, events, CancellationToken::new());
    let error = apply(&plan, &graph, &mut store, &options).await.unwrap_err().to_string();
    assert!(error.contains("rescued.json instead"), "{error}");
    assert!(bench.calls().is_empty());
    assert!(store::load(&bench.folder.path().join("rescued.json")).unwrap().is_some());
}

#[test]
fn a_second_store_says_who_holds_the_first() {
    let bench = Bench::new();
    let _first = bench.store();
    let error = bench.try_store().unwrap_err().to_string();
    assert!(error.contains(&format!("`up` of process {} on here since", std::process::id())), "{error}");
}

#[test]
fn a_state_that_is_none_or_newer_is_refused_by_name() {
    let bench = Bench::new();
    let path = bench.folder.path().join("stack/state.json");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "{").unwrap();
    assert!(bench.try_store().unwrap_err().to_string().contains("is not a state file"));
    std::fs::write(&path, r#"{"version": 99}"#).unwrap();
    assert!(bench.try_store().unwrap_err().to_string().contains("has format 99"));
}

#[test]
fn a_state_of_another_place_is_refused_while_it_records_anything() {
    let location = |account: &str, name: &str| {
        let entries = [("account", account), ("context", name)];
        entries.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>()
    };
    let mut state = State::new("l", "r", Clock::real().now());
    state.settle(location("1", "a"), &["account"]).unwrap();
    state.settle(location("2", "a"), &["account"]).unwrap();
    state.begin(&address("a"), Action::Create, Vec::new());
    state.settle(location("2", "renamed"), &["account"]).unwrap();
    let refused = state.settle(location("3", "renamed"), &["account"]).unwrap_err();
    assert_eq!((refused.recorded.as_str(), refused.wanted.as_str()), ("2", "3"));
    assert_eq!(state.location, location("2", "renamed"));
    assert_eq!(state.settle(BTreeMap::new(), &["account"]).unwrap_err().wanted, "none");
}

#[test]
fn cycles_and_dangling_references_are_named() {
    let cloud = Shared::default();
    let cycle = [thing(&cloud, "a", json!({"x": "${thing.b.arn}"}), &[]), thing(&cloud, "b", json!({}), &["a"])];
    let error = Graph::new(cycle).unwrap_err();
    assert_eq!(error.to_string(), "resources depend on each other: thing.a -> thing.b -> thing.a");
    let dangling = [thing(&cloud, "a", json!({"x": "${thing.z.arn}"}), &[])];
    assert_eq!(Graph::new(dangling).unwrap_err(), GraphError::Unknown { from: address("a"), to: address("z") });
    let misspelt = [thing(&cloud, "a", json!({"x": "${thing.b.arm}"}), &[]), thing(&cloud, "b", json!({}), &[])];
    assert!(Graph::new(misspelt).unwrap_err().to_string().contains("no attribute of that name"));
}

/// A graph of up to eight things, each depending on some that come before it in a shuffled order.
fn shapes() -> impl Strategy<Value = Vec<(usize, Vec<usize>)>> {
    (1_usize..8).prop_flat_map(|count| {
        let edges = proptest::collection::vec(proptest::collection::vec(0..count, 0..3), count);
        (edges, Just((0..count).collect::<Vec<_>>()).prop_shuffle()).prop_map(|(edges, ranks)| {
            let below = |rank: usize, edges: Vec<usize>| edges.into_iter().filter(|to| *to < rank).collect();
            let mut shape: Vec<_> = edges.into_iter().enumerate().map(|(rank, to)| (rank, below(rank, to))).collect();
            shape.sort_by_key(|(rank, _)| ranks[*rank]);
            shape
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_graph_is_made_in_order_once_and_removed_in_reverse(shape in shapes(), refused in 0_usize..8) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            let node = |(rank, needs): &(usize, Vec<usize>)| {
                let peers: Vec<String> = needs.iter().map(|to| format!("${{thing.t{to}.arn}}")).collect();
                thing(&bench.cloud, &format!("t{rank}"), json!({ "peers": peers }), &[])
            };
            let graph = Graph::new(shape.iter().map(node)).unwrap();
            // A failure in the middle, then a run that repairs it.
            bench.refuse(&format!("create t{refused}"));
            bench.up(&graph).await;
            bench.relent();
            let (_, outcome) = bench.up(&graph).await;
            assert!(outcome.is_success());
            let calls = bench.calls();
            assert_eq!(calls.len(), shape.len());
            let position = |verb: &str, rank: &usize, calls: &[String]| {
                calls.iter().position(|call| *call == format!("{verb} t{rank}")).unwrap()
            };
            for (rank, needs) in &shape {
                assert!(needs.iter().all(|to| position("create", to, &calls) < position("create", rank, &calls)));
            }
            let (again, _) = bench.up(&graph).await;
            assert!(again.is_empty() && again.drift.is_empty());
            bench.down(&graph).await;
            let calls = bench.calls();
            for (rank, needs) in &shape {
                assert!(needs.iter().all(|to| position("delete", to, &calls) > position("delete", rank, &calls)));
            }
            assert!(bench.cloud.lock().unwrap().objects.is_empty());
        });
    }
}

#[tokio::test]
async fn what_could_be_read_is_planned_without_what_could_not() {
    let bench = Bench::new();
    let node = |name: &str, size: u32| thing(&bench.cloud, name, json!({"size": size}), &[]);
    bench.up(&Graph::new([node("a", 1), node("b", 1)]).unwrap()).await;
    let graph = Graph::new([node("a", 2), node("b", 2)]).unwrap();
    bench.refuse("read b");
    let (state, (events, _)) = (bench.store().state, mpsc::unbounded_channel());
    let refreshed = refresh(&graph, &state, &bench.clock, &events, &CancellationToken::new()).await;
    assert!(plan::up(&graph, &state, &refreshed).is_err());
    let part = plan::readable(&graph, &state, &refreshed);
    let planned: Vec<_> = part.changes.iter().map(|change| (change.address.clone(), change.action)).collect();
    assert_eq!(planned, [(address("a"), Action::Update)]);
}
