//! Removing: what nobody declares any more, in whose turn, and what must not hold up what.

use super::*;
use crate::Refreshed;

fn orphan(bench: &Bench) -> impl Fn(&Address, &Entry) -> Option<Node> {
    let cloud = bench.cloud.clone();
    move |address, entry| {
        let known = entry.object.as_ref().map_or(&entry.wanted, |object| &object.attributes);
        let desired = serde_json::to_value(known).unwrap();
        (!known.is_empty()).then(|| thing(&cloud, address.name(), desired, &[]))
    }
}

#[tokio::test]
async fn turns_order_a_removal_whose_dependencies_nobody_knows_any_more() {
    let bench = Bench::new();
    let nodes = || ["operator", "object", "crd"].map(|name| thing(&bench.cloud, name, json!({}), &[]));
    bench.up(&Graph::new(nodes()).unwrap()).await;
    bench.calls();
    // The state is lost: they are found without any dependency, in an order that says nothing.
    std::fs::remove_file(bench.store().path()).unwrap();
    let mut graph = Graph::new([]).unwrap();
    let found = [("crd", 9), ("operator", 6), ("object", 0)];
    graph.add_found(found.map(|(name, turn)| taking_turns(&bench.cloud, name, turn, &[], None))).unwrap();
    let (_, outcome) = bench.down(&graph).await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(bench.calls(), ["delete object", "delete operator", "delete crd"]);
}

#[tokio::test]
async fn a_turn_yields_to_a_dependency_that_says_the_opposite() {
    let bench = Bench::new();
    let nodes = || [taking_turns(&bench.cloud, "a", 1, &[], None), taking_turns(&bench.cloud, "b", 2, &["a"], None)];
    bench.up(&Graph::new(nodes()).unwrap()).await;
    bench.calls();
    let (_, outcome) = bench.down(&Graph::new(nodes()).unwrap()).await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(bench.calls(), ["delete b", "delete a"]);
}

#[tokio::test]
async fn what_moves_is_changed_and_made_again_only_after_what_needed_it_as_it_was_has_gone() {
    let bench = Bench::new();
    let slot = Some("operator");
    let turns = |name, turn, needs: &[&str], slot| taking_turns(&bench.cloud, name, turn, needs, slot);
    let object = || turns("object", 0, &["api", "old"], None);
    let old = || turns("old", 6, &["rights"], slot);
    let nodes = [turns("rights", 7, &[], None), old(), turns("api", 2, &["old"], None), object()];
    bench.up(&Graph::new(nodes).unwrap()).await;
    bench.calls();
    // The operator moves, its rights and its API with it, and an object is dropped at the same time.
    for name in ["rights", "api"] {
        let mut cloud = bench.cloud.lock().unwrap();
        cloud.objects.get_mut(&format!("thing.{name}")).unwrap().attributes.insert("size".into(), json!(2));
    }
    let new = turns("new", 6, &["rights"], slot);
    let mut graph = Graph::new([turns("rights", 7, &[], None), new, turns("api", 2, &["new"], None)]).unwrap();
    let mut store = bench.store();
    let rebuild = |address: &Address, _: &Entry| {
        Some(if address.name() == "old" { turns("old", 6, &[], slot) } else { turns("object", 0, &[], None) })
    };
    graph.add_orphans(&store.state, &rebuild).unwrap();
    let plan = bench.plan(&graph, &store.state).await.unwrap();
    let (outcome, _) = bench.apply(&plan, &graph, &mut store).await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(bench.calls(), ["delete object", "delete old", "update rights", "create new", "update api"]);
}

#[tokio::test]
async fn what_cannot_be_removed_by_itself_does_not_keep_its_container() {
    let bench = Bench::new();
    let nodes = || {
        [
            thing(&bench.cloud, "cluster", json!({}), &[]),
            lodger(&bench.cloud, "stuck", json!({}), &[], Some("cluster")),
            lodger(&bench.cloud, "other", json!({}), &[], Some("cluster")),
        ]
    };
    bench.up(&Graph::new(nodes()).unwrap()).await;
    bench.calls();
    bench.refuse("delete stuck");
    let (_, outcome) = bench.down(&Graph::new(nodes()).unwrap()).await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(outcome.summary.destroy, 3);
    assert_eq!(bench.calls(), ["delete other", "delete cluster"]);
    assert!(!bench.store().path().exists(), "it is recorded although it is gone");
}

#[tokio::test]
async fn what_is_disturbed_by_a_replacement_is_waited_for_although_nothing_of_it_changes() {
    let bench = Bench::new();
    let nodes = |fixed: u8| {
        let pods = thing(&bench.cloud, "pods", json!({ "needs": "profile" }), &["profile"]);
        let other = thing(&bench.cloud, "other", json!({}), &["profile"]);
        vec![thing(&bench.cloud, "profile", json!({ "fixed": fixed }), &[]), pods, other]
    };
    bench.up(&Graph::new(nodes(1)).unwrap()).await;
    bench.calls();
    let (plan, outcome) = bench.up(&Graph::new(nodes(2)).unwrap()).await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(bench.calls(), ["delete profile", "create profile", "update pods"]);
    let pods = plan.changes.iter().find(|change| change.address.name() == "pods").unwrap();
    assert!(pods.reason.as_ref().unwrap().contains("thing.profile is replaced"), "{:?}", pods.reason);
}

#[tokio::test]
async fn what_may_outlive_its_dependency_does_not_hold_up_the_removal_of_that() {
    let bench = Bench::new();
    let nodes = || {
        let role = thing(&bench.cloud, "role", json!({ "outlives": "provider" }), &["provider"]);
        let provider = thing(&bench.cloud, "provider", json!({ "outlives": "cluster" }), &["cluster"]);
        vec![thing(&bench.cloud, "cluster", json!({}), &[]), provider, role]
    };
    bench.up(&Graph::new(nodes()).unwrap()).await;
    bench.refuse("delete role");
    let (_, outcome) = bench.down(&Graph::new(nodes()).unwrap()).await;
    assert_eq!(outcome.failures.len(), 1, "{:?}", outcome.failures);
    assert!(outcome.skipped.is_empty(), "{:?}", outcome.skipped);
    let left: Vec<String> = bench.cloud.lock().unwrap().objects.keys().cloned().collect();
    assert_eq!(left, ["thing.role"]);
}

#[tokio::test]
async fn what_its_container_does_not_take_along_has_failed() {
    let bench = Bench::new();
    let nodes = || {
        [thing(&bench.cloud, "cluster", json!({}), &[]), lodger(&bench.cloud, "stuck", json!({}), &[], Some("cluster"))]
    };
    bench.up(&Graph::new(nodes()).unwrap()).await;
    bench.refuse("delete stuck");
    bench.refuse("delete cluster");
    let (_, outcome) = bench.down(&Graph::new(nodes()).unwrap()).await;
    let failed: Vec<&str> = outcome.failures.iter().map(|(address, _)| address.name()).collect();
    assert_eq!(failed, ["cluster", "stuck"]);
    assert!(bench.store().state.resources.contains_key(&address("stuck")));
}

#[tokio::test]
async fn what_a_killed_run_was_making_is_found_again_when_nobody_declares_it_any_more() {
    let bench = Bench::new();
    let mut store = bench.store();
    let graph = Graph::new([thing(&bench.cloud, "a", json!({"name": "alpha", "secret": "hush"}), &[])]).unwrap();
    let plan = bench.plan(&graph, &store.state).await.unwrap();
    bench.refuse("create a");
    bench.apply(&plan, &graph, &mut store).await;
    drop(store);
    // It was made all the same: the answer was lost.
    bench.relent();
    let made = Object::new("a", serde_json::from_value(json!({"name": "alpha"})).unwrap());
    bench.cloud.lock().unwrap().objects.insert("thing.a".into(), made);
    let mut store = bench.store();
    let text = std::fs::read_to_string(store.path()).unwrap();
    assert!(text.contains("alpha") && !text.contains("hush"), "{text}");
    let mut graph = Graph::new([]).unwrap();
    assert_eq!(graph.add_orphans(&store.state, &orphan(&bench)).unwrap(), Vec::<Address>::new());
    let plan = bench.plan(&graph, &store.state).await.unwrap();
    assert_eq!(actions(&plan), [("a".to_owned(), Action::Delete)]);
    let (outcome, _) = bench.apply(&plan, &graph, &mut store).await;
    assert!(outcome.is_success());
    assert!(bench.cloud.lock().unwrap().objects.is_empty());
}

#[tokio::test]
async fn a_dropped_thing_that_is_gone_or_somebody_elses_by_now_is_only_forgotten() {
    let bench = Bench::new();
    bench.up(&bench.pair()).await;
    bench.calls();
    bench.cloud.lock().unwrap().objects.remove("thing.b");
    bench.cloud.lock().unwrap().foreign.insert("a".into());
    let mut store = bench.store();
    let mut graph = Graph::new([]).unwrap();
    graph.add_orphans(&store.state, &orphan(&bench)).unwrap();
    let plan = bench.plan(&graph, &store.state).await.unwrap();
    assert!(plan.is_empty());
    let (outcome, _) = bench.apply(&plan, &graph, &mut store).await;
    assert!(outcome.is_success() && bench.calls().is_empty());
    assert!(store.state.resources.is_empty());
}

#[tokio::test]
async fn a_running_step_repeats_the_reason_that_it_gave_last() {
    struct Slow(Address, Attributes);
    impl Resource for Slow {
        fn address(&self) -> &Address {
            &self.0
        }
        fn desired(&self) -> &Attributes {
            &self.1
        }
        fn schema(&self) -> Schema {
            Schema::default()
        }
        fn identity(&self) -> String {
            String::new()
        }
        fn read<'a>(&'a self, _: Known<'a>, _: &'a Context) -> BoxFuture<'a, Result<Reading, Failure>> {
            async { Ok(Reading::Absent) }.boxed()
        }
        fn create<'a>(&'a self, _: &'a Attributes, context: &'a Context) -> BoxFuture<'a, Result<Object, Failure>> {
            async {
                context.progress.report("no image");
                context.clock.sleep(std::time::Duration::from_mins(1)).await;
                Ok(Object::new("slow", Attributes::new()))
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
            async { Ok(()) }.boxed()
        }
    }
    let mut bench = Bench::new();
    // Slow enough that ticks come also where the machine is busy.
    bench.clock = Clock::scaled(20.0);
    // Quick ones that keep ending must not put the tick off.
    let mut nodes: Vec<Node> = vec![Arc::new(Slow(address("slow"), Attributes::new()))];
    nodes.extend((0..20).map(|index| thing(&bench.cloud, &format!("t{index}"), json!({}), &[])));
    let graph = Graph::new(nodes).unwrap();
    let mut store = bench.store();
    let plan = bench.plan(&graph, &store.state).await.unwrap();
    let (_, events) = bench.apply(&plan, &graph, &mut store).await;
    let said = |event: &&Event| matches!(event, Event::Progress { status, .. } if status == "still creating: no image");
    assert!(events.iter().filter(said).count() >= 2, "{events:#?}");
}

#[tokio::test]
async fn orphans_of_the_state_are_removed_and_drift_is_reported() {
    let bench = Bench::new();
    bench.up(&bench.pair()).await;
    bench.calls();
    let a = || thing(&bench.cloud, "a", json!({"size": 1, "secret": "hush"}), &[]);
    bench.cloud.lock().unwrap().objects.get_mut("thing.a").unwrap().attributes.insert("size".into(), json!(7));
    let mut store = bench.store();
    let mut graph = Graph::new([a()]).unwrap();
    let rebuild = |address: &Address, _: &Entry| Some(thing(&bench.cloud, address.name(), json!({}), &[]));
    assert!(graph.add_orphans(&store.state, &rebuild).unwrap().is_empty());
    let plan = bench.plan(&graph, &store.state).await.unwrap();
    assert_eq!(plan.drift.len(), 1);
    assert_eq!(plan.drift[0].fields[0].before, Some(json!(1)));
    let (outcome, _) = bench.apply(&plan, &graph, &mut store).await;
    assert!(outcome.is_success());
    assert_eq!(store.state.resources.len(), 1);
    let mut calls = bench.calls();
    calls.sort();
    assert_eq!(calls, ["delete b", "update a"]);
}

#[tokio::test]
async fn what_holds_something_of_others_is_kept_unless_that_is_to_go_as_well() {
    let bench = Bench::new();
    let nodes = || [thing(&bench.cloud, "a", json!({}), &[]), thing(&bench.cloud, "b", json!({}), &["a"])];
    bench.up(&Graph::new(nodes()).unwrap()).await;
    bench.calls();
    for dropped in [true, false] {
        let mut store = bench.store();
        let mut graph = Graph::new(if dropped { Vec::new() } else { nodes().to_vec() }).unwrap();
        graph.add_orphans(&store.state, &orphan(&bench)).unwrap();
        let (events, _) = mpsc::unbounded_channel();
        let mut cloud = refresh(&graph, &store.state, &bench.clock, &events, &CancellationToken::new()).await;
        let plan_for = |cloud: &Refreshed, store: &Store| {
            let plan = if dropped { plan::up } else { plan::down };
            plan(&graph, &store.state, cloud).unwrap()
        };
        cloud.holds.insert("thing.a".parse().unwrap(), vec!["note 1".to_owned()]);
        let kept = plan_for(&cloud, &store);
        let action = |plan: &Plan, name: &str| actions(plan).into_iter().find(|(at, _)| at == name).unwrap().1;
        assert_eq!(action(&kept, "a"), Action::Keep);
        let text: Vec<String> = crate::render(&kept).into_iter().map(|line| line.text).collect();
        assert!(text.iter().any(|line| line.starts_with("    thing.a is kept")), "{text:#?}");
        assert!(text.iter().any(|line| line == "          note 1"), "{text:#?}");
        // Without what is kept there is nothing to do, once the rest is gone.
        assert_eq!(kept.is_empty(), !dropped);
        if dropped {
            let (outcome, _) = bench.apply(&kept, &graph, &mut store).await;
            assert!(outcome.is_success(), "{outcome:?}");
            assert_eq!(bench.calls(), ["delete b"]);
        }
        // The record of it stays, so that the next run looks again.
        assert!(store.state.resources.contains_key(&"thing.a".parse().unwrap()));
        cloud.sweeps = true;
        let swept = plan_for(&cloud, &store);
        assert_eq!((action(&swept, "a"), &swept.changes[0].holds), (Action::Delete, &vec!["note 1".to_owned()]));
    }
}

#[tokio::test]
async fn what_goes_with_its_container_is_not_held_up_by_what_it_holds() {
    let bench = Bench::new();
    let nodes = [
        thing(&bench.cloud, "cluster", json!({}), &[]),
        lodger(&bench.cloud, "namespace", json!({}), &[], Some("cluster")),
    ];
    let graph = Graph::new(nodes).unwrap();
    bench.up(&graph).await;
    let (store, (events, _)) = (bench.store(), mpsc::unbounded_channel());
    let mut cloud = refresh(&graph, &store.state, &bench.clock, &events, &CancellationToken::new()).await;
    cloud.holds.insert("thing.namespace".parse().unwrap(), vec!["note 1".to_owned()]);
    let plan = plan::down(&graph, &store.state, &cloud).unwrap();
    assert!(actions(&plan).iter().all(|(_, action)| *action == Action::Delete), "{plan:?}");
}
