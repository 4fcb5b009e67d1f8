//! Timelines of recorded runs.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::Timeline;
use crate::fixture::Run;
use crate::observation::{Decision, KubernetesEvent, Observation, Pod, Record, Replicas, Source};

#[test]
fn the_chain_is_reported_in_order_and_only_changes_are_reported() {
    let evidence = Run::good().evidence();
    let timeline = crate::explain(&evidence);
    let text: Vec<_> = timeline.entries.iter().map(|entry| entry.text.as_str()).collect();
    let position =
        |part: &str| text.iter().position(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}: {text:#?}"));
    let chain = [
        "9 messages sent",
        "decides 0 -> 1",
        "scaled 0 -> 1",
        "scaled 1 -> 3",
        "deleted message",
        "decides 2 -> 0",
        "scaled 2 -> 0",
    ];
    let positions: Vec<_> = chain.iter().map(|part| position(part)).collect();
    assert!(positions.is_sorted(), "{positions:?} {text:#?}");
    assert!(timeline.entries.len() < 50, "{}", timeline.entries.len());
    assert_eq!(timeline.json()["version"], 1);
    assert!(timeline.lines()[0].contains(" s  "));
}

/// A history whose true order is known, as various sources report it.
struct History {
    scale: f64,
    start: Timestamp,
    /// Time, what it is called, and its record.
    truth: Vec<(Timestamp, String, Record)>,
}

impl History {
    fn at(&self, system: f64) -> Timestamp {
        self.start + SignedDuration::from_secs_f64(system / self.scale)
    }

    fn add(&mut self, system: f64, name: &str, source: Source, observation: Observation) {
        let time = self.at(system);
        self.truth.push((time, name.to_owned(), Record { time, source, observation }));
    }

    fn event(&mut self, system: f64, reason: &str, object: &str, message: &str) {
        let event = KubernetesEvent {
            kind: "Normal".to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            object: object.to_owned(),
            count: 1,
            at: None,
        };
        self.add(system, &format!("{reason} on {object}: {message}"), Source::Events, Observation::Event(event));
    }

    fn decision(&mut self, system: f64, from: i64, to: i64, wanted: i64) {
        let decision = Decision {
            namespace: "myproject".to_owned(),
            name: "myapp".to_owned(),
            from: Some(from),
            to: Some(to),
            reason: "because".to_owned(),
            decision: json!({ "wantedByHpa": wanted }),
        };
        self.add(system, &format!("decides {from} -> {to}"), Source::OperatorLog, Observation::Decision(decision));
    }

    fn replicas(&mut self, system: f64, from: u32, to: u32) {
        let observation = Observation::Deployment(Replicas { desired: to, current: from, ready: from });
        self.add(system, &format!("scaled {from} -> {to}"), Source::Deployment, observation);
    }

    fn pod_begins(&mut self, system: f64, pod: &str) {
        self.event(system, "SuccessfulCreate", "ReplicaSet/myapp-1", &format!("Created pod: {pod}"));
        for (index, reason) in ["Scheduled", "Pulled", "Created", "Started"].iter().enumerate() {
            self.event(system + 0.5 + 0.5 * index as f64, reason, &format!("Pod/{pod}"), "words");
        }
    }

    /// 0 -> 1 -> 3 -> 2 -> 0, the first two steps within a few seconds of system time.
    fn new(scale: f64, phase: f64) -> Self {
        let start: Timestamp = "2026-11-27T01:37:41Z".parse().unwrap();
        let start = start + SignedDuration::from_secs_f64(phase);
        let mut history = Self { scale, start, truth: Vec::new() };
        history.decision(5.0, 0, 1, 3);
        history.replicas(5.1, 0, 1);
        history.event(5.2, "KEDAScaleTargetActivated", "ScaledObject/myapp", "Scaled from 0 to 1");
        history.event(5.3, "ScalingReplicaSet", "Deployment/myapp", "Scaled up replica set myapp-1 from 0 to 1");
        history.pod_begins(5.4, "myapp-1-z");
        history.event(15.0, "SuccessfulRescale", "HorizontalPodAutoscaler/h", "New size: 3; reason: external metric");
        history.replicas(15.1, 1, 3);
        history.event(15.2, "ScalingReplicaSet", "Deployment/myapp", "Scaled up replica set myapp-1 from 1 to 3");
        history.pod_begins(15.3, "myapp-1-b");
        history.pod_begins(15.4, "myapp-1-a");
        history.event(
            330.0,
            "SuccessfulRescale",
            "HorizontalPodAutoscaler/h",
            "New size: 2; reason: All metrics below",
        );
        history.replicas(330.1, 3, 2);
        history.event(330.2, "ScalingReplicaSet", "Deployment/myapp", "Scaled down replica set myapp-1 from 3 to 2");
        history.event(330.3, "SuccessfulDelete", "ReplicaSet/myapp-1", "Deleted pod: myapp-1-a");
        history.event(330.4, "Killing", "Pod/myapp-1-a", "words");
        history.decision(350.0, 2, 0, 1);
        history.replicas(350.1, 2, 0);
        history.event(350.2, "KEDAScaleTargetDeactivated", "ScaledObject/myapp", "Deactivated from 2 to 0");
        history.event(350.3, "ScalingReplicaSet", "Deployment/myapp", "Scaled down replica set myapp-1 from 2 to 0");
        history.event(350.4, "SuccessfulDelete", "ReplicaSet/myapp-1", "Deleted pod: myapp-1-b");
        history.event(350.5, "SuccessfulDelete", "ReplicaSet/myapp-1", "Deleted pod: myapp-1-z");
        history
    }

    /// What a run that watched has: the pods' states besides, which are seen at once.
    fn watched(mut self) -> Self {
        let seen = |names: &[&str]| {
            let pod = |name: &&str| Pod {
                name: (*name).to_owned(),
                phase: "Pending".to_owned(),
                ready: false,
                restarts: 0,
                terminating: false,
                waiting: None,
            };
            Observation::Pods { pods: names.iter().map(pod).collect() }
        };
        self.replicas(0.0, 0, 0);
        self.add(5.45, "myapp-1-z Pending", Source::Pods, seen(&["myapp-1-z"]));
        self.add(15.5, "myapp-1-a Pending", Source::Pods, seen(&["myapp-1-a", "myapp-1-b", "myapp-1-z"]));
        self
    }

    /// What the cluster remembers: nobody has seen the Deployment change.
    fn remembered(mut self) -> Self {
        self.truth.retain(|(_, _, record)| record.source != Source::Deployment);
        self
    }

    /// The records with their Events cut to the second, those of one second turned about by `turn`.
    fn records(&self, turn: usize) -> Vec<Record> {
        let mut records: Vec<Record> = self.truth.iter().map(|(_, _, record)| record.clone()).collect();
        for record in &mut records {
            if record.source == Source::Events {
                record.time = Timestamp::from_second(record.time.as_second()).unwrap();
            }
        }
        let middle = turn % records.len();
        records.rotate_left(middle);
        if turn % 2 == 1 {
            records.reverse();
        }
        records.sort_by_key(|record| record.time);
        records
    }
}

fn position(timeline: &Timeline, name: &str) -> usize {
    let found = timeline.entries.iter().position(|entry| entry.text.contains(name));
    found.unwrap_or_else(|| panic!("{name}: {:#?}", timeline.lines()))
}

/// What the numbers and names of records say of causes, from the first to the last effect.
const CHAINS: [&[&str]; 6] = [
    &["decides 0 -> 1", "KEDAScaleTargetActivated"],
    &["decides 0 -> 1", "myapp-1 from 0 to 1", "New size: 3", "myapp-1 from 1 to 3"],
    &[
        "SuccessfulCreate on ReplicaSet/myapp-1: Created pod: myapp-1-b",
        "Scheduled on Pod/myapp-1-b",
        "Started on Pod/myapp-1-b",
    ],
    &["New size: 2", "myapp-1 from 3 to 2", "Deleted pod: myapp-1-a", "Killing on Pod/myapp-1-a"],
    &["decides 2 -> 0", "KEDAScaleTargetDeactivated"],
    &["decides 2 -> 0", "myapp-1 from 2 to 0", "Deleted pod: myapp-1-b"],
];

#[track_caller]
fn is_causal(timeline: &Timeline) {
    for chain in CHAINS {
        let positions: Vec<_> = chain.iter().map(|name| position(timeline, name)).collect();
        assert!(positions.is_sorted(), "{chain:?} {:#?}", timeline.lines());
    }
    for (index, entry) in timeline.entries.iter().enumerate() {
        assert!(entry.cause.is_none_or(|cause| cause < index), "{:#?}", timeline.lines());
    }
    assert!(timeline.entries.is_sorted_by_key(|entry| entry.time), "{:#?}", timeline.lines());
    let linked = [
        "Activated",
        "myapp-1 from 0 to 1",
        "New size: 3",
        "myapp-1 from 1 to 3",
        "Created pod: myapp-1-a",
        "Deleted pod",
    ];
    for name in linked {
        assert!(timeline.entries[position(timeline, name)].cause.is_some(), "{name} {:#?}", timeline.lines());
    }
}

#[test]
fn no_effect_of_a_recorded_run_stands_before_its_cause_and_each_pod_has_its_own() {
    for scale in [1.0, 30.0] {
        for step in 0..20 {
            let history = History::new(scale, f64::from(step) / 20.0).watched();
            for turn in 0..16 {
                let timeline = Timeline::of(&history.records(turn), scale, None);
                is_causal(&timeline);
                for (pod, scaling) in
                    [("z", "myapp-1 from 0 to 1"), ("a", "myapp-1 from 1 to 3"), ("b", "myapp-1 from 1 to 3")]
                {
                    let created = position(&timeline, &format!("Created pod: myapp-1-{pod}"));
                    let cause = timeline.entries[created].cause.unwrap();
                    assert!(timeline.entries[cause].text.contains(scaling), "{pod} {scale} {:#?}", timeline.lines());
                }
                let changes = [
                    "decides 0 -> 1",
                    "scaled 0 -> 1",
                    "myapp-1 from 0 to 1",
                    "New size: 3",
                    "scaled 1 -> 3",
                    "myapp-1 from 1 to 3",
                ];
                let positions: Vec<_> = changes.iter().map(|name| position(&timeline, name)).collect();
                assert!(positions.is_sorted(), "{scale} {:#?}", timeline.lines());
            }
        }
    }
}

#[test]
fn what_only_a_cluster_remembers_is_in_the_order_of_causes_too() {
    for scale in [1.0, 30.0] {
        for step in 0..20 {
            let history = History::new(scale, f64::from(step) / 20.0).remembered();
            for turn in 0..16 {
                is_causal(&Timeline::of(&history.records(turn), scale, None));
            }
        }
    }
}

#[test]
fn a_cause_that_is_stamped_late_stands_before_the_first_of_its_effects() {
    let history = History::new(30.0, 0.3).watched();
    let mut records = history.records(0);
    for record in &mut records {
        if matches!(record.observation, Observation::Decision(_)) {
            // Half a second late: after the replica, the Event, and the pod.
            record.time += SignedDuration::from_millis(500);
        }
    }
    records.sort_by_key(|record| record.time);
    let timeline = Timeline::of(&records, 30.0, None);
    is_causal(&timeline);
    assert!(position(&timeline, "decides 0 -> 1") < position(&timeline, "scaled 0 -> 1"), "{:#?}", timeline.lines());
}

#[test]
fn the_text_and_the_json_name_the_cause() {
    let timeline = Timeline::of(&History::new(30.0, 0.0).watched().records(0), 30.0, None);
    let scaled = position(&timeline, "scaled 0 -> 1");
    assert!(timeline.lines()[scaled].ends_with("  ← operator +5.0 s"), "{:#?}", timeline.lines());
    let json = timeline.json();
    let cause = json["entries"][scaled]["cause"].as_u64().unwrap() as usize;
    assert!(json["entries"][cause]["text"].as_str().unwrap().starts_with("decides 0 -> 1"));
}

#[test]
fn a_pod_that_replaces_another_is_no_effect_of_an_old_scaling() {
    let mut history = History::new(1.0, 0.5);
    history.event(200.0, "SuccessfulCreate", "ReplicaSet/myapp-1", "Created pod: myapp-1-c");
    let timeline = Timeline::of(&history.records(0), 1.0, None);
    assert_eq!(timeline.entries[position(&timeline, "Created pod: myapp-1-c")].cause, None);
}
