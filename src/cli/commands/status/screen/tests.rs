//! The screen, as snapshots.

use aws::queue::Counts;
use cluster::read::{Jobs, ScaledJob, ScaledObject};
use local::files::Record;

use super::super::{ControlPlane, QueueStatus, Recorded};
use super::*;

fn nothing() -> Status {
    Status {
        stack: "demo".to_owned(),
        target: "local",
        region: "eu-central-1".to_owned(),
        local_cloud: Some(Seen::Absent),
        recorded: Seen::Absent,
        cluster: Seen::Absent,
        queues: vec![QueueStatus { name: "demo-myapp".to_owned(), counts: Seen::Absent }],
        ending_namespaces: Seen::Absent,
        operator: Seen::Absent,
        scaled_objects: Seen::Absent,
        scaled_jobs: Seen::Absent,
    }
}

fn standing() -> Status {
    let condition = |kind: &str, status: &str, message: &str| Condition {
        kind: kind.to_owned(),
        status: status.to_owned(),
        reason: String::new(),
        message: message.to_owned(),
    };
    let replicas = |desired, ready| {
        let (selector, waiting) = (String::new(), Vec::new());
        Seen::Is(Deployment { desired, current: ready, ready, available: ready, selector, waiting })
    };
    Status {
        local_cloud: Some(Seen::Is(Record {
            version: 1,
            pid: 42,
            aws_endpoint: "http://127.0.0.1:4566".to_owned(),
            region: "eu-central-1".to_owned(),
            account_id: "111122223333".to_owned(),
            time_scale: 30.0,
            faults: None,
            pod_walls: Some(PodWalls { kind: Walls::Namespaces, reason: None }),
        })),
        recorded: Seen::Is(Recorded { resources: 33, unfinished: 0 }),
        cluster: Seen::Is(ControlPlane {
            name: "demo".to_owned(),
            status: Some("ACTIVE".to_owned()),
            version: "1.35".to_owned(),
            endpoint: Some("https://127.0.0.1:6443".to_owned()),
        }),
        queues: vec![QueueStatus {
            name: "demo-myapp".to_owned(),
            counts: Seen::Is(Counts { visible: 7, in_flight: 2, delayed: 0 }),
        }],
        operator: replicas(1, 1),
        scaled_objects: Seen::Is(vec![Scaled {
            object: ScaledObject {
                namespace: "myproject".to_owned(),
                name: "myapp".to_owned(),
                target: "myapp".to_owned(),
                min: 0,
                max: 3,
                conditions: vec![
                    condition("Ready", "True", "ScaledObject is defined correctly and is ready for scaling"),
                    condition("Active", "True", "Scaling is performed because triggers are active"),
                ],
                last_active_at: None,
                metric_names: Vec::new(),
                hpa: Some("keda-hpa-myapp".to_owned()),
            },
            replicas: replicas(3, 1),
            hpa: Seen::Is(Hpa {
                min: 1,
                max: 3,
                current: Some(1),
                desired: 3,
                metrics: serde_json::Value::Null,
                conditions: Vec::new(),
            }),
        }]),
        ..nothing()
    }
}

fn text(status: &Status) -> String {
    lines(status).into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
}

#[test]
fn nothing_up_is_said_plainly_with_the_next_command() {
    assert!(nothing().is_read());
    insta::assert_snapshot!(text(&nothing()), @r"
    Stack demo on local (eu-central-1)
    Local cloud   not running
    Nothing is up. Bring it up with `sluice up`, or see it all with `sluice demo`.
    ");
}

#[test]
fn what_stands_fits_one_screen() {
    assert!(standing().is_read());
    insta::assert_snapshot!(text(&standing()), @r"
    Stack demo on local (eu-central-1)
    Local cloud   process 42, http://127.0.0.1:4566, time 30× as fast
    Pods          walled in by namespaces: a file system and processes of their own
    Recorded      33 resources
    Cluster       demo ACTIVE, Kubernetes 1.35, https://127.0.0.1:6443
    Queue         demo-myapp: 7 visible, 2 in flight, 0 delayed
    Operator      1 of 1 ready
    ScaledObject  myproject/myapp: min 0, max 3; 3 wanted, 1 ready
                    Ready=True  ScaledObject is defined correctly and is ready for scaling
                    Active=True  Scaling is performed because triggers are active
                    Paused=?  not reported yet
                    HPA keda-hpa-myapp: current 1, desired 3
    Next          `sluice send 9`, `sluice watch`, `sluice verify`, or `sluice down`
    ");
}

#[test]
fn what_cannot_be_read_is_neither_zero_nor_absent() {
    let mut status = standing();
    status.queues[0].counts = Seen::Unreadable("sqs:GetQueueAttributes was refused".to_owned());
    status.operator = Seen::Unreadable("the cluster could not be read".to_owned());
    if let Seen::Is(scaled) = &mut status.scaled_objects {
        scaled[0].replicas = Seen::Unreadable("timed out".to_owned());
        scaled[0].hpa = Seen::Absent;
    }
    assert!(!status.is_read());
    insta::assert_snapshot!(text(&status), @r"
    Stack demo on local (eu-central-1)
    Local cloud   process 42, http://127.0.0.1:4566, time 30× as fast
    Pods          walled in by namespaces: a file system and processes of their own
    Recorded      33 resources
    Cluster       demo ACTIVE, Kubernetes 1.35, https://127.0.0.1:6443
    Queue         demo-myapp: unreadable: sqs:GetQueueAttributes was refused
    Operator      unreadable: the cluster could not be read
    ScaledObject  myproject/myapp: min 0, max 3; replicas unreadable: timed out
                    Ready=True  ScaledObject is defined correctly and is ready for scaling
                    Active=True  Scaling is performed because triggers are active
                    Paused=?  not reported yet
                    HPA: none
    Next          `sluice send 9`, `sluice watch`, `sluice verify`, or `sluice down`
    ");
}

#[test]
fn a_killed_local_cloud_is_reported_with_what_the_state_still_records() {
    let status = Status { recorded: Seen::Is(Recorded { resources: 12, unfinished: 3 }), ..nothing() };
    insta::assert_snapshot!(text(&status), @r"
    Stack demo on local (eu-central-1)
    Local cloud   not running
    Recorded      12 resources, 3 of them unfinished
    Cluster       none
    Queue         demo-myapp: none
    Operator      none
    ScaledObject  none
    Next          the local cloud is gone with all that was in it: `sluice up` begins anew, `sluice down` clears the record
    ");
}

#[test]
fn weaker_walls_of_pods_are_said_plainly_with_the_reason() {
    let with = |kind| {
        let mut status = standing();
        let reason = Some("failed to make a user namespace: EPERM: Operation not permitted".to_owned());
        let Some(Seen::Is(record)) = &mut status.local_cloud else { panic!("the fixture has it") };
        record.pod_walls = Some(PodWalls { kind, reason });
        lines(&status).into_iter().find(|(_, line)| line.starts_with("Pods")).unwrap()
    };
    let (tone, line) = with(Walls::None);
    assert!(matches!(tone, Tone::Bad) && line.contains("NOT walled in"), "{line}");
    assert!(line.ends_with("(failed to make a user namespace: EPERM: Operation not permitted)"), "{line}");
    let landlock = with(Walls::Landlock).1;
    assert!(landlock.contains("walled in by Landlock") && landlock.contains("refused chmod"), "{landlock}");
}

#[test]
fn why_pods_do_not_run_is_said_below_what_wants_them() {
    let mut status = standing();
    let Seen::Is(scaled) = &mut status.scaled_objects else { panic!("the fixture has it") };
    let Seen::Is(replicas) = &mut scaled[0].replicas else { panic!("the fixture has it") };
    replicas.waiting.push("p: ImagePullBackOff: no such image".to_owned());
    let text: Vec<String> = lines(&status).into_iter().map(|(_, text)| text).collect();
    let scaled = text.iter().position(|line| line.contains("3 wanted, 1 ready")).unwrap();
    assert!(text[scaled + 1].contains("p: ImagePullBackOff: no such image"), "{text:#?}");
    assert_eq!(text.iter().filter(|line| line.contains("ImagePullBackOff")).count(), 1);
}

#[test]
fn a_namespace_that_is_being_deleted_is_named_with_its_conditions_and_what_helps() {
    let mut status = standing();
    let why = "it is being deleted; NamespaceDeletionDiscoveryFailure: 1 failing: metrics.example.com/v1".to_owned();
    status.ending_namespaces = Seen::Is(vec![EndingNamespace { name: "keda".to_owned(), why }]);
    status.operator = Seen::Absent;
    let lines: Vec<String> = super::lines(&status).into_iter().map(|(_, line)| line).collect();
    let has = |part: &str| lines.iter().any(|line| line.contains(part));
    assert!(has("Namespace     keda: it is being deleted; NamespaceDeletionDiscoveryFailure"), "{lines:#?}");
    assert!(has("kubectl get apiservices"), "{lines:#?}");
}

#[test]
fn jobs_are_counted_by_what_became_of_them() {
    let job = ScaledJob {
        namespace: "myproject".to_owned(),
        name: "orders".to_owned(),
        min: 0,
        max: 5,
        conditions: Vec::new(),
        jobs: Jobs { running: 2, complete: 7, failed: 1 },
        waiting: vec!["orders-x: ImagePullBackOff".to_owned()],
    };
    let status = Status { scaled_objects: Seen::Absent, scaled_jobs: Seen::Is(vec![job]), ..standing() };
    let text = text(&status);
    for line in [
        "myproject/orders: min 0, max 5; 2 Jobs run, 7 complete, 1 failed",
        "ImagePullBackOff",
        "Active=?",
        "sluice send",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("ScaledObject "), "{text}");
    let unread = Status { scaled_jobs: Seen::Unreadable("timed out".to_owned()), ..standing() };
    assert!(!unread.is_read());
}
