//! What is left when any single step of a removal fails, once or for ever: the stack's own graph on an account in memory, which
//! refuses what AWS refuses. Whatever fails, `down` and one more `down` leave nothing that costs by the hour. Every step fails once
//! and for ever, and is unreadable; a hundred seeds have two that fail. That is more than 300 cases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use ::aws::session::{self, Session};
use clock::Clock;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use provision::{
    Context, Failure, Graph, Holder, Known, Lock, Object, Options, Outcome as Applied, Reading, Resource, Schema,
    Store, apply, plan, refresh, store,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;

/// What exists, and what fails: removals that often, looks always.
#[derive(Default)]
struct Account {
    objects: BTreeMap<Address, Object>,
    failing: BTreeMap<Address, u32>,
    unreadable: BTreeSet<Address>,
}

/// A resource of the stack as the engine sees it, made and removed in memory.
struct InMemory {
    real: Node,
    account: Arc<Mutex<Account>>,
}

impl InMemory {
    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap()
    }

    fn remove(&self) -> Result<(), Failure> {
        let address = self.real.address();
        let mut account = self.account();
        if let Some(times) = account.failing.get_mut(address).filter(|times| **times > 0) {
            *times -= 1;
            return Err(Failure::new("a failure that the test wants"));
        }
        let is_cluster = *address == cluster_address();
        let there = |kind: &str| account.objects.keys().any(|one| one.kind() == kind);
        let held_by = match address.kind() {
            "aws_eip" | "aws_internet_gateway" => there("aws_nat_gateway"),
            "aws_subnet" if address.name() == "public" => there("aws_nat_gateway"),
            "aws_subnet" => there("aws_eks_cluster"),
            "aws_vpc" => ["aws_subnet", "aws_internet_gateway", "aws_route_table"].into_iter().any(there),
            _ => false,
        };
        if held_by {
            return Err(Failure::new(format!("DependencyViolation: {address} has dependencies")));
        }
        if is_cluster && account.objects.keys().any(|one| one.kind() == "aws_eks_fargate_profile") {
            return Err(Failure::new("ResourceInUseException: the cluster has Fargate profiles"));
        }
        account.objects.remove(address);
        if is_cluster {
            account.objects.retain(|one, _| !one.kind().starts_with("kubernetes_") && one.kind() != "aws_eks_addon");
        }
        Ok(())
    }
}

impl Resource for InMemory {
    fn address(&self) -> &Address {
        self.real.address()
    }
    fn desired(&self) -> &Attributes {
        self.real.desired()
    }
    fn schema(&self) -> Schema {
        self.real.schema()
    }
    fn depends_on(&self) -> Vec<Address> {
        self.real.depends_on()
    }
    fn lives_in(&self) -> Option<Address> {
        self.real.lives_in()
    }
    fn serial_key(&self) -> Option<String> {
        self.real.serial_key()
    }
    fn removal_turn(&self) -> Option<u8> {
        self.real.removal_turn()
    }
    fn goes_with_container(&self) -> bool {
        self.real.goes_with_container()
    }
    fn may_outlive(&self, dependency: &Address) -> bool {
        self.real.may_outlive(dependency)
    }
    fn is_disturbed_by(&self, dependency: &Address) -> bool {
        self.real.is_disturbed_by(dependency)
    }
    fn identity(&self) -> String {
        self.real.identity()
    }
    fn read<'a>(&'a self, _: Known<'a>, _: &'a Context) -> BoxFuture<'a, Result<Reading, Failure>> {
        async {
            let account = self.account();
            if account.unreadable.contains(self.real.address()) {
                return Err(Failure::new("AccessDenied: it may not be read"));
            }
            Ok(account.objects.get(self.real.address()).cloned().map_or(Reading::Absent, Reading::Present))
        }
        .boxed()
    }
    fn create<'a>(&'a self, desired: &'a Attributes, _: &'a Context) -> BoxFuture<'a, Result<Object, Failure>> {
        async {
            let address = self.real.address();
            let mut attributes = desired.clone();
            let computed = self.real.schema().computed.iter();
            attributes.extend(computed.map(|name| ((*name).to_owned(), json!(format!("{name} of {address}")))));
            let object = Object::new(address.to_string(), attributes);
            self.account().objects.insert(address.clone(), object.clone());
            Ok(object)
        }
        .boxed()
    }
    fn update<'a>(
        &'a self,
        current: &'a Object,
        _: &'a Attributes,
        _: &'a [String],
        _: &'a Context,
    ) -> BoxFuture<'a, Result<Object, Failure>> {
        async { Ok(current.clone()) }.boxed()
    }
    fn delete<'a>(&'a self, _: &'a Object, _: &'a Context) -> BoxFuture<'a, Result<(), Failure>> {
        async { self.remove() }.boxed()
    }
}

/// In memory where there is such a place: each step saves the state, and waits until it is on the disk.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// A stack that is up.
struct Bench {
    folder: tempfile::TempDir,
    account: Arc<Mutex<Account>>,
    real: Vec<Node>,
    clock: Clock,
}

impl Bench {
    async fn new() -> Self {
        let clock = Clock::scaled(1000.0);
        let settings = session::Settings {
            region: Some("eu-west-1".into()),
            endpoint_url: Some("http://127.0.0.1:9".into()),
            ..session::Settings::new("test")
        };
        let session = Session::load(settings).await.unwrap().with_static_credentials("AKIDEXAMPLE", "secret", None);
        let today = jiff::civil::date(2026, 11, 27);
        // The richest: all kinds of a stack are in it.
        let text = "profile: seed\ncluster: {network: create}\n";
        let file = stack::File { name: "stack.yaml", text };
        let stack = stack::load(Some(file), &[], today).unwrap().stack;
        let cloud = Arc::new(Cloud::new(&session, &stack.name, "run", "", &BTreeMap::new()));
        let target = Target {
            session,
            account_id: "111122223333".into(),
            caller_arn: String::new(),
            clock: clock.clone(),
            endpoint_for_pods: None,
            denials: None,
            incidents: None,
            limits: Vec::new(),
            skipped: Vec::new(),
            asks: false,
            subnets: vec!["subnet-a".into(), "subnet-b".into()],
            started: false,
            existing: None,
        };
        let connection = cluster::Connection::Kubeconfig { file: None, context: None };
        let cluster = cluster::Cluster::new(connection, clock.clone());
        let homes = cluster::OperatorHomes::of(&stack.operator.namespace, [].iter());
        let mut real = aws(&stack, &target, &cloud).unwrap();
        let placed = |object: cluster::Object| Arc::new(object.taking_turns(&homes)) as Node;
        real.extend(kubernetes(&stack, &target, &cluster).unwrap().into_iter().map(placed));
        let bench = Self { folder: folder(), real, account: Arc::default(), clock };
        let outcome = bench.run(plan::Mode::Up).await.unwrap();
        assert!(outcome.is_success(), "{outcome:?}");
        bench
    }

    /// The same stack, as it is now, in a place of its own.
    fn copy(&self) -> Self {
        let folder = folder();
        std::fs::copy(self.folder.path().join("state.json"), folder.path().join("state.json")).unwrap();
        let objects = self.account.lock().unwrap().objects.clone();
        let account = Arc::new(Mutex::new(Account { objects, ..Account::default() }));
        Self { folder, account, real: self.real.clone(), clock: self.clock.clone() }
    }

    /// Plans and applies; the obstacles if there is no plan.
    async fn run(&self, mode: plan::Mode) -> Result<Applied, String> {
        let path = self.folder.path().join("state.json");
        let holder = Holder { pid: 1, host: "here".into(), operation: "test".into(), since: self.clock.now() };
        let lock = Lock::take(&path, provision::Mode::Exclusive, &holder).unwrap();
        let emergency = self.folder.path().join("rescued.json");
        let options = store::Options { path, emergency, run: "run".into(), clock: self.clock.clone() };
        let mut store = Store::open(options, &lock).unwrap();
        let in_memory = |real: &Node| InMemory { real: Arc::clone(real), account: Arc::clone(&self.account) };
        let graph = Graph::new(self.real.iter().map(|real| Arc::new(in_memory(real)) as Node)).unwrap();
        let (events, _received) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let refreshed = refresh(&graph, &store.state, &self.clock, &events, &stop).await;
        let plan = match mode {
            plan::Mode::Up => plan::up(&graph, &store.state, &refreshed),
            plan::Mode::Down => plan::down(&graph, &store.state, &refreshed),
        };
        let plan = plan.map_err(|obstacles| obstacles.to_string())?;
        Ok(apply(&plan, &graph, &mut store, &Options::new(&self.clock, events, stop)).await.unwrap())
    }

    fn left(&self) -> Vec<Address> {
        self.account.lock().unwrap().objects.keys().cloned().collect()
    }
}

/// docs/tutorial-resources.md says how many of the tutorial's 43 resources the profile makes.
#[tokio::test]
async fn the_profile_seed_makes_nineteen_resources_on_aws() {
    let bench = Bench::new().await;
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let network = ["aws_vpc", "aws_subnet", "aws_internet_gateway", "aws_eip", "aws_nat_gateway", "aws_route_table"];
    let is_of_aws = |address: &&Address| address.kind().starts_with("aws_");
    let (of_network, left): (Vec<Address>, Vec<Address>) =
        bench.left().iter().filter(is_of_aws).cloned().partition(|address| network.contains(&address.kind()));
    assert_eq!(of_network.len(), 9, "{of_network:?}");
    for address in &left {
        *kinds.entry(address.kind().to_owned()).or_default() += 1;
    }
    assert_eq!(kinds.values().sum::<usize>(), 19, "{kinds:?}");
    assert_eq!((kinds["aws_iam_policy"], kinds["aws_iam_role_policy_attachment"]), (3, 5), "{kinds:?}");
}

/// What costs by the hour: the control plane, pods, which need it, and the way out.
fn costs(address: &Address) -> bool {
    matches!(address.kind(), "aws_eks_cluster" | "kubernetes_deployment" | "aws_nat_gateway" | "aws_eip")
}

/// What keeps itself or another that costs, if it cannot be removed itself.
fn keeps(address: &Address) -> bool {
    costs(address) && address.kind().starts_with("aws_") || address.kind() == "aws_eks_fargate_profile"
}

/// An hour of a NAT gateway costs more than most clusters' pods: it waits neither for the cluster nor for what is in it.
#[tokio::test]
async fn what_costs_by_the_hour_in_the_network_goes_whatever_stays() {
    let up = Bench::new().await;
    let bench = up.copy();
    for address in up.left().iter().filter(|address| !matches!(address.kind(), "aws_nat_gateway" | "aws_eip")) {
        bench.account.lock().unwrap().failing.insert(address.clone(), u32::MAX);
    }
    bench.run(plan::Mode::Down).await.unwrap();
    let left = bench.left();
    let costs = |address: &&Address| matches!(address.kind(), "aws_nat_gateway" | "aws_eip");
    assert_eq!(left.iter().filter(costs).count(), 0, "{left:?}");
}

#[tokio::test]
async fn a_step_that_fails_once_is_done_by_the_next_run() {
    let up = Bench::new().await;
    for failing in up.left() {
        let bench = up.copy();
        bench.account.lock().unwrap().failing.insert(failing.clone(), 1);
        bench.run(plan::Mode::Down).await.unwrap();
        let outcome = bench.run(plan::Mode::Down).await.unwrap();
        assert!(outcome.is_success() && bench.left().is_empty(), "{failing}: {:?}", bench.left());
    }
}

#[tokio::test]
async fn a_step_that_fails_for_ever_leaves_itself_and_nothing_that_costs() {
    let up = Bench::new().await;
    for failing in up.left() {
        // Without these the cluster cannot go, whoever removes it.
        if keeps(&failing) {
            continue;
        }
        let bench = up.copy();
        bench.account.lock().unwrap().failing.insert(failing.clone(), u32::MAX);
        let first = bench.run(plan::Mode::Down).await.unwrap();
        bench.run(plan::Mode::Down).await.unwrap();
        let left = bench.left();
        assert!(!left.iter().any(costs), "{failing}: {left:?}");
        // What stays is named.
        let named = first.failures.iter().map(|(address, _)| address).chain(&first.skipped);
        let named: BTreeSet<&Address> = named.collect();
        assert!(left.iter().all(|address| named.contains(address)), "{failing}: {left:?}, named {named:?}");
    }
}

#[tokio::test]
async fn two_steps_that_fail_leave_nothing_that_costs() {
    let up = Bench::new().await;
    let addresses = up.left();
    let cheap: Vec<&Address> = addresses.iter().filter(|address| !keeps(address)).collect();
    for seed in 0..100_u64 {
        let mut random = fastrand::Rng::with_seed(seed);
        let bench = up.copy();
        let mut chosen = Vec::new();
        for _ in 0..2 {
            let failing = cheap[random.usize(..cheap.len())].clone();
            let times = if random.bool() { 1 } else { u32::MAX };
            bench.account.lock().unwrap().failing.insert(failing.clone(), times);
            chosen.push((failing, times));
        }
        bench.run(plan::Mode::Down).await.unwrap();
        let second = bench.run(plan::Mode::Down).await.unwrap();
        let left = bench.left();
        assert!(!left.iter().any(costs), "seed {seed}, {chosen:?}: {left:?}");
        let named: BTreeSet<&Address> =
            second.failures.iter().map(|(address, _)| address).chain(&second.skipped).collect();
        assert!(left.iter().all(|address| named.contains(address)), "seed {seed}: {left:?}, named {named:?}");
    }
}

/// Nobody answers for what is in the cluster, neither looks nor removals.
#[tokio::test]
async fn an_api_server_that_is_gone_keeps_nothing() {
    let up = Bench::new().await;
    let inside = |address: &&Address| address.kind().starts_with("kubernetes_");
    {
        let mut account = up.account.lock().unwrap();
        let objects: Vec<Address> = account.objects.keys().filter(inside).cloned().collect();
        assert!(objects.len() > 20, "{objects:?}");
        account.failing.extend(objects.iter().cloned().map(|address| (address, u32::MAX)));
        account.unreadable.extend(objects);
    }
    let outcome = up.run(plan::Mode::Down).await.unwrap();
    assert!(outcome.is_success() && up.left().is_empty(), "{outcome:?}: {:?}", up.left());
}

#[tokio::test]
async fn what_may_not_be_read_keeps_nothing_else() {
    let up = Bench::new().await;
    for unreadable in up.left() {
        // What contains others has to be seen.
        if unreadable == cluster_address() {
            continue;
        }
        let bench = up.copy();
        bench.account.lock().unwrap().unreadable.insert(unreadable.clone());
        bench.run(plan::Mode::Down).await.unwrap_or_else(|obstacles| panic!("{unreadable}: {obstacles}"));
        let left = bench.left();
        assert!(keeps(&unreadable) || !left.iter().any(costs), "{unreadable}: {left:?}");
    }
}
