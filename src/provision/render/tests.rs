//! What a person sees of a plan, as snapshots.

use serde_json::json;

use super::*;
use crate::address::Address;

fn field(path: &str, before: Option<Value>, after: After) -> Field {
    Field { path: path.to_owned(), before, after, forces_replacement: false, sensitive: false }
}

fn change(action: Action, address: &str, fields: Vec<Field>) -> Change {
    Change {
        address: address.parse::<Address>().unwrap(),
        action,
        reason: None,
        fields,
        prior: None,
        depends_on: std::collections::BTreeSet::new(),
        may_outlive: std::collections::BTreeSet::new(),
        serial_key: None,
        removal_turn: None,
        slot: None,
        goes_with: None,
        holds: Vec::new(),
        look_first: false,
        adopted: false,
        disturbed: false,
    }
}

fn text(changes: Vec<Change>, notes: &[&str]) -> String {
    let notes = notes.iter().map(|note| (*note).to_owned()).collect();
    let plan = Plan { mode: crate::plan::Mode::Up, changes, drift: Vec::new(), notes };
    render(&plan).into_iter().map(|line| line.text).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_manifest_is_shown_field_by_field() {
    let manifest = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "myapp", "labels": { "app.kubernetes.io/name": "myapp" }, "annotations": {} },
        "spec": { "replicas": 1, "template": { "spec": { "containers": [{
            "name": "myapp", "args": ["worker", "--parallelism=1"],
            "env": [{ "name": "QUEUE_URL", "value": UNKNOWN }, { "name": "REGION", "value": "eu-central-1" }],
        }] } } },
    });
    let fields = vec![field("manifest", None, After::Known(manifest)), field("uid", None, After::Unknown)];
    insta::assert_snapshot!(text(vec![change(Action::Create, "kubernetes_deployment.a/myapp", fields)], &[]), @r#"
      + kubernetes_deployment.a/myapp will be created
          + manifest:
              + apiVersion: "apps/v1"
              + kind: "Deployment"
              + metadata:
                  + annotations: {}
                  + labels:
                      + app.kubernetes.io/name: "myapp"
                  + name: "myapp"
              + spec:
                  + replicas: 1
                  + template:
                      + spec:
                          + containers:
                              + [0]:
                                  + args: ["worker", "--parallelism=1"]
                                  + env:
                                      + [0]:
                                          + name: "QUEUE_URL"
                                          + value: (known after apply)
                                      + [1]:
                                          + name: "REGION"
                                          + value: "eu-central-1"
                                  + name: "myapp"
          + uid: (known after apply)
    Plan: 1 to add, 0 to change, 0 to destroy.
    "#);
}

#[test]
fn changes_are_reported_by_path_with_old_and_new() {
    let fields = vec![
        field("manifest.spec.maxReplicaCount", Some(json!(3)), After::Known(json!(5))),
        field("manifest.spec.minReplicaCount", None, After::Known(json!(1))),
        field("manifest.metadata.labels[\"a.b/c\"]", Some(json!("x")), After::Removed),
        field("manifest.spec.url", Some(json!("http://a")), After::Unknown),
        field(
            "manifest.rules",
            Some(json!([{ "verbs": ["get"] }])),
            After::Known(json!([{ "verbs": ["get", "list"] }, {}])),
        ),
        Field { sensitive: true, ..field("password", None, After::Known(Value::Null)) },
    ];
    let replaced =
        vec![Field { forces_replacement: true, ..field("name", Some(json!("a")), After::Known(json!("b"))) }];
    let steps = vec![
        change(Action::NoOp, "k.same", Vec::new()),
        change(Action::Update, "kubernetes_scaled_object.a/b", fields),
        change(Action::Replace, "aws_sqs_queue.q", replaced),
        Change {
            reason: Some("it is no longer declared".into()),
            ..change(Action::Delete, "aws_iam_role.r", Vec::new())
        },
    ];
    insta::assert_snapshot!(text(steps, &["k.x is left alone"]), @r#"
      ~ kubernetes_scaled_object.a/b will be updated in place
          ~ manifest.spec.maxReplicaCount: 3 -> 5
          + manifest.spec.minReplicaCount: 1
          - manifest.metadata.labels["a.b/c"]: "x" -> null
          ~ manifest.spec.url: "http://a" -> (known after apply)
          ~ manifest.rules:
              - [0]:
                  - verbs: ["get"]
              + [0]:
                  + verbs: ["get", "list"]
              + [1]: {}
          ~ password: (sensitive value)
    -/+ aws_sqs_queue.q must be replaced
          ~ name: "a" -> "b" # forces replacement
      - aws_iam_role.r will be destroyed (it is no longer declared)
    Note: k.x is left alone
    Plan: 1 to add, 1 to change, 2 to destroy.
    "#);
}

#[test]
fn what_would_fill_screens_is_folded_where_it_is_deep() {
    let deep: serde_json::Map<String, Value> =
        (0..100).map(|n| (format!("p{n}"), json!({ "type": "string", "description": "d" }))).collect();
    let manifest = json!({ "kind": "CustomResourceDefinition", "spec": { "group": "keda.sh", "versions": [{ "name": "v1", "schema": deep }] } });
    let fields = vec![field("manifest", None, After::Known(manifest))];
    insta::assert_snapshot!(text(vec![change(Action::Create, "kubernetes_crd.x", fields)], &[]), @r#"
      + kubernetes_crd.x will be created
          + manifest:
              + kind: "CustomResourceDefinition"
              + spec:
                  + group: "keda.sh"
                  + versions:
                      + [0]:
                          + name: "v1"
                          + schema: (200 values)
    Note: (N values) stands for N values that are not shown; the plan as JSON has them.
    Plan: 1 to add, 0 to change, 0 to destroy.
    "#);
}

#[test]
fn nothing_to_do_is_said_so() {
    insta::assert_snapshot!(text(vec![change(Action::NoOp, "k.same", Vec::new())], &[]), @"No changes. What exists is as declared.");
    let down = Plan { mode: Mode::Down, changes: Vec::new(), drift: Vec::new(), notes: Vec::new() };
    assert_eq!(render(&down).last().unwrap().text, "No changes. Nothing is there to be destroyed.");
}

#[test]
fn the_outline_has_a_line_for_each_resource_and_how_many_there_are_of_each_kind() {
    let grown = field("tags", Some(json!({ "a": 1 })), After::Known(json!({ "a": 2 })));
    let forcing = Field { forces_replacement: true, ..field("name", Some(json!("a")), After::Known(json!("b"))) };
    let mut kept = change(Action::Keep, "kubernetes_namespace.post", Vec::new());
    kept.holds = vec!["ConfigMap post/notes".to_owned()];
    let mut changes = vec![
        change(Action::Create, "aws_iam_role.one", vec![field("name", None, After::Known(json!("one")))]),
        change(Action::Create, "aws_iam_role.two", Vec::new()),
        change(Action::Update, "aws_sqs_queue.orders", vec![grown.clone()]),
        change(Action::Replace, "aws_eks_cluster.this", vec![forcing, grown]),
        change(Action::NoOp, "aws_sqs_queue.mails", Vec::new()),
        kept,
    ];
    let long = |number: usize| change(Action::Delete, &format!("kubernetes_kind_{number}_of_many.x"), Vec::new());
    changes.extend((0..6).map(long));
    let plan = Plan { mode: Mode::Up, changes, drift: Vec::new(), notes: vec!["look".to_owned()] };
    let lines: Vec<String> = outline(&plan).into_iter().map(|line| line.text).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
  + aws_iam_role.one will be created
  + aws_iam_role.two will be created
  ~ aws_sqs_queue.orders will be updated in place: tags
-/+ aws_eks_cluster.this must be replaced: name
    kubernetes_namespace.post is kept
       what is not this stack's is in it:
          ConfigMap post/notes
  - kubernetes_kind_0_of_many.x will be destroyed
  - kubernetes_kind_1_of_many.x will be destroyed
  - kubernetes_kind_2_of_many.x will be destroyed
  - kubernetes_kind_3_of_many.x will be destroyed
  - kubernetes_kind_4_of_many.x will be destroyed
  - kubernetes_kind_5_of_many.x will be destroyed
Note: look
To add: 2 aws_iam_role
To change: 1 aws_sqs_queue
To replace: 1 aws_eks_cluster
To destroy: 1 kubernetes_kind_0_of_many, 1 kubernetes_kind_1_of_many, 1 kubernetes_kind_2_of_many,
    1 kubernetes_kind_3_of_many, 1 kubernetes_kind_4_of_many, 1 kubernetes_kind_5_of_many
Plan: 3 to add, 1 to change, 7 to destroy.
"#);
    assert!(lines.iter().all(|line| line.chars().count() <= 100), "{lines:#?}");
}
